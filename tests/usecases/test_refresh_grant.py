"""A refresh token is redeemed once, however many callers and instances want it at once."""

import asyncio

import pytest

from shared.errors import (
    RefreshInProgressError,
    SalesforceUnavailableError,
)
from shared.model import Health
from tests.fakes import CONTOSO_ORG, World
from tests.usecases.conftest import Told
from tests.usecases.refreshing import Alice, during_refresh, expired


@pytest.fixture
async def alice(world: World) -> Alice:
    return await expired(world)


async def test_a_refresh_gives_access_of_the_next_generation(alice: Alice, told: Told) -> None:
    access = await alice.refresh()

    grant = await alice.stored_grant()
    assert (access.org, access.generation) == (CONTOSO_ORG, 2)
    assert access.instance_host == "contoso.my.salesforce.com"
    assert access.token == grant.access_token
    assert alice.world.login.require_alive(access.token, access.instance_host)
    assert [(one["tenant"], one["user"], one["level"]) for one in told("grant_refreshed")] == [
        (alice.row.tenant, alice.row.user, "INFO")
    ]


async def test_access_is_fresh_for_the_caller_who_redeemed_it_and_for_nobody_else(
    alice: Alice,
) -> None:
    """If a fresh one is refused, its age is not why, and nothing is refreshed again."""
    at_once = await asyncio.gather(*(alice.refresh() for _ in range(3)))
    later = await alice.refresh()

    assert sorted(access.is_fresh for access in at_once) == [False, False, True]
    assert later.is_fresh is False


async def test_after_a_refresh_the_row_holds_no_lease_and_the_new_grant(alice: Alice) -> None:
    await alice.refresh()

    assert (alice.row.lease_holder, alice.row.lease_until) == (None, None)
    assert (alice.row.generation, alice.row.health) == (2, Health.ACTIVE)
    assert await alice.can_still_refresh()


async def test_a_waiting_health_is_active_again_after_a_refresh(alice: Alice) -> None:
    alice.change(health=Health.ORG_UNAVAILABLE, ended_at=alice.world.clock())

    await alice.refresh()

    assert (alice.row.health, alice.row.ended_at) == (Health.ACTIVE, None)


async def test_who_uses_the_new_access_token_finds_it_stored_already(alice: Alice) -> None:
    """The write is on its way, and nobody has the access token yet."""
    refreshing = asyncio.ensure_future(alice.refresh())
    was_given_out: list[bool] = []

    async def look() -> None:
        was_given_out.append(refreshing.done())

    during_refresh(alice, lambda: alice.world.connections.faults.meanwhile("replace", look))
    access = await refreshing

    assert was_given_out == [False]
    assert (await alice.stored_grant()).access_token == access.token


# --- many at once ----------------------------------------------------------------------------


async def test_o12_64_callers_at_once_redeem_once_and_all_get_the_same_access(
    alice: Alice,
) -> None:
    answers = await asyncio.gather(*(alice.refresh() for _ in range(64)))

    login = alice.world.login
    assert (login.redemptions, login.replays) == (1, 0)
    assert {(one.generation, one.token.reveal()) for one in answers} == {
        (2, (await alice.stored_grant()).access_token.reveal())
    }


async def test_o12_a_hundred_rounds_of_contention_never_redeem_twice(alice: Alice) -> None:
    for generation in range(1, 101):
        await asyncio.gather(*(alice.refresh(generation) for _ in range(16)))

    login = alice.world.login
    assert (login.redemptions, login.replays, alice.row.generation) == (100, 0, 101)


async def test_who_comes_with_an_old_generation_gets_the_newer_one_without_redeeming(
    alice: Alice,
) -> None:
    first = await alice.refresh()

    assert await alice.refresh() == first
    assert alice.world.login.redemptions == 1


async def test_o19_when_the_holder_of_the_lease_is_dead_others_wait_and_then_take_over(
    alice: Alice,
) -> None:
    until = alice.world.clock()
    alice.change(lease_holder="a dead worker", lease_until=until)
    alice.world.clock.move(seconds=30)  # by a clock that is half a minute behind, it still holds

    with pytest.raises(SalesforceUnavailableError):
        await alice.refresh()
    assert alice.world.login.redemptions == 0

    alice.world.clock.move(seconds=30)
    assert (await alice.refresh()).generation == 2


async def test_a_lease_that_is_given_back_while_waiting_is_taken(alice: Alice) -> None:
    alice.change(lease_holder="another", lease_until=alice.world.clock().replace(hour=13))

    async def later() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        alice.change(lease_holder=None, lease_until=None)

    access, _ = await asyncio.gather(alice.refresh(), later())

    assert access.generation == 2


# --- salesforce is redeeming it for somebody else ----------------------------------------------


async def test_already_being_processed_is_waited_out(alice: Alice) -> None:
    alice.world.login.faults.plan("refresh", RefreshInProgressError, times=3)

    assert (await alice.refresh()).generation == 2
    assert alice.row.lease_holder is None


async def test_already_being_processed_for_too_long_is_unavailable_and_ends_nothing(
    alice: Alice,
) -> None:
    alice.world.login.faults.plan("refresh", RefreshInProgressError, times=10_000)

    with pytest.raises(SalesforceUnavailableError):
        await alice.refresh()

    assert (alice.row.health, alice.row.lease_holder) == (Health.ACTIVE, None)
