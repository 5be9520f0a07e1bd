"""What do you hold about me: everything about the caller, and nothing about anybody else."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import KeyVaultFailedError, SalesforceUnavailableError, StorageFailedError
from shared.model import (
    Caller,
    DataSubject,
    DeletionScope,
    DiscardedGrant,
    Health,
    Pending,
    Run,
    SettingsChange,
    TenantSettings,
)
from shared.model.schema import TABLES
from shared.secret import Secret
from shared.usecases.my_data import Mine, fingerprint
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, NOON, World
from tests.fakes.identity import CONTOSO_DIRECTORY, GOOGLE_DIRECTORY
from tests.fakes.stores import MemoryPendingStore
from tests.usecases.conftest import Told
from tests.usecases.deleting import asked_by, lived
from tests.usecases.invoking import LOG, invocation, run

type Rows = Sequence[Mapping[str, Any]]


class OneUnreadable(MemoryPendingStore):
    """Holds one more row than it can read."""

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[Pending], int]:
        found, unreadable = await super().of_subject(subject)
        return found, unreadable + 1


async def held(world: World, caller: Caller) -> Mine:
    return await world.services.my_data(caller)


def rows(mine: Mine, table: str, kind: str) -> Rows:
    (found,) = [one for one in mine.held if (one.table, one.kind.name) == (table, kind)]
    return found.rows


def text_of(mine: Mine) -> str:
    return json.dumps([list(one.rows) for one in mine.held])


async def test_the_identity_is_opened_for_the_one_whose_it_is(world: World) -> None:
    alice = await world.signed_in("alice")

    (user,) = rows(await held(world, alice), "users", "user")

    assert user == {
        "user_id": alice.user,
        "provider": "microsoft",
        "subject": world.verifier.people["alice"].subject,
        "created_at": "2026-01-15T12:00:00.000Z",
        "last_seen_day": "2026-01-15",
        "epoch": world.users.rows[alice.tenant, alice.user].epoch,
        "is_leaving": False,
    }


@pytest.mark.parametrize(
    ("name", "provider", "directory"),
    [("alice", "microsoft", CONTOSO_DIRECTORY), ("dave", "google", GOOGLE_DIRECTORY)],
)
async def test_the_tenant_is_named_with_its_directory_and_its_region(
    world: World, name: str, provider: str, directory: str
) -> None:
    caller = await world.signed_in(name)

    assert rows(await held(world, caller), "tenants", "tenant") == [
        {
            "tenant_id": caller.tenant,
            "provider": provider,
            "directory": directory,
            "region": "westeurope",
            "status": "active",
            "created_at": "2026-01-15T12:00:00.000Z",
        }
    ]


async def test_a_connection_is_shown_with_its_tokens_as_fingerprints(world: World) -> None:
    alice = await world.signed_in("alice")
    await world.connect(alice)
    (row,) = world.connections.rows.values()
    grant = await world.grants.open(row.place, row.sealed_grant)

    mine = await held(world, alice)

    (shown,) = rows(mine, "connections", "connection")
    assert shown == {
        "org_id": CONTOSO_ORG,
        "health": "active",
        "connected_at": "2026-01-15T12:00:00.000Z",
        "refreshed_at": "2026-01-15T12:00:00.000Z",
        "last_used_day": "2026-01-15",
        "ended_at": None,
        "generation": row.generation,
        "is_being_refreshed": False,
        "answer_lost": False,
        "grant": {
            "instance_host": grant.instance_host,
            "login_host": grant.login_host,
            "salesforce_user_id": grant.salesforce_user,
            "refresh_token": fingerprint(grant.refresh_token),
            "access_token": fingerprint(grant.access_token),
        },
    }
    for token in (grant.refresh_token, grant.access_token):
        assert token.reveal() not in text_of(mine)


def test_a_fingerprint_is_the_beginning_of_the_tokens_sha256() -> None:
    whole = hashlib.sha256(b"token").hexdigest()

    assert fingerprint(Secret("token")) == f"sha256:{whole[:16]}"


async def test_an_ended_and_leased_connection_says_so(world: World) -> None:
    alice = await world.signed_in("alice")
    await world.connect(alice)
    ((key, row),) = world.connections.rows.items()
    until = NOON + timedelta(minutes=1)
    ended = replace(row, health=Health.EXPIRED, ended_at=NOON)
    world.connections.rows[key] = replace(ended, lease_holder="holder", lease_until=until)

    (shown,) = rows(await held(world, alice), "connections", "connection")

    assert (shown["health"], shown["ended_at"]) == ("expired", "2026-01-15T12:00:00.000Z")
    assert shown["is_being_refreshed"] is True


async def test_a_connection_says_that_an_answer_was_lost_and_when_it_was_refreshed(
    world: World,
) -> None:
    alice = await world.signed_in("alice")
    await world.connect(alice)
    ((key, row),) = world.connections.rows.items()
    refreshed_at = NOON - timedelta(days=3)
    world.connections.rows[key] = replace(row, answer_lost=True, refreshed_at=refreshed_at)

    (shown,) = rows(await held(world, alice), "connections", "connection")

    assert shown["answer_lost"] is True
    assert shown["refreshed_at"] == "2026-01-12T12:00:00.000Z"


async def discarded(world: World, caller: Caller) -> DiscardedGrant:
    """The org was down when the caller disconnected it."""
    await world.connect(caller)
    world.login.faults.plan("revoke", SalesforceUnavailableError)
    await world.services.disconnect(caller, CONTOSO_ORG)
    (entry,) = (one for one in world.outbox.rows.values() if one.user == caller.user)
    return entry


async def test_a_grant_that_waits_to_be_revoked_is_shown_with_its_tokens_as_fingerprints(
    world: World,
) -> None:
    alice = await world.signed_in("alice")
    entry = await discarded(world, alice)
    world.outbox.keep(replace(entry, attempts=3))
    grant = await world.grants.open(entry.place, entry.sealed_grant)

    mine = await held(world, alice)

    assert rows(mine, "connections", "connection") == []
    assert rows(mine, "connections", "discarded_grant") == [
        {
            "org_id": CONTOSO_ORG,
            "discarded_at": "2026-01-15T12:00:00.000Z",
            "next_try_at": "2026-01-15T12:01:00.000Z",
            "attempts": 3,
            "may_be_spent": False,
            "grant": {
                "instance_host": grant.instance_host,
                "login_host": grant.login_host,
                "salesforce_user_id": grant.salesforce_user,
                "refresh_token": fingerprint(grant.refresh_token),
                "access_token": fingerprint(grant.access_token),
            },
        }
    ]
    for token in (grant.refresh_token, grant.access_token):
        assert token.reveal() not in text_of(mine)


async def test_d12_nobody_sees_a_discarded_grant_of_somebody_else(world: World) -> None:
    for name in ("bob", "mallory"):
        await discarded(world, await world.signed_in(name))
    alice = await world.signed_in("alice")

    assert rows(await held(world, alice), "connections", "discarded_grant") == []


async def test_d12_a_discarded_grant_that_does_not_open_is_shown_without_its_tokens(
    world: World, told: Told
) -> None:
    alice = await world.signed_in("alice")
    entry = await discarded(world, alice)
    world.outbox.keep(replace(entry, sealed_grant=entry.sealed_grant[:-1]))

    (shown,) = rows(await held(world, alice), "connections", "discarded_grant")

    assert (shown["org_id"], shown["grant"]) == (CONTOSO_ORG, None)
    assert len(told("seal_broken")) == 1


async def test_d12_a_discarded_grant_that_cannot_be_read_is_a_failure(world: World) -> None:
    """An answer without it would pass for a whole one."""
    alice = await world.signed_in("alice")
    world.outbox.unreadable.add((await discarded(world, alice)).row_key)

    with pytest.raises(StorageFailedError):
        await held(world, alice)


async def test_d12_a_grant_that_does_not_open_hides_nothing_else(world: World, told: Told) -> None:
    alice = await world.signed_in("alice")
    await world.connect(alice)
    await world.connect(alice, FABRIKAM_ORG)
    key = (alice.tenant, f"{alice.user}|{CONTOSO_ORG.lower()}")
    row = world.connections.rows[key]
    world.connections.rows[key] = replace(row, sealed_grant=row.sealed_grant[:-1])

    shown = rows(await held(world, alice), "connections", "connection")

    assert {one["org_id"]: one["grant"] is None for one in shown} == {
        CONTOSO_ORG: True,
        FABRIKAM_ORG: False,
    }
    assert len(told("seal_broken")) == 1


async def test_a_grant_that_was_taken_away_is_no_alarm(world: World, told: Told) -> None:
    alice = await world.signed_in("alice")
    await world.connect(alice)
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, health=Health.REVOKED, sealed_grant=b"")

    (shown,) = rows(await held(world, alice), "connections", "connection")

    assert shown["grant"] is None
    assert told("seal_broken") == []


async def test_what_is_pending_is_named_and_not_opened(world: World) -> None:
    alice = await world.signed_in("alice")
    await world.services.begin_connection(alice, None, None)
    begun = await world.services.begin_connection(alice, None, None)
    await world.services.start_connection(begun)
    await world.consented(alice)

    mine = await held(world, alice)

    waiting = {"user_id": alice.user, "expires_at": "2026-01-15T12:10:00.000Z"}
    for kind in ("ticket", "state", "parked_grant"):
        assert rows(mine, "pending", kind) == [{**waiting, "sealed": "not opened"}]


async def test_d12_a_pending_row_that_cannot_be_read_is_a_failure(world: World) -> None:
    """An answer without it would pass for a whole one."""
    world.pending = OneUnreadable(world.gates)
    alice = await world.signed_in("alice")

    with pytest.raises(StorageFailedError):
        await held(world, alice)


async def test_all_runs_are_there_with_the_names_of_their_flows_and_the_keys_used(
    world: World,
) -> None:
    alice = await world.signed_in("alice")
    await world.connect(alice)
    first, _ = await run(world, alice, invocation(key="one"))
    world.clock.move(seconds=1)
    second, _ = await run(world, alice, invocation(key="two"))

    mine = await held(world, alice)

    shown = rows(mine, "runs", "run")
    assert [one["run_id"] for one in shown] == [second.id, first.id]
    assert {one["flow_name"] for one in shown} == {LOG}
    assert rows(mine, "runs", "idempotency_key") == [
        {"created_at": "2026-01-15T12:00:01.000Z"},
        {"created_at": "2026-01-15T12:00:00.000Z"},
    ]


async def test_d12_a_name_that_does_not_open_hides_no_run(world: World) -> None:
    alice = await lived(world, "alice")
    ((key, sealed),) = world.tenants.flow_names.items()
    world.tenants.flow_names[key] = sealed[:-1]

    shown = rows(await held(world, alice), "runs", "run")

    assert [one["flow_name"] for one in shown] == [None, None]


async def test_a_run_that_never_told_its_end_reads_as_unknown(world: World) -> None:
    alice = await world.signed_in("alice")
    await world.runs.start(started(alice, 1), None)
    world.clock.move(days=1)

    (shown,) = rows(await held(world, alice), "runs", "run")

    assert (shown["outcome"], shown["flow_name"]) == ("outcome_unknown", None)


def started(caller: Caller, number: int) -> Run:
    return Run(
        id=f"r-{number:026}",
        tenant=caller.tenant,
        user=caller.user,
        org=CONTOSO_ORG,
        flow_id=f"f-{'a' * 26}",
        started_at=NOON + timedelta(seconds=number),
    )


@pytest.mark.parametrize("count", [998, 999, 1_000, 5_000])
async def test_however_many_runs_all_are_there_once(world: World, count: int) -> None:
    alice = await world.signed_in("alice")
    for number in range(count):
        one = started(alice, number)
        world.runs.rows[alice.tenant, one.id] = one

    shown = rows(await held(world, alice), "runs", "run")

    assert len({one["run_id"] for one in shown}) == len(shown) == count


async def test_open_gates_are_rows_too(world: World) -> None:
    alice = await world.signed_in("alice")

    gates = [one.table for one in (await held(world, alice)).held if one.kind.name == "user_gate"]
    for table in gates:
        assert rows(await held(world, alice), table, "user_gate") == [{"user_id": alice.user}]

    assert gates == ["tenants", "connections", "pending", "runs"]


async def test_a_gate_that_is_closed_is_no_row(world: World) -> None:
    alice = await world.signed_in("alice")
    await world.gates.close(DataSubject(tenant=alice.tenant, user=alice.user))

    mine = await held(world, alice)

    for table in ("tenants", "connections", "pending", "runs"):
        assert rows(mine, table, "user_gate") == []


async def test_ones_changes_of_settings_are_there(world: World) -> None:
    carol = await world.signed_in("carol")
    tenant = world.tenants.rows[carol.tenant]
    change = SettingsChange(
        id="one", changed_at=NOON, changed_by=carol.user, changed=("retention_days",)
    )
    wanted = replace(tenant, settings=TenantSettings(retention_days=90))
    await world.tenants.change_settings(wanted, change)

    shown = rows(await held(world, carol), "tenants", "settings_change")

    assert shown == [
        {
            "changed_at": "2026-01-15T12:00:00.000Z",
            "changed_by": carol.user,
            "changed": ["retention_days"],
        }
    ]
    alice = await world.signed_in("alice")
    assert rows(await held(world, alice), "tenants", "settings_change") == []


async def test_a_deletion_request_is_shown_without_its_hashes(world: World) -> None:
    deleting = await asked_by(world, "alice")

    (shown,) = rows(await held(world, deleting.caller), "deletions", "deletion")

    assert shown == {
        "id": deleting.asked.deletion.id,
        "scope": "user",
        "state": "requested",
        "times": {"requested": "2026-01-15T12:00:00.000Z"},
        "requested_by": deleting.caller.user,
        "subject_sha256": hashlib.sha256(deleting.caller.user.encode()).hexdigest(),
        "row_counts": {},
        "revocations": {},
        "has_receipt": False,
    }


async def test_an_administrator_is_shown_the_tenants_deletion_that_they_asked_for(
    world: World,
) -> None:
    deleting = await asked_by(world, "carol", DeletionScope.TENANT)

    (shown,) = rows(await held(world, deleting.caller), "deletions", "deletion")

    assert (shown["scope"], shown["requested_by"]) == ("tenant", deleting.caller.user)


async def test_who_was_deleted_and_came_back_is_shown_that_deletion_and_nothing_of_before(
    world: World,
) -> None:
    await lived(world, "bob")  # a colleague, so that the tenant goes on
    alice = await lived(world, "alice")
    deleting = await asked_by(world, "alice")
    await deleting.confirm()
    await deleting.finish()

    back = await world.signed_in("alice")
    mine = await held(world, back)

    assert back.user == alice.user
    (shown,) = rows(mine, "deletions", "deletion")
    assert (shown["state"], shown["has_receipt"], shown["requested_by"]) == (
        "receipted",
        True,
        None,
    )
    kinds = {one.kind.name for one in mine.held if one.rows}
    assert kinds == {"tenant", "user", "user_gate", "deletion"}


async def test_n01_nothing_of_a_colleague_or_of_another_tenant_is_shown(world: World) -> None:
    others = [await lived(world, name) for name in ("bob", "carol", "dave", "grace")]
    for name in ("bob", "carol", "dave"):
        await asked_by(world, name)
    carol = others[1]
    tenant = world.tenants.rows[carol.tenant]
    await world.tenants.change_settings(
        replace(tenant, settings=TenantSettings(retention_days=90)),
        SettingsChange(id="x", changed_at=NOON, changed_by=carol.user, changed=("retention_days",)),
    )
    alice = await world.signed_in("alice")

    mine = await held(world, alice)

    assert {one.kind.name for one in mine.held if one.rows} == {"tenant", "user", "user_gate"}
    for other in others:
        assert other.user not in text_of(mine)
    for name in ("bob", "carol", "dave", "grace"):
        assert world.verifier.people[name].subject not in text_of(mine)


async def test_n01_two_who_lived_alike_are_each_shown_their_own(world: World) -> None:
    alice, bob, dave = [await lived(world, name) for name in ("alice", "bob", "dave")]

    for mine, me, others in (
        (await held(world, alice), alice, (bob, dave)),
        (await held(world, bob), bob, (alice, dave)),
        (await held(world, dave), dave, (alice, bob)),
    ):
        shown = text_of(mine)
        assert (mine.tenant, mine.user) == (me.tenant, me.user)
        assert len(rows(mine, "runs", "run")) == 2
        assert len(rows(mine, "runs", "idempotency_key")) == 1
        assert len(rows(mine, "connections", "connection")) == 1
        assert (
            len(rows(mine, "pending", "ticket")) == len(rows(mine, "pending", "parked_grant")) == 1
        )
        for other in others:
            assert other.user not in shown
            theirs = [one.id for one in world.runs.rows.values() if one.user == other.user]
            assert not any(run_id in shown for run_id in theirs)


async def test_while_the_tenants_key_is_away_there_is_no_answer(world: World) -> None:
    alice = await lived(world, "alice")
    (wrapped,) = world.tenant_keys.rows.values()
    world.key_wrapper.disable(wrapped.kek_id)

    with pytest.raises(KeyVaultFailedError):
        await world.another_instance().services.my_data(alice)

    world.key_wrapper.enable(wrapped.kek_id)
    assert rows(await held(world.another_instance(), alice), "users", "user")


async def test_every_kind_of_row_that_can_name_a_user_is_asked_for(world: World) -> None:
    """A kind that is added to the schema is added here, or it says nothing of a user."""
    alice = await world.signed_in("alice")
    shown = {(one.table, one.kind.name) for one in (await held(world, alice)).held}
    about_users = {
        (table.name, kind.name)
        for table in TABLES.values()
        for kind in table.kinds
        if "<user id>" in kind.row_key
        or any(c.form in ("user id", "SHA-256") for c in kind.columns)
    }

    assert shown == about_users | {("tenants", "tenant")}


async def test_every_column_of_a_users_rows_is_told_or_left_out_for_a_reason(world: World) -> None:
    """What a row holds beyond the answer are hashes of codes that the user alone has, and numbers
    by which the service works."""
    told_otherwise = {
        "sealed_identity": {"provider", "subject"},
        "sealed_grant": {"grant"},
        "lease_holder": {"is_being_refreshed"},
        "receipt": {"has_receipt"},
    }
    left_out = {
        *("lease_until", "body_digest", "run_row", "code_digest", "status_digest"),
        *("next_try_at", "is_overdue", "keys_destroyed", "row_counts", "revocations"),
        *("consent", "claimed_at"),
        "receipted_at",  # one of `times`
    }
    await discarded(world, await world.signed_in("alice"))
    await lived(world, "alice")
    deleting = await asked_by(world, "alice")
    mine = await held(world, deleting.caller)
    for one in mine.held:
        if one.table == "tenants" or not one.rows:
            continue
        members = set(one.rows[0])
        for column in one.kind.columns:
            if column.name == "user_id" and one.kind.name in ("idempotency_key", "deletion"):
                continue  # the caller's own, of whom the whole answer is
            wanted = told_otherwise.get(column.name, {column.name})
            assert wanted <= members or column.name in left_out, (one.kind.name, column.name)
