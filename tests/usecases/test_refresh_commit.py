"""What comes of a refresh is not lost, and never written over what is newer or gone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.errors import (
    NotConnectedError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import Access, Health
from shared.secret import Secret
from tests.fakes import CONTOSO_ORG, World
from tests.usecases.refreshing import Alice, during_refresh, expired


@pytest.fixture
async def alice(world: World) -> Alice:
    return await expired(world)


type Fail = Callable[[World], None]


@pytest.mark.parametrize(
    "fail",
    [
        pytest.param(
            lambda world: world.connections.faults.plan("replace", StorageFailedError, times=2),
            id="the-store-is-away-for-two-attempts",
        ),
        pytest.param(
            lambda world: world.connections.faults.plan(
                "replace", StorageFailedError, carried_out=True
            ),
            id="written-and-the-answer-is-lost",
        ),
    ],
)
async def test_o17_a_failure_of_the_store_after_the_rotation_loses_no_grant(
    alice: Alice, fail: Fail
) -> None:
    during_refresh(alice, lambda: fail(alice.world))

    access = await alice.refresh()

    assert (access.generation, alice.row.generation) == (2, 2)
    assert alice.world.login.require_alive(access.token, access.instance_host)
    assert await alice.can_still_refresh()
    assert alice.world.backups.files == {}


@pytest.mark.parametrize("method", ["newest", "load"])
async def test_o17_a_key_that_cannot_be_had_after_the_rotation_loses_no_grant(
    alice: Alice, method: str
) -> None:
    """A cold instance knows no key yet, and the store fails once the token has been redeemed."""
    cold = alice.world.another_instance()
    row = alice.row
    during_refresh(alice, lambda: alice.world.tenant_keys.faults.plan(method, StorageFailedError))

    access = await cold.refresh_grant(row.tenant, row.user, row.org, stale_generation=1)

    assert access.generation == 2
    assert await alice.can_still_refresh()


async def test_d05_a_row_deleted_meanwhile_is_never_written_back_and_the_new_grant_is_revoked(
    alice: Alice,
) -> None:
    user = alice.row.user
    during_refresh(alice, alice.world.connections.rows.clear)

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert caught.value.health is None
    assert alice.world.connections.rows == {}
    assert alice.world.login.living(user) == 0


async def test_d05_where_that_revocation_fails_the_user_is_told_and_the_outbox_has_the_grant(
    alice: Alice,
) -> None:
    row = alice.row
    during_refresh(alice, alice.world.connections.rows.clear)
    alice.world.login.faults.plan("revoke", SalesforceUnavailableError)

    with pytest.raises(NotConnectedError):
        await alice.refresh()

    assert alice.world.connections.rows == {}
    (discarded,) = alice.world.outbox.rows.values()
    assert (discarded.tenant, discarded.user, discarded.org) == (row.tenant, row.user, row.org)
    alice.world.clock.move(minutes=1)
    await alice.world.services.work_off_revocations()
    assert alice.world.login.living(row.user) == 0


async def test_a_disconnect_meanwhile_leaves_neither_row_nor_grant(alice: Alice) -> None:
    caller = await alice.world.signed_in("alice")

    async def disconnect() -> None:
        await alice.world.services.disconnect(caller, CONTOSO_ORG)

    alice.world.login.faults.meanwhile("refresh", disconnect)
    with pytest.raises(NotConnectedError):
        await alice.refresh()

    assert alice.world.connections.rows == {}
    assert alice.living() == 0


async def test_a_newer_generation_written_meanwhile_wins(alice: Alice) -> None:
    """Somebody took the lease over, and was faster."""
    newer = replace(await alice.stored_grant(), access_token=Secret("of the newer generation"))
    sealed = await alice.world.grants.seal(alice.row.place, newer)
    during_refresh(alice, lambda: alice.change(generation=2, sealed_grant=sealed))

    access = await alice.refresh()

    assert access.token == newer.access_token
    assert (await alice.stored_grant()).access_token == newer.access_token
    assert (alice.living(), alice.world.login.revocations) == (1, 0)


@pytest.mark.parametrize("when", ["before the rotation", "after the rotation"])
async def test_a_reconnect_meanwhile_wins_and_leaves_one_grant_alive(
    alice: Alice, when: str
) -> None:
    caller = await alice.world.signed_in("alice")
    login, connections = alice.world.login, alice.world.connections

    async def reconnect() -> None:
        alice.world.clock.move(seconds=1)
        await alice.world.connect(caller)

    if when == "before the rotation":
        login.faults.meanwhile("refresh", reconnect)
    else:
        during_refresh(alice, lambda: connections.faults.meanwhile("replace", reconnect))
    access = await alice.refresh()

    assert access.token == (await alice.stored_grant()).access_token
    assert login.require_alive(access.token, access.instance_host)
    assert alice.living() == 1


async def test_a_connection_made_anew_after_a_disconnect_meanwhile_is_not_written_over(
    alice: Alice,
) -> None:
    """Its generations count from one again: the number alone does not tell it from the old one."""
    caller = await alice.world.signed_in("alice")

    async def start_over() -> None:
        await alice.world.services.disconnect(caller, CONTOSO_ORG)
        alice.world.clock.move(seconds=1)
        await alice.world.connect(caller)

    during_refresh(alice, lambda: alice.world.connections.faults.meanwhile("replace", start_over))
    await asyncio.gather(alice.refresh(), return_exceptions=True)

    grant = await alice.stored_grant()
    assert alice.world.login.require_alive(grant.access_token, grant.instance_host)
    assert alice.living() == 1
    assert await alice.can_still_refresh()


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(None, id="the-refresh-succeeds"),
        pytest.param(SalesforceTimeoutError, id="the-answer-is-lost"),
        pytest.param(SalesforceUnavailableError, id="salesforce-is-unavailable"),
    ],
)
async def test_a_note_of_use_written_meanwhile_costs_nobody_the_grant(
    alice: Alice, outcome: type[Exception] | None
) -> None:
    """At midnight another instance notes the new day in the row, which changes nothing but its
    etag: what the refresh has to write is written all the same."""
    during_refresh(alice, lambda: alice.change(last_used_day="2026-01-16"))
    if outcome is not None:
        alice.world.login.faults.plan("refresh", outcome, times=2)

    answer = (await asyncio.gather(alice.refresh(), return_exceptions=True))[0]

    assert alice.row.lease_holder is None
    if outcome is None:
        assert isinstance(answer, Access)
        assert alice.row.generation == 2
        assert await alice.can_still_refresh()
    else:
        assert isinstance(answer, outcome)
        assert alice.row.health is Health.ACTIVE
        assert alice.row.answer_lost is (outcome is SalesforceTimeoutError)
        alice.world.login.faults.clear()
        assert await alice.can_still_refresh()


async def test_what_comes_after_its_lease_was_taken_over_is_revoked_and_not_written(
    alice: Alice,
) -> None:
    """Whoever took it over will send the spent token; left alive, the new one is in nobody's
    hands."""

    async def taken_over() -> None:
        alice.change(lease_holder="another")

    during_refresh(alice, lambda: alice.world.connections.faults.meanwhile("replace", taken_over))
    before = alice.row.sealed_grant
    await asyncio.gather(alice.refresh(), return_exceptions=True)

    assert (alice.row.lease_holder, alice.row.generation) == ("another", 1)
    assert alice.row.sealed_grant == before
    assert alice.living() == 0


async def test_no_connection_is_not_connected(alice: Alice) -> None:
    alice.world.connections.rows.clear()

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert caught.value.members() == {"health": None, "action": "reconnect"}
