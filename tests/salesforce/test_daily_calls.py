"""An org that says that its day's API calls are used up is not called for a minute."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from shared.errors import SalesforceForbiddenError, SalesforceLimitError
from shared.model import Access, OrgId
from shared.salesforce.daily_calls import DailyCalls
from shared.salesforce.transport import SalesforceRest
from shared.secret import Secret
from tests import upstream as up
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, FakeClock
from tests.salesforce.an_org import HOST, TOKEN
from tests.upstream import Upstream, answering_json, upstream


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def daily_calls(clock: FakeClock) -> DailyCalls:
    return DailyCalls(clock=clock.monotonic)


def is_paused(daily_calls: DailyCalls, org: OrgId = CONTOSO_ORG) -> bool:
    try:
        daily_calls.require_some(org)
    except SalesforceLimitError:
        return True
    return False


@pytest.mark.parametrize(
    "header",
    [
        "api-usage=15000/15000",
        "api-usage=15001/15000",
        "api-usage=10/15000; per-app-api-usage=250/250(appName=FlowRunner)",
        "api-usage=0/0",
    ],
)
def test_an_org_without_calls_left_is_not_called(daily_calls: DailyCalls, header: str) -> None:
    daily_calls.note(CONTOSO_ORG, header)

    assert is_paused(daily_calls)
    assert not is_paused(daily_calls, FABRIKAM_ORG)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "api-usage=14999/15000",
        "api-usage=10/15000; per-app-api-usage=249/250(appName=FlowRunner)",
        "api-usage=x/y",
        "api-usage=٣/٢",
        "api-usage=" + "9" * 5_000 + "/1",
        "usage=2/1",
    ],
)
def test_one_that_has_some_or_says_nothing_readable_is(
    daily_calls: DailyCalls, header: str | None
) -> None:
    daily_calls.note(CONTOSO_ORG, header)

    assert not is_paused(daily_calls)


def test_the_pause_is_a_minute_and_says_how_much_of_it_is_left(
    daily_calls: DailyCalls, clock: FakeClock
) -> None:
    daily_calls.note(CONTOSO_ORG, "api-usage=5/5")
    clock.move(seconds=59.5)
    with pytest.raises(SalesforceLimitError) as refused:
        daily_calls.require_some(CONTOSO_ORG)
    clock.move(seconds=0.5)

    assert refused.value.retry_after == 1
    assert not is_paused(daily_calls)


# --- over the wire -------------------------------------------------------------------------------


@pytest.fixture
async def org() -> AsyncIterator[Upstream]:
    async with upstream(HOST) as server:
        yield server


def access(org: OrgId = CONTOSO_ORG) -> Access:
    return Access(org=org, instance_host=HOST, token=Secret(TOKEN), generation=1)


def using(header: str, answer: up.Answer) -> up.Answer:
    async def answered(request: web.Request) -> web.StreamResponse:
        response = await answer(request)
        response.headers["Sforce-Limit-Info"] = header
        return response

    return answered


async def test_the_last_call_is_answered_and_the_next_is_not_sent(org: Upstream) -> None:
    rest = SalesforceRest(org.network)
    org.answer = using("api-usage=5/5", answering_json({"actions": []}))

    assert (await rest.call(access(), "GET", "actions/custom/flow")).status == 200
    with pytest.raises(SalesforceLimitError) as refused:
        await rest.call(access(), "GET", "actions/custom/flow")

    assert 0 < (refused.value.retry_after or 0) <= 60
    assert len(org.received) == 1


async def test_a_refusal_says_it_as_well(org: Upstream) -> None:
    rest = SalesforceRest(org.network)
    error = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    org.answer = using("api-usage=5/5", answering_json(error, status=403))

    for _ in range(2):
        with pytest.raises(SalesforceLimitError):
            await rest.call(access(), "POST", "x", body={})

    assert len(org.received) == 1


async def test_too_many_calls_at_the_same_time_pause_nothing(org: Upstream) -> None:
    rest = SalesforceRest(org.network)
    error = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "Concurrent requests"}]
    org.answer = using("api-usage=4/5", answering_json(error, status=403))

    for _ in range(2):
        with pytest.raises(SalesforceLimitError):
            await rest.call(access(), "POST", "x", body={})

    assert len(org.received) == 2


async def test_another_org_is_called_all_the_same(org: Upstream) -> None:
    rest = SalesforceRest(org.network)
    error = [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]
    org.answer = using("api-usage=5/5", answering_json(error, status=403))

    for of in (CONTOSO_ORG, FABRIKAM_ORG):
        with pytest.raises(SalesforceForbiddenError):
            await rest.call(access(of), "POST", "x", body={})

    assert len(org.received) == 2
