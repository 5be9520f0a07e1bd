"""A parked grant is claimed, and stays until its connection stands: nothing falls in between."""

from dataclasses import replace

import pytest

from shared.errors import (
    CompletionNotYoursError,
    InvalidStateError,
    KeyVaultFailedError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import Caller, Health, OneTimeCode, Pending
from tests.fakes import CONTOSO_ORG, World
from tests.usecases.conftest import Told
from tests.usecases.dying import KilledError
from tests.usecases.invoking import invocation, run
from tests.usecases.stored import everything, holds


@pytest.fixture
async def alice(world: World) -> Caller:
    return await world.signed_in("alice")


async def timer(world: World, *, minutes: float = 0) -> None:
    world.clock.move(minutes=minutes)
    await world.another_instance().services.work_off_revocations()


def parked(world: World) -> list[Pending]:
    return list(world.pending.rows.values())


async def claim(world: World, caller: Caller, completion: OneTimeCode) -> None:
    await world.another_instance().services.complete_connection(caller, completion)


async def test_the_connection_remembers_its_consent_by_the_hash_of_the_code(
    world: World, alice: Caller
) -> None:
    completion = await world.consented(alice)

    row = (await world.services.complete_connection(alice, completion)).connection

    assert row.consent == completion.digest
    assert row.refreshed_at == row.connected_at == world.clock()
    assert not holds(everything(world), completion.reveal().partition(".")[2])


async def test_a_refresh_keeps_the_consent_and_another_consent_changes_it(
    world: World, alice: Caller
) -> None:
    first = (await world.connect(alice)).connection
    await world.refresh_grant(alice.tenant, alice.user, CONTOSO_ORG, stale_generation=1)
    (refreshed,) = world.connections.rows.values()
    second = (await world.connect(alice)).connection

    assert refreshed.consent == first.consent != second.consent


async def test_while_it_is_activated_the_parked_row_is_there_and_claimed(
    world: World, alice: Caller
) -> None:
    completion = await world.consented(alice)
    seen: list[Pending] = []

    async def look() -> None:
        seen.extend(parked(world))

    world.connections.faults.meanwhile("create", look)
    await claim(world, alice, completion)

    assert [row.claimed_at for row in seen] == [world.clock()]
    assert parked(world) == []


async def test_one_that_was_claimed_and_killed_before_it_was_connected_is_revoked(
    world: World, alice: Caller
) -> None:
    completion = await world.consented(alice)
    world.connections.faults.plan("create", KilledError)
    with pytest.raises(KilledError):
        await claim(world, alice, completion)
    with pytest.raises(InvalidStateError):
        await claim(world, alice, completion)

    await timer(world, minutes=9)  # not before it expires
    assert (len(parked(world)), world.login.living(alice.user)) == (1, 1)
    await timer(world, minutes=1)

    assert parked(world) == []
    assert world.connections.rows == {}
    assert world.login.living(alice.user) == 0


async def test_one_that_was_connected_and_killed_then_is_not_revoked(
    world: World, alice: Caller
) -> None:
    completion = await world.consented(alice)
    world.connections.faults.plan("create", KilledError, carried_out=True)
    with pytest.raises(KilledError):
        await claim(world, alice, completion)

    await timer(world, minutes=15)

    assert parked(world) == []
    assert world.login.living(alice.user) == 1
    assert await world.services.list_flows(alice, CONTOSO_ORG)


async def test_one_that_was_connected_and_refreshed_since_is_not_revoked_either(
    world: World, alice: Caller
) -> None:
    completion = await world.consented(alice)
    world.connections.faults.plan("create", KilledError, carried_out=True)
    with pytest.raises(KilledError):
        await claim(world, alice, completion)
    await world.refresh_grant(alice.tenant, alice.user, CONTOSO_ORG, stale_generation=1)

    await timer(world, minutes=15)

    assert (parked(world), world.login.living(alice.user)) == ([], 1)


@pytest.mark.parametrize("is_again", [False, True], ids=["create", "renew"])
@pytest.mark.parametrize("carried_out", [False, True], ids=["not-written", "answer-lost"])
async def test_a_store_that_fails_at_the_connection_decides_nothing_and_the_timer_looks(
    world: World, alice: Caller, is_again: bool, carried_out: bool
) -> None:
    """Revoked at once, it might be the one that the connection now has."""
    if is_again:
        await world.connect(alice)
    completion = await world.consented(alice)
    method = "renew" if is_again else "create"
    world.connections.faults.plan(method, StorageFailedError, carried_out=carried_out)

    with pytest.raises(StorageFailedError):
        await claim(world, alice, completion)
    assert world.login.living(alice.user) == 1 + is_again
    assert len(parked(world)) == 1
    await timer(world, minutes=15)

    connected = [row.consent == completion.digest for row in world.connections.rows.values()]
    assert any(connected) is carried_out
    assert len(connected) == world.login.living(alice.user) == int(is_again or carried_out)
    assert parked(world) == []
    assert world.outbox.rows == {}
    if connected:
        assert await world.services.list_flows(alice, CONTOSO_ORG)


async def test_a_store_that_fails_while_the_row_is_read_leaves_nothing_alive(
    world: World, alice: Caller
) -> None:
    completion = await world.consented(alice)
    world.connections.faults.plan("load", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await claim(world, alice, completion)

    assert (parked(world), world.connections.rows) == ([], {})
    assert world.login.living(alice.user) == 0


@pytest.mark.parametrize("times", [1, 2])
async def test_where_the_revocation_of_a_refused_one_fails_the_timer_revokes_it(
    world: World, alice: Caller, times: int
) -> None:
    bob = await world.signed_in("bob")
    completion = await world.consented(alice)
    world.login.faults.plan("revoke", SalesforceUnavailableError, times=times)
    with pytest.raises(CompletionNotYoursError):
        await claim(world, bob, completion)
    assert len(parked(world)) == 1

    for _ in range(times):
        await timer(world, minutes=10)

    assert (parked(world), world.login.living(alice.user)) == ([], 0)


async def test_with_the_key_away_the_code_is_used_up_and_the_timer_revokes(
    world: World, alice: Caller
) -> None:
    completion = await world.consented(alice)
    world.key_wrapper.faults.plan("unwrap", KeyVaultFailedError)
    with pytest.raises(KeyVaultFailedError):
        await claim(world, alice, completion)

    await timer(world, minutes=15)

    assert (parked(world), world.login.living(alice.user)) == ([], 0)
    assert world.connections.rows == {}


async def test_a_parked_row_that_cannot_be_taken_away_is_no_failure(
    world: World, alice: Caller
) -> None:
    completion = await world.consented(alice)
    world.pending.faults.plan("delete", StorageFailedError)

    await claim(world, alice, completion)
    assert len(parked(world)) == 1
    await timer(world, minutes=15)

    assert (parked(world), world.login.living(alice.user)) == ([], 1)


# --- a connection that is made again -----------------------------------------------------------


async def test_the_grant_that_is_replaced_goes_to_the_outbox_in_one_step(
    world: World, alice: Caller
) -> None:
    old = (await world.connect(alice)).connection
    world.login.faults.plan("revoke", SalesforceUnavailableError)

    new = (await world.connect(alice)).connection

    (entry,) = world.outbox.rows.values()
    assert (entry.sealed_grant, entry.place) == (old.sealed_grant, new.place)
    assert world.login.living(alice.user) == 2
    await timer(world, minutes=5)
    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 1)
    assert await world.services.list_flows(alice, CONTOSO_ORG)


@pytest.mark.parametrize("health", [Health.EXPIRED, Health.REVOKED], ids=str)
async def test_one_that_salesforce_ended_is_replaced_and_asked_about_no_more(
    world: World, alice: Caller, health: Health
) -> None:
    await world.connect(alice)
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, health=health)
    world.login.faults.plan("revoke", lambda: AssertionError("asked"))

    await world.connect(alice)

    assert world.outbox.rows == {}


@pytest.mark.parametrize(
    "health", [one for one in Health if one.action in ("reconnect", "ask_admin")], ids=str
)
async def test_one_reconnect_mends_whatever_ended_it_and_keeps_the_history_of_runs(
    world: World, alice: Caller, told: Told, health: Health
) -> None:
    await world.connect(alice)
    before, _ = await run(world, alice, invocation())
    if health in (Health.EXPIRED, Health.REVOKED):
        world.login.withdraw(alice.user)
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(
        row, health=health, ended_at=world.clock(), answer_lost=True, lease_holder="dead"
    )
    world.clock.move(seconds=1)

    mended = await world.connect(alice)
    after, _ = await run(world, alice, invocation())

    (row,) = world.connections.rows.values()
    assert mended.health is row.health is Health.ACTIVE
    assert (row.ended_at, row.answer_lost, row.lease_holder) == (None, False, None)
    assert world.login.living(alice.user) == 1
    listed = await world.services.list_runs(alice, whole_tenant=False, after=None, limit=9)
    assert [seen.id for seen in listed.page.runs] == [after.id, before.id]
    assert len(told("connected")) == 2
