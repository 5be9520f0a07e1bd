"""Restoring: into empty tables, only what is whole, and nothing that was deleted since."""

import base64
import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

import pytest

from shared.errors import KeyVaultFailedError, StorageFailedError
from shared.model import TenantId, UserId
from shared.model.backups import (
    Row,
    keys_name,
    ledger_name,
    manifest_name,
    manifest_place,
    part_name,
)
from shared.usecases.read_backup import Refusal, RestoreRefusedError
from shared.usecases.restore_backup import Restored, RestoreOutcome
from shared.usecases.sealed_documents import SealedDocuments
from tests.contract.rows import ALICE, BOB
from tests.fakes import NOON, World
from tests.usecases.backing_up import (
    ROWS,
    TODAY,
    change,
    loss,
    record_deletion,
    rows_of,
    run,
    tenant_with_rows,
    user,
)

LATER: Final = NOON + timedelta(hours=1)
EARLIER: Final = NOON - timedelta(hours=1)


async def lost_after_a_backup(world: World) -> tuple[World, TenantId]:
    """A tenant that was backed up, and then everything but backups and Key Vault was lost."""
    tenant = await tenant_with_rows(world)
    await world.services.back_up_tenants()
    return await loss(world), tenant


async def restored(
    world: World, tenant: TenantId, day: date | None = None, *, dry_run: bool = False
) -> Restored:
    return await world.services.restore_backup(tenant, day, dry_run=dry_run)


async def refusal_of(
    world: World, tenant: TenantId, day: date | None = None, *, dry_run: bool = False
) -> Refusal:
    """Why it is refused; nothing may have been written then."""
    before = written(world)
    with pytest.raises(RestoreRefusedError) as refused:
        await restored(world, tenant, day, dry_run=dry_run)
    assert written(world) == before
    return refused.value.reason


def written(world: World) -> object:
    """All that a restore writes into, as it is now."""
    return (
        world.copies.copied(),
        dict(world.tenant_keys.rows),
        dict(world.deletions.rows),
        set(world.gates.tenants),
        set(world.gates.users),
    )


async def test_rows_and_keys_are_back_and_gates_are_open(world: World) -> None:
    after, tenant = await lost_after_a_backup(world)

    done = await restored(after, tenant)

    assert done == Restored(
        tenant=tenant,
        outcome=RestoreOutcome.RESTORED,
        day=TODAY,
        rows={"tenants": 3, "users": 2, "runs": 4},
        held_back={"tenants": 0, "users": 0, "runs": 0},
    )
    assert rows_of(after, tenant) == ROWS
    assert await after.tenant_keys.all(tenant) == await world.tenant_keys.all(tenant)
    assert after.gates.tenants == {tenant}
    assert after.gates.users == {(tenant, ALICE), (tenant, BOB)}


async def test_what_was_sealed_before_the_loss_opens_after_it(world: World) -> None:
    tenant = (await world.signed_in("alice")).tenant
    row = await world.tenants.load(tenant)
    assert row is not None
    await world.services.back_up_tenants()
    after = await loss(world)

    await restored(after, tenant)

    after.tenants.rows[tenant] = row
    assert (await after.signed_in("alice")) == (await world.signed_in("alice"))


async def test_several_parts_come_back_in_whole(world: World) -> None:
    tenant = await tenant_with_rows(world)
    many: list[Row] = [run(number) for number in range(10, 20_200)]
    await world.copies.insert("runs", tenant, many)
    await world.services.back_up_tenants()
    after = await loss(world)

    done = await restored(after, tenant)

    assert part_name(tenant, TODAY, "runs", 2) in world.backups.files
    assert done.rows["runs"] == 4 + len(many)
    assert rows_of(after, tenant)["runs"] == [*ROWS["runs"], *many]


