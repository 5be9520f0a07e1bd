"""Calling an org: with the access token that there is, and after one refresh if it is refused."""

import asyncio

import pytest

from shared.errors import (
    AccessRefusedError,
    KeyVaultFailedError,
    NotConnectedError,
    OrgAmbiguousError,
    SalesforceUnavailableError,
)
from shared.model import Caller, FlowName, Health
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, World

LOG = FlowName.parse("Log_Email")


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


def row_of(world: World) -> tuple[Health, int, str]:
    (row,) = world.connections.rows.values()
    return (row.health, row.generation, row.last_used_day)


async def test_a_living_access_token_needs_no_refresh(world: World, alice: Caller) -> None:
    for _ in range(3):
        assert await world.services.list_flows(alice, CONTOSO_ORG)

    assert world.login.redemptions == 0


async def test_p10_a_refused_access_token_is_refreshed_once_and_the_call_is_made_again(
    world: World, alice: Caller
) -> None:
    world.login.expire_access_tokens()

    assert await world.services.list_flows(alice, CONTOSO_ORG)
    assert await world.services.list_flows(alice, CONTOSO_ORG)

    assert world.login.redemptions == 1
    assert row_of(world) == (Health.ACTIVE, 2, "2026-01-15")


async def test_o21_an_org_that_refuses_every_token_gets_one_refresh_and_one_retry(
    world: World, alice: Caller
) -> None:
    calls: list[int] = []

    async def count() -> None:
        calls.append(1)

    for _ in range(10):
        world.flows.faults.meanwhile("list", count)
    world.flows.faults.plan("list", AccessRefusedError, times=10)

    with pytest.raises(NotConnectedError) as caught:
        await world.services.list_flows(alice, CONTOSO_ORG)

    assert (caught.value.health, caught.value.action) == ("expired", "reconnect")
    assert (len(calls), world.login.redemptions) == (2, 1)


async def test_o12_64_calls_with_an_expired_token_share_one_refresh(
    world: World, alice: Caller
) -> None:
    await world.services.list_flows(alice, CONTOSO_ORG)
    world.login.expire_access_tokens()

    answers = await asyncio.gather(
        *(world.services.list_flows(alice, CONTOSO_ORG) for _ in range(64))
    )

    assert all(answers)
    assert (world.login.redemptions, world.login.replays) == (1, 0)


async def test_o12_eight_instances_with_eight_calls_each_share_one_refresh(
    world: World, alice: Caller
) -> None:
    """The waits here are real ones: at most a few tenths of a second."""
    instances = [world.another_instance().services for _ in range(8)]
    world.login.expire_access_tokens()

    answers = await asyncio.gather(
        *(services.list_flows(alice, CONTOSO_ORG) for services in instances * 8)
    )

    assert all(answers)
    assert (world.login.redemptions, world.login.replays) == (1, 0)


async def test_a_caller_who_gives_up_takes_the_refresh_from_nobody(
    world: World, alice: Caller
) -> None:
    world.login.expire_access_tokens()
    under_way = asyncio.Event()

    async def tell() -> None:
        under_way.set()

    world.login.faults.meanwhile("refresh", tell)
    impatient = asyncio.ensure_future(world.services.list_flows(alice, CONTOSO_ORG))
    patient = asyncio.ensure_future(world.services.list_flows(alice, CONTOSO_ORG))
    await under_way.wait()

    impatient.cancel()

    assert await patient
    assert world.login.redemptions == 1
    assert row_of(world)[1] == 2


async def test_a_failed_refresh_is_told_and_tried_again_at_the_next_call(
    world: World, alice: Caller
) -> None:
    world.login.expire_access_tokens()
    world.login.faults.plan("refresh", SalesforceUnavailableError)

    with pytest.raises(SalesforceUnavailableError):
        await world.services.list_flows(alice, CONTOSO_ORG)

    assert await world.services.list_flows(alice, CONTOSO_ORG)


async def test_o13_after_the_grant_has_ended_nothing_is_redeemed_any_more(
    world: World, alice: Caller
) -> None:
    world.login.withdraw(alice.user)
    for _ in range(2):
        with pytest.raises(NotConnectedError) as caught:
            await world.services.list_flows(alice, CONTOSO_ORG)
        assert (caught.value.health, caught.value.action) == ("revoked", "reconnect")
    world.login.faults.plan("refresh", lambda: AssertionError("redeemed"))
    world.flows.faults.plan("list", lambda: AssertionError("called"))

    for instance in (world, world.another_instance()):
        with pytest.raises(NotConnectedError):
            await instance.services.list_flows(alice, CONTOSO_ORG)


