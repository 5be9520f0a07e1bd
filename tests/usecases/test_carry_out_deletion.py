"""A confirmed deletion, step by step, and what may come in its way."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import (
    DeletionInProgressError,
    FlowRunnerError,
    KeyVaultFailedError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import (
    DataSubject,
    DeletionScope,
    DeletionState,
    Place,
    SettingsChange,
    TenantId,
    subject_hash,
)
from shared.model.backups import ledger_name
from shared.usecases.deletion_ledger import DeletionLedger
from shared.usecases.grant_journal import GrantJournal
from shared.usecases.revoke_grants import RevokeGrants
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, NOON, World
from tests.usecases.conftest import Told
from tests.usecases.deleting import Deleting, asked_by, lived
from tests.usecases.invoking import invocation, run

USER, TENANT = DeletionScope.USER, DeletionScope.TENANT


async def confirmed(world: World, name: str, scope: DeletionScope = USER) -> Deleting:
    deleting = await asked_by(world, name, scope)
    await deleting.confirm()
    return deleting


def claims_of(receipt: str | None) -> dict[str, Any]:
    assert receipt is not None
    payload = receipt.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return claims


async def rows_of(world: World, tenant: TenantId) -> int:
    return sum((await world.erasure.count(DataSubject(tenant=tenant))).values())


# --- what goes, and what stays -------------------------------------------------------------------


async def test_a_users_rows_go_and_the_colleagues_stay(world: World) -> None:
    alice, bob = await lived(world, "alice"), await lived(world, "bob")
    bobs = DataSubject(tenant=bob.tenant, user=bob.user)
    before = await world.erasure.count(bobs)
    deleting = await confirmed(world, "alice")

    done = await deleting.finish()

    hers = DataSubject(tenant=alice.tenant, user=alice.user)
    assert sum((await world.erasure.count(hers)).values()) == 0
    assert await world.erasure.count(bobs) == before
    assert (world.login.living(alice.user), world.login.living(bob.user)) == (0, 2)
    assert claims_of(done.receipt)["revocations"] == {"revoked": 2, "not_confirmed": 0}
    assert (await world.services.list_runs(bob, whole_tenant=False, after=None, limit=9)).page.runs


async def test_a_tenant_goes_whole_and_the_others_stay(world: World) -> None:
    for name in ("alice", "bob", "mallory", "dave"):
        await lived(world, name)
    carol, mallory = await world.signed_in("carol"), await world.signed_in("mallory")
    before = await rows_of(world, mallory.tenant)
    deleting = await confirmed(world, "carol", TENANT)

    done = await deleting.finish()

    assert await rows_of(world, carol.tenant) == 0
    assert await rows_of(world, mallory.tenant) == before
    assert list(world.tenants.rows) == [mallory.tenant, (await world.signed_in("dave")).tenant]
    assert claims_of(done.receipt)["revocations"] == {"revoked": 4, "not_confirmed": 0}


async def test_the_receipt_says_what_was_held_and_what_became_of_it(world: World) -> None:
    alice = await lived(world, "alice")
    held = await world.erasure.count(DataSubject(tenant=alice.tenant, user=alice.user))
    deleting = await confirmed(world, "alice")
    world.clock.move(seconds=30)

    claims = claims_of((await deleting.finish()).receipt)

    gates = 1  # one in each of four tables; they are no data, and were gone when rows were counted
    with_gates = ("tenants", "connections", "pending", "runs")
    assert claims["rows"] == {
        table: rows - gates * (table in with_gates) for table, rows in held.items()
    }
    assert claims["rows"] == {
        "tenants": 0, "tenantkeys": 0, "users": 1, "connections": 1, "pending": 2, "runs": 3,
    }  # fmt: skip
    assert claims["scope"] == "user"
    assert claims["tenant_sha256"] == subject_hash(alice.tenant)
    assert claims["subject_sha256"] == subject_hash(alice.user)
    assert claims["keys_destroyed"] == []
    assert claims["requested_at"] == claims["confirmed_at"] == "2026-01-15T12:00:00.000Z"
    assert claims["confirmed_at"] < claims["verified_empty_at"] <= claims["finished_at"]
    assert "2026-02-15" in claims["backups"]
    assert alice.tenant not in json.dumps(claims)
    assert alice.user not in json.dumps(claims)


async def test_a_tenants_receipt_names_the_keys_that_were_destroyed(world: World) -> None:
    carol = await lived(world, "carol")
    (key,) = [row for row in world.tenant_keys.rows.values() if row.tenant == carol.tenant]
    deleting = await confirmed(world, "carol", TENANT)

    claims = claims_of((await deleting.finish()).receipt)

    assert claims["keys_destroyed"] == [f"v{key.version} (wrapped by {key.kek_id})"]
    assert claims["subject_sha256"] is None


async def test_of_a_finished_deletion_nothing_is_kept_that_names_the_user(world: World) -> None:
    deleting = await confirmed(world, "alice")

    done = await deleting.finish()

    assert (done.user, done.requested_by, done.code_digest) == (None, "", "")
    assert deleting.caller.user not in repr(world.deletions.rows)
    assert deleting.caller.user not in str(world.backups.files)


async def test_c07_with_tables_backup_and_wrapping_key_nothing_of_the_tenant_opens(
    world: World,
) -> None:
    """Somebody copied the rows before, has the backups, and may use Key Vault."""
    carol = await lived(world, "carol")
    (connection,) = world.connections.rows.values()
    world.backups.files[f"{carol.tenant}/keys.json"] = b"wrapped"
    world.backups.files[f"{carol.tenant}/2026-01-14/users.0001.sealed"] = b"sealed"
    deleting = await confirmed(world, "carol", TENANT)

    await deleting.finish()

    assert [name for name in world.backups.files if name.startswith(carol.tenant)] == []
    with pytest.raises(KeyVaultFailedError):
        await world.another_instance().vault.open(connection.place, connection.sealed_grant)
    with pytest.raises(KeyVaultFailedError):
        await world.vault.open(connection.place, connection.sealed_grant)


async def test_the_ledger_knows_of_it_from_the_fence_on_and_has_the_receipt_in_the_end(
    world: World,
) -> None:
    deleting = await confirmed(world, "alice")
    name = f"deletions/{deleting.caller.tenant}/{deleting.asked.deletion.id}.json"

    await deleting.tick()
    assert json.loads(world.backups.files[name])["receipt"] is None
    assert json.loads(world.backups.files[name])["user_id"] == deleting.caller.user

    done = await deleting.finish()
    entry = json.loads(world.backups.files[name])
    assert (entry["receipt"], entry["user_id"]) == (done.receipt, None)
    assert entry["subject_sha256"] == subject_hash(deleting.caller.user)


async def test_one_that_has_nothing_to_delete_ends_as_well(world: World) -> None:
    deleting = await confirmed(world, "alice")
    del world.users.rows[deleting.caller.tenant, deleting.caller.user]

    assert (await deleting.finish()).state is DeletionState.RECEIPTED


# --- Salesforce ----------------------------------------------------------------------------------


async def test_an_org_that_is_down_is_tried_again_until_it_answers(world: World) -> None:
    alice = await lived(world, "alice")
    world.login.faults.plan("revoke", SalesforceUnavailableError, times=20)
    deleting = await confirmed(world, "alice")

    done = await deleting.finish()

    assert world.login.living(alice.user) == 0
    assert claims_of(done.receipt)["revocations"] == {"revoked": 2, "not_confirmed": 0}


async def test_after_20_hours_what_is_not_revoked_is_reported_and_the_rest_goes_on(
    world: World, told: Told
) -> None:
    await lived(world, "alice")
    world.login.faults.plan("revoke", SalesforceUnavailableError, times=10_000)
    deleting = await confirmed(world, "alice")

    done = await deleting.finish()

    assert claims_of(done.receipt)["revocations"] == {"revoked": 0, "not_confirmed": 2}
    took = done.at(DeletionState.RECEIPTED) - done.at(DeletionState.CONFIRMED)
    assert 20 * 3600 <= took.total_seconds() < 20.5 * 3600
    (overdue,) = told("deletion_overdue")
    assert overdue["level"] == "ERROR"


async def test_one_that_is_held_up_is_not_asked_every_minute_for_20_hours(world: World) -> None:
    await lived(world, "alice")
    world.login.faults.plan("revoke", SalesforceUnavailableError, times=10_000)
    deleting = await confirmed(world, "alice")

    await deleting.finish()

    asked = 10_000 - world.login.faults.left("revoke")
    assert asked < 2 * 150


async def test_a_grant_that_never_opens_again_is_reported_and_holds_nothing_up(
    world: World,
) -> None:
    alice = await world.signed_in("alice")
    await world.connect(alice)
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, sealed_grant=row.sealed_grant[:-1])
    deleting = await confirmed(world, "alice")

    done = await deleting.finish()

    assert claims_of(done.receipt)["revocations"] == {"revoked": 0, "not_confirmed": 1}
    assert done.at(DeletionState.REVOKED) == NOON


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        ({"connections"}, {"revoked": 1, "not_confirmed": 1}),
        ({"pending"}, {"revoked": 1, "not_confirmed": 1}),
        ({"connections", "pending"}, {"revoked": 0, "not_confirmed": 2}),
    ],
    ids=["a-connection", "a-parked-grant", "both"],
)
async def test_a_row_that_cannot_be_read_is_told_as_a_grant_that_may_live_on(
    world: World, spoilt: set[str], told: dict[str, int]
) -> None:
    """Nobody can say what was in it, so nobody may say that it was revoked."""
    alice = await world.signed_in("alice")
    await world.connect(alice)
    await world.consented(alice)
    ((_, connection),) = world.connections.rows
    ((_, _, parked),) = world.pending.rows
    if "connections" in spoilt:
        world.connections.unreadable.add(connection)
    if "pending" in spoilt:
        world.pending.unreadable.add(parked)
    deleting = await confirmed(world, "alice")

    done = await deleting.finish()

    assert claims_of(done.receipt)["revocations"] == told
    assert done.at(DeletionState.REVOKED) == NOON  # no later pass would read it
    assert (world.connections.rows, world.pending.rows) == ({}, {})


async def test_a_grant_is_not_revoked_under_a_refresh_that_is_exchanging_it(world: World) -> None:
    """The old token would be over, and the new one alive in nobody's hands."""
    alice = await world.signed_in("alice")
    await world.connect(alice)
    world.login.expire_access_tokens()
    deleting = await asked_by(world, "alice")

    async def confirm_and_work() -> None:
        await deleting.confirm()
        assert await deleting.tick() is DeletionState.FENCED

    world.login.faults.meanwhile("refresh", confirm_and_work)
    with pytest.raises(DeletionInProgressError):  # its session was looked at before
        await run(world, alice, invocation())

    await deleting.finish()
    assert (world.login.living(alice.user), world.login.replays) == (0, 0)


