"""P-05, and the other ways in which an org, or whoever stands in its place, answers badly: with too
much, too deep, too slowly, or not any more today. Through the whole service."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

import pytest

from local.stack_info import StackInfo
from shared.errors import SalesforceTimeoutError
from shared.model import Access
from shared.salesforce.flows import RestFlows
from shared.salesforce.transport import Answer, SalesforceRest
from tests.attacks.flow_callers import FlowCaller, carried_out, flow, texts, told
from tests.attacks.places import Places
from tests.attacks.service_process import ServiceProcess
from tests.fakes import CONTOSO_ORG, World
from tests.telemetry.canaries import hits
from tests.upstream import answering_json, dripping, upstream
from tests.usecases.invoking import invocation

pytestmark = pytest.mark.timeout(120)

MIB: Final = 1024 * 1024
BOMB: Final = 200 * MIB
LARGEST: Final = 6 * MIB
GROWTH: Final = 40 * MIB
"""The limit of an answer, as it is read, joined and parsed; far less than what the bomb holds."""
LOG: Final = flow("Log_Email", *texts("subject"))
FAILED: Final = (502, "salesforce_failed")


@pytest.fixture
def caller(stack: StackInfo) -> Iterator[FlowCaller]:
    with FlowCaller.connected(stack) as connected:
        connected.put(LOG)
        yield connected


@pytest.fixture
def process(stack: StackInfo) -> ServiceProcess:
    return ServiceProcess.of_stack(stack)


@pytest.mark.stack
@pytest.mark.parametrize("is_described", [False, True], ids=["describe", "invoke"])
def test_P05_an_answer_of_kilobytes_that_inflates_to_200_megabytes_is_a_502_in_flat_memory(
    caller: FlowCaller, process: ServiceProcess, is_described: bool
) -> None:
    """Four callers at once; a description they wait for together, a run is everybody's own."""
    if is_described:
        assert caller.describe("Log_Email").status_code == 200
    caller.misbehave("Log_Email", "gzip_bomb", value=BOMB, times=4 if is_described else 1)
    process.forget_peak()
    before = process.resident_bytes()

    with ThreadPoolExecutor(4) as threads:
        email = [{"subject": f"mail {number}"} for number in range(4)]
        answers = list(threads.map(lambda one: caller.invoke("Log_Email", email=one), email))

    assert process.peak_bytes() - before < 2 * GROWTH
    assert process.resident_bytes() - before < GROWTH
    assert [told(one) for one in answers].count(FAILED) >= (4 if is_described else 1)
    open_ones = [one.json().get("run_status") for one in answers if one.status_code == 502]
    assert set(open_ones) == {"outcome_unknown" if is_described else None}
    assert carried_out(caller.news()) == sum(one.status_code == 200 for one in answers)


@pytest.mark.stack
def test_P05_an_answer_of_six_mebibytes_passes_and_a_larger_one_is_a_502(
    caller: FlowCaller,
) -> None:
    """What a Flow gives back is its builder's to say; above the limit it has run all the same."""
    for size, expected in ((LARGEST - 4_096, (200, "")), (LARGEST + 1, FAILED)):
        caller.put(giving("x" * size))
        answered = caller.invoke("Log_Email", email={"subject": "x"})

        assert told(answered) == expected
        if answered.status_code == 200:
            assert len(answered.json()["outputs"]["given"]) == size
        else:
            assert answered.json()["run_status"] == "outcome_unknown"
        assert carried_out(caller.news()) == 1


@pytest.mark.stack
def test_P05_an_answer_that_is_too_deep_is_a_502(caller: FlowCaller) -> None:
    value: Any = "x"
    for _ in range(100):
        value = [value]
    caller.put(giving(value))

    answered = caller.invoke("Log_Email", email={"subject": "x"})

    assert (told(answered), answered.json()["run_status"]) == (FAILED, "outcome_unknown")


