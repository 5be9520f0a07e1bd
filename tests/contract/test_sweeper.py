"""D-07: what sweeps take away and what they leave, on the fake and on the tables."""

from datetime import datetime, timedelta

import pytest

from shared import ports
from shared.model import PendingKind, Swept, TenantId
from shared.outside import Azure
from shared.storage.run_keys import descending_time
from shared.storage.tables import Entity, plain
from tests.contract.bulk import started
from tests.contract.rows import (
    ALICE,
    BOB,
    connection_row,
    idempotency,
    pending_row,
    run_row,
    settings_change,
    tenant_row,
    user_row,
)
from tests.fakes import NOON

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def sweeper(outside: ports.Outside, admitted: None) -> ports.Sweeper:
    return outside.sweeper


async def runs_left(outside: ports.Outside, tenant: TenantId) -> list[str]:
    return [run.id for run in (await outside.runs.page(tenant, None, after=None, limit=900)).runs]


async def changed(outside: ports.Outside, tenant: TenantId, *moments: int) -> None:
    """Changes of settings so many milliseconds after noon."""
    await outside.tenants.create(tenant_row(tenant))
    for later in moments:
        row = await outside.tenants.load(tenant)
        assert row is not None
        change = settings_change(f"{later}", later=later)
        assert await outside.tenants.change_settings(row, change) is not None


async def test_d07_runs_go_to_the_millisecond(
    sweeper: ports.Sweeper, outside: ports.Outside, tenant: TenantId
) -> None:
    for later in (-86_400_000, -1, 0, 1, 86_400_000):
        await outside.runs.start(run_row(tenant, f"{later}", later=later), None)

    assert await sweeper.runs(tenant, before=NOON) == Swept(deleted=3)
    assert await runs_left(outside, tenant) == ["r-86400000", "r-1"]
    assert await sweeper.runs(tenant, before=NOON) == Swept()


async def test_d07_within_the_millisecond_the_whole_time_counts(
    sweeper: ports.Sweeper, outside: ports.Outside, tenant: TenantId
) -> None:
    for name, at in (("before", -MICROSECOND), ("at", 0 * MICROSECOND), ("after", MICROSECOND)):
        started_at = NOON + timedelta(microseconds=500) + at
        await outside.runs.start(run_row(tenant, name, started=started_at), None)

    swept = await sweeper.runs(tenant, before=NOON + timedelta(microseconds=500))

    assert swept == Swept(deleted=2)
    assert await runs_left(outside, tenant) == ["r-after"]


async def test_250_runs_of_two_users_go_and_the_newer_stay(
    sweeper: ports.Sweeper, outside: ports.Outside, tenant: TenantId
) -> None:
    runs = [run_row(tenant, f"{n}", user=(ALICE, BOB)[n % 2], later=n) for n in range(300)]
    await started(outside.runs, runs)

    assert await sweeper.runs(tenant, before=runs[249].started_at) == Swept(deleted=250)
    assert await runs_left(outside, tenant) == [f"r-{n}" for n in range(299, 249, -1)]


async def test_d07_idempotency_rows_go_to_the_microsecond(
    sweeper: ports.Sweeper, outside: ports.Outside, tenant: TenantId
) -> None:
    """A key whose row is gone is as if it had never been used."""
    moments = {"before": -MICROSECOND, "at": 0 * MICROSECOND, "after": MICROSECOND}
    for name, at in moments.items():
        await outside.runs.start(run_row(tenant, name, started=NOON + at), idempotency(name))

    swept = await sweeper.idempotency(tenant, before=NOON)

    assert swept == Swept(deleted=2)
    used_again = [
        await outside.runs.start(run_row(tenant, f"{name}-again"), idempotency(name)) is not None
        for name in moments
    ]
    assert used_again == [False, False, True]
    assert len(await runs_left(outside, tenant)) == 5


async def test_250_idempotency_rows_go(
    sweeper: ports.Sweeper, outside: ports.Outside, tenant: TenantId
) -> None:
    for n in range(250):
        await outside.runs.start(run_row(tenant, f"{n}"), idempotency(f"{n}"))

    assert await sweeper.idempotency(tenant, before=NOON) == Swept(deleted=250)
    assert await sweeper.idempotency(tenant, before=NOON) == Swept()


async def test_d07_settings_changes_go_to_the_millisecond(
    sweeper: ports.Sweeper, outside: ports.Outside, tenant: TenantId
) -> None:
    await changed(outside, tenant, -1, 0, 1)

    assert await sweeper.settings_changes(tenant, before=NOON) == Swept(deleted=2)
    assert await outside.tenants.settings_changes(tenant, limit=9) == [
        settings_change("1", later=1)
    ]


