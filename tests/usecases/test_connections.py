"""Listing one's connections, and ending them."""

from dataclasses import replace

import pytest

from shared.errors import (
    KeyVaultFailedError,
    NotConnectedError,
    NotFoundError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import Caller, Health
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, World
from tests.fakes.stores import new_etag
from tests.usecases.conftest import Told


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


# --- list ------------------------------------------------------------------------------------


async def test_each_connection_shows_its_host_and_its_health(world: World, alice: Caller) -> None:
    await world.connect(alice, FABRIKAM_ORG)
    ((key, row), *_) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, health=Health.USER_INACTIVE)

    listed = await world.services.list_connections(alice)

    assert [(one.connection.org, one.instance_host, one.health) for one in listed] == [
        (CONTOSO_ORG, "contoso.my.salesforce.com", Health.USER_INACTIVE),
        (FABRIKAM_ORG, "fabrikam.my.salesforce.com", Health.ACTIVE),
    ]


async def test_when_the_key_is_away_the_connection_is_listed_without_its_host(
    world: World, alice: Caller
) -> None:
    world.key_wrapper.faults.plan("unwrap", KeyVaultFailedError)

    (listed,) = await world.another_instance().services.list_connections(alice)

    assert (listed.instance_host, listed.health) == (None, Health.KEY_UNAVAILABLE)
    assert listed.health.action == "wait"


async def test_n01_only_ones_own_connections_are_listed(world: World, alice: Caller) -> None:
    for name in ("bob", "mallory"):
        assert await world.services.list_connections(await world.signed_in(name)) == []

    assert len(await world.services.list_connections(alice)) == 1


# --- disconnect ------------------------------------------------------------------------------


async def test_disconnecting_forgets_the_grant_here_and_revokes_it_there(
    world: World, alice: Caller, told: Told
) -> None:
    await world.services.disconnect(alice, CONTOSO_ORG)

    assert world.connections.rows == {}
    assert world.login.living(alice.user) == 0
    assert len(told("disconnected")) == 1
    with pytest.raises(NotConnectedError):
        await world.services.list_flows(alice, CONTOSO_ORG)


async def test_disconnecting_forgets_the_access_token_in_memory(
    world: World, alice: Caller
) -> None:
    await world.services.list_flows(alice, CONTOSO_ORG)
    await world.services.disconnect(alice, CONTOSO_ORG)
    world.flows.faults.plan("list", lambda: AssertionError("called"))

    with pytest.raises(NotConnectedError):
        await world.services.list_flows(alice, CONTOSO_ORG)


async def test_disconnecting_twice_is_not_found(world: World, alice: Caller) -> None:
    await world.services.disconnect(alice, CONTOSO_ORG)

    with pytest.raises(NotFoundError):
        await world.services.disconnect(alice, CONTOSO_ORG)


@pytest.mark.parametrize("name", ["bob", "mallory"])
async def test_n01_somebody_elses_connection_is_not_found_and_stays(
    world: World, alice: Caller, name: str
) -> None:
    other = await world.signed_in(name)

    with pytest.raises(NotFoundError):
        await world.services.disconnect(other, CONTOSO_ORG)

    assert world.login.living(alice.user) == len(world.connections.rows) == 1


async def test_disconnecting_one_org_leaves_the_other(world: World, alice: Caller) -> None:
    await world.connect(alice, FABRIKAM_ORG)

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert [row.org for row in world.connections.rows.values()] == [FABRIKAM_ORG]
    assert await world.services.list_flows(alice, None)


@pytest.mark.parametrize("failure", [SalesforceUnavailableError, SalesforceTimeoutError])
async def test_o22_a_revocation_that_fails_keeps_no_row(
    world: World, alice: Caller, told: Told, failure: type[Exception]
) -> None:
    world.login.faults.plan("revoke", failure)

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert world.connections.rows == {}
    assert len(told("revocation_failed")) == 1


async def test_a_grant_that_cannot_be_opened_is_forgotten_all_the_same(
    world: World, alice: Caller
) -> None:
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, sealed_grant=row.sealed_grant[:-1] + b"\x00\x00")

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert world.connections.rows == {}


async def test_a_row_that_changes_meanwhile_is_read_again_and_its_grant_revoked(
    world: World, alice: Caller
) -> None:
    """A refresh committed in between: the grant to revoke is the new one."""
    world.login.expire_access_tokens()

    async def refresh() -> None:
        await world.another_instance().services.list_flows(alice, CONTOSO_ORG)

    world.connections.faults.meanwhile("disconnect", refresh)
    await world.services.disconnect(alice, CONTOSO_ORG)

    assert world.login.redemptions == 1
    assert world.connections.rows == {}
    assert world.login.living(alice.user) == 0


async def test_a_row_that_changes_each_time_is_a_failure_of_the_store(
    world: World, alice: Caller
) -> None:
    async def change() -> None:
        ((key, row),) = world.connections.rows.items()
        world.connections.rows[key] = replace(row, etag=new_etag())

    for _ in range(100):
        world.connections.faults.meanwhile("disconnect", change)

    with pytest.raises(StorageFailedError):
        await world.services.disconnect(alice, CONTOSO_ORG)

    assert world.login.living(alice.user) == 1
    assert world.outbox.rows == {}


@pytest.mark.parametrize("method", ["load", "disconnect"])
async def test_a_disconnect_that_fails_can_be_tried_again_until_the_grant_is_revoked(
    world: World, alice: Caller, method: str
) -> None:
    world.connections.faults.plan(method, StorageFailedError)

    with pytest.raises(StorageFailedError):
        await world.services.disconnect(alice, CONTOSO_ORG)
    assert (len(world.connections.rows), world.outbox.rows) == (1, {})
    await world.services.disconnect(alice, CONTOSO_ORG)

    assert (world.connections.rows, world.outbox.rows) == ({}, {})
    assert world.login.living(alice.user) == 0
