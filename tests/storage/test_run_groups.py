"""The table `runs` over transactions that many share: tenants keep apart, a lost answer is found
out about, and the writers that are remembered are bounded."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Self

import pytest
from azure.core.credentials import AccessToken

from shared.errors import DeletionInProgressError, StorageFailedError
from shared.model import RunOutcome, TenantId
from shared.storage.entity_groups import EntityGroups, RefusedError, Write
from shared.storage.runs import TableRunStore
from shared.storage.tables import Tables
from tests.contract.rows import ALICE, BOB, idempotency, run_row

TENANT = TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3")
OTHER = TenantId.parse("ms-00000000-0000-4000-8000-000000000000")
MANY = 1_200


class NoToken:
    """A credential that is not asked here."""

    async def get_token(self, *_: str, **__: object) -> AccessToken:
        raise AssertionError("no token is needed here")

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


class Groups(EntityGroups):
    """Keeps what it is given, and fails as it is told."""

    def __init__(self) -> None:
        self.submitted: list[Sequence[Write]] = []
        self.failures: list[Exception] = []
        self.hold: asyncio.Event | None = None

    async def submit(self, table: str, writes: Sequence[Write]) -> None:
        assert table == "runs"
        self.submitted.append(writes)
        if self.hold is not None:
            await self.hold.wait()
        if self.failures:
            raise self.failures.pop(0)


class FakeTables(Tables):
    """No table can be read here."""

    def __init__(self) -> None:
        super().__init__(
            "https://flowrunner.table.core.windows.net", credential=NoToken(), transport=_unused
        )

    @cached_property
    def groups(self) -> Groups:
        return Groups()


def _unused() -> Any:  # noqa: ANN401 - never called
    raise AssertionError("nothing is sent from here")


@pytest.fixture
def tables() -> FakeTables:
    return FakeTables()


@pytest.fixture
def store(tables: FakeTables) -> TableRunStore:
    return TableRunStore(tables)


async def test_no_transaction_is_of_two_tenants(store: TableRunStore, tables: FakeTables) -> None:
    runs = [run_row((TENANT, OTHER)[number % 2], f"{number}") for number in range(40)]

    await asyncio.gather(*(store.start(run, None) for run in runs))

    partitions = [
        {one.entity["PartitionKey"] for one in group} for group in tables.groups.submitted
    ]
    assert sorted(map(len, partitions)) == [1, 1]


async def test_each_user_goes_through_the_own_gate(
    store: TableRunStore, tables: FakeTables
) -> None:
    users = (ALICE, BOB, ALICE)
    runs = [run_row(TENANT, f"{number}", user=user) for number, user in enumerate(users)]

    await asyncio.gather(*(store.start(run, idempotency(run.id)) for run in runs))

    (group,) = tables.groups.submitted
    keys = [one.row_key for one in group]
    assert keys[:2] == [f"gate|{ALICE}", f"gate|{BOB}"]
    assert [one.kind for one in group] == ["merge"] * 2 + ["insert"] * 6
    assert len(set(keys)) == len(keys) == 8


async def test_what_starts_and_what_ends_meanwhile_share_a_transaction(
    store: TableRunStore, tables: FakeTables
) -> None:
    ending = replace(run_row(TENANT, "one"), outcome=RunOutcome.SUCCEEDED)

    await asyncio.gather(store.finish(ending), store.start(run_row(TENANT, "two"), None))

    (group,) = tables.groups.submitted
    assert [one.kind for one in group] == ["merge", "merge", "insert"]


async def test_a_run_without_a_key_that_is_there_already_is_the_one_whose_answer_was_lost(
    store: TableRunStore, tables: FakeTables
) -> None:
    tables.groups.failures = [StorageFailedError(), RefusedError(1, "EntityAlreadyExists")]

    assert await store.start(run_row(TENANT, "one"), None) is None
    assert len(tables.groups.submitted) == 2


async def test_a_gate_that_is_gone_is_a_deletion_and_anything_else_that_is_gone_is_not(
    store: TableRunStore, tables: FakeTables
) -> None:
    tables.groups.failures = [RefusedError(0, "ResourceNotFound")]
    with pytest.raises(DeletionInProgressError):
        await store.start(run_row(TENANT, "one"), None)

    for refusal in (RefusedError(1, "ResourceNotFound"), RefusedError(0, "TableNotFound")):
        tables.groups.failures = [refusal]
        with pytest.raises(StorageFailedError):
            await store.start(run_row(TENANT, "one"), None)


async def test_the_end_of_a_run_that_is_gone_is_no_failure_and_any_other_refusal_is(
    store: TableRunStore, tables: FakeTables
) -> None:
    tables.groups.failures = [RefusedError(0, "ResourceNotFound")]
    await store.finish(run_row(TENANT, "one"))

    tables.groups.failures = [RefusedError(0, "TableNotFound")]
    with pytest.raises(StorageFailedError):
        await store.finish(run_row(TENANT, "one"))


async def test_the_writers_that_are_remembered_are_bounded(
    store: TableRunStore, tables: FakeTables
) -> None:
    most = 0
    for number in range(MANY):
        tenant = TenantId.parse(f"ms-00000000-0000-4000-8000-{number:012x}")
        await store.start(run_row(tenant, "one"), None)
        most = max(most, len(store._partitions))

    assert most <= 1_001
    assert len(tables.groups.submitted) == MANY


async def test_who_has_something_under_way_is_not_forgotten(
    store: TableRunStore, tables: FakeTables
) -> None:
    """Else two writers of one tenant would not know of one another."""
    tables.groups.hold = asyncio.Event()
    waiting = asyncio.create_task(store.start(run_row(OTHER, "one"), None))
    await asyncio.sleep(0)
    of_the_other = store._partition(OTHER)
    for number in range(MANY):
        store._partition(TenantId.parse(f"ms-00000000-0000-4000-8000-{number:012x}"))

    assert store._partition(OTHER) is of_the_other
    tables.groups.hold.set()
    await waiting
