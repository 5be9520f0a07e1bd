"""P-01: of a mail and of what the caller gives, an org receives what its Flow declares and nothing
else, in the body of one request and nowhere else. Over HTTP, against the simulator's ledger; and
every subset of the vocabulary through the use case and the real adapter."""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

import pytest
import requests
from hypothesis import Phase, given, settings

from local.stack_info import StackInfo
from shared.email_vocabulary import VOCABULARY
from shared.salesforce.flows import RestFlows
from tests.attacks.declared_flows import (
    ALIASED,
    ALIASES,
    MAIL,
    UNKNOWN_MAIL,
    Attempt,
    Declared,
    attempts,
)
from tests.attacks.flow_callers import ACTIONS, FlowCaller, flow, is_invocation
from tests.control_client import ControlClient
from tests.fakes import World
from tests.telemetry.canaries import hits
from tests.upstream import Received, answering_json, upstream
from tests.usecases.invoking import invocation

EXAMPLES: Final = 150
CALLERS: Final = 10
"""Each may ask 30 times at once; an example asks twice."""

CANARIES: Final = {
    f"{field} {number}": text
    for field, value in {**MAIL, **UNKNOWN_MAIL}.items()
    if field != "source"  # `outlook` is a word of ours
    for number, text in enumerate([value] if isinstance(value, str) else value)
}


@pytest.fixture(scope="module")
def callers(stack: StackInfo) -> Iterator[Iterator[FlowCaller]]:
    """People of one tenant, in turn, of whom each knows the headers of a call without content."""
    control = ControlClient(stack.control)
    control.post("/_sim/reset")
    control.close()
    tid = str(uuid4())
    everybody = [FlowCaller.connected(stack, tid=tid, administrator=True) for _ in range(CALLERS)]
    settled = everybody[0].send("GET", "/tenant/settings")
    document = {name: value for name, value in settled.json().items() if name != "changes"}
    everybody[0].call(
        "PUT",
        "/tenant/settings",
        body=document | {"input_aliases": {ALIASED: ALIASES}},
        headers={"If-Match": settled.headers["ETag"]},
    )
    yield itertools.cycle(everybody)
    for one in everybody:
        one.__exit__(None, None, None)


@pytest.mark.stack
@settings(
    max_examples=EXAMPLES,
    deadline=None,  # a busy machine is no failure
    derandomize=True,  # the same ones every time
    database=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate],  # small as they are; to shrink one takes minutes
    report_multiple_bugs=False,
)
@given(attempt=attempts())
def test_P01_an_org_receives_exactly_what_its_flow_declares(
    callers: Iterator[FlowCaller], attempt: Attempt
) -> None:
    caller = next(callers)
    caller.put(flow(attempt.flow, *(one.spec() for one in attempt.declared)))
    caller.news()

    shown = patiently(lambda: caller.describe(attempt.flow))
    answer = patiently(
        lambda: caller.invoke(attempt.flow, email={**MAIL, **UNKNOWN_MAIL}, inputs=attempt.inputs)
    )
    reached = caller.news()

    assert shown.json()["email_fields"] == attempt.promised
    for one in reached:
        assert_nothing_beside_the_body(one)
    calls = [one for one in reached if is_invocation(one)]
    if attempt.offender is None:
        assert answer.status_code == 200, answer.text
        (call,) = calls
        assert (call["path"], call["query"]) == (f"{ACTIONS}/{attempt.flow}", {})
        assert call["body"] == {"inputs": [attempt.sent()]}
    else:
        told = answer.json()
        assert (answer.status_code, told["code"]) == (400, attempt.code)
        assert told["input"] == attempt.offender
        assert not hits(without(answer.content, attempt.offender), CANARIES)
        assert calls == []


HEADERS: Final = {
    *("Host", "Authorization", "Accept", "Accept-Encoding", "Sforce-Call-Options", "User-Agent"),
    *("Content-Type", "Content-Length"),
}  # fmt: skip


def assert_nothing_beside_the_body(request: Mapping[str, Any]) -> None:
    """Of no request to the org: neither a call of the Flow, nor what came before it."""
    body = None if is_invocation(request) else request["body"]
    beside = {**request, "body": body}
    assert not hits(json.dumps(beside, ensure_ascii=False).encode(), CANARIES)
    values = request["header_values"]
    assert values.keys() <= HEADERS
    assert values["Sforce-Call-Options"] == "client=FlowRunner/1.0"
    assert values["User-Agent"].startswith("Python/")
    assert values["Authorization"].startswith("Bearer 00D")


def without(body: bytes, offender: str) -> bytes:
    """A refusal names the input; what it names is what the caller called it."""
    told = json.loads(body)
    assert told.pop("input") == offender
    return json.dumps(told).encode()


def patiently(ask: Callable[[], requests.Response]) -> requests.Response:
    """On a fast machine a caller's share may end."""
    answer = ask()
    while answer.status_code == 429:
        time.sleep(int(answer.headers["Retry-After"]))
        answer = ask()
    return answer


# --- every subset of the vocabulary ---------------------------------------------------------------

ORG_HOST: Final = "contoso.my.salesforce.com"


@pytest.mark.parametrize("are_collections", [False, True], ids=["single", "collections"])
async def test_P01_every_subset_of_the_vocabulary_leaves_as_it_is_declared_in_one_body(
    are_collections: bool,
) -> None:
    """All 512, through the use case and the adapter to an HTTPS server."""
    world = World()
    caller = await world.signed_in("alice")
    await world.connect(caller)
    async with upstream(ORG_HOST) as org:
        flows = RestFlows(org.network)
        invoke_flow = world.services.invoke_flow
        invoke_flow = replace(
            invoke_flow, flows=flows, describe=replace(invoke_flow.describe, flows=flows)
        )
        for number, wanted in enumerate(subsets()):
            declared = [
                Declared(
                    name=VOCABULARY[field].input_names[-1],
                    type="STRING",
                    is_collection=are_collections,
                    field=field,
                )
                for field in wanted
            ]
            name = f"Sweep_{number}"
            org.received.clear()
            org.answer = answering_json(described(name, declared))
            await invoke_flow.describe(caller, None, invocation(name).flow)
            org.answer = answering_json([{"isSuccess": True, "outputValues": {}}])

            await invoke_flow(caller, invocation(name, email={**MAIL, **UNKNOWN_MAIL}))

            *before, call = org.received
            assert {one.method for one in before} == {"GET"}
            assert (call.method, call.path) == ("POST", f"{ACTIONS}/{name}")
            expected = {one.name: one.from_mail() for one in declared}
            assert json.loads(call.body) == {"inputs": [expected]}
            assert not any(hits(in_clear(one), CANARIES) for one in org.received)


def in_clear(request: Received) -> bytes:
    """All of a request but its body."""
    return repr((request.method, request.path, request.headers)).encode()


def subsets() -> list[tuple[str, ...]]:
    sizes = range(len(VOCABULARY) + 1)
    return [one for size in sizes for one in itertools.combinations(VOCABULARY, size)]


def described(name: str, declared: list[Declared]) -> dict[str, Any]:
    """As much of the action's description as is read."""
    inputs = [
        {"name": one.name, "type": one.type, "maxOccurs": 2000 if one.is_collection else 1}
        for one in declared
    ]
    return {"name": name, "label": name, "inputs": inputs, "outputs": []}
