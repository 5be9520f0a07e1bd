"""V-08: what is stored is what the schema lists, to the column; nothing is listed for nothing."""

import ast
import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from local import scene as made_up
from local.network import pinned_network
from local.stack_info import StackInfo
from shared.model import (
    BACKUP_DAYS,
    CONFIRMATION_LIFETIME,
    DEFAULT_RETENTION_DAYS,
    IDLE_LIMIT,
)
from shared.model.schema import (
    BACKUPS_STATEMENT,
    CATEGORIES,
    FILES,
    FORMS,
    LOG_DAYS,
    LOGS_STATEMENT,
    READERS,
    TABLES,
    Kind,
    Table,
    pattern_of,
)
from shared.storage import TABLE_NAMES
from shared.storage.gates import delete_through, insert_through, renew_through
from shared.storage.schema_gate import UnlistedColumnError, check_row
from shared.storage.tables import insert, merge, replace_as_read
from shared.usecases import (
    begin_connection,
    clean_up,
    finish_connection,
    rotate_keys,
    start_connection,
    work_off_revocations,
)
from tests.attacks.places import Places
from tests.control_client import ControlClient
from tests.schema_journey import AzureAtAnyTime, Journey
from tests.settings import settings
from tests.stored_rows import MAY_BE_EMPTY, MAY_NAME_A_URL, columns_of, findings

ROOT: Final = Path(__file__).parent.parent
TENANT: Final = "ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"
USER: Final = "u-" + "a" * 26

KINDS: Final = [
    pytest.param(table, kind, id=f"{table.name}-{kind.name}")
    for table in TABLES.values()
    for kind in table.kinds
]


# --- the journey ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def places(stack: StackInfo) -> Iterator[Places]:
    found = Places(stack)
    yield found
    found.close()


def at_any_time(stack: StackInfo, environment: pytest.MonkeyPatch) -> AzureAtAnyTime:
    """The adapters as deployed. The managed identity's library reads the environment."""
    environment.setenv("IDENTITY_ENDPOINT", stack.identity_endpoint)
    environment.setenv("IDENTITY_HEADER", made_up.IDENTITY_HEADER)
    chosen = settings(
        tables_endpoint=stack.tables,
        backup_endpoint=stack.blobs,
        public_base_url=f"{stack.service_https}/api",
    )
    return AzureAtAnyTime(chosen, pinned_network(stack))


@pytest.fixture
async def azure(stack: StackInfo, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AzureAtAnyTime]:
    outside = at_any_time(stack, monkeypatch)
    yield outside
    await outside.close()


@pytest.fixture(scope="module")
def journey(stack: StackInfo, places: Places) -> Journey:
    """Walked once; what was seen does not change."""

    async def walked(environment: pytest.MonkeyPatch) -> Journey:
        outside, control = at_any_time(stack, environment), ControlClient(stack.control)
        try:
            walking = Journey(outside, control, places)
            await walking.walk()
        finally:
            await outside.close()
            control.close()
        return walking

    with pytest.MonkeyPatch.context() as environment:
        return asyncio.run(walked(environment))


@pytest.mark.stack
def test_v08_every_row_that_the_service_writes_is_as_the_schema_says(journey: Journey) -> None:
    found = {finding for table, row in journey.found() for finding in findings(table, row)}

    assert found == set()


@pytest.mark.stack
def test_v08_every_column_that_is_listed_is_written(journey: Journey) -> None:
    """What nobody writes is no entry of an inventory."""
    seen: set[tuple[str, str, str]] = set()
    for table, row in journey.found():
        kind = TABLES[table].kind_of(row["RowKey"])
        assert kind is not None
        seen |= {(table, kind.name, name) for name in ("", *columns_of(row))}
    listed = {
        (table.name, kind.name, name)
        for table in TABLES.values()
        for kind in table.kinds
        for name in ("", *(column.name for column in kind.columns))
    }

    assert listed - seen == set()


@pytest.mark.stack
def test_v08_every_file_beside_the_tables_is_listed_and_every_listed_one_is_there(
    journey: Journey,
) -> None:
    patterns = {file.kind: pattern_of(file.name) for file in FILES}
    kinds = {
        name: [kind for kind, pattern in patterns.items() if pattern.fullmatch(name)]
        for name in journey.files
    }

    assert {name for name, found in kinds.items() if len(found) != 1} == set()
    assert {kind for found in kinds.values() for kind in found} == set(patterns)
    for name, (kind, *_) in kinds.items():
        assert (journey.files[name][:1] == b"\x01") is (kind == "backup part"), name


@pytest.mark.stack
def test_v08_an_unlisted_column_in_a_table_is_found(journey: Journey, places: Places) -> None:
    row = {"PartitionKey": TENANT, "RowKey": USER, "display_name": "Ada"}
    places.insert("users", row)
    try:
        found = [findings("users", one) for one in places.rows("users") if one["RowKey"] == USER]
    finally:
        places.delete("users", row)

    assert found == [[f"users, {USER}: display_name is not listed"]]


# --- what the check finds ------------------------------------------------------------------------