# --- D-05: nothing comes back ---------------------------------------------------------------------


async def sign_in_again(world: World, _: Deleting) -> object:
    return await world.signed_in("alice")


async def invoke(world: World, deleting: Deleting) -> object:
    return await run(world, deleting.caller, invocation(key="another"))


async def begin_to_connect(world: World, deleting: Deleting) -> object:
    return await world.services.begin_connection(deleting.caller, None, None)


async def connect(world: World, deleting: Deleting) -> object:
    return await world.connect(deleting.caller)


LATE: dict[str, Callable[[World, Deleting], Awaitable[object]]] = {
    "sign-in": sign_in_again,
    "invoke": invoke,
    "begin": begin_to_connect,
    "connect": connect,
}


@pytest.mark.parametrize("scope", [USER, TENANT], ids=str)
@pytest.mark.parametrize("late", LATE.values(), ids=LATE.keys())
async def test_d05_who_comes_while_it_is_carried_out_is_refused_and_writes_nothing(
    world: World, late: Callable[[World, Deleting], Awaitable[object]], scope: DeletionScope
) -> None:
    world.verifier.people["alice"] = replace(world.verifier.people["alice"], is_admin=True)
    await lived(world, "alice")
    deleting = await confirmed(world, "alice", scope)
    subject = deleting.now.subject

    while await deleting.tick() is not DeletionState.RECEIPTED:
        before = await world.erasure.count(subject)
        with pytest.raises(FlowRunnerError):
            await late(world.another_instance(), deleting)
        assert await world.erasure.count(subject) == before
        world.clock.move(seconds=4)

    assert sum((await world.erasure.count(subject)).values()) == 0
    assert world.login.living(deleting.caller.user) == 0