async def test_a_dry_run_counts_and_writes_nothing(world: World) -> None:
    after, tenant = await lost_after_a_backup(world)

    done = await restored(after, tenant, dry_run=True)

    assert (done.outcome, done.rows) == (
        RestoreOutcome.CHECKED,
        {"tenants": 3, "users": 2, "runs": 4},
    )
    assert rows_of(after, tenant) == {}
    assert await after.tenant_keys.all(tenant) == []
    assert after.gates.tenants == set()


async def test_the_newest_backup_is_taken_or_the_one_that_is_asked_for(world: World) -> None:
    tenant = await tenant_with_rows(world)
    await world.services.back_up_tenants()
    world.clock.move(days=1)
    await world.copies.insert("runs", tenant, [run(9)])
    await world.services.back_up_tenants()
    world.clock.move(days=1)
    unfinished = part_name(tenant, TODAY + timedelta(days=2), "runs", 1)
    world.backups.files[unfinished] = b"a backup that was killed"
    after = await loss(world)

    newest = await restored(after, tenant, dry_run=True)
    first = await restored(after, tenant, TODAY, dry_run=True)

    assert (newest.day, newest.rows["runs"]) == (TODAY + timedelta(days=1), 5)
    assert (first.day, first.rows["runs"]) == (TODAY, 4)


async def test_every_tenant_with_files_is_known(world: World) -> None:
    tenants = {await tenant_with_rows(world), await tenant_with_rows(world, "grace")}
    await world.services.back_up_tenants()
    gone = TenantId.parse("g-abcdefghijklmnopqrstuvwxyz")
    record_deletion(world, gone, None, confirmed=NOON)
    world.backups.files["something/else.txt"] = b""

    assert await world.services.restore_backup.tenants() == sorted({*tenants, gone})


# --- refusals ---


@pytest.mark.parametrize("table", ["tenants", "tenantkeys", "connections", "runs"])
async def test_a_tenant_that_has_any_row_is_refused(world: World, table: str) -> None:
    after, tenant = await lost_after_a_backup(world)
    await after.copies.insert(table, tenant, [{"RowKey": "gate"}])

    assert await refusal_of(after, tenant) is Refusal.NOT_EMPTY


async def test_a_restore_that_was_killed_half_way_is_told_by_the_next_one(world: World) -> None:
    after, tenant = await lost_after_a_backup(world)

    after.copies.faults.plan("insert", StorageFailedError, carried_out=True)
    with pytest.raises(StorageFailedError):
        await restored(after, tenant)

    assert await refusal_of(after, tenant) is Refusal.NOT_EMPTY


async def test_no_backup_of_that_day_is_refused(world: World) -> None:
    after, tenant = await lost_after_a_backup(world)

    assert await refusal_of(after, tenant, date(2026, 1, 14)) is Refusal.NO_BACKUP


async def test_without_any_manifest_there_is_no_backup(world: World) -> None:
    after, tenant = await lost_after_a_backup(world)
    del world.backups.files[manifest_name(tenant, TODAY)]

    assert await refusal_of(after, tenant) is Refusal.NO_BACKUP


async def test_a_part_that_is_missing_refuses_the_restore(world: World) -> None:
    after, tenant = await lost_after_a_backup(world)
    del world.backups.files[part_name(tenant, TODAY, "runs", 1)]

    assert await refusal_of(after, tenant) is Refusal.PART_MISSING


async def test_any_flipped_byte_of_a_part_refuses_the_restore(world: World) -> None:
    after, tenant = await lost_after_a_backup(world)
    name = part_name(tenant, TODAY, "users", 1)
    whole = world.backups.files[name]
    for position in range(0, len(whole), 7):
        world.backups.files[name] = flipped(whole, position)

        assert await refusal_of(after, tenant) is Refusal.PART_BROKEN


@pytest.mark.parametrize("name_of", [lambda tenant: manifest_name(tenant, TODAY), keys_name])
async def test_any_flipped_byte_of_a_document_refuses_the_restore(
    world: World, name_of: Callable[[TenantId], str]
) -> None:
    """A wrapped key that was changed, or a seal that names a key which is none, fails at the
    keys."""
    after, tenant = await lost_after_a_backup(world)
    name = name_of(tenant)
    whole = world.backups.files[name]
    for position in range(len(whole)):
        world.backups.files[name] = flipped(whole, position)

        with pytest.raises((RestoreRefusedError, KeyVaultFailedError)):
            await restored(after, tenant)
        assert rows_of(after, tenant) == {}
        assert await after.tenant_keys.all(tenant) == []


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