def run_row(**columns: object) -> dict[str, Any]:
    key = f"run|{'1' * 13}|r-{'a' * 26}"
    return {"PartitionKey": TENANT, "RowKey": key, "user_id": USER, **columns}


def user_row(sealed: str, kind: str = "Edm.Binary") -> dict[str, Any]:
    typed = {"sealed_identity": sealed, "sealed_identity@odata.type": kind}
    return {"PartitionKey": TENANT, "RowKey": USER, **typed}


@pytest.mark.parametrize(
    ("table", "row", "faults"),
    [
        pytest.param("runs", run_row(), [], id="a-good-one"),
        pytest.param("users", user_row("AQID"), [], id="a-sealed-one"),
        pytest.param(
            "users", user_row("AgMB"), ["sealed_identity is not sealed"], id="other-bytes"
        ),
        pytest.param(
            "users", user_row("AQID", "Edm.String"), ["sealed_identity is not sealed"], id="a-text"
        ),
        pytest.param(
            "runs", run_row(user_id="alice"), ["user_id is no user id"], id="no-pseudonym"
        ),
        pytest.param("runs", run_row(user_id=""), ["user_id is no user id"], id="an-empty-one"),
        pytest.param(
            "runs", run_row(outcome="ada@example.com"), ["outcome holds an address"], id="a-mail"
        ),
        pytest.param(
            "runs", run_row(outcome="https://x.example"), ["outcome holds an address"], id="a-url"
        ),
        pytest.param(
            "runs",
            run_row(outcome="contoso.my.salesforce.com"),
            ["outcome holds an address"],
            id="a-host",
        ),
        pytest.param(
            "runs",
            run_row(**{"outcome": "AQID", "outcome@odata.type": "Edm.Binary"}),
            ["outcome is binary, and nobody says how"],
            id="bytes",
        ),
        pytest.param(
            "tenantkeys",
            {"PartitionKey": TENANT, "RowKey": "v1", "kek_id": "https://x@vault.example"},
            ["kek_id holds an address"],
            id="a-url-with-a-user",
        ),
        pytest.param(
            "runs", {**run_row(), "RowKey": "ada"}, ["the row key is of no kind"], id="key"
        ),
        pytest.param(
            "runs",
            {**run_row(), "PartitionKey": "contoso"},
            ["the partition is no tenant's"],
            id="partition",
        ),
    ],
)
def test_v08_the_check_finds(table: str, row: dict[str, Any], faults: list[str]) -> None:
    assert [finding.partition(": ")[2] for finding in findings(table, row)] == faults


# --- the gate at run time ------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLE_NAMES)
@pytest.mark.stack
async def test_v08_a_column_that_is_not_listed_is_not_written(
    azure: AzureAtAnyTime, places: Places, name: str
) -> None:
    """By none of the ways in which stores write; and it is no failure of the store, but a crash."""
    table, kind = azure._tables[name], TABLES[name].kinds[-1]
    row_key = kind.key_begins or USER
    row = {"PartitionKey": TENANT, "RowKey": row_key, "subject": "canary"}

    ways: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: insert(table, row),
        lambda: merge(table, row),
        lambda: replace_as_read(table, row, "*"),
        lambda: insert_through(table, row_key, row),
        lambda: renew_through(table, row_key, row, "*"),
        lambda: delete_through(table, row_key, row, "*", also=[row]),
        lambda: table.upsert_entity(row),
    )
    for write in ways:
        with pytest.raises(UnlistedColumnError, match="subject") as caught:
            await write()
        assert "canary" not in str(caught.value)

    assert not any("canary" in str(row) for row in places.rows(name))


def test_v08_a_row_of_no_kind_is_not_written() -> None:
    with pytest.raises(UnlistedColumnError, match="no such kind"):
        check_row("tenants", {"PartitionKey": TENANT, "RowKey": "note"})


@pytest.mark.stack
async def test_v08_in_a_transaction_one_bad_row_keeps_all_from_being_written(
    azure: AzureAtAnyTime, places: Places
) -> None:
    good = {"PartitionKey": TENANT, "RowKey": f"run|{'2' * 13}|r-good", "outcome": "started"}
    bad = {"PartitionKey": TENANT, "RowKey": f"run|{'2' * 13}|r-bad", "inputs": "canary"}

    with pytest.raises(UnlistedColumnError, match="inputs"):
        await azure._tables["runs"].submit_transaction([("create", good), ("create", bad)])

    assert not any(row["RowKey"] == good["RowKey"] for row in places.rows("runs"))


@pytest.mark.stack
async def test_a_row_of_no_kind_can_be_deleted(azure: AzureAtAnyTime, places: Places) -> None:
    """A deletion takes away whatever there is."""
    row = {"PartitionKey": TENANT, "RowKey": "note"}
    places.insert("tenants", row)

    await azure._tables["tenants"].submit_transaction([("delete", row)])

    assert not any(one["RowKey"] == "note" for one in places.rows("tenants"))