@pytest.mark.parametrize("scope", [USER, TENANT], ids=str)
@pytest.mark.parametrize(
    ("store", "method", "late"),
    [
        ("runs", "start", invoke),
        ("pending", "put", begin_to_connect),
        ("connections", "create", connect),
        ("tenants", "remember_flow_name", invoke),
    ],
)
async def test_d05_a_write_that_was_under_way_when_the_fence_was_set_is_refused(
    world: World,
    store: str,
    method: str,
    late: Callable[[World, Deleting], Awaitable[object]],
    scope: DeletionScope,
) -> None:
    """The writer has passed every check, and only then is everything deleted."""
    world.verifier.people["alice"] = replace(world.verifier.people["alice"], is_admin=True)
    alice = await world.signed_in("alice")
    if late is invoke:
        await world.connect(alice)
    deleting = await asked_by(world, "alice", scope)
    subject = deleting.now.subject

    async def delete_everything() -> None:
        await deleting.confirm()
        await deleting.finish()

    getattr(world, store).faults.meanwhile(method, delete_everything)
    with pytest.raises(DeletionInProgressError):
        await late(world, deleting)

    assert sum((await world.erasure.count(subject)).values()) == 0
    assert world.login.living(alice.user) == 0


async def test_d05_a_callback_under_way_leaves_no_grant_behind(world: World) -> None:
    alice = await world.signed_in("alice")
    deleting = await asked_by(world, "alice")

    async def delete_everything() -> None:
        await deleting.confirm()
        await deleting.finish()

    world.login.faults.meanwhile("redeem_code", delete_everything)
    with pytest.raises(AssertionError):  # `consented` expects a completion code
        await world.consented(alice)

    assert world.login.living(alice.user) == 0
    assert world.pending.rows == {}