async def test_an_older_file_of_the_same_place_refuses_the_restore(world: World) -> None:
    """It opens, and has as many rows: only its hash tells."""
    tenant = await tenant_with_rows(world)
    await world.services.back_up_tenants()
    name = part_name(tenant, TODAY, "runs", 1)
    older = world.backups.files[name]
    await world.services.back_up_tenants()
    world.backups.files[name] = older

    assert await refusal_of(await loss(world), tenant) is Refusal.PART_BROKEN


async def resealed(world: World, tenant: TenantId, change: Callable[[Any], None]) -> None:
    """The manifest, changed by somebody who has the tenant's key."""
    name = manifest_name(tenant, TODAY)
    told = json.loads(world.backups.files[name])
    del told["seal"]
    change(told)
    sealing = SealedDocuments(vault=world.vault)
    world.backups.files[name] = await sealing.sealed(manifest_place(tenant, TODAY), told)


@pytest.mark.parametrize("rows", [3, 5])
async def test_a_part_with_more_or_fewer_rows_than_told_refuses_the_restore(
    world: World, rows: int
) -> None:
    after, tenant = await lost_after_a_backup(world)
    await resealed(world, tenant, lambda told: told["files"][2].update(rows=rows))

    assert await refusal_of(after, tenant) is Refusal.PART_BROKEN


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda told: told["files"].reverse(), id="another-order"),
        pytest.param(lambda told: told["files"].append(told["files"][2]), id="a-part-twice"),
        pytest.param(lambda told: told["files"][2].update(table="connections"), id="a-table"),
        pytest.param(lambda told: told["files"][2].update(name="ms-1/keys.json"), id="a-name"),
        pytest.param(
            lambda told: told.update(tenant="g-abcdefghijklmnopqrstuvwxyz"), id="another-tenant"
        ),
    ],
)
async def test_a_manifest_that_names_what_no_backup_has_is_refused(
    world: World, change: Callable[[Any], None]
) -> None:
    after, tenant = await lost_after_a_backup(world)
    await resealed(world, tenant, change)

    assert await refusal_of(after, tenant) is Refusal.MANIFEST_BROKEN


type Change = Callable[[World, TenantId, TenantId], None]


def another_tenants_files(world: World, tenant: TenantId, other: TenantId) -> None:
    files = world.backups.files
    for name in [name for name in files if name.startswith(tenant) and "keys" not in name]:
        files[name] = files[name.replace(tenant, other)]


def another_days_manifest(world: World, tenant: TenantId, other: TenantId) -> None:
    del other
    tomorrow = manifest_name(tenant, TODAY + timedelta(days=1))
    world.backups.files[tomorrow] = world.backups.files[manifest_name(tenant, TODAY)]


def a_forged_manifest(world: World, tenant: TenantId, other: TenantId) -> None:
    """Without the users' file; sealed with what the forger has: another seal of the same tenant."""
    del other
    name = manifest_name(tenant, TODAY)
    told = json.loads(world.backups.files[name])
    told["files"] = [file for file in told["files"] if file["table"] != "users"]
    told["seal"] = json.loads(world.backups.files[keys_name(tenant)])["seal"]
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    world.backups.files[name] = text.encode() + b"\n"


@pytest.mark.parametrize(
    "change_files", [another_tenants_files, another_days_manifest, a_forged_manifest]
)
async def test_a_manifest_holds_for_its_tenant_and_day_alone(
    world: World, change_files: Change
) -> None:
    other = await tenant_with_rows(world, "grace")
    after, tenant = await lost_after_a_backup(world)
    change_files(world, tenant, other)

    assert await refusal_of(after, tenant) is Refusal.MANIFEST_BROKEN


