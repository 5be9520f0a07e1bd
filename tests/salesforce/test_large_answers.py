"""Answers that an org may give, and that must not hold up, or fill, an instance."""

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator
from typing import Final

import pytest
from aiohttp import web

from shared.errors import FlowFailedError, SalesforceFailedError, SalesforceTimeoutError
from shared.model import FlowName
from shared.salesforce.flows import RestFlows
from shared.salesforce.transport import SalesforceRest
from tests import upstream as up
from tests.salesforce.an_org import ACCESS, HOST
from tests.upstream import Upstream, answering, answering_json, upstream

LOG: Final = FlowName.parse("Log_Email")
RESULT: Final = {"isSuccess": True, "outputValues": {"count": 1}}


@pytest.fixture
async def org() -> AsyncIterator[Upstream]:
    async with upstream(HOST) as server:
        yield server


def of_megabytes(piece: str, megabytes: int) -> up.Answer:
    body = f'[{{"isSuccess":true,"outputValues":{{"o":[{piece}'
    body += f",{piece}" * (megabytes * 1024**2 // (len(piece) + 1)) + "]}}]"
    return answering(gzip.compress(body.encode(), 1), headers={"Content-Encoding": "gzip"})


def readers() -> set[threading.Thread]:
    """The threads in which answers are read, of whatever test."""
    return {each for each in threading.enumerate() if each.name.startswith("large-answers")}


async def test_p05_megabytes_of_objects_are_refused(org: Upstream) -> None:
    """They would take a hundred times their size."""
    org.answer = of_megabytes("{}", 5)

    with pytest.raises(SalesforceFailedError):
        await RestFlows(org.network).invoke(ACCESS, LOG, {})


async def test_p05_what_is_large_is_read_aside(org: Upstream) -> None:
    """Reading it on the loop would take half a second, in which nobody else is served."""
    rest, before = SalesforceRest(org.network), readers()
    org.answer = answering_json({"actions": []})
    await rest.call(ACCESS, "GET", "x")
    assert readers() <= before

    org.answer = of_megabytes("1.5", 2)
    await asyncio.gather(*(rest.call(ACCESS, "GET", "x") for _ in range(3)))

    assert 1 <= len(readers() - before) <= 2


async def test_p05_a_large_honest_answer_is_read(org: Upstream) -> None:
    records = [{"attributes": {"type": "Lead"}, "Name": f"n{number}"} for number in range(20_000)]
    org.answer = answering_json([{"isSuccess": True, "outputValues": {"leads": records}}])

    result = await RestFlows(org.network).invoke(ACCESS, LOG, {})

    assert result.outputs == {"leads": records}


async def test_many_large_answers_at_once_are_all_read(org: Upstream) -> None:
    """Colleagues of one org, each with an answer that is read aside."""
    flows = RestFlows(org.network)
    text = "x" * 300 * 1024
    org.answer = answering_json([{"isSuccess": True, "outputValues": {"text": text}}])

    results = await asyncio.gather(*(flows.invoke(ACCESS, LOG, {}) for _ in range(40)))

    assert all(result.outputs == {"text": text} for result in results)


@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 429, 500, 503])
async def test_a_result_is_one_whatever_the_status(org: Upstream, status: int) -> None:
    """Where there is one the Flow has run: nothing is sent again, and nothing else is told."""
    flows = RestFlows(org.network)
    org.answer = answering_json([RESULT], status=status)
    assert (await flows.invoke(ACCESS, LOG, {})).outputs == {"count": 1}

    errors = [{"statusCode": "UNKNOWN_EXCEPTION", "message": "no", "fields": []}]
    org.answer = answering_json([{"isSuccess": False, "errors": errors}], status=status)
    with pytest.raises(FlowFailedError):
        await flows.invoke(ACCESS, LOG, {})


async def test_an_org_whose_pages_never_end_is_given_up(org: Upstream) -> None:
    page = {
        "records": [{"ApiName": f"F{number}", "ProcessType": "Flow"} for number in range(2_000)],
        "nextRecordsUrl": "/services/data/v66.0/query/01g-2000",
    }

    async def answer(request: web.Request) -> web.StreamResponse:
        body = page if "query" in request.path else {"actions": []}
        return await answering_json(body)(request)

    org.answer = answer
    with pytest.raises(SalesforceFailedError):
        await RestFlows(org.network).list(ACCESS)

    assert len(org.received) <= 8


async def test_a_page_is_no_larger_than_an_honest_one(org: Upstream) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        record = {"ApiName": "F", "Label": "x" * 3 * 1024**2}
        body = {"records": [record]} if "query" in request.path else {"actions": []}
        return await answering(json.dumps(body).encode())(request)

    org.answer = answer
    with pytest.raises(SalesforceFailedError):
        await RestFlows(org.network).list(ACCESS)


async def test_the_pages_of_a_query_have_one_deadline(org: Upstream) -> None:
    """Fifty pages that each come just in time would take a quarter of an hour."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if "query" in request.path:
            await asyncio.sleep(0.1)
        body = {"records": [], "nextRecordsUrl": "/services/data/v66.0/query/01g-2000"}
        return await answering_json({"actions": []} if "query" not in request.path else body)(
            request
        )

    org.answer = answer
    with pytest.raises(SalesforceTimeoutError):
        await RestFlows(org.network, query_seconds=0.5).list(ACCESS)

    assert 1 < len(org.received) < 10
