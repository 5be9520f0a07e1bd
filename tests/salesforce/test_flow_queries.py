"""Queries for Flows: what an answer says becomes part of no query and no address unchecked."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote_plus

import pytest

from shared.errors import SalesforceFailedError
from shared.model import FlowName
from shared.salesforce.flows import RestFlows
from tests import upstream as up
from tests.salesforce.an_org import ACCESS, HOST
from tests.salesforce.test_transport import refusal
from tests.upstream import Upstream, answering_json, upstream


@pytest.fixture
async def org() -> AsyncIterator[Upstream]:
    async with upstream(HOST) as server:
        yield server


def records(*rows: dict[str, Any], following: str | None = None) -> up.Answer:
    answer: dict[str, Any] = {"records": list(rows), "done": following is None}
    if following is not None:
        answer["nextRecordsUrl"] = following
    return answering_json(answer)


@pytest.mark.parametrize("version", ["301' OR '1'='1", "301\\", "301 ", "", "301\u00e9"])
async def test_p08_a_version_from_an_answer_cannot_end_the_quotes_it_stands_in(
    org: Upstream, version: str
) -> None:
    definition = records({"Label": "Screen", "ActiveVersionId": version})
    org.answer = up.in_turn(refusal("NOT_FOUND", 404), definition, records())

    with pytest.raises(SalesforceFailedError):
        await RestFlows(org.network).describe(ACCESS, FlowName.parse("New_Lead_Screen"))

    assert not any("FlowVariableView" in unquote_plus(sent.path) for sent in org.received)


@pytest.mark.parametrize(
    "following",
    [
        "/services/data/v66.0/query/01g?x=1",
        "https://evil.example.com/01g#",
        "/services/data/v66.0/query/..%2f..",
        "/services/data/v66.0/query/",
    ],
)
async def test_p08_a_cursor_from_an_answer_leads_nowhere_else(
    org: Upstream, following: str
) -> None:
    org.answer = up.in_turn(
        answering_json({"actions": []}), records(following=following), records()
    )

    with pytest.raises(SalesforceFailedError):
        await RestFlows(org.network).list(ACCESS)

    assert len(org.received) == 2


async def test_a_second_page_is_asked_for_at_our_own_path(org: Upstream) -> None:
    org.answer = up.in_turn(
        answering_json({"actions": []}),
        records(following="https://evil.example.com/services/data/v1/query/01gABC-2000"),
        records(),
    )

    assert await RestFlows(org.network).list(ACCESS) == []

    last = org.received[-1]
    assert (last.host, last.path) == (HOST, "/services/data/v66.0/query/01gABC-2000")