async def test_d05_a_reconnect_under_way_is_refused_and_its_grant_revoked(world: World) -> None:
    alice = await lived(world, "alice")
    completion = await world.consented(alice)
    deleting = await asked_by(world, "alice")

    async def delete_everything() -> None:
        await deleting.confirm()
        await deleting.finish()

    world.connections.faults.meanwhile("renew", delete_everything)
    with pytest.raises(FlowRunnerError):
        await world.services.complete_connection(alice, completion)

    assert world.login.living(alice.user) == 0
    assert world.connections.rows == {}


async def test_d05_what_turns_up_after_the_shredding_is_deleted_before_a_receipt_is_given(
    world: World, told: Told
) -> None:
    """It cannot, but the verification does not take our word for it."""
    alice = await lived(world, "alice")
    deleting = await confirmed(world, "alice")
    await deleting.tick()
    assert deleting.now.state is DeletionState.SHREDDED
    ghost = await world.signed_in("bob")
    row = replace(world.users.rows[ghost.tenant, ghost.user], id=alice.user)
    world.users.rows[alice.tenant, alice.user] = row

    world.clock.move(seconds=10)
    assert await deleting.tick() is DeletionState.SHREDDED
    assert (alice.tenant, alice.user) not in world.users.rows
    world.clock.move(seconds=9)
    assert await deleting.tick() is DeletionState.SHREDDED
    world.clock.move(seconds=1)

    assert await deleting.tick() is DeletionState.RECEIPTED
    assert [step for step in told("deletion_step") if step["step"] == "not_empty"]


