"""Which runs a filter finds, on the fake and on the table."""

from datetime import timedelta

import pytest

from shared import ports
from shared.model import (
    EVERY_RUN,
    LONGEST_RUN,
    OrgId,
    Period,
    RunFilter,
    RunOutcome,
    TenantId,
    UserId,
)
from tests.contract.filtered_runs import all_of_them, kept
from tests.contract.rows import ALICE, BOB, run_row
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, NOON

pytestmark = pytest.mark.usefixtures("admitted")

MOMENT = timedelta(milliseconds=1)
"""Azurite compares times no finer; the service does."""


@pytest.fixture
def store(outside: ports.Outside) -> ports.RunStore:
    return outside.runs


async def found(
    store: ports.RunStore,
    tenant: TenantId,
    where: RunFilter,
    *,
    user: UserId | None = None,
    period: Period | None = None,
) -> list[str]:
    page = await store.page(
        tenant, user, after=None, limit=100, where=where, period=period or Period()
    )
    assert page.next is None
    return [run.id for run in page.runs]


async def test_every_filter_finds_exactly_its_runs(store: ports.RunStore, tenant: TenantId) -> None:
    """Against the rule itself (`RunFilter.holds`), for all combinations."""
    runs = all_of_them(tenant)
    await kept(store, runs)
    later = NOON + LONGEST_RUN + timedelta(milliseconds=4)  # half of what is `started` is overdue
    orgs: list[OrgId | None] = [None, FABRIKAM_ORG]

    for outcome in (None, *RunOutcome):
        for flow_id in (None, "f-one", "f-none"):
            for org in orgs:
                for user in (None, BOB):
                    for as_of in (None, later):
                        where = RunFilter(outcome=outcome, flow_id=flow_id, org=org, as_of=as_of)
                        wanted = [
                            run.id
                            for run in reversed(runs)
                            if where.holds(run) and user in (None, run.user)
                        ]
                        assert await found(store, tenant, where, user=user) == wanted, where


@pytest.mark.parametrize(
    ("later", "reads"),
    [
        pytest.param(timedelta(0), "started", id="just-begun"),
        pytest.param(LONGEST_RUN, "started", id="as-long-as-a-call-can-take"),
        pytest.param(LONGEST_RUN + MOMENT, "outcome_unknown", id="a-moment-longer"),
    ],
)
async def test_a_run_that_never_told_its_end_is_found_as_it_reads(
    store: ports.RunStore, tenant: TenantId, later: timedelta, reads: str
) -> None:
    run = run_row(tenant, "one", started=NOON + 7 * MOMENT)
    await kept(store, [run])
    as_of = run.started_at + later

    for outcome in (RunOutcome.STARTED, RunOutcome.OUTCOME_UNKNOWN):
        ids = await found(store, tenant, RunFilter(outcome=outcome, as_of=as_of))
        assert ids == (["r-one"] if outcome.value == reads else [])
    assert run.as_of(as_of).outcome.value == reads


async def test_without_a_time_outcomes_are_found_as_they_were_written(
    store: ports.RunStore, tenant: TenantId
) -> None:
    await kept(store, [run_row(tenant, "one")])

    assert await found(store, tenant, RunFilter(outcome=RunOutcome.STARTED)) == ["r-one"]
    assert await found(store, tenant, RunFilter(outcome=RunOutcome.OUTCOME_UNKNOWN)) == []


async def test_a_filter_stays_in_its_period(store: ports.RunStore, tenant: TenantId) -> None:
    runs = all_of_them(tenant)
    await kept(store, runs)
    period = Period(begin=NOON + timedelta(milliseconds=3), end=NOON + timedelta(milliseconds=40))

    ids = await found(store, tenant, RunFilter(flow_id="f-two", org=CONTOSO_ORG), period=period)

    wanted = [run for run in reversed(runs[3:40]) if run.flow_id == "f-two"]
    assert ids == [run.id for run in wanted if run.org == CONTOSO_ORG]


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_filtered_pages_hold_every_run_once(
    store: ports.RunStore, tenant: TenantId, limit: int
) -> None:
    runs = all_of_them(tenant)
    await kept(store, runs)
    where = RunFilter(outcome=RunOutcome.REFUSED)
    ids: list[str] = []
    after: str | None = None

    while True:
        page = await store.page(tenant, None, after=after, limit=limit, where=where)
        ids += [run.id for run in page.runs]
        after = page.next
        if after is None:
            break

    assert ids == [run.id for run in reversed(runs) if run.outcome is RunOutcome.REFUSED]


async def test_a_token_goes_on_from_its_place_with_another_filter(
    store: ports.RunStore, tenant: TenantId
) -> None:
    runs = all_of_them(tenant)
    await kept(store, runs)
    first = await store.page(tenant, None, after=None, limit=20)

    page = await store.page(
        tenant, ALICE, after=first.next, limit=100, where=RunFilter(flow_id="f-one")
    )

    behind = [run for run in reversed(runs[:-20]) if run.flow_id == "f-one"]
    assert [run.id for run in page.runs] == [run.id for run in behind if run.user == ALICE]


async def test_n01_no_filter_reaches_another_tenants_runs(
    store: ports.RunStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await kept(store, [run_row(other_tenant, "theirs")])
    unknown = RunFilter(outcome=RunOutcome.OUTCOME_UNKNOWN, as_of=NOON + timedelta(days=1))

    for where in (EVERY_RUN, RunFilter(flow_id="f-flow"), RunFilter(org=CONTOSO_ORG), unknown):
        assert await found(store, tenant, where) == []
        assert await found(store, tenant, where, user=ALICE) == []
        assert await found(store, other_tenant, where) == ["r-theirs"]


@pytest.mark.parametrize(
    "text", ["' or 1 eq 1 or flow_id eq '", "@tenant", "f-one' or 'a' eq 'a", "f-one and", " ", "@"]
)
async def test_d09_a_filter_of_the_callers_words_is_a_value_and_nothing_else(
    store: ports.RunStore, tenant: TenantId, text: str
) -> None:
    await kept(store, [run_row(tenant, "one")])

    assert await found(store, tenant, RunFilter(flow_id=text)) == []
    assert await found(store, tenant, EVERY_RUN, user=UserId(text)) == []
