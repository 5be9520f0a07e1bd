"""Looking for few of many runs: a page may be short, the search ends, and goes on where it was."""

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

import pytest

from shared import ports
from shared.errors import InvalidRequestError
from shared.model import Run, RunFilter, RunOutcome, TenantId
from shared.outside import Azure
from shared.storage.run_queries import token_after, token_at
from shared.storage.runs import TableRunStore, _entity, run_row_key
from shared.storage.tables import Tables
from tests.contract.conftest import admit
from tests.contract.filtered_runs import all_of_them, kept
from tests.contract.rows import ALICE, run_row
from tests.fakes import World


async def test_the_fake_ends_its_search_as_the_table_does(tenant: TenantId) -> None:
    world = World()
    await admit(world, tenant)
    world.runs.looks_at = 3
    await kept(world.runs, all_of_them(tenant))

    await _ends_short_and_goes_on(world.runs, tenant)


async def test_the_table_is_asked_five_times_for_a_page_and_no_more(tenant: TenantId) -> None:
    table = _SlowTable(all_of_them(tenant), rows_an_answer=2)
    store = TableRunStore(cast("Tables", {"runs": table}))

    page = await store.page(
        tenant, None, after=None, limit=50, where=RunFilter(outcome=RunOutcome.STARTED)
    )

    assert table.asked == 5
    assert (page.runs, page.next is None) == ((), False)
    await _ends_short_and_goes_on(store, tenant)


async def test_a_page_that_is_full_early_ends_early(tenant: TenantId) -> None:
    table = _SlowTable(all_of_them(tenant), rows_an_answer=2)
    store = TableRunStore(cast("Tables", {"runs": table}))

    page = await store.page(tenant, None, after=None, limit=3)

    assert table.asked == 2
    assert [run.id for run in page.runs] == ["r-55", "r-54", "r-53"]
    assert page.next == token_after(run_row_key(page.runs[-1]))


async def test_a_search_that_ends_with_the_last_row_has_no_next_page(tenant: TenantId) -> None:
    table = _SlowTable(all_of_them(tenant)[:10], rows_an_answer=2)
    store = TableRunStore(cast("Tables", {"runs": table}))

    page = await store.page(tenant, None, after=None, limit=50)

    assert (table.asked, len(page.runs), page.next) == (5, 10, None)


async def _ends_short_and_goes_on(store: ports.RunStore, tenant: TenantId) -> None:
    """`started` are the oldest: the first pages find none of them."""
    where = RunFilter(outcome=RunOutcome.STARTED)
    ids: list[str] = []
    after: str | None = None
    sizes = []
    for _ in range(100):
        page = await store.page(tenant, None, after=after, limit=50, where=where)
        ids += [run.id for run in page.runs]
        sizes.append(len(page.runs))
        after = page.next
        if after is None:
            break

    wanted = [run for run in reversed(all_of_them(tenant)) if run.outcome is RunOutcome.STARTED]
    assert ids == [run.id for run in wanted]
    assert sizes[0] == 0
    assert after is None


class _SlowTable:
    """A table of the service's that looks through so few rows before it answers. It knows the
    filter by its parameters alone."""

    def __init__(self, runs: Sequence[Run], *, rows_an_answer: int) -> None:
        self._rows = [_entity(run) for run in sorted(runs, key=run_row_key)]
        self.rows_an_answer = rows_an_answer
        self.asked = 0

    def query_entities(
        self, text: str, *, parameters: Mapping[str, Any], results_per_page: int
    ) -> "_Answers":
        del text, results_per_page
        return _Answers(self, parameters)

    def answer(self, parameters: Mapping[str, Any], at: int) -> tuple[list[Any], int | None]:
        self.asked += 1
        behind = at + self.rows_an_answer
        rows = [row for row in self._rows[at:behind] if row["RowKey"] > parameters["low"]]
        outcome = parameters.get("outcome")
        wanted = [row for row in rows if outcome in (None, row["outcome"])]
        return wanted, behind if behind < len(self._rows) else None