async def test_d05_a_late_change_of_settings_loses_its_author_before_a_receipt_is_given(
    world: World, told: Told
) -> None:
    """It is a row of the tenant's, which stays: only its author is the user's, and no count of
    the user's rows knows of it."""
    deleting = await confirmed(world, "alice")
    alice = deleting.caller
    assert await deleting.tick() is DeletionState.SHREDDED
    late = SettingsChange(id="c-1", changed_at=NOON, changed_by=alice.user, changed=("x",))
    world.tenants.changes[alice.tenant, late.id] = late

    world.clock.move(seconds=10)
    assert await deleting.tick() is DeletionState.SHREDDED

    assert world.tenants.changes == {(alice.tenant, late.id): replace(late, changed_by="")}
    assert [step["count"] for step in told("deletion_step") if step["step"] == "not_empty"] == [1]
    world.clock.move(seconds=10)
    assert await deleting.tick() is DeletionState.RECEIPTED


async def test_it_waits_for_a_backup_that_is_under_way(world: World) -> None:
    carol = await lived(world, "carol")
    until = world.clock().replace(minute=5)
    await world.leases.take(carol.tenant, "backup", holder="another", until=until)
    deleting = await confirmed(world, "carol", TENANT)

    assert await deleting.tick() is DeletionState.REVOKED
    world.clock.move(minutes=5)

    assert await deleting.tick() is DeletionState.SHREDDED


# --- N-07: and if they come back ------------------------------------------------------------------


async def test_n07_a_user_who_comes_back_begins_anew(world: World) -> None:
    await lived(world, "alice")
    old_session = await world.session_of("alice")
    deleting = await confirmed(world, "alice")
    await deleting.finish()

    alice = await world.signed_in("alice")

    listed = await world.services.list_runs(alice, whole_tenant=False, after=None, limit=9)
    assert listed.page.runs == ()
    assert await world.services.list_connections(alice) == []
    with pytest.raises(FlowRunnerError):
        await world.another_instance().services.authenticate(old_session)
    await world.connect(alice)
    await run(world, alice, invocation())


async def test_n07_a_tenant_that_comes_back_begins_anew_on_every_instance(world: World) -> None:
    other = world.another_instance()
    await lived(other, "carol")
    old = await other.signed_in("carol")
    old_session = await other.session_of("carol")
    deleting = await confirmed(world, "carol", TENANT)
    await deleting.finish()

    new = await other.signed_in("carol")

    assert new.tenant == old.tenant
    assert new.user != old.user
    await other.connect(new)
    await run(world.another_instance(), new, invocation())
    with pytest.raises(FlowRunnerError):
        await other.services.authenticate(old_session)
    listed = await world.services.list_runs(new, whole_tenant=True, after=None, limit=9)
    assert len(listed.page.runs) == 1


async def test_n07_nobody_of_a_tenant_signs_in_before_it_is_receipted(world: World) -> None:
    deleting = await confirmed(world, "carol", TENANT)

    while await deleting.tick() is not DeletionState.RECEIPTED:
        for name in ("carol", "bob"):
            with pytest.raises(DeletionInProgressError):
                await world.another_instance().signed_in(name)
        world.clock.move(seconds=5)

    assert (await world.signed_in("bob")).tenant == deleting.caller.tenant


# --- failures and kills ---------------------------------------------------------------------------


class _Killed(BaseException):
    """Nothing of ours catches it, as nothing catches kill -9."""


CALLS: list[tuple[str, str]] = [
    ("tenants", "begin_deletion"),
    ("users", "begin_deletion"),
    ("gates", "close"),
    ("backups", "put"),
    ("pending", "of_subject"),
    ("connections", "of_subject"),
    ("connections", "replace"),
    ("tenant_keys", "all"),
    ("key_wrapper", "unwrap"),
    ("login", "revoke"),
    ("erasure", "count"),
    ("erasure", "delete"),
    ("leases", "held_until"),
    ("backups", "delete"),
    ("tenant_keys", "destroy"),
    ("backups", "names"),
    ("signer", "newest"),
    ("signer", "sign"),
    ("deletions", "open_ones"),
    ("deletions", "replace"),
]
"""Every call that a deletion makes of the outside."""