@pytest.mark.stack
def test_what_a_flow_takes_and_gives_passes_through_memory_alone(caller: FlowCaller) -> None:
    """No table and no line of the log has it, in any encoding; nor has a table what a refused call
    brought. Backups are copies of the tables; what telemetry gets is V-01's to show."""
    canaries = {
        "output": "canary output 7f3a9c52",
        "input": "canary input 81d0e4b6",
        "name of an undeclared input": "canary name 25c97d1e",
    }
    output = {"name": "given", "type": "STRING", "value": canaries["output"]}
    caller.put(flow("Log_Email", *texts("note"), outputs=[output]))
    undeclared = canaries["name of an undeclared input"]

    answered = caller.invoke("Log_Email", inputs={"note": canaries["input"]})
    refused = caller.invoke("Log_Email", inputs={undeclared: canaries["input"]})

    assert answered.json()["outputs"]["given"] == canaries["output"]
    assert refused.json()["input"] == undeclared
    places = Places(caller._info)
    try:
        everywhere = places.all()
    finally:
        places.close()
    assert caller.org.encode() in everywhere["table connections"], "the search looks elsewhere"
    assert {
        name: names for name, data in everywhere.items() if (names := hits(data, canaries))
    } == {}


def giving(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    output = {"name": "given", "type": "STRING", "value": value}
    return flow("Log_Email", *texts("subject"), outputs=[output])


# --- limits of the org, and of its users ---------------------------------------------------------


@pytest.mark.stack
def test_an_org_without_calls_left_today_says_so_and_is_left_alone(caller: FlowCaller) -> None:
    caller.put(LOG, api_limit=2)
    answers = [caller.invoke("Log_Email", email={"subject": "x"}) for _ in range(3)]

    assert [told(one) for one in answers] == [
        (200, ""),
        (429, "salesforce_limit_reached"),
        (429, "salesforce_limit_reached"),
    ]
    assert all(0 < int(one.headers["Retry-After"]) <= 60 for one in answers[1:])
    reached = caller.news()
    assert (carried_out(reached), len(reached)) == (1, 2)


@pytest.mark.stack
def test_a_user_runs_thirty_at_once_and_two_a_second_after_that_and_is_told_when_to_come_again(
    caller: FlowCaller, stack: StackInfo
) -> None:
    """120 a minute, of which 30 at once. A colleague has a share of their own."""
    began = time.monotonic()
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: caller.invoke("Log_Email"), range(80)))
    refilled = 2 * (time.monotonic() - began)
    with FlowCaller.connected(stack, tid=caller.tid) as colleague:
        colleague.put(LOG)
        assert told(colleague.invoke("Log_Email")) == (200, "")

    served = [one for one in answers if one.status_code == 200]
    refused = [one for one in answers if one.status_code != 200]
    assert 20 <= len(served) <= 30 + refilled + 1
    assert {told(one) for one in refused} == {(429, "too_many_requests")}
    assert {one.headers["Retry-After"] for one in refused} == {"1"}
    assert carried_out(caller.news()) == len(served), "what was refused was sent"


# --- an org that is slow --------------------------------------------------------------------------

ORG_HOST: Final = "contoso.my.salesforce.com"
HURRY: Final = 0.6  # seconds


class Hurried(SalesforceRest):
    """With another deadline than that of three minutes."""

    async def call(self, access: Access, *args: Any, **further: Any) -> Answer:  # noqa: ANN401 - as they are
        return await super().call(access, *args, **{**further, "seconds": HURRY})


async def test_P11_an_org_that_drips_is_given_up_in_time_and_its_outcome_is_unknown() -> None:
    """A byte comes before every time-out of a single read: the deadline is one of the whole."""
    world = World()
    caller = await world.signed_in("alice")
    await world.connect(caller)
    async with upstream(ORG_HOST) as org:
        flows = RestFlows(org.network)
        flows._rest = Hurried(org.network)
        invoke_flow = world.services.invoke_flow
        invoke_flow = replace(
            invoke_flow, flows=flows, describe=replace(invoke_flow.describe, flows=flows)
        )
        described = {"name": "Slow", "label": "Slow", "inputs": [], "outputs": []}
        org.answer = answering_json(described)
        await invoke_flow.describe(caller, CONTOSO_ORG, invocation("Slow").flow)
        org.answer = dripping(b"[" + b" " * 10_000, seconds=0.1)
        began = time.monotonic()

        with pytest.raises(SalesforceTimeoutError) as unknown:
            await invoke_flow(caller, invocation("Slow", key="k"))

        assert time.monotonic() - began < 5 * HURRY
        assert methods(org.received) == ["GET", "POST"]
    assert unknown.value.run_id == world.runs.only().id
    assert world.runs.only().outcome == "outcome_unknown"


def methods(received: Sequence[Any]) -> list[str]:
    return [one.method for one in received]
