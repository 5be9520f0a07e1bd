"""The export of a tenant's runs: whole, signed, and of nobody else."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import KeyVaultFailedError, NotAdminError, StorageFailedError
from shared.model import ALL_TIME, LONGEST_RUN, Caller, Period, Run, RunOutcome, flow_name_place
from shared.run_forms import Csv, NdJson, RunForm
from tests.contract.rows import run_row
from tests.fakes import NOON, World
from tests.receipts import key_set
from tests.usecases.conftest import Told
from tests.usecases.invoking import invocation, run
from tools.verify_receipt import verify_export


async def exported(
    world: World, caller: Caller, period: Period = ALL_TIME, form: RunForm | None = None
) -> bytes:
    """The export; its signature is verified as a customer would."""
    pieces: list[bytes] = []
    export = await world.services.export_runs(
        caller, period=period, form=form or NdJson(), write=pieces.append
    )
    keys = await key_set(world.signer)
    assert verify_export(iter(pieces), export.signature.encode(), keys)
    return b"".join(pieces)


def runs_in(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


def ids_in(body: bytes) -> list[str]:
    return [one["run_id"] for one in runs_in(body)]


async def put(world: World, caller: Caller, count: int) -> Sequence[Run]:
    """Runs of this caller, a second apart, newest first."""
    rows = [
        replace(run_row(caller.tenant, f"{n:05d}", later=n * 1_000), user=caller.user)
        for n in range(count)
    ]
    for row in rows:
        world.runs.rows[row.tenant, row.id] = row
    return rows[::-1]


async def ran(world: World, name: str, times: int) -> list[str]:
    """Somebody's real runs, newest first."""
    caller = await world.signed_in(name)
    await world.connect(caller)
    ids = []
    for _ in range(times):
        world.clock.move(seconds=1)
        ids.append((await run(world, caller, invocation()))[0].id)
    return ids[::-1]


async def test_an_administrator_gets_the_runs_of_the_whole_tenant_newest_first(
    world: World,
) -> None:
    alices, bobs = await ran(world, "alice", 2), await ran(world, "bob", 1)

    body = await exported(world, await world.signed_in("carol"))

    assert ids_in(body) == bobs + alices
    assert {one["flow_name"] for one in runs_in(body)} == {"Log_Email"}


async def test_n04_who_is_no_administrator_gets_nothing(world: World) -> None:
    await ran(world, "alice", 1)
    pieces: list[bytes] = []

    with pytest.raises(NotAdminError):
        await world.services.export_runs(
            await world.signed_in("alice"), period=ALL_TIME, form=NdJson(), write=pieces.append
        )

    assert pieces == []


async def test_n01_no_export_holds_a_row_of_another_tenant(world: World) -> None:
    await ran(world, "alice", 2)
    daves = await ran(world, "dave", 1)
    grace = await world.signed_in("grace")

    for period in (ALL_TIME, Period(begin=NOON), Period(end=world.clock())):
        assert set(ids_in(await exported(world, grace, period))) <= set(daves)
    assert ids_in(await exported(world, grace)) == daves


async def test_an_export_of_several_pages_has_every_run_once(world: World) -> None:
    carol = await world.signed_in("carol")
    rows = await put(world, carol, 2_500)

    assert ids_in(await exported(world, carol)) == [row.id for row in rows]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 248, 249, 250, 498, 499])
async def test_the_borders_of_pages_lose_and_repeat_nothing(world: World, count: int) -> None:
    carol = await world.signed_in("carol")
    rows = await put(world, carol, count)

    body = await exported(world, carol, form=Csv())

    lines = body.decode().splitlines()
    assert [line.partition(",")[0] for line in lines[1:]] == [row.id for row in rows]


async def test_an_export_of_a_period_holds_that_period(world: World) -> None:
    carol = await world.signed_in("carol")
    rows = await put(world, carol, 10)
    period = Period(begin=rows[7].started_at, end=rows[2].started_at)

    assert ids_in(await exported(world, carol, period)) == [row.id for row in rows[3:8]]


async def test_a_tenant_that_ran_nothing_has_an_empty_export(world: World) -> None:
    carol = await world.signed_in("carol")

    assert await exported(world, carol) == b""
    assert await exported(world, carol, form=Csv()) == Csv().head


