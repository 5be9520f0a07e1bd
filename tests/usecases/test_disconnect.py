"""A disconnected org is forgotten here at once; revoking it there may take longer (O-22)."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import (
    DeletionInProgressError,
    KeyVaultFailedError,
    NotConnectedError,
    NotFoundError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import MOST_SKEW, Caller, DataSubject, DiscardedGrant, Grant, Health
from shared.usecases.disconnect import Disconnect
from shared.usecases.org_access import OrgAccess
from shared.usecases.revocation import Revocations
from tests.fakes import CONTOSO_ORG, World
from tests.fakes.salesforce_login import FakeLogin
from tests.usecases.conftest import Told
from tests.usecases.counting import count_calls


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


def impatient(world: World, seconds: float) -> Disconnect:
    """As the service has it, but for how long it waits for an org."""
    revocations = Revocations(
        outbox=world.outbox,
        grants=world.grants,
        login=world.login,
        clock=world.clock,
        seconds=seconds,
    )
    access = OrgAccess(
        tenants=world.tenants,
        connections=world.connections,
        grants=world.grants,
        refresh=world.refresh_grant,
        clock=world.clock,
    )
    return Disconnect(
        connections=world.connections, revocations=revocations, access=access, clock=world.clock
    )


def waiting(world: World) -> list[DiscardedGrant]:
    return list(world.outbox.rows.values())


async def timer(world: World) -> None:
    await world.another_instance().services.work_off_revocations()


async def test_o22_a_revocation_that_works_leaves_nothing_in_the_outbox(
    world: World, alice: Caller
) -> None:
    await world.services.disconnect(alice, CONTOSO_ORG)

    assert (world.login.revocations, world.outbox.rows) == (1, {})
    assert world.login.living(alice.user) == 0


async def test_o22_the_grant_goes_to_the_outbox_as_it_is_and_at_once(
    world: World, alice: Caller
) -> None:
    """In one step with the row: at no time is it in neither place, and it is not opened."""
    (row,) = world.connections.rows.values()
    seen: list[tuple[int, list[DiscardedGrant]]] = []

    async def look() -> None:
        seen.append((len(world.connections.rows), waiting(world)))

    world.login.faults.meanwhile("revoke", look)
    await world.services.disconnect(alice, CONTOSO_ORG)

    ((rows, (entry,)),) = seen
    assert rows == 0
    assert (entry.sealed_grant, entry.place) == (row.sealed_grant, row.place)
    assert (entry.discarded_at, entry.attempts) == (world.clock(), 0)
    assert entry.next_try_at == world.clock() + timedelta(minutes=1)


async def test_o22_with_key_vault_away_it_is_forgotten_here_and_revoked_by_the_timer(
    world: World, alice: Caller
) -> None:
    world.key_wrapper.faults.plan("unwrap", KeyVaultFailedError, times=2)
    cold = world.another_instance()

    await cold.services.disconnect(alice, CONTOSO_ORG)

    assert world.connections.rows == {}
    assert (len(waiting(world)), world.login.living(alice.user)) == (1, 1)
    assert list(await world.services.list_connections(alice)) == []
    world.clock.move(minutes=1)
    await timer(world)  # it is still away
    assert (len(waiting(world)), world.login.living(alice.user)) == (1, 1)
    world.clock.move(minutes=5)
    await timer(world)
    assert (waiting(world), world.login.living(alice.user)) == ([], 0)


@pytest.mark.parametrize("failure", [SalesforceUnavailableError, SalesforceTimeoutError])
async def test_o22_with_the_org_down_it_is_revoked_by_the_timer(
    world: World, alice: Caller, failure: type[Exception]
) -> None:
    world.login.faults.plan("revoke", failure)

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert world.connections.rows == {}
    assert (len(waiting(world)), world.login.living(alice.user)) == (1, 1)
    world.clock.move(minutes=5)
    await timer(world)
    assert (waiting(world), world.login.living(alice.user)) == ([], 0)


async def test_o22_an_org_that_hangs_is_not_waited_for(world: World, alice: Caller) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    world.login.faults.meanwhile("revoke", hang)

    async with asyncio.timeout(5):
        await impatient(world, 0.05)(alice, CONTOSO_ORG)

    assert world.connections.rows == {}
    assert (len(waiting(world)), world.login.living(alice.user)) == (1, 1)
    world.clock.move(minutes=5)
    await timer(world)
    assert (waiting(world), world.login.living(alice.user)) == ([], 0)


def test_o22_five_seconds_are_given_to_an_org(world: World) -> None:
    assert world.revocations.seconds == 5


async def test_o22_an_entry_that_cannot_be_taken_out_is_no_failure(
    world: World, alice: Caller
) -> None:
    world.outbox.faults.plan("delete", StorageFailedError)

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert (len(waiting(world)), world.login.living(alice.user)) == (1, 0)
    world.clock.move(minutes=5)
    await timer(world)
    assert waiting(world) == []


async def test_o22_a_store_that_loses_its_answer_has_forgotten_it_and_the_timer_revokes(
    world: World, alice: Caller
) -> None:
    world.connections.faults.plan("disconnect", StorageFailedError, carried_out=True)

    with pytest.raises(StorageFailedError):
        await world.services.disconnect(alice, CONTOSO_ORG)
    with pytest.raises(NotFoundError):
        await world.services.disconnect(alice, CONTOSO_ORG)

    world.clock.move(minutes=5)
    await timer(world)
    assert (world.connections.rows, world.outbox.rows) == ({}, {})
    assert world.login.living(alice.user) == 0


@pytest.mark.parametrize("health", [Health.EXPIRED, Health.REVOKED], ids=str)
async def test_a_grant_that_salesforce_ended_is_forgotten_and_asked_about_no_more(
    world: World, alice: Caller, health: Health
) -> None:
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, health=health)
    world.login.faults.plan("revoke", lambda: AssertionError("asked"))

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert (world.connections.rows, world.outbox.rows) == ({}, {})


@pytest.mark.parametrize(
    "health",
    [Health.ROTATION_LOST, Health.USER_INACTIVE, Health.ORG_UNAVAILABLE, Health.IP_NOT_ALLOWED],
    ids=str,
)
async def test_a_grant_that_may_still_be_alive_is_revoked(
    world: World, alice: Caller, health: Health
) -> None:
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, health=health)

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert (world.connections.rows, world.outbox.rows) == ({}, {})
    assert world.login.living(alice.user) == 0


async def test_whoever_is_being_deleted_leaves_it_to_the_deletion(
    world: World, alice: Caller
) -> None:
    await world.gates.close(DataSubject(tenant=alice.tenant, user=alice.user))

    with pytest.raises(DeletionInProgressError):
        await world.services.disconnect(alice, CONTOSO_ORG)

    assert (len(world.connections.rows), world.outbox.rows) == (1, {})
    assert world.login.living(alice.user) == 1


async def test_what_is_connected_anew_is_not_revoked_with_the_old_grant(
    world: World, alice: Caller, told: Told
) -> None:
    """The old one waits in the outbox; the new one has its place, and is another grant."""
    world.login.faults.plan("revoke", SalesforceUnavailableError)
    await world.services.disconnect(alice, CONTOSO_ORG)
    await world.connect(alice)
    world.clock.move(minutes=5)

    await timer(world)

    assert waiting(world) == []
    assert world.login.living(alice.user) == 1
    assert await world.another_instance().services.list_flows(alice, CONTOSO_ORG)
    assert [(one["count"], one["failed"]) for one in told("revocations")] == [(1, 0)]


@pytest.mark.parametrize(
    "left",
    [
        pytest.param({"lease_holder": "dead"}, id="its-holder-died"),
        pytest.param({"answer_lost": True}, id="its-answer-was-lost"),
    ],
)
async def test_o22_what_came_of_a_spent_token_is_ended_as_well(
    world: World, left: dict[str, Any]
) -> None:
    """Salesforce has rotated, and the new token is in nobody's hands: that the old one is over says
    nothing about the grant, and to show it once more ends it."""
    alice = await world.signed_in("alice")
    await world.connect(alice)
    ((key, row),) = world.connections.rows.items()
    await world.login.refresh(await world.grants.open(row.place, row.sealed_grant))
    lapsed = world.clock() - MOST_SKEW if "lease_holder" in left else None
    world.connections.rows[key] = replace(row, **left, lease_until=lapsed)
    assert world.login.living(alice.user) == 1

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert (world.login.living(alice.user), world.outbox.rows) == (0, {})


class ForgivingLogin(FakeLogin):
    """Of an org that takes a spent refresh token once more, and ends nothing for it."""

    async def refresh(self, grant: Grant) -> Grant:
        spent = grant.refresh_token.reveal()
        self._refresh[spent].refresh_token = spent
        return await super().refresh(grant)


async def test_o22_where_a_spent_token_serves_once_more_what_comes_of_it_is_revoked(
    world: World,
) -> None:
    world.login = ForgivingLogin()
    alice = await world.signed_in("alice")
    await world.connect(alice)
    ((key, row),) = world.connections.rows.items()
    await world.login.refresh(await world.grants.open(row.place, row.sealed_grant))
    world.connections.rows[key] = replace(row, answer_lost=True)

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert (world.login.living(alice.user), world.outbox.rows) == (0, {})
    assert (world.login.redemptions, world.login.revocations) == (2, 1)


async def test_o22_a_token_that_was_never_sent_is_revoked_and_not_shown_again(
    world: World,
) -> None:
    alice = await world.signed_in("alice")
    await world.connect(alice)
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, answer_lost=True)
    shown = count_calls(world, "login", "refresh")

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert (world.login.living(alice.user), world.outbox.rows) == (0, {})
    assert (world.login.revocations, shown) == (1, [])


async def test_o22_a_spent_token_that_was_shown_again_is_not_shown_a_third_time(
    world: World,
) -> None:
    """That is how the rotation was found to be lost."""
    alice = await world.signed_in("alice")
    await world.connect(alice)
    ((key, row),) = world.connections.rows.items()
    await world.login.refresh(await world.grants.open(row.place, row.sealed_grant))
    world.connections.rows[key] = replace(row, answer_lost=True)
    world.login.expire_access_tokens()
    with pytest.raises(NotConnectedError):
        await world.services.list_flows(alice, CONTOSO_ORG)
    assert world.login.replays == 1

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert (world.login.replays, world.login.living(alice.user)) == (1, 0)
    assert world.outbox.rows == {}
