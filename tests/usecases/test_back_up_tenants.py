"""Backups: what is in them and what never is, and that a deletion is never written behind."""

import base64
import gzip
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import SealBrokenError, StorageFailedError
from shared.model import TenantId, TenantStatus
from shared.model.backups import (
    BACKUP_DAYS,
    BACKUP_LEASE,
    day_folder,
    keys_name,
    manifest_name,
    manifest_place,
    part_name,
    part_place,
)
from shared.usecases.back_up_tenants import BackUpTenants
from tests.fakes import World
from tests.usecases.backing_up import ROWS, TODAY, run, tenant_with_rows
from tests.usecases.conftest import Told


def manifest_of(world: World, tenant: TenantId) -> Any:  # noqa: ANN401 - any JSON value
    return json.loads(world.backups.files[manifest_name(tenant, TODAY)])


async def lines_of(world: World, tenant: TenantId, table: str, number: int = 1) -> list[Any]:
    sealed = world.backups.files[part_name(tenant, TODAY, table, number)]
    packed = await world.vault.open(part_place(tenant, TODAY, table, number), sealed)
    return [json.loads(line) for line in gzip.decompress(packed).splitlines()]


def with_small_parts(world: World, rows: int) -> BackUpTenants:
    usual = world.services.back_up_tenants
    return replace(usual, back_up_tenant=replace(usual.back_up_tenant, rows_a_part=rows))


async def test_each_table_is_a_sealed_file_and_the_manifest_names_it(world: World) -> None:
    tenant = await tenant_with_rows(world)

    await world.services.back_up_tenants()

    assert sorted(world.backups.files) == [
        f"{tenant}/2026-01-15/manifest.json",
        f"{tenant}/2026-01-15/runs.0001.sealed",
        f"{tenant}/2026-01-15/tenants.0001.sealed",
        f"{tenant}/2026-01-15/users.0001.sealed",
        f"{tenant}/keys.json",
    ]
    manifest = manifest_of(world, tenant)
    assert (manifest["format"], manifest["tenant"]) == (1, tenant)
    assert manifest["taken_at"] == "2026-01-15T12:00:00+00:00"
    assert [(file["table"], file["rows"]) for file in manifest["files"]] == [
        ("tenants", 3), ("users", 2), ("runs", 4),
    ]  # fmt: skip
    for file in manifest["files"]:
        sealed = world.backups.files[file["name"]]
        assert (len(sealed), hashlib.sha256(sealed).hexdigest()) == (file["bytes"], file["sha256"])


async def test_every_row_is_there_but_technical_ones_and_grants(world: World) -> None:
    tenant = await tenant_with_rows(world)

    await world.services.back_up_tenants()

    for table, rows in ROWS.items():
        keys = [line["RowKey"] for line in await lines_of(world, tenant, table)]
        assert keys == [row["RowKey"] for row in rows]


async def test_a_part_has_so_many_rows_at_most(world: World) -> None:
    tenant = await tenant_with_rows(world)
    await world.copies.insert("runs", tenant, [run(number) for number in range(10, 17)])

    await with_small_parts(world, 4)()

    files = [file for file in manifest_of(world, tenant)["files"] if file["table"] == "runs"]
    assert [(file["name"].rpartition("/")[2], file["rows"]) for file in files] == [
        ("runs.0001.sealed", 4), ("runs.0002.sealed", 4), ("runs.0003.sealed", 3),
    ]  # fmt: skip


async def test_a_table_that_fills_its_parts_exactly_has_no_empty_one(world: World) -> None:
    tenant = await tenant_with_rows(world)

    await with_small_parts(world, 2)()

    files = [file["rows"] for file in manifest_of(world, tenant)["files"]]
    assert files == [2, 1, 2, 2, 2]


async def test_the_same_rows_give_the_same_bytes_before_sealing(world: World) -> None:
    tenant = await tenant_with_rows(world)
    place = part_place(tenant, TODAY, "runs", 1)
    seen = []
    for _ in range(2):
        await world.services.back_up_tenants()
        sealed = world.backups.files[part_name(tenant, TODAY, "runs", 1)]
        seen.append((sealed, await world.vault.open(place, sealed)))
        world.clock.move(seconds=7)

    assert seen[0][1] == seen[1][1]
    assert seen[0][0] != seen[1][0]


async def test_a_file_opens_at_its_own_place_alone(world: World) -> None:
    tenant = await tenant_with_rows(world)
    await world.services.back_up_tenants()
    sealed = world.backups.files[part_name(tenant, TODAY, "runs", 1)]

    for place in (
        part_place(tenant, TODAY, "runs", 2),
        part_place(tenant, TODAY, "users", 1),
        part_place(tenant, TODAY + timedelta(days=1), "runs", 1),
    ):
        with pytest.raises(SealBrokenError):
            await world.vault.open(place, sealed)