def test_no_client_is_made_that_does_not_check_and_only_a_restore_asks_for_one_without() -> None:
    made, asked = set(), set()
    for path in (ROOT / "shared").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "TableClient":
                made.add(path.name)
            if isinstance(node, ast.Attribute) and node.attr == "for_restoring":
                asked.add(path.name)

    assert made == set()  # `Tables` makes them, of the class that it is told
    assert asked == {"copies.py"}
    assert (ROOT / "shared/storage/tables.py").read_text().count("TableClient)") == 2


# --- the entries ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "kind"), KINDS)
def test_every_entry_says_why_and_for_how_long(table: Table, kind: Kind) -> None:
    said = [table.purpose, kind.purpose, kind.retention]
    said += [column.purpose for column in kind.columns]

    assert all(re.fullmatch(r"[A-Z0-9].{2,}\.", sentence) for sentence in said), said
    assert all(column.category in CATEGORIES for column in kind.columns)
    assert all((column.category == "pseudonym") is bool(column.form) for column in kind.columns)
    assert all(column.form in FORMS for column in kind.columns if column.form)
    names = [column.name for column in kind.columns]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("table", "kind"), KINDS)
def test_every_sealed_category_is_sealed(table: Table, kind: Kind) -> None:
    for column in kind.columns:
        if column.category.endswith("sealed") or column.category == "key":
            assert column.is_sealed or column.name == "wrapped", column.name
        else:
            assert not column.is_sealed, column.name


def test_every_category_is_used_and_says_who_reads_it() -> None:
    used = {
        column.category for table in TABLES.values() for k in table.kinds for column in k.columns
    }

    assert used == set(CATEGORIES) == set(READERS)


def test_no_kind_hides_another() -> None:
    """A row key as a kind describes it is found to be of that kind."""
    for table in TABLES.values():
        for kind in table.kinds:
            example = re.sub("<[^>]+>", "u-x", kind.row_key)
            assert table.kind_of(example) is kind, (table.name, kind.name)


def test_the_exceptions_of_the_check_are_columns_that_exist() -> None:
    listed = {
        (table.name, column.name)
        for table in TABLES.values()
        for kind in table.kinds
        for column in kind.columns
    }

    assert MAY_NAME_A_URL.keys() | MAY_BE_EMPTY.keys() <= listed


# --- the periods ---------------------------------------------------------------------------------


def days(period: timedelta) -> str:
    return f"{period.days} days"


def hours(period: timedelta) -> str:
    count = round(period / timedelta(hours=1))
    return f"{count} hour" + ("s" if count > 1 else "")


def minutes(period: timedelta) -> str:
    return f"{round(period / timedelta(minutes=1))} minutes"


def years(period: timedelta) -> str:
    return f"{round(period.days / 365.25)} years"


PERIODS: Final = {
    ("tenants", "settings_change"): {f"{DEFAULT_RETENTION_DAYS} days"},
    ("tenantkeys", "data_key"): {days(rotate_keys.KEPT_FOR_BACKUPS)},
    ("runs", "run"): {f"{DEFAULT_RETENTION_DAYS} days"},
    ("runs", "idempotency_key"): {hours(clean_up.IDEMPOTENCY_LIFETIME)},
    ("connections", "connection"): {days(clean_up.ENDED_GRANT_LIFETIME)},
    ("connections", "discarded_grant"): {days(IDLE_LIMIT)},
    ("pending", "ticket"): {minutes(begin_connection.TICKET_LIFETIME)},
    ("pending", "state"): {minutes(start_connection.STATE_LIFETIME)},
    ("pending", "parked_grant"): {
        minutes(finish_connection.PARKED_LIFETIME),
        hours(work_off_revocations.PARKED_PATIENCE),
    },
    ("deletions", "deletion"): {
        hours(CONFIRMATION_LIFETIME),
        years(clean_up.RECEIPT_LIFETIME),
    },
}
"""The periods that a kind's retention names, as the code has them."""

_PERIOD: Final = re.compile(
    r"(?:\d+|\b(?:a|an|one|two|three|seven|ten|thirty))\s(?:second|minute|hour|day|week|month|year)s?\b"
)


@pytest.mark.parametrize(("table", "kind"), KINDS)
def test_the_periods_that_are_named_are_those_of_the_code(table: Table, kind: Kind) -> None:
    named = set(_PERIOD.findall(kind.retention))

    assert named == PERIODS.get((table.name, kind.name), set())


def test_the_periods_of_files_and_logs_are_those_of_the_code() -> None:
    told = {file.kind: set(_PERIOD.findall(file.retention)) for file in FILES}

    assert told == {
        "backup part": {f"{BACKUP_DAYS} days"},
        "backup manifest": {f"{BACKUP_DAYS} days"},
        "backup keys": set(),
        "grant journal": set(),
        "ledger of deletions": {years(clean_up.RECEIPT_LIFETIME)},
    }
    about_backups = set(_PERIOD.findall(BACKUPS_STATEMENT))
    assert about_backups == {f"{BACKUP_DAYS} days", years(clean_up.RECEIPT_LIFETIME)}
    assert set(_PERIOD.findall(LOGS_STATEMENT)) == {f"{LOG_DAYS} days"} == {"30 days"}
