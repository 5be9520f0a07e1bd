"""How runs are paged, on the fake and on the table: newest first, and of one tenant alone."""

import base64

import pytest

from shared import ports
from shared.errors import InvalidRequestError
from shared.model import Run, TenantId, UserId
from tests.contract.bulk import started
from tests.contract.rows import ALICE, BOB, idempotency, run_row

pytestmark = pytest.mark.usefixtures("admitted")


@pytest.fixture
def store(outside: ports.Outside) -> ports.RunStore:
    return outside.runs


async def pages(
    store: ports.RunStore, tenant: TenantId, user: UserId | None, *, limit: int
) -> list[list[Run]]:
    """Every page, by following `next` until there is none."""
    found: list[list[Run]] = []
    after: str | None = None
    for _ in range(100):
        page = await store.page(tenant, user, after=after, limit=limit)
        found.append(list(page.runs))
        after = page.next
        if after is None:
            return found
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize(
    ("rows", "limit", "sizes"),
    [
        pytest.param(0, 5, [0], id="no-rows-are-one-empty-page"),
        pytest.param(4, 5, [4], id="fewer-than-a-page"),
        pytest.param(5, 5, [5], id="exactly-a-page-has-no-next"),
        pytest.param(6, 5, [5, 1], id="one-more-than-a-page"),
        pytest.param(23, 5, [5, 5, 5, 5, 3], id="several-pages"),
        pytest.param(3, 1, [1, 1, 1], id="one-row-a-page"),
    ],
)
async def test_pages_hold_every_run_once_newest_first(
    store: ports.RunStore, tenant: TenantId, rows: int, limit: int, sizes: list[int]
) -> None:
    newest_first = await started(store, [run_row(tenant, f"{n}", later=n) for n in range(rows)])

    found = await pages(store, tenant, None, limit=limit)

    assert [len(page) for page in found] == sizes
    assert [run for page in found for run in page] == newest_first


async def test_one_page_may_be_larger_than_the_answers_of_the_table_service(
    store: ports.RunStore, tenant: TenantId
) -> None:
    """The service answers at most 1,000 rows at a time."""
    newest_first = await started(store, [run_row(tenant, f"{n}", later=n) for n in range(1_010)])

    page = await store.page(tenant, None, after=None, limit=1_005)

    assert list(page.runs) == newest_first[:1_005]
    assert page.next is not None


async def test_runs_of_the_same_millisecond_are_all_paged(
    store: ports.RunStore, tenant: TenantId
) -> None:
    await started(store, [run_row(tenant, f"{n}") for n in range(7)])

    found = await pages(store, tenant, None, limit=2)

    assert sorted(run.id for page in found for run in page) == [f"r-{n}" for n in range(7)]


async def test_the_pages_of_a_user_hold_the_runs_of_that_user_alone(
    store: ports.RunStore, tenant: TenantId
) -> None:
    """The other user's many runs lie between, so that whole answers hold none of Alice's."""
    runs = [run_row(tenant, f"{n}", user=BOB, later=n) for n in range(30)]
    own = [run_row(tenant, f"own-{n}", user=ALICE, later=n * 10) for n in range(3)]
    await started(store, runs + own)

    found = await pages(store, tenant, ALICE, limit=2)

    assert [[run.id for run in page] for page in found] == [["r-own-2", "r-own-1"], ["r-own-0"]]


async def test_a_run_that_starts_between_two_pages_is_on_none_of_the_later_pages(
    store: ports.RunStore, tenant: TenantId
) -> None:
    newest_first = await started(store, [run_row(tenant, f"{n}", later=n) for n in range(4)])
    first = await store.page(tenant, None, after=None, limit=2)
    await store.start(run_row(tenant, "new", later=100), None)

    second = await store.page(tenant, None, after=first.next, limit=2)

    assert [*first.runs, *second.runs] == newest_first
    assert second.next is None


async def test_the_paging_token_of_one_tenant_is_worth_nothing_in_another(
    store: ports.RunStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await started(store, [run_row(tenant, f"a{n}", later=n) for n in range(4)])
    theirs = await started(store, [run_row(other_tenant, f"b{n}", later=n) for n in range(4)])
    token = (await store.page(tenant, None, after=None, limit=1)).next

    page = await store.page(other_tenant, None, after=token, limit=100)

    assert set(page.runs) <= set(theirs)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("garbage", id="not-ours"),
        pytest.param("\u00e4\u00f6", id="not-ascii"),
        pytest.param("====", id="padding"),
        pytest.param(base64.urlsafe_b64encode(b"idem|").decode(), id="another-kind-of-row"),
        pytest.param(base64.urlsafe_b64encode("run|\u00e4".encode()).decode(), id="not-ascii-in"),
    ],
)
async def test_a_token_that_is_none_of_ours_is_an_invalid_request(
    store: ports.RunStore, tenant: TenantId, token: str
) -> None:
    await store.start(run_row(tenant, "one"), None)

    with pytest.raises(InvalidRequestError):
        await store.page(tenant, None, after=token, limit=1)


async def test_idempotency_rows_are_on_no_page(store: ports.RunStore, tenant: TenantId) -> None:
    run = run_row(tenant, "one")
    await store.start(run, idempotency("key"))

    assert await pages(store, tenant, None, limit=10) == [[run]]