async def test_the_keys_of_another_tenant_refuse_the_restore(world: World) -> None:
    other = await tenant_with_rows(world, "grace")
    after, tenant = await lost_after_a_backup(world)
    world.backups.files[keys_name(tenant)] = world.backups.files[keys_name(other)]

    with pytest.raises((RestoreRefusedError, KeyVaultFailedError)):
        await restored(after, tenant)
    assert rows_of(after, tenant) == {}


async def test_keys_of_the_forgers_own_refuse_the_restore(world: World) -> None:
    """Wrapped by our vault's public key, as anybody can: they do not open the manifest."""
    after, tenant = await lost_after_a_backup(world)
    forger = World()
    forger.key_wrapper = world.key_wrapper
    await tenant_with_rows(forger)
    await forger.services.back_up_tenants()
    world.backups.files[keys_name(tenant)] = forger.backups.files[keys_name(tenant)]

    assert await refusal_of(after, tenant) is Refusal.MANIFEST_BROKEN


async def test_a_key_vault_that_is_down_is_no_deletion(world: World) -> None:
    after, tenant = await lost_after_a_backup(world)
    after.key_wrapper.faults.plan("unwrap", KeyVaultFailedError)

    with pytest.raises(KeyVaultFailedError):
        await restored(after, tenant)

    assert rows_of(after, tenant) == {}


# --- deletions ---


async def test_c07_without_the_key_file_the_tenant_was_deleted_if_the_ledger_says_so(
    world: World,
) -> None:
    after, tenant = await lost_after_a_backup(world)
    del world.backups.files[keys_name(tenant)]
    record_deletion(world, tenant, None, confirmed=LATER)

    done = await restored(after, tenant)

    assert done == Restored(tenant=tenant, outcome=RestoreOutcome.DELETED)
    assert rows_of(after, tenant) == {}


async def test_a_key_file_that_is_lost_is_told_as_lost(world: World) -> None:
    """Not as the wish of a customer, who never asked."""
    after, tenant = await lost_after_a_backup(world)
    del world.backups.files[keys_name(tenant)]

    with pytest.raises(RestoreRefusedError, match=Refusal.KEYS_MISSING):
        await restored(after, tenant)


async def test_a_tenant_that_nobody_knows_has_no_backup(world: World) -> None:
    after, _ = await lost_after_a_backup(world)

    with pytest.raises(RestoreRefusedError, match=Refusal.NO_BACKUP):
        await restored(after, TenantId.parse("ms-00000000-0000-4000-8000-00000000000a"))


@pytest.mark.parametrize(
    ("confirmed", "outcome"),
    [(NOON, RestoreOutcome.DELETED), (LATER, RestoreOutcome.DELETED),
     (EARLIER, RestoreOutcome.RESTORED)],
    ids=["as-it-was-taken", "later", "earlier-and-back-since"],
)  # fmt: skip
async def test_nothing_of_a_tenant_comes_back_that_was_deleted_since(
    world: World, confirmed: object, outcome: RestoreOutcome
) -> None:
    after, tenant = await lost_after_a_backup(world)
    assert isinstance(confirmed, type(NOON))
    record_deletion(world, tenant, None, confirmed=confirmed)

    done = await restored(after, tenant)

    assert done.outcome is outcome
    assert bool(rows_of(after, tenant)) is (outcome is RestoreOutcome.RESTORED)
    assert bool(await after.tenant_keys.all(tenant)) is (outcome is RestoreOutcome.RESTORED)


async def test_nothing_of_a_user_comes_back_who_was_deleted_since(world: World) -> None:
    after, tenant = await lost_after_a_backup(world)
    record_deletion(world, tenant, BOB, confirmed=LATER)

    done = await restored(after, tenant)

    assert done.rows == {"tenants": 3, "users": 1, "runs": 2}
    assert done.held_back == {"tenants": 0, "users": 1, "runs": 2}
    assert rows_of(after, tenant) == {
        "tenants": [change(1, UserId("")), *ROWS["tenants"][1:]],
        "users": [user(ALICE)],
        "runs": [run(1), run(3)],
    }
    assert after.gates.users == {(tenant, ALICE)}


