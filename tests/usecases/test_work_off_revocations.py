"""Every five minutes: what was left behind is revoked at Salesforce, and forgotten only then."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import (
    FlowRunnerError,
    KeyVaultFailedError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import (
    Caller,
    DiscardedGrant,
    Health,
    JournalledGrant,
    Pending,
    PendingKind,
    TenantId,
    TenantStatus,
)
from shared.usecases.grant_journal import GrantJournal
from shared.usecases.work_off_revocations import PARKED_PATIENCE
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, NOON, World
from tests.usecases.conftest import Told
from tests.usecases.counting import count_calls

PAUSES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]
"""Minutes between the tries: twice as long each time, six hours at most."""


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


async def timer(world: World, *, minutes: float = 0) -> None:
    world.clock.move(minutes=minutes)
    await world.another_instance().services.work_off_revocations()


async def discarded(world: World, caller: Caller) -> DiscardedGrant:
    """The caller has disconnected while the org was down."""
    world.login.faults.plan("revoke", SalesforceUnavailableError)
    await world.services.disconnect(caller, CONTOSO_ORG)
    (entry,) = (one for one in world.outbox.rows.values() if one.user == caller.user)
    return entry


def given_up(told: Told) -> list[str]:
    """Whose grants nobody tries to end any more, each of which is told once."""
    failed = told("revocation_failed")
    return [one["user"] for one in failed if one.get("outcome") == "given_up"]


def org_down(world: World, failure: type[FlowRunnerError] = SalesforceUnavailableError) -> None:
    world.login.faults.plan("revoke", failure, times=100_000)


# --- the outbox ----------------------------------------------------------------------------------


async def test_an_entry_waits_a_minute_for_whoever_wrote_it_and_is_then_revoked(
    world: World, alice: Caller, told: Told
) -> None:
    await discarded(world, alice)

    world.clock.move(seconds=59)
    await timer(world)
    assert (len(world.outbox.rows), world.login.living(alice.user)) == (1, 1)
    world.clock.move(seconds=1)
    await timer(world)

    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 0)
    assert [(one["count"], one["failed"]) for one in told("revocations")] == [(1, 0)]


@pytest.mark.parametrize("failure", [SalesforceUnavailableError, SalesforceTimeoutError])
async def test_o22_the_pauses_double_up_to_six_hours(
    world: World, alice: Caller, told: Told, failure: type[FlowRunnerError]
) -> None:
    await discarded(world, alice)
    org_down(world, failure)
    world.clock.move(minutes=1)

    for number, minutes in enumerate(PAUSES, start=1):
        await timer(world)
        (entry,) = world.outbox.rows.values()
        assert entry.attempts == number
        assert entry.next_try_at - world.clock() == timedelta(minutes=minutes)
        world.clock.move(minutes=minutes, seconds=-1)
        tries = len(told("revocation_failed"))
        await timer(world)
        assert len(told("revocation_failed")) == tries, "it was tried too early"
        world.clock.move(seconds=1)

    world.login.faults.clear()
    await timer(world)
    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 0)


@pytest.mark.parametrize(("seconds", "is_kept"), [(-1, True), (0, False)], ids=["t-1s", "t"])
async def test_after_thirty_days_it_has_ended_by_itself_and_is_forgotten(
    world: World, alice: Caller, seconds: int, is_kept: bool
) -> None:
    await discarded(world, alice)
    org_down(world)

    world.clock.move(days=30, seconds=seconds)
    await timer(world)

    assert bool(world.outbox.rows) is is_kept


async def test_even_after_thirty_days_it_is_tried_once_more(world: World, alice: Caller) -> None:
    await discarded(world, alice)
    world.clock.move(days=31)

    await timer(world)

    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 0)


async def test_one_whose_seal_is_broken_waits_for_its_key_and_the_next_one_is_revoked(
    world: World, alice: Caller, told: Told
) -> None:
    entry = await discarded(world, alice)
    broken = replace(entry, id="0" * 16, sealed_grant=entry.sealed_grant[:-1])
    world.outbox.keep(broken)

    await timer(world, minutes=5)
    assert world.login.living(alice.user) == 0
    assert [(one.id, one.attempts) for one in world.outbox.rows.values()] == [(broken.id, 1)]
    assert told("revocation_failed")

    await timer(world, minutes=30 * 24 * 60)

    assert world.outbox.rows == {}
    assert given_up(told) == [alice.user]


async def test_with_the_key_away_it_stays_and_is_tried_again(world: World, alice: Caller) -> None:
    await discarded(world, alice)
    world.key_wrapper.faults.plan("unwrap", KeyVaultFailedError)

    await timer(world, minutes=5)
    assert [one.attempts for one in world.outbox.rows.values()] == [1]
    await timer(world, minutes=5)

    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 0)


async def test_one_that_cannot_be_taken_out_goes_the_next_time(world: World, alice: Caller) -> None:
    await discarded(world, alice)
    world.outbox.faults.plan("delete", StorageFailedError)

    await timer(world, minutes=5)
    assert len(world.outbox.rows) == 1
    await timer(world, minutes=5)

    assert (world.outbox.rows, world.login.revocations) == ({}, 1)


async def test_a_row_that_cannot_be_read_is_told_and_holds_up_no_other(
    world: World, alice: Caller, told: Told
) -> None:
    entry = await discarded(world, alice)
    unreadable = replace(entry, id="0" * 16)
    world.outbox.keep(unreadable)
    world.outbox.unreadable.add(unreadable.row_key)

    await timer(world, minutes=5)

    assert list(world.outbox.rows) == [(alice.tenant, unreadable.row_key)]
    assert world.login.living(alice.user) == 0
    assert [(one["count"], one["step"]) for one in told("row_unreadable")] == [(1, "outbox")]


# --- tenants -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fake", "method"), [("tenants", "load"), ("outbox", "of_subject"), ("pending", "of_subject")]
)
async def test_one_tenant_that_fails_holds_up_no_other(
    world: World, alice: Caller, told: Told, fake: str, method: str
) -> None:
    mallory = await world.signed_in("mallory")
    await world.connect(mallory)
    for caller in (alice, mallory):
        await discarded(world, caller)
        await world.consented(caller)
    world.clock.move(minutes=10)
    getattr(world, fake).faults.plan(method, StorageFailedError)

    await timer(world)

    assert 0 in (world.login.living(alice.user), world.login.living(mallory.user))
    (alarm,) = told("dependency_failed")
    assert (alarm["step"], alarm["level"]) == ("revocation_worker", "ERROR")
    await timer(world, minutes=5)
    assert (world.outbox.rows, world.pending.rows) == ({}, {})
    assert world.login.living(alice.user) == world.login.living(mallory.user) == 0


async def test_a_tenant_that_is_being_deleted_is_left_to_its_deletion(
    world: World, alice: Caller
) -> None:
    await discarded(world, alice)
    await world.consented(alice)
    world.tenants.change(alice.tenant, status=TenantStatus.DELETING)

    await timer(world, minutes=60)

    assert (len(world.outbox.rows), len(world.pending.rows)) == (1, 1)
    assert world.login.living(alice.user) == 2


async def test_a_disabled_tenants_grants_are_revoked_all_the_same(
    world: World, alice: Caller
) -> None:
    await discarded(world, alice)
    world.tenants.change(alice.tenant, status=TenantStatus.DISABLED)

    await timer(world, minutes=5)

    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 0)


# --- parked grants -------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "is_kept"), [(-1, True), (0, False)], ids=["t-1s", "t"])
async def test_a_parked_grant_that_nobody_claims_in_ten_minutes_is_revoked(
    world: World, alice: Caller, seconds: int, is_kept: bool
) -> None:
    await world.consented(alice)
    world.clock.move(minutes=10, seconds=seconds)

    await timer(world)

    assert bool(world.pending.rows) is is_kept
    assert world.login.living(alice.user) == 1 + is_kept


async def test_tickets_and_states_are_left_to_the_sweep(world: World, alice: Caller) -> None:
    await world.services.begin_connection(alice, None, None)
    begun = await world.services.begin_connection(alice, None, None)
    await world.services.start_connection(begun)

    await timer(world, minutes=60)

    assert {kind for _, kind, _ in world.pending.rows} == {PendingKind.TICKET, PendingKind.STATE}


async def test_one_that_cannot_be_revoked_now_goes_to_the_outbox_which_has_more_time(
    world: World, alice: Caller
) -> None:
    await world.consented(alice)
    world.login.faults.plan("revoke", SalesforceUnavailableError)

    await timer(world, minutes=10)
    assert (len(world.pending.rows), len(world.outbox.rows)) == (0, 1)
    await timer(world, minutes=5)

    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 1)


async def test_one_that_cannot_go_there_either_is_tried_again_each_time(
    world: World, alice: Caller
) -> None:
    await world.consented(alice)
    world.login.faults.plan("revoke", SalesforceUnavailableError, times=2)
    world.outbox.faults.plan("put", StorageFailedError, times=2)

    await timer(world, minutes=10)
    await timer(world, minutes=5)
    assert len(world.pending.rows) == 1
    await timer(world, minutes=5)

    assert (world.pending.rows, world.login.living(alice.user)) == ({}, 1)


@pytest.mark.parametrize(("seconds", "is_kept"), [(-1, True), (0, False)], ids=["t-1s", "t"])
async def test_one_that_goes_nowhere_for_two_days_goes_all_the_same(
    world: World, alice: Caller, told: Told, seconds: int, is_kept: bool
) -> None:
    await world.consented(alice)
    org_down(world)
    world.outbox.faults.plan("put", StorageFailedError, times=1_000)
    world.clock.move(minutes=10, seconds=PARKED_PATIENCE.total_seconds() + seconds)

    await timer(world)

    assert timedelta(hours=48) == PARKED_PATIENCE
    assert bool(world.pending.rows) is is_kept
    assert told("revocation_failed")
    assert given_up(told) == ([] if is_kept else [alice.user])


async def test_a_parked_grant_whose_seal_is_broken_waits_and_holds_up_no_other(
    world: World, alice: Caller, told: Told
) -> None:
    parked = Pending(
        kind=PendingKind.PARKED,
        tenant=alice.tenant,
        digest="0" * 64,  # the first in order
        user=alice.user,
        sealed=b"\x01nonsense",
        expires_at=NOON,
    )
    await world.pending.put(parked)
    await world.consented(alice)

    await timer(world, minutes=10)
    assert world.login.living(alice.user) == 1
    assert [row.digest for row in world.pending.rows.values()] == [parked.digest]
    assert given_up(told) == []

    await timer(world, minutes=48 * 60)

    assert world.pending.rows == {}
    assert given_up(told) == [alice.user]


async def test_after_two_days_it_is_tried_once_more_and_not_told_as_given_up(
    world: World, alice: Caller, told: Told
) -> None:
    await world.consented(alice)

    await timer(world, minutes=10 + 48 * 60)

    assert (world.pending.rows, world.login.living(alice.user)) == ({}, 1)
    assert given_up(told) == []


@pytest.mark.parametrize(("seconds", "is_revoked"), [(-1, False), (0, True)], ids=["t-1s", "t"])
async def test_one_that_somebody_has_claimed_is_left_to_them_for_five_minutes(
    world: World, alice: Caller, seconds: int, is_revoked: bool
) -> None:
    completion = await world.consented(alice)
    world.clock.move(minutes=10)
    await world.pending.claim(alice.tenant, completion.digest, at=world.clock())
    world.clock.move(minutes=5, seconds=seconds)

    await timer(world)

    assert (not world.pending.rows) is is_revoked
    assert world.login.living(alice.user) == 2 - is_revoked


async def test_one_that_somebody_claims_at_the_same_moment_is_theirs(
    world: World, alice: Caller
) -> None:
    """Both want to claim it, and the store gives it to the other."""
    completion = await world.consented(alice)
    world.clock.move(minutes=10)

    async def faster() -> None:
        await world.pending.claim(alice.tenant, completion.digest, at=world.clock())

    world.pending.faults.meanwhile("claim", faster)
    await timer(world)

    assert len(world.pending.rows) == 1
    assert world.login.living(alice.user) == 2


async def test_of_several_the_one_with_a_connection_is_kept_and_the_others_revoked(
    world: World, alice: Caller
) -> None:
    codes = [await world.consented(alice, FABRIKAM_ORG) for _ in range(3)]
    world.pending.faults.plan("delete", StorageFailedError)
    await world.services.complete_connection(alice, codes[1])
    assert len(world.pending.rows) == 3

    await timer(world, minutes=15)

    assert world.pending.rows == {}
    assert world.login.living(alice.user) == 2
    assert await world.services.list_flows(alice, FABRIKAM_ORG)


async def test_a_colleagues_connection_is_no_reason_to_keep_it(world: World, alice: Caller) -> None:
    bob = await world.signed_in("bob")
    bobs = (await world.connect(bob)).connection
    completion = await world.consented(alice)
    world.connections.rows[bob.tenant, bobs.row_key] = replace(bobs, consent=completion.digest)

    await timer(world, minutes=10)

    assert world.pending.rows == {}
    assert world.login.living(alice.user) == 1


# --- the journal ---------------------------------------------------------------------------------


async def journal_of(
    world: World, caller: Caller, *, connected: bool = True, generation: int = 2
) -> JournalledGrant:
    """A refreshed grant in the journal; its row waits for it, or (not `connected`) is gone."""
    (row,) = (one for one in world.connections.rows.values() if one.user == caller.user)
    grant = await world.login.refresh(await world.grants.open(row.place, row.sealed_grant))
    entry = JournalledGrant(
        tenant=row.tenant,
        user=row.user,
        org=row.org,
        consent=row.consent,
        generation=generation,
        sealed_grant=await world.grants.seal(row.place, grant),
        written_at=world.clock(),
    )
    await GrantJournal(backups=world.backups).write(entry)
    key = (row.tenant, row.row_key)
    if connected:
        lease_until = world.clock() + timedelta(seconds=90)
        world.connections.rows[key] = replace(row, lease_holder="dead", lease_until=lease_until)
    else:
        del world.connections.rows[key]
    return entry


@pytest.mark.parametrize(("seconds", "is_kept"), [(-1, True), (0, False)], ids=["t-1s", "t"])
async def test_a_journalled_grant_is_let_alone_for_three_minutes(
    world: World, alice: Caller, seconds: int, is_kept: bool
) -> None:
    await journal_of(world, alice)
    world.clock.move(minutes=3, seconds=seconds)

    await timer(world)

    assert bool(world.backups.files) is is_kept
    (row,) = world.connections.rows.values()
    assert row.generation == 2 - is_kept
    assert world.login.living(alice.user) == 1


async def test_one_whose_connection_is_gone_is_revoked(world: World, alice: Caller) -> None:
    await journal_of(world, alice, connected=False)

    await timer(world, minutes=5)

    assert (world.backups.files, world.login.living(alice.user)) == ({}, 0)


async def test_one_that_is_written_long_ago_is_forgotten_and_the_connection_lives(
    world: World, alice: Caller
) -> None:
    entry = await journal_of(world, alice)
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(
        row, generation=2, sealed_grant=entry.sealed_grant, lease_holder=None, lease_until=None
    )

    await timer(world, minutes=5)

    assert (world.backups.files, world.login.living(alice.user)) == ({}, 1)


async def test_one_of_an_earlier_consent_is_revoked_and_the_new_connection_lives(
    world: World, alice: Caller
) -> None:
    """Already when it is replaced: its token was spent by whoever died, and to use a spent token
    once more ends what came of it."""
    await journal_of(world, alice)
    await world.connect(alice)
    assert world.login.living(alice.user) == 1

    await timer(world, minutes=5)

    assert (world.backups.files, world.login.living(alice.user)) == ({}, 1)
    assert await world.services.list_flows(alice, CONTOSO_ORG)


async def test_one_whose_connection_has_ended_is_revoked(world: World, alice: Caller) -> None:
    await journal_of(world, alice)
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, health=Health.EXPIRED, sealed_grant=b"")

    await timer(world, minutes=5)

    assert (world.backups.files, world.login.living(alice.user)) == ({}, 0)


async def test_one_that_cannot_be_revoked_goes_to_the_outbox(world: World, alice: Caller) -> None:
    await journal_of(world, alice, connected=False)
    world.login.faults.plan("revoke", SalesforceUnavailableError)

    await timer(world, minutes=5)
    assert (world.backups.files, len(world.outbox.rows)) == ({}, 1)
    await timer(world, minutes=5)

    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 0)


async def test_one_that_can_be_neither_revoked_nor_put_into_the_outbox_stays(
    world: World, alice: Caller
) -> None:
    """Forgotten, it would live on at Salesforce, and nobody would know of it."""
    await journal_of(world, alice, connected=False)
    world.login.faults.plan("revoke", SalesforceUnavailableError)
    world.outbox.faults.plan("put", StorageFailedError)

    await timer(world, minutes=5)
    assert len(world.backups.files) == 1
    await timer(world, minutes=5)

    assert (world.backups.files, world.login.living(alice.user)) == ({}, 0)


async def test_one_whose_seal_is_broken_is_forgotten_after_two_days(
    world: World, alice: Caller, told: Told
) -> None:
    """Its key may be mended; but kept, it would be an alarm every five minutes, for ever."""
    entry = await journal_of(world, alice, connected=False)
    broken = replace(entry, sealed_grant=entry.sealed_grant[:-1])
    await GrantJournal(backups=world.backups).write(broken)

    await timer(world, minutes=48 * 60 - 1)
    assert len(world.backups.files) == 1
    assert given_up(told) == []
    await timer(world, minutes=1)

    assert world.backups.files == {}
    assert given_up(told) == [alice.user]


async def test_one_entry_that_fails_holds_up_no_other(
    world: World, alice: Caller, told: Told
) -> None:
    mallory = await world.signed_in("mallory")
    await world.connect(mallory)
    for caller in (alice, mallory):
        await journal_of(world, caller, connected=False)
    world.connections.faults.plan("load", StorageFailedError)

    await timer(world, minutes=5)

    assert len(world.backups.files) == 1
    assert [one["step"] for one in told("dependency_failed")] == ["journal"]
    await timer(world, minutes=5)
    assert world.backups.files == {}


async def test_one_entry_that_cannot_be_read_holds_up_no_other(world: World, alice: Caller) -> None:
    entry = await journal_of(world, alice, connected=False)
    world.backups.files[f"journal/{entry.tenant}/{entry.user}/00d000000000000aaa.json"] = b"{"

    await timer(world, minutes=5)

    assert world.login.living(alice.user) == 0


async def test_a_journal_that_is_away_is_told_and_what_else_there_is_gets_done(
    world: World, alice: Caller, told: Told
) -> None:
    await discarded(world, alice)
    world.backups.faults.plan("names", StorageFailedError)

    await timer(world, minutes=5)

    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 0)
    assert [one["step"] for one in told("dependency_failed")] == ["revocation_worker"]


async def test_what_one_user_left_behind_takes_no_more_than_its_share_of_a_run(
    world: World, alice: Caller
) -> None:
    entry = await discarded(world, alice)
    for number in range(120):
        world.outbox.keep(replace(entry, id=f"{number:016}"))
    calls = count_calls(world, "login", "revoke")

    await timer(world, minutes=5)

    assert len(calls) == 50


async def test_d12_a_connection_that_cannot_be_read_keeps_no_parked_grant_for_ever(
    world: World, alice: Caller
) -> None:
    await world.consented(alice)
    ((_, key),) = world.connections.rows
    world.connections.unreadable.add(key)

    await timer(world, minutes=10)

    assert (world.pending.rows, world.login.living(alice.user)) == ({}, 1)


# --- a run has an end ----------------------------------------------------------------------------


def slow(world: World, fake: str, method: str, seconds: float) -> list[float]:
    """Each call of it takes so long from now on; and when each was made, in seconds from now."""
    begun, calls = world.clock.monotonic(), []

    async def call() -> None:
        calls.append(world.clock.monotonic() - begun)
        world.clock.move(seconds=seconds)

    for _ in range(1_000):
        getattr(world, fake).faults.meanwhile(method, call)
    return calls


async def slow_run(world: World) -> None:
    """As `timer`, by the fake clock."""
    services = world.another_instance().services
    await replace(services.work_off_revocations, monotonic=world.clock.monotonic)()


def broken_files(world: World, caller: Caller, count: int) -> None:
    for number in range(count):
        world.backups.files[f"journal/{caller.tenant}/{caller.user}/{number:03}.json"] = b"{"


def other_tenants(world: World, caller: Caller, count: int) -> list[TenantId]:
    """Tenants that are read before the caller's, where they are read in order."""
    own = world.tenants.rows.pop(caller.tenant)
    made = [TenantId.parse(f"ms-00000000-0000-0000-0000-{n:012}") for n in range(count)]
    world.tenants.rows |= {tenant: replace(own, id=tenant) for tenant in made}
    world.tenants.rows[caller.tenant] = own
    return made