class _Answers:
    """The SDK's page iterator, as far as the store uses it."""

    def __init__(self, table: _SlowTable, parameters: Mapping[str, Any]) -> None:
        self._table, self._parameters = table, parameters
        self.continuation_token: Mapping[str, str] | None = None
        self._is_over = False

    def by_page(self, continuation_token: Mapping[str, str] | None) -> "_Answers":
        self.continuation_token = continuation_token
        return self

    async def __anext__(self) -> AsyncIterator[Any]:
        if self._is_over:
            raise StopAsyncIteration
        at = int(self.continuation_token["RowKey"]) if self.continuation_token else 0
        rows, following = self._table.answer(self._parameters, at)
        self._is_over = following is None
        self.continuation_token = (
            None if following is None else {"PartitionKey": "opaque", "RowKey": str(following)}
        )
        return _each(rows)


async def _each(rows: Sequence[Any]) -> AsyncIterator[Any]:
    for row in rows:
        yield row


# --- the table service's own places ----------------------------------------------------------


@pytest.mark.stack
async def test_a_page_goes_on_from_where_the_service_had_come_to(
    azure: Azure, tenant: TenantId
) -> None:
    await admit(azure, tenant)
    runs = all_of_them(tenant)
    await kept(azure.runs, runs)
    token = token_at(tenant, await _place_behind(azure, tenant, rows=10))

    page = await azure.runs.page(tenant, ALICE, after=token, limit=100)

    behind = [run for run in reversed(runs[:-10]) if run.user == ALICE]
    assert [run.id for run in page.runs] == [run.id for run in behind]


@pytest.mark.stack
async def test_n01_the_services_place_of_one_tenant_is_no_token_of_another(
    azure: Azure, tenant: TenantId, other_tenant: TenantId
) -> None:
    for owner in (tenant, other_tenant):
        await kept(azure.runs, [run_row(owner, f"{n}", later=n) for n in range(4)])
    place = await _place_behind(azure, tenant, rows=1)

    with pytest.raises(InvalidRequestError):
        await azure.runs.page(other_tenant, None, after=token_at(tenant, place), limit=10)
    forged = token_at(other_tenant, place)
    shown = (await azure.runs.page(other_tenant, None, after=forged, limit=10)).runs

    assert {run.tenant for run in shown} <= {other_tenant}


async def _place_behind(azure: Azure, tenant: TenantId, *, rows: int) -> Mapping[str, str]:
    """As the service itself says it, after an answer of so many rows."""
    pages = (
        azure._tables["runs"]
        .query_entities(
            "PartitionKey eq @tenant and RowKey gt @low",
            parameters={"tenant": str(tenant), "low": "run|"},
            results_per_page=rows,
        )
        .by_page()
    )
    assert len([row async for row in await anext(pages)]) == rows
    place: Mapping[str, str] = pages.continuation_token  # type: ignore[attr-defined]
    return place


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[]", id="an-empty-list"),
        pytest.param('["{tenant}", "a"]', id="two-texts"),
        pytest.param('["{tenant}", "a", 5]', id="a-number"),
        pytest.param('["{tenant}", "a", "b", "c"]', id="four-texts"),
        pytest.param('["", "a", "b"]', id="no-tenant"),
        pytest.param('{"tenant": "{tenant}"}', id="an-object"),
        pytest.param('"{tenant}"', id="a-text"),
        pytest.param("[" * 500, id="an-abyss"),
        pytest.param("null", id="nothing"),
        pytest.param("idem|x", id="another-row"),
    ],
)
async def test_a_token_of_another_form_is_refused(
    outside: ports.Outside, tenant: TenantId, text: str
) -> None:
    token = base64.urlsafe_b64encode(text.replace("{tenant}", tenant).encode()).decode()

    with pytest.raises(InvalidRequestError):
        await outside.runs.page(tenant, None, after=token, limit=1)


async def test_a_token_of_many_characters_is_refused(
    outside: ports.Outside, tenant: TenantId
) -> None:
    text = json.dumps([tenant, "a", "b" * 2_000])

    with pytest.raises(InvalidRequestError):
        await outside.runs.page(
            tenant, None, after=base64.urlsafe_b64encode(text.encode()).decode(), limit=1
        )
