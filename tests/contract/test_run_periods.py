"""The runs of a period, on the fake and on the table: by key range, exact to the millisecond."""

from datetime import UTC, datetime, timedelta

import pytest

from shared import ports
from shared.errors import InvalidRequestError
from shared.model import ALL_TIME, Period, TenantId
from shared.run_forms import run_members
from tests.contract.bulk import started
from tests.contract.rows import ALICE, BOB, run_row
from tests.fakes import NOON

pytestmark = pytest.mark.usefixtures("admitted")

MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def store(outside: ports.Outside) -> ports.RunStore:
    return outside.runs


async def ids(
    store: ports.RunStore, tenant: TenantId, period: Period, *, limit: int = 100
) -> list[str]:
    """The runs of the period, by following `next` until there is none."""
    found: list[str] = []
    after: str | None = None
    for _ in range(100):
        page = await store.page(tenant, None, after=after, limit=limit, period=period)
        found += [run.id for run in page.runs]
        after = page.next
        if after is None:
            return found
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        pytest.param(None, None, "43210", id="all-time"),
        pytest.param(0, None, "43210", id="from-the-first-on"),
        pytest.param(1, None, "4321", id="the-beginning-is-in-it"),
        pytest.param(None, 1, "0", id="the-end-is-not"),
        pytest.param(1, 3, "21", id="between"),
        pytest.param(2, 2, "", id="from-a-time-to-itself"),
        pytest.param(5, None, "", id="after-all-of-them"),
        pytest.param(None, 0, "", id="before-all-of-them"),
    ],
)
async def test_a_period_holds_its_beginning_and_not_its_end(
    store: ports.RunStore, tenant: TenantId, begin: int | None, end: int | None, found: str
) -> None:
    await started(store, [run_row(tenant, f"{n}", later=n) for n in range(5)])
    bounds = [None if n is None else NOON + n * MILLISECOND for n in (begin, end)]

    listed = await ids(store, tenant, Period(begin=bounds[0], end=bounds[1]))

    assert listed == [f"r-{n}" for n in found]


@pytest.mark.parametrize("microseconds", [-1, 0, 1, 499, 500, 999, 1_000, 1_001])
async def test_periods_that_adjoin_hold_every_run_once(
    store: ports.RunStore, tenant: TenantId, microseconds: int
) -> None:
    """A run counts by the millisecond that is told of it, whatever the bound between them."""
    runs = [
        run_row(tenant, f"{n}", started=NOON + timedelta(microseconds=n))
        for n in (-1_000, -1, 0, 1, 999, 1_000, 1_999)
    ]
    await started(store, runs)
    bound = NOON + timedelta(microseconds=microseconds)

    early = await ids(store, tenant, Period(end=bound))
    late = await ids(store, tenant, Period(begin=bound))

    assert sorted(early + late) == sorted(run.id for run in runs)
    told = {
        run.id: datetime.fromisoformat(str(run_members(run, None)["started_at"])) for run in runs
    }
    assert all(told[name] < bound for name in early)
    assert all(told[name] >= bound for name in late)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_a_period_is_paged_without_gap_or_repetition(
    store: ports.RunStore, tenant: TenantId, limit: int
) -> None:
    await started(store, [run_row(tenant, f"{n}", later=n) for n in range(12)])
    period = Period(begin=NOON + 3 * MILLISECOND, end=NOON + 10 * MILLISECOND)

    listed = await ids(store, tenant, period, limit=limit)

    assert listed == [f"r-{n}" for n in range(9, 2, -1)]


async def test_a_token_from_outside_the_period_does_not_leave_it(
    store: ports.RunStore, tenant: TenantId
) -> None:
    await started(store, [run_row(tenant, f"{n}", later=n) for n in range(6)])
    newest = (await store.page(tenant, None, after=None, limit=1)).next
    period = Period(begin=NOON + MILLISECOND, end=NOON + 3 * MILLISECOND)

    page = await store.page(tenant, None, after=newest, limit=100, period=period)

    assert [run.id for run in page.runs] == ["r-2", "r-1"]


async def test_a_period_of_one_user_holds_that_users_runs_alone(
    store: ports.RunStore, tenant: TenantId
) -> None:
    users = [ALICE, BOB, ALICE, BOB]
    await started(
        store, [run_row(tenant, f"{n}", user=user, later=n) for n, user in enumerate(users)]
    )
    period = Period(begin=NOON + MILLISECOND)

    page = await store.page(tenant, ALICE, after=None, limit=100, period=period)

    assert [run.id for run in page.runs] == ["r-2"]


async def test_n01_no_period_reaches_another_tenants_runs(
    store: ports.RunStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await started(store, [run_row(other_tenant, f"{n}", later=n) for n in range(3)])

    for period in (ALL_TIME, Period(begin=NOON), Period(end=NOON + timedelta(days=1))):
        assert await ids(store, tenant, period) == []


@pytest.mark.parametrize(
    "period",
    [
        Period(begin=datetime.min.replace(tzinfo=UTC), end=datetime.max.replace(tzinfo=UTC)),
        Period(begin=datetime(1969, 12, 31, tzinfo=UTC)),
        Period(begin=datetime(1970, 1, 1, tzinfo=UTC)),
        Period(end=datetime(2300, 1, 1, tzinfo=UTC)),
    ],
    ids=["all-years", "before-1970", "in-1970", "after-2286"],
)
async def test_years_that_no_key_tells_are_bounds_all_the_same(
    store: ports.RunStore, tenant: TenantId, period: Period
) -> None:
    await started(store, [run_row(tenant, "one")])

    assert await ids(store, tenant, period) == ["r-one"]


@pytest.mark.parametrize(
    "period",
    [
        Period(end=datetime.min.replace(tzinfo=UTC)),
        Period(end=datetime(1970, 1, 1, tzinfo=UTC)),
        Period(begin=datetime(2300, 1, 1, tzinfo=UTC)),
        Period(begin=datetime.max.replace(tzinfo=UTC)),
    ],
    ids=["before-all-years", "before-1970", "after-2286", "after-all-years"],
)
async def test_years_in_which_nothing_ran_are_empty(
    store: ports.RunStore, tenant: TenantId, period: Period
) -> None:
    await started(store, [run_row(tenant, "one")])

    assert await ids(store, tenant, period) == []


def test_a_period_does_not_end_before_it_begins() -> None:
    with pytest.raises(InvalidRequestError):
        Period(begin=NOON, end=NOON - timedelta(microseconds=1))