async def test_o13_a_grant_that_ended_while_nobody_used_it_for_a_month_has_expired(
    world: World, alice: Caller
) -> None:
    """Salesforce ends a grant that is idle for thirty days."""
    world.clock.move(days=31)
    world.login.withdraw(alice.user)

    with pytest.raises(NotConnectedError) as caught:
        await world.another_instance().services.list_flows(alice, CONTOSO_ORG)

    assert (caught.value.health, row_of(world)[0]) == ("expired", Health.EXPIRED)


async def test_the_day_of_the_last_use_is_remembered(world: World, alice: Caller) -> None:
    world.clock.move(days=3)

    await world.another_instance().services.list_flows(alice, CONTOSO_ORG)

    assert row_of(world) == (Health.ACTIVE, 1, "2026-01-18")


async def test_a_use_that_cannot_be_noted_because_the_row_changed_is_a_use_all_the_same(
    world: World, alice: Caller
) -> None:
    """Another instance was faster: its word is as good as ours."""
    world.clock.move(days=3)
    other = world.another_instance().services

    async def faster() -> None:
        await other.list_flows(alice, CONTOSO_ORG)

    world.connections.faults.meanwhile("replace", faster)
    assert await world.another_instance().services.list_flows(alice, CONTOSO_ORG)
    assert row_of(world) == (Health.ACTIVE, 1, "2026-01-18")


# --- which org -------------------------------------------------------------------------------


async def test_without_a_connection_there_is_no_org_to_call(world: World) -> None:
    bob = await world.signed_in("bob")

    for org in (None, CONTOSO_ORG):
        with pytest.raises(NotConnectedError) as caught:
            await world.services.describe_flow(bob, org, LOG)
        assert caught.value.members() == {"health": None, "action": "reconnect"}


async def test_the_only_org_need_not_be_named(world: World, alice: Caller) -> None:
    assert (await world.services.describe_flow(alice, None, LOG)).name == LOG


async def test_of_several_orgs_one_has_to_be_named(world: World, alice: Caller) -> None:
    await world.connect(alice, FABRIKAM_ORG)

    with pytest.raises(OrgAmbiguousError):
        await world.services.describe_flow(alice, None, LOG)

    assert (await world.services.describe_flow(alice, CONTOSO_ORG, LOG)).name == LOG


async def test_an_instance_does_not_remember_which_org_is_the_only_one(
    world: World, alice: Caller
) -> None:
    """What another instance disconnected is not chosen, nor one of two that there are now."""
    other = world.another_instance()
    call = FlowName.parse("Log_Call")
    await world.services.describe_flow(alice, None, LOG)

    await other.services.disconnect(alice, CONTOSO_ORG)
    await other.connect(alice, FABRIKAM_ORG)
    assert (await world.services.describe_flow(alice, None, call)).name == call

    await other.connect(alice, CONTOSO_ORG)
    with pytest.raises(OrgAmbiguousError):
        await world.services.describe_flow(alice, None, call)


async def test_n01_a_colleagues_connection_is_not_used(world: World, alice: Caller) -> None:
    await world.services.list_flows(alice, CONTOSO_ORG)  # Alice's access token is in memory
    bob = await world.signed_in("bob")

    with pytest.raises(NotConnectedError):
        await world.services.list_flows(bob, CONTOSO_ORG)


async def test_a_grant_moved_to_another_users_row_does_not_open(
    world: World, alice: Caller
) -> None:
    """Somebody who can write rows gives themselves Alice's sealed grant."""
    bob = await world.signed_in("bob")
    bobs = (await world.connect(bob)).connection
    stolen = next(row for row in world.connections.rows.values() if row.user == alice.user)
    object.__setattr__(
        world.connections.rows[bobs.tenant, bobs.row_key], "sealed_grant", stolen.sealed_grant
    )

    with pytest.raises(KeyVaultFailedError):
        await world.another_instance().services.list_flows(bob, CONTOSO_ORG)