@pytest.mark.parametrize("scope", [USER, TENANT], ids=str)
@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("store", "method"), CALLS, ids=[f"{s}.{m}" for s, m in CALLS])
async def test_d04_killed_at_each_call_in_turn_it_finishes_with_one_receipt(
    world: World, store: str, method: str, carried_out: bool, scope: DeletionScope
) -> None:
    """Killed at every occurrence of the call, one after the other, before it is carried out or
    after it; each time another instance goes on."""
    world.verifier.people["alice"] = replace(world.verifier.people["alice"], is_admin=True)
    alice = await lived(world, "alice")
    deleting = await confirmed(world, "alice", scope)
    faults = getattr(world, store).faults
    receipts: set[str] = set()

    for _ in range(200):
        faults.plan(method, _Killed, carried_out=carried_out)
        try:
            await world.another_instance().services.work_off_deletions()
        except _Killed:
            faults.clear()
            await world.another_instance().services.work_off_deletions()
        faults.clear()
        if deleting.now.receipt is not None:
            receipts.add(deleting.now.receipt)
        if deleting.now.state is DeletionState.RECEIPTED:
            break
        world.clock.move(minutes=2)

    assert deleting.now.state is DeletionState.RECEIPTED
    assert receipts == {deleting.now.receipt}
    assert sum((await world.erasure.count(deleting.asked.deletion.subject)).values()) == 0
    assert world.login.living(alice.user) == 0
    claims = claims_of(deleting.now.receipt)
    assert claims["revocations"] == {"revoked": 2, "not_confirmed": 0}
    assert claims["rows"]["runs"] == 3


@pytest.mark.parametrize("failure", [StorageFailedError, KeyVaultFailedError])
async def test_d02_one_deletion_that_fails_holds_up_no_other(
    world: World, failure: type[Exception], told: Told
) -> None:
    first = await confirmed(world, "alice")
    world.clock.move(seconds=1)
    second = await confirmed(world, "bob")
    world.gates.faults.plan("close", failure)

    await world.services.work_off_deletions()

    assert {first.now.state, second.now.state} == {
        DeletionState.CONFIRMED,
        DeletionState.SHREDDED,
    }
    assert told("dependency_failed")
    for one in (first, second):
        assert (await one.finish()).state is DeletionState.RECEIPTED


async def test_d08_eight_workers_at_once_make_one_receipt(world: World) -> None:
    alice = await lived(world, "alice")
    deleting = await confirmed(world, "alice")
    workers = [world.another_instance() for _ in range(8)]
    receipts = set()

    for _ in range(60):
        await asyncio.gather(*(one.services.work_off_deletions() for one in workers))
        receipts.add(deleting.now.receipt)
        if deleting.now.state is DeletionState.RECEIPTED:
            break
        world.clock.move(seconds=10)

    assert receipts - {None} == {deleting.now.receipt}
    assert world.login.living(alice.user) == 0
    assert claims_of(deleting.now.receipt)["rows"]["runs"] == 3


async def test_the_users_key_stays_for_the_colleagues(world: World) -> None:
    await lived(world, "bob")
    bob = await world.signed_in("bob")
    place = Place(tenant=bob.tenant, table="users", row_key=bob.user, column="sealed_identity")
    sealed = world.users.rows[bob.tenant, bob.user].sealed_identity
    deleting = await confirmed(world, "alice")

    await deleting.finish()

    assert await world.another_instance().vault.open(place, sealed)


@pytest.mark.parametrize("failures", [1, 2], ids=["one-org-waits", "both-orgs-wait"])
async def test_d05_a_refresh_that_outlives_its_lease_leaves_no_grant_behind(
    world: World, failures: int
) -> None:
    """The deletion has taken the connection over meanwhile, revoked the old token, and waits for
    another org: the new token is in nobody's hands."""
    alice = await world.signed_in("alice")
    await world.connect(alice)
    await world.connect(alice, FABRIKAM_ORG)
    world.login.expire_access_tokens()
    deleting = await asked_by(world, "alice")

    async def outlive_the_lease() -> None:
        await deleting.confirm()
        world.clock.move(seconds=151)
        world.login.faults.plan("revoke", SalesforceUnavailableError, times=failures)
        assert await deleting.tick() is DeletionState.FENCED

    world.connections.faults.meanwhile("replace", nothing)  # taking the lease
    world.connections.faults.meanwhile("replace", outlive_the_lease)  # the commit
    with pytest.raises(FlowRunnerError):
        await world.services.list_flows(alice, FABRIKAM_ORG)
    await deleting.finish()

    assert world.login.living(alice.user) == 0