@pytest.mark.parametrize("user", [BOB, None], ids=["a-users", "the-whole-tenants"])
async def test_deletions_that_the_ledger_knows_are_back_as_well(
    world: World, user: UserId | None
) -> None:
    """Who holds a status token gets the receipt again."""
    after, tenant = await lost_after_a_backup(world)
    record_deletion(world, tenant, user, confirmed=LATER)

    await restored(after, tenant)

    assert {key: row.receipt for key, row in after.deletions.rows.items()} == {
        (tenant, "d-7"): "a receipt"
    }


async def test_deletions_are_back_before_the_first_row(world: World) -> None:
    """Else whoever is being deleted could come back in between."""
    after, tenant = await lost_after_a_backup(world)
    record_deletion(world, tenant, BOB, confirmed=LATER)
    after.tenant_keys.faults.plan("create", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await restored(after, tenant)

    assert list(after.deletions.rows) == [(tenant, "d-7")]
    assert rows_of(after, tenant) == {}


def without_its_keys(world: World, tenant: TenantId) -> None:
    del world.backups.files[keys_name(tenant)]


def without_its_manifest(world: World, tenant: TenantId) -> None:
    del world.backups.files[manifest_name(tenant, TODAY)]


def without_a_part(world: World, tenant: TenantId) -> None:
    """The last one that is read."""
    del world.backups.files[part_name(tenant, TODAY, "runs", 1)]


def with_a_broken_entry(world: World, tenant: TenantId) -> None:
    """Read after the sound one."""
    world.backups.files[ledger_name(tenant, "d-8")] = b"{}"


@pytest.mark.parametrize(
    ("lose", "reason"),
    [
        (without_its_keys, Refusal.KEYS_MISSING),
        (without_its_manifest, Refusal.NO_BACKUP),
        (without_a_part, Refusal.PART_MISSING),
        (with_a_broken_entry, Refusal.LEDGER_BROKEN),
    ],
)
async def test_a_refused_restore_puts_no_deletion_back(
    world: World, lose: Callable[[World, TenantId], None], reason: Refusal
) -> None:
    """Nothing is written before everything is checked, of the ledger as of the tables."""
    after, tenant = await lost_after_a_backup(world)
    record_deletion(world, tenant, BOB, confirmed=LATER)
    lose(world, tenant)

    assert await refusal_of(after, tenant) is reason
    assert after.deletions.rows == {}


@pytest.mark.parametrize("user", [BOB, None], ids=["a-users", "the-whole-tenants"])
async def test_a_dry_run_puts_no_deletion_back(world: World, user: UserId | None) -> None:
    after, tenant = await lost_after_a_backup(world)
    record_deletion(world, tenant, user, confirmed=LATER)
    before = written(after)

    await restored(after, tenant, dry_run=True)

    assert written(after) == before


async def test_a_dry_run_counts_what_a_deletion_holds_back(world: World) -> None:
    after, tenant = await lost_after_a_backup(world)
    record_deletion(world, tenant, BOB, confirmed=LATER)

    done = await restored(after, tenant, dry_run=True)

    assert done.held_back == {"tenants": 0, "users": 1, "runs": 2}


async def test_who_came_back_after_a_deletion_keeps_what_is_newer(world: World) -> None:
    tenant = (await world.signed_in("alice")).tenant
    await world.copies.insert("users", tenant, [user(BOB, created=LATER)])
    await world.copies.insert(
        "runs", tenant, [run(1, BOB, started=EARLIER), run(2, BOB, started=LATER)]
    )
    record_deletion(world, tenant, BOB, confirmed=NOON)
    world.clock.move(hours=2)
    await world.services.back_up_tenants()
    after = await loss(world)

    await restored(after, tenant)

    assert rows_of(after, tenant) == {
        "users": [user(BOB, created=LATER)],
        "runs": [run(2, BOB, started=LATER)],
    }


async def test_a_row_written_between_confirmation_and_receipt_stays_away(world: World) -> None:
    after, tenant = await lost_after_a_backup(world)
    record_deletion(world, tenant, BOB, confirmed=EARLIER)
    name = ledger_name(tenant, "d-7")
    entry = json.loads(world.backups.files[name]) | {"receipted_at": LATER.isoformat()}
    world.backups.files[name] = json.dumps(entry).encode()

    done = await restored(after, tenant)

    assert done.held_back["runs"] == 2


async def test_a_row_of_a_deleted_user_that_tells_no_time_stays_away(world: World) -> None:
    tenant = (await world.signed_in("alice")).tenant
    timeless = {"RowKey": "run|1", "user_id": str(BOB)}
    await world.copies.insert("runs", tenant, [timeless])
    record_deletion(world, tenant, BOB, confirmed=NOON)
    await world.services.back_up_tenants()
    after = await loss(world)

    done = await restored(after, tenant)

    assert (done.rows["runs"], done.held_back["runs"]) == (0, 1)


def entry(**changes: object) -> bytes:
    sound: dict[str, object] = {
        "deletion_id": "d-8",
        "tenant": "ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3",
        "scope": "tenant",
        "subject_sha256": None,
        "user_id": None,
        "status_digest": "0" * 64,
        "requested_at": "2026-01-15T12:00:00+00:00",
        "confirmed_at": "2026-01-15T12:00:00+00:00",
        "receipted_at": None,
        "receipt": None,
    }
    return json.dumps(sound | changes).encode()


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"{}", id="nothing"),
        pytest.param(entry(tenant="x"), id="no-tenant"),
        pytest.param(entry(tenant="g-abcdefghijklmnopqrstuvwxyz"), id="another-tenants"),
        pytest.param(entry(scope="user"), id="no-subject"),
        pytest.param(entry(scope="all"), id="no-scope"),
        pytest.param(entry(confirmed_at=None), id="no-time"),
        pytest.param(entry(confirmed_at="2026-01-15T12:00:00"), id="a-time-without-offset"),
        pytest.param(entry(status_digest=None), id="no-status-token"),
        pytest.param(entry(requested_at="yesterday"), id="no-time-of-the-request"),
        pytest.param(entry(receipt="forged"), id="a-receipt-of-none"),
        pytest.param(entry(deletion_id="../d"), id="no-id"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True], ids=["", "dry-run"])