async def test_each_sweep_leaves_other_tenants_and_other_kinds_of_rows(
    sweeper: ports.Sweeper, outside: ports.Outside, tenant: TenantId, other_tenant: TenantId
) -> None:
    for owner in (tenant, other_tenant):
        await changed(outside, owner, 0)
        await outside.tenants.remember_flow_name(owner, "f-one", b"name")
        await outside.users.create(user_row(owner))
        await outside.connections.create(connection_row(owner))
        await outside.pending.put(pending_row(owner, "digest"))
        await outside.runs.start(run_row(owner, "one"), idempotency("key"))
    later = NOON + timedelta(days=3_650)

    assert await sweeper.runs(tenant, before=later) == Swept(deleted=1)
    assert len(await outside.tenants.settings_changes(tenant, limit=9)) == 1
    assert await sweeper.idempotency(tenant, before=later) == Swept(deleted=1)
    assert await sweeper.settings_changes(tenant, before=later) == Swept(deleted=1)

    assert await outside.tenants.load(tenant) == tenant_row(tenant)
    assert await outside.tenants.sealed_flow_names(tenant) == {"f-one": b"name"}
    assert await outside.users.load(tenant, ALICE) == user_row(tenant)
    assert await outside.connections.of_user(tenant, ALICE) == [connection_row(tenant)]
    assert await outside.pending.take(tenant, PendingKind.TICKET, "digest") is not None
    assert await outside.runs.start(run_row(tenant, "two"), idempotency("key")) is None
    assert await runs_left(outside, other_tenant) == ["r-one"]
    assert len(await outside.tenants.settings_changes(other_tenant, limit=9)) == 1
    assert await outside.runs.start(run_row(other_tenant, "two"), idempotency("key")) is not None


async def keys_in(azure: Azure, table: str, tenant: TenantId, kind: str) -> list[str]:
    rows = azure._tables[table].query_entities(
        "PartitionKey eq @tenant", parameters=plain({"tenant": tenant}), select=["RowKey"]
    )
    return [row["RowKey"] async for row in rows if row["RowKey"].startswith(kind)]


async def put(azure: Azure, table: str, tenant: TenantId, row_key: str, columns: Entity) -> None:
    """A row as nobody of ours writes it, past the store."""
    row = {"PartitionKey": tenant, "RowKey": row_key, **columns}
    await azure._tables.for_restoring(table).create_entity(plain(row))


OLD = NOON - timedelta(days=1)
OLD_KEY = f"{descending_time(OLD)}|r-one"


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize("table", ["runs", "tenants"])
@pytest.mark.parametrize(
    ("row_key", "at"),
    [
        pytest.param(OLD_KEY, None, id="no-time"),
        pytest.param(OLD_KEY, "2020-01-01T00:00:00Z", id="time-is-text"),
        pytest.param(OLD_KEY, 5, id="time-is-a-number"),
        pytest.param(OLD_KEY, OLD + timedelta(milliseconds=1), id="a-millisecond-off-its-key"),
        pytest.param(OLD_KEY, NOON + timedelta(days=1), id="newer-than-its-key"),
        pytest.param(OLD_KEY, OLD - timedelta(days=999), id="older-than-its-key"),
        pytest.param("garbage", OLD, id="a-key-without-time"),
        pytest.param(f"{OLD_KEY}|more", OLD, id="a-key-with-more-to-it"),
        pytest.param(f"{OLD_KEY.upper()}", OLD, id="a-key-in-capitals"),
        pytest.param("99999999999990|r-one", OLD, id="a-time-of-14-digits"),
    ],
)
async def test_d07_a_row_that_tells_no_time_or_two_is_kept_and_counted(
    azure: Azure, tenant: TenantId, table: str, row_key: str, at: object
) -> None:
    kind, column = {"runs": ("run|", "started_at"), "tenants": ("audit|", "changed_at")}[table]
    sweep = azure.sweeper.runs if table == "runs" else azure.sweeper.settings_changes
    good = f"{kind}{descending_time(OLD)}|r-good"
    await put(azure, table, tenant, f"{kind}{row_key}", {} if at is None else {column: at})
    await put(azure, table, tenant, good, {column: OLD})

    assert await sweep(tenant, before=NOON) == Swept(deleted=1, unreadable=1)
    assert await keys_in(azure, table, tenant, kind) == [f"{kind}{row_key}"]


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize("at", [None, "2020-01-01T00:00:00Z", 5, ""], ids=repr)
async def test_d07_an_idempotency_row_that_tells_no_time_is_kept(
    azure: Azure, tenant: TenantId, at: object
) -> None:
    await put(azure, "runs", tenant, "idem|bad", {} if at is None else {"created_at": at})
    await put(azure, "runs", tenant, "idem|good", {"created_at": OLD})

    assert (await azure.sweeper.idempotency(tenant, before=NOON)).deleted == 1
    assert await keys_in(azure, "runs", tenant, "idem|") == ["idem|bad"]


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
async def test_d07_what_is_kept_holds_nothing_up(azure: Azure, tenant: TenantId) -> None:
    """Rows that tell no time before, between and after those that go."""
    runs = [run_row(tenant, f"{n}", later=-n) for n in range(120)]
    await started(azure.runs, runs)
    for n in (0, 60, 119):
        key = f"run|{descending_time(runs[n].started_at)}|r-{n}-bad"
        await put(azure, "runs", tenant, key, {"started_at": "noon"})

    assert await azure.sweeper.runs(tenant, before=NOON) == Swept(deleted=120, unreadable=3)
    assert len(await keys_in(azure, "runs", tenant, "run|")) == 3


@pytest.mark.stack
@pytest.mark.usefixtures("admitted_azure")
@pytest.mark.parametrize("before", [NOON - timedelta(days=9), NOON], ids=["long-before", "same"])
async def test_d07_a_newer_row_is_not_even_read(
    azure: Azure, tenant: TenantId, before: datetime
) -> None:
    """The cost grows with what has expired: an unreadable row among the newer is not counted."""
    key = f"run|{descending_time(NOON + timedelta(milliseconds=1))}|r-newer"
    await put(azure, "runs", tenant, key, {"started_at": "noon"})

    assert await azure.sweeper.runs(tenant, before=before) == Swept()