async def test_the_manifest_is_sealed_with_the_tenants_key(world: World) -> None:
    tenant = await tenant_with_rows(world)
    await world.services.back_up_tenants()
    manifest = manifest_of(world, tenant)

    seal = base64.b64decode(manifest.pop("seal"))

    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    digest = await world.vault.open(manifest_place(tenant, TODAY), seal)
    assert digest == hashlib.sha256(canonical).digest()


async def test_the_keys_are_all_versions_as_wrapped(world: World) -> None:
    tenant = await tenant_with_rows(world)
    (first,) = await world.tenant_keys.all(tenant)
    wrapped, kek_id = await world.key_wrapper.wrap(b"k" * 32)
    await world.tenant_keys.create(replace(first, version=2, wrapped=wrapped, kek_id=kek_id))

    await world.services.back_up_tenants()

    found = json.loads(world.backups.files[keys_name(tenant)])
    keys = await world.tenant_keys.all(tenant)
    assert [(key["version"], key["kek_id"]) for key in found["keys"]] == [
        (key.version, key.kek_id) for key in keys
    ]
    assert [base64.b64decode(key["wrapped"]) for key in found["keys"]] == [
        key.wrapped for key in keys
    ]


async def test_a_second_backup_of_the_day_leaves_nothing_of_the_first(world: World) -> None:
    tenant = await tenant_with_rows(world)
    await with_small_parts(world, 1)()

    await world.services.back_up_tenants()

    named = {file["name"] for file in manifest_of(world, tenant)["files"]}
    kept = {name for name in world.backups.files if name.endswith(".sealed")}
    assert kept == named


async def test_a_backup_that_fails_half_way_leaves_no_manifest(world: World, told: Told) -> None:
    tenant = await tenant_with_rows(world)
    await world.services.back_up_tenants()
    world.copies.faults.plan("rows", StorageFailedError, times=1)

    await world.services.back_up_tenants()

    assert manifest_name(tenant, TODAY) not in world.backups.files
    (failed,) = [one for one in told("backup") if one["level"] == "ERROR"]
    assert (failed["tenant"], failed["cause"]) == (tenant, "shared.errors.StorageFailedError")


@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("uploads", range(5))
async def test_no_manifest_is_there_before_the_keys_that_open_it(
    world: World, uploads: int, *, carried_out: bool
) -> None:
    """Stopped at each upload in turn: a manifest without keys would be a backup that does not
    open, and would be taken for the newest."""
    tenant = await tenant_with_rows(world)

    async def fail() -> None:
        world.backups.faults.plan("put", StorageFailedError, carried_out=carried_out)

    for number in range(uploads + 1):
        world.backups.faults.meanwhile("put", fail if number == uploads else nothing)

    await world.services.back_up_tenants()

    written = uploads + carried_out
    assert len(world.backups.files) == written
    assert (keys_name(tenant) in world.backups.files) is (written > 3)
    assert (manifest_name(tenant, TODAY) in world.backups.files) is (written > 4)


async def nothing() -> None:
    """Nothing happens meanwhile."""


async def test_one_tenants_failure_stops_no_other(world: World, told: Told) -> None:
    broken = await tenant_with_rows(world)
    whole = await tenant_with_rows(world, "grace")
    assert broken != whole
    await world.tenant_keys.destroy(broken)
    world.clock.move(minutes=11)  # no key is remembered so long

    await world.services.back_up_tenants()

    assert manifest_name(whole, TODAY) in world.backups.files
    assert manifest_name(broken, TODAY) not in world.backups.files
    told_of = {one["tenant"]: one["level"] for one in told("backup") if "tenant" in one}
    assert told_of == {broken: "ERROR", whole: "INFO"}


async def test_it_tells_how_many_rows_there_were(world: World, told: Told) -> None:
    tenant = await tenant_with_rows(world)

    await world.services.back_up_tenants()

    assert {"event": "backup", "level": "INFO", "tenant": tenant, "count": 9} in told("backup")


# --- a deletion is not written behind ---


async def test_a_tenant_that_is_being_deleted_is_not_backed_up(world: World) -> None:
    tenant = await tenant_with_rows(world)
    await world.tenants.begin_deletion(tenant)

    await world.services.back_up_tenants()

    assert world.backups.files == {}


async def test_a_suspended_tenant_is_backed_up(world: World) -> None:
    tenant = await tenant_with_rows(world)
    world.tenants.change(tenant, status=TenantStatus.DISABLED)

    await world.services.back_up_tenants()

    assert manifest_name(tenant, TODAY) in world.backups.files


async def test_the_lease_is_held_while_files_are_written_and_given_back(world: World) -> None:
    tenant = await tenant_with_rows(world)
    seen = []

    async def look() -> None:
        seen.append(await world.leases.held_until(tenant, BACKUP_LEASE))

    world.backups.faults.meanwhile("put", look)

    await world.services.back_up_tenants()

    assert seen == [world.clock() + timedelta(seconds=200)]
    assert await world.leases.held_until(tenant, BACKUP_LEASE) is None