async def test_a_ledger_that_cannot_be_read_refuses_the_restore(
    world: World, broken: bytes, *, dry_run: bool
) -> None:
    """Whoever was deleted must not come back because a file is broken. Nor may a dry run call a
    ledger whole of which the restore could put back only a part."""
    after, tenant = await lost_after_a_backup(world)
    world.backups.files[ledger_name(tenant, "d-8")] = broken

    assert await refusal_of(after, tenant, dry_run=dry_run) is Refusal.LEDGER_BROKEN


async def test_the_ledger_of_the_last_test_is_whole_but_for_what_was_broken(world: World) -> None:
    """Else another fault than the one that is meant could have refused it."""
    after, tenant = await lost_after_a_backup(world)
    world.backups.files[ledger_name(tenant, "d-8")] = entry()

    assert (await restored(after, tenant)).outcome is RestoreOutcome.DELETED
    assert list(after.deletions.rows) == [(tenant, "d-8")]


async def test_no_grant_is_in_any_file_nor_comes_back(world: World) -> None:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    after, tenant = await lost_after_a_backup(world)

    await restored(after, tenant)

    assert set(rows_of(after, tenant)) == {"tenants", "users", "runs"}
    grants = [row.sealed_grant for row in world.connections.rows.values()]
    assert grants
    for data in world.backups.files.values():
        for grant in grants:
            assert grant not in data
            assert base64.b64encode(grant) not in data