async def nothing() -> None:
    """Nothing happens meanwhile."""


async def test_o17_a_grant_that_a_dead_refresh_spent_is_not_told_as_revoked(world: World) -> None:
    """It was exchanged for a new one, which went down with its worker: the old token's being over
    says nothing about the grant."""
    alice = await world.signed_in("alice")
    await world.connect(alice)
    world.login.expire_access_tokens()
    world.connections.faults.meanwhile("replace", nothing)  # taking the lease
    world.connections.faults.meanwhile("replace", die)  # the commit
    with pytest.raises(_Killed):
        await world.services.list_flows(alice, CONTOSO_ORG)
    deleting = await confirmed(world, "alice")

    assert await deleting.tick() is DeletionState.FENCED  # the lease may still be held
    done = await deleting.finish()

    assert claims_of(done.receipt)["revocations"] == {"revoked": 0, "not_confirmed": 1}


async def die() -> None:
    raise _Killed


async def test_an_org_that_hangs_does_not_use_up_a_pass(world: World) -> None:
    """What there is no time for is left for the next pass."""
    alice = await world.signed_in("alice")
    for org in (CONTOSO_ORG, FABRIKAM_ORG):
        await world.connect(alice, org)
    deleting = await confirmed(world, "alice")
    seconds = iter((0.0, 0.0, 61.0))
    revoke = RevokeGrants(
        connections=world.connections,
        outbox=world.outbox,
        pending=world.pending,
        journal=GrantJournal(backups=world.backups),
        grants=world.grants,
        login=world.login,
        clock=world.clock,
        monotonic=lambda: next(seconds),
    )

    outcomes = await revoke(deleting.now)

    assert sorted(outcome.value for outcome in outcomes) == ["later", "revoked"]


async def test_clocks_that_differ_leave_the_times_of_a_receipt_in_order(world: World) -> None:
    deleting = await asked_by(world, "alice")
    world.clock.move(seconds=-3)
    await deleting.confirm()

    claims = claims_of((await deleting.finish()).receipt)

    times = [claims[name] for name in ("requested_at", "confirmed_at", "verified_empty_at")]
    assert sorted(times) == times


async def test_a_worker_that_stalled_does_not_make_the_ledger_unfinished_again(
    world: World,
) -> None:
    deleting = await confirmed(world, "alice")
    stalled = deleting.now
    done = await deleting.finish()

    await DeletionLedger(store=world.backups).write(stalled)

    entry = json.loads(world.backups.files[ledger_name(done.tenant, done.id)])
    assert (entry["receipt"], entry["user_id"]) == (done.receipt, None)


async def test_requests_of_the_user_that_nobody_confirmed_go_as_well(world: World) -> None:
    world.verifier.people["alice"] = replace(world.verifier.people["alice"], is_admin=True)
    other = await asked_by(world, "alice", TENANT)
    deleting = await confirmed(world, "alice")

    await deleting.tick()

    assert (other.caller.tenant, other.asked.deletion.id) not in world.deletions.rows


async def test_one_deletion_that_hangs_is_cut_off_and_holds_up_no_other(
    world: World, told: Told
) -> None:
    first, second = await confirmed(world, "alice"), await confirmed(world, "bob")
    world.gates.faults.meanwhile("close", asyncio.Event().wait)
    impatient = replace(world.services.work_off_deletions, each=timedelta(seconds=0.2))

    await impatient()

    assert {first.now.state, second.now.state} == {
        DeletionState.CONFIRMED,
        DeletionState.SHREDDED,
    }
    assert [line["code"] for line in told("dependency_failed")] == ["timeout"]