async def test_the_lease_is_given_back_after_a_failure(world: World) -> None:
    tenant = await tenant_with_rows(world)
    world.backups.faults.plan("put", StorageFailedError)

    await world.services.back_up_tenants()

    assert await world.leases.held_until(tenant, BACKUP_LEASE) is None


async def test_while_somebody_else_holds_the_lease_nothing_is_written(
    world: World, told: Told
) -> None:
    tenant = await tenant_with_rows(world)
    until = world.clock() + timedelta(minutes=1)
    await world.leases.take(tenant, BACKUP_LEASE, holder="another", until=until)

    await world.services.back_up_tenants()

    assert world.backups.files == {}
    assert [one["outcome"] for one in told("backup") if "outcome" in one] == ["skipped"]


@pytest.mark.parametrize("slow", ["put", "rows"])
async def test_nothing_is_uploaded_when_the_lease_is_about_to_lapse(
    world: World, told: Told, slow: str
) -> None:
    tenant = await tenant_with_rows(world)
    faults = world.backups.faults if slow == "put" else world.copies.faults

    async def takes_long() -> None:
        world.clock.move(seconds=171)

    faults.meanwhile(slow, takes_long)

    await world.services.back_up_tenants()

    written = 1 if slow == "put" else 0  # what was under way already
    assert len(world.backups.files) == written
    (failed,) = [one for one in told("backup") if one["level"] == "ERROR"]
    assert failed["cause"] == "shared.usecases.back_up_tenant.OutOfTimeError"
    assert failed["tenant"] == tenant


async def test_a_manifest_is_not_taken_away_when_there_is_no_time_for_a_new_one(
    world: World,
) -> None:
    tenant = await tenant_with_rows(world)
    await world.services.back_up_tenants()
    before = dict(world.backups.files)

    async def takes_long() -> None:
        world.clock.move(seconds=171)

    world.leases.faults.meanwhile("take", takes_long)

    await world.services.back_up_tenants()

    assert world.backups.files == before
    assert manifest_name(tenant, TODAY) in before


@pytest.mark.parametrize("seconds", [-31, 31])
async def test_with_a_wrong_clock_nothing_is_uploaded(
    world: World, told: Told, seconds: int
) -> None:
    await tenant_with_rows(world)
    world.leases.store_time = world.clock() + timedelta(seconds=seconds)

    await world.services.back_up_tenants()

    assert world.backups.files == {}
    assert [one["level"] for one in told("backup") if "tenant" in one] == ["ERROR"]


@pytest.mark.parametrize("step", ["put", "names"])
async def test_what_was_written_for_a_tenant_that_is_deleted_meanwhile_goes_again(
    world: World, told: Told, step: str
) -> None:
    tenant = await tenant_with_rows(world)

    async def deleted() -> None:
        await world.tenants.begin_deletion(tenant)

    world.backups.faults.meanwhile(step, deleted)

    await world.services.back_up_tenants()

    assert world.backups.files == {}
    assert [one["outcome"] for one in told("backup") if "outcome" in one] == ["taken_back"]


# --- expiry ---


async def test_a_backup_is_kept_for_its_days_and_then_removed(world: World, told: Told) -> None:
    tenant = await tenant_with_rows(world)
    await world.services.back_up_tenants()
    first = set(world.backups.files)

    world.clock.move(days=BACKUP_DAYS)
    await world.services.back_up_tenants()
    assert first <= set(world.backups.files)

    world.clock.move(days=1)
    await world.services.back_up_tenants()

    gone = {name for name in first if name.startswith(day_folder(tenant, TODAY))}
    assert len(gone) == 4
    assert not gone & set(world.backups.files)
    assert keys_name(tenant) in world.backups.files
    assert told("backup")[-1]["deleted"] == 4


async def test_the_expired_backups_of_tenants_that_are_gone_are_removed(world: World) -> None:
    await tenant_with_rows(world, "mallory")
    names = [
        "ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3/2025-12-15/runs.0001.sealed",
        "g-abcdefghijklmnopqrstuvwxyz/2025-12-15/manifest.json",
        "g-7bcdefghijklmnopqrstuvwxyz/2025-12-15/manifest.json",
    ]
    kept = [
        "ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3/2025-12-16/runs.0001.sealed",
        "ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3/keys.json",
        "deletions/g-abcdefghijklmnopqrstuvwxyz/d-1.json",
        "deletions/ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3/2025-12-15.json",
    ]
    world.backups.files = dict.fromkeys([*names, *kept], b"")

    await world.services.back_up_tenants()

    assert set(kept) <= set(world.backups.files)
    assert set(names) & set(world.backups.files) == set()


async def test_nothing_expires_by_a_clock_that_the_store_contradicts(world: World) -> None:
    """Else the last backups would go, and no new one be there."""
    tenant = await tenant_with_rows(world)
    await world.services.back_up_tenants()
    before = set(world.backups.files)
    world.leases.store_time = world.clock()
    world.clock.move(days=40)

    await world.services.back_up_tenants()

    assert set(world.backups.files) >= {name for name in before if str(tenant) in name}