async def test_a_run_that_never_told_its_end_is_exported_as_unknown(world: World) -> None:
    carol = await world.signed_in("carol")
    await put(world, carol, 1)
    assert runs_in(await exported(world, carol))[0]["outcome"] == RunOutcome.STARTED
    world.clock.move(seconds=LONGEST_RUN.total_seconds() + 1)

    assert runs_in(await exported(world, carol))[0]["outcome"] == RunOutcome.OUTCOME_UNKNOWN
    assert world.runs.only().outcome is RunOutcome.STARTED  # read so, not written


async def test_d12_a_name_that_does_not_open_hides_no_run_and_is_tried_once(
    world: World, told: Told
) -> None:
    alices = await ran(world, "alice", 1)
    ((key, sealed),) = world.tenants.flow_names.items()
    world.tenants.flow_names[key] = sealed[:-1]
    carol = await world.signed_in("carol")
    (row,) = world.runs.rows.values()
    for n in range(2_000):
        other = replace(row, id=f"r-{n}")
        world.runs.rows[row.tenant, other.id] = other

    body = await exported(world, carol)

    assert set(alices) < set(ids_in(body))
    assert {one["flow_name"] for one in runs_in(body)} == {None}
    assert len(told("seal_broken")) == 1


async def test_a_name_that_is_first_met_on_a_later_page_is_told_as_well(world: World) -> None:
    alices = await ran(world, "alice", 1)
    carol = await world.signed_in("carol")
    for n in range(1_500):
        newer = replace(run_row(carol.tenant, f"{n}", later=10_000 + n), flow_id="f-newer")
        world.runs.rows[newer.tenant, newer.id] = newer
    place = flow_name_place(carol.tenant, "f-newer")
    sealed = await world.vault.seal(place, b"Newer")
    await world.tenants.remember_flow_name(carol.tenant, "f-newer", sealed)

    listed = runs_in(await exported(world, carol))

    assert (listed[0]["flow_name"], listed[-1]["flow_name"]) == ("Newer", "Log_Email")
    assert listed[-1]["run_id"] == alices[0]


async def test_an_export_is_told_with_who_and_how_many(world: World, told: Told) -> None:
    carol = await world.signed_in("carol")
    await put(world, carol, 3)

    await exported(world, carol)

    (event,) = told("exported")
    assert (event["tenant"], event["user"], event["count"]) == (carol.tenant, carol.user, 3)


@pytest.mark.parametrize("method", ["newest", "sign"])
async def test_without_a_signature_there_is_no_export(
    world: World, told: Told, method: str
) -> None:
    world.signer.faults.plan(method, KeyVaultFailedError)

    with pytest.raises(KeyVaultFailedError):
        await exported(world, await world.signed_in("carol"))

    assert told("exported") == []


async def test_a_store_that_fails_half_way_leaves_no_half_export(world: World, told: Told) -> None:
    carol = await world.signed_in("carol")
    await put(world, carol, 1_500)

    pieces: list[bytes] = []

    async def during_the_first() -> None:
        world.runs.faults.meanwhile("page", during_the_second)

    async def during_the_second() -> None:
        world.runs.faults.plan("page", StorageFailedError)

    world.runs.faults.meanwhile("page", during_the_first)
    with pytest.raises(StorageFailedError):
        await world.services.export_runs(carol, period=ALL_TIME, form=NdJson(), write=pieces.append)

    assert len(runs_in(b"".join(pieces))) == 249
    assert told("exported") == []


async def test_c06_a_key_that_is_rotated_meanwhile_still_signs(world: World) -> None:
    """The header names the version that was newest when the export began."""
    carol = await world.signed_in("carol")
    await put(world, carol, 3)

    async def rotate() -> None:
        world.signer.rotate()

    world.runs.faults.meanwhile("page", rotate)

    assert len(runs_in(await exported(world, carol))) == 3
    assert len(json.loads(await key_set(world.signer))["keys"]) == 2


async def test_others_get_their_turn_while_an_export_runs(world: World) -> None:
    """At least once in every hundred runs, though the fake store answers without waiting."""
    carol = await world.signed_in("carol")
    await put(world, carol, 5_000)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await exported(world, carol)
    task.cancel()

    assert turns >= 5_000 // 100