async def test_journal_reading_and_revoking_each_have_a_share_of_the_run_which_ends_in_time(
    world: World, alice: Caller
) -> None:
    entry = await discarded(world, alice)
    broken_files(world, alice, 50)
    for tenant in other_tenants(world, alice, 50):
        for number in range(5):
            world.outbox.keep(replace(entry, tenant=tenant, id=f"{number:016}"))
    world.clock.move(minutes=5)
    begun = world.clock.monotonic()
    journal = slow(world, "backups", "get", 5)
    reading = slow(world, "tenants", "load", 5)
    due = slow(world, "outbox", "replace", 5)

    await slow_run(world)

    for calls, until in ((journal, 45), (reading, 105), (due, 180)):
        assert until - 10 < max(calls) < until + 4 * 5, "four are under way at the end"
    assert world.clock.monotonic() - begun <= 180 + 4 * 5


async def test_what_comes_after_the_journal_has_its_time_though_nothing_is_in_the_journal(
    world: World, alice: Caller
) -> None:
    other_tenants(world, alice, 50)
    reading = slow(world, "tenants", "load", 5)

    await slow_run(world)

    assert 95 < max(reading) < 105 + 4 * 5


async def test_no_tenant_is_always_read_too_late(world: World, alice: Caller) -> None:
    await discarded(world, alice)
    other_tenants(world, alice, 20)
    world.clock.move(minutes=5)
    slow(world, "tenants", "load", 30)

    for _ in range(100):
        await slow_run(world)
        if not world.outbox.rows:
            break

    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 0)


async def test_no_entry_of_the_journal_is_always_read_too_late(world: World, alice: Caller) -> None:
    entry = await journal_of(world, alice, connected=False)
    broken_files(world, alice, 20)
    world.clock.move(minutes=5)
    slow(world, "backups", "get", 30)
    name = next(name for name in world.backups.files if entry.org.lower() in name)

    for _ in range(100):
        await slow_run(world)
        if name not in world.backups.files:
            break

    assert name not in world.backups.files
    assert world.login.living(alice.user) == 0


async def test_an_entry_that_the_store_does_not_give_holds_up_no_other(
    world: World, alice: Caller, told: Told
) -> None:
    mallory = await world.signed_in("mallory")
    await world.connect(mallory)
    for caller in (alice, mallory):
        await journal_of(world, caller, connected=False)
    world.backups.faults.plan("get", StorageFailedError)

    await timer(world, minutes=5)

    assert len(world.backups.files) == 1
    assert [one["step"] for one in told("dependency_failed")] == ["journal"]
