"""An org that is not allowed any more: nobody calls it, nobody connects it, everybody may leave."""

import pytest

from shared.errors import NotConnectedError, OrgNotAllowedError, StorageFailedError
from shared.model import Caller, FlowName
from shared.usecases import org_access
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, World
from tests.usecases.invoking import invocation, run
from tests.usecases.settling import settle

LOG = FlowName.parse("Log_Email")


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


async def refused_everywhere(world: World, caller: Caller) -> None:
    services = world.services
    with pytest.raises(OrgNotAllowedError):
        await services.list_flows(caller, CONTOSO_ORG)
    with pytest.raises(OrgNotAllowedError):
        await services.list_flows(caller, None)
    with pytest.raises(OrgNotAllowedError):
        await services.describe_flow(caller, None, LOG)
    with pytest.raises(OrgNotAllowedError):
        await run(world, caller, invocation())


async def test_an_instance_that_does_not_know_the_org_refuses_at_once(
    world: World, alice: Caller
) -> None:
    settle(world, alice, allowed_orgs=(FABRIKAM_ORG,))
    fresh = world.another_instance()

    await refused_everywhere(fresh, alice)

    assert world.flows.received == []
    assert world.login.redemptions == 0


async def test_an_instance_that_has_called_the_org_refuses_within_a_minute(
    world: World, alice: Caller
) -> None:
    await world.services.list_flows(alice, CONTOSO_ORG)
    settle(world, alice, allowed_orgs=(FABRIKAM_ORG,))
    assert await world.services.list_flows(alice, CONTOSO_ORG)  # still remembered

    access = world.services._access
    assert access._opened._seconds == org_access._CACHE_SECONDS == 60
    access._opened.forget((alice.tenant, alice.user, CONTOSO_ORG))  # the minute is over

    await refused_everywhere(world, alice)


async def test_a_refresh_does_not_begin_another_minute(world: World, alice: Caller) -> None:
    await world.services.list_flows(alice, CONTOSO_ORG)
    settle(world, alice, allowed_orgs=(FABRIKAM_ORG,))
    world.login.expire_access_tokens()

    for _ in range(2):
        with pytest.raises(OrgNotAllowedError):
            await world.services.list_flows(alice, CONTOSO_ORG)

    assert world.login.redemptions == 0


async def test_no_org_in_the_list_allows_every_org(world: World, alice: Caller) -> None:
    settle(world, alice, allowed_orgs=())

    assert await world.another_instance().services.list_flows(alice, CONTOSO_ORG)


async def test_an_org_in_the_list_is_called(world: World, alice: Caller) -> None:
    settle(world, alice, allowed_orgs=(FABRIKAM_ORG, CONTOSO_ORG))

    assert await world.another_instance().services.list_flows(alice, CONTOSO_ORG)


async def test_an_org_that_is_allowed_again_is_called_again(world: World, alice: Caller) -> None:
    fresh = world.another_instance().services
    settle(world, alice, allowed_orgs=(FABRIKAM_ORG,))
    with pytest.raises(OrgNotAllowedError):
        await fresh.list_flows(alice, CONTOSO_ORG)

    settle(world, alice, allowed_orgs=(FABRIKAM_ORG, CONTOSO_ORG))

    assert await fresh.list_flows(alice, CONTOSO_ORG)


async def test_of_two_orgs_the_one_that_is_allowed_is_listed(world: World, alice: Caller) -> None:
    await world.connect(alice, FABRIKAM_ORG)
    settle(world, alice, allowed_orgs=(FABRIKAM_ORG,))

    listed = await world.another_instance().services.list_flows(alice, None)

    assert {flow.org for flow in listed} == {FABRIKAM_ORG}


async def test_n01_another_tenants_list_bites_nobody_here(world: World, alice: Caller) -> None:
    mallory = await world.signed_in("mallory")
    settle(world, mallory, allowed_orgs=(FABRIKAM_ORG,))

    assert await world.another_instance().services.list_flows(alice, CONTOSO_ORG)


async def test_whoever_is_not_connected_is_told_that_alone(world: World, alice: Caller) -> None:
    settle(world, alice, allowed_orgs=(FABRIKAM_ORG,))
    bob = await world.signed_in("bob")

    with pytest.raises(NotConnectedError):
        await world.services.list_flows(bob, CONTOSO_ORG)


async def test_when_the_settings_cannot_be_read_nothing_is_called(
    world: World, alice: Caller
) -> None:
    fresh = world.another_instance()
    world.tenants.faults.plan("load", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await fresh.services.list_flows(alice, CONTOSO_ORG)


async def test_a_connection_to_it_can_still_be_seen_and_ended(world: World, alice: Caller) -> None:
    settle(world, alice, allowed_orgs=(FABRIKAM_ORG,))
    fresh = world.another_instance().services

    (seen,) = await fresh.list_connections(alice)
    await fresh.disconnect(alice, CONTOSO_ORG)

    assert seen.connection.org == CONTOSO_ORG
    assert world.connections.rows == {}
    assert world.login.living(alice.user) == 0


async def test_a_parked_grant_for_it_is_not_activated_but_revoked(world: World) -> None:
    """The settings change between the consent and the completion."""
    caller = await world.signed_in("alice")
    completion = await world.consented(caller)
    settle(world, caller, allowed_orgs=(FABRIKAM_ORG,))

    with pytest.raises(OrgNotAllowedError):
        await world.services.complete_connection(caller, completion)

    assert world.connections.rows == {}
    assert world.pending.rows == {}
    assert world.login.living(caller.user) == 0


async def test_a_parked_grant_for_an_allowed_org_is_activated(world: World) -> None:
    caller = await world.signed_in("alice")
    completion = await world.consented(caller)
    settle(world, caller, allowed_orgs=(CONTOSO_ORG,))

    await world.services.complete_connection(caller, completion)

    assert world.login.living(caller.user) == 1


async def test_a_grant_is_revoked_as_well_where_the_settings_cannot_be_read(world: World) -> None:
    """Its code is used up: nobody can claim it any more."""
    caller = await world.signed_in("alice")
    completion = await world.consented(caller)
    world.tenants.faults.plan("load", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await world.services.complete_connection(caller, completion)

    assert world.login.living(caller.user) == 0
