"""P-11, P-12: one key runs a Flow once: over two processes, when answers are lost, when a process
is killed while the Flow runs. What ran is counted in the org, by the simulator's ledger."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
import requests

from local.stack_info import StackInfo
from tests.attacks.flow_callers import FlowCaller, carried_out, flow, is_invocation, texts, told
from tests.attacks.second_worker import worker_beside
from tests.attacks.service_process import ServiceProcess

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

AT_ONCE: Final = 32
SLOW: Final = 1.5  # seconds that the Flow takes: all others have asked by then
LOG: Final = flow("Log_Email", *texts("subject", "cc_emails", "note"))
MAIL: Final = {"subject": "a subject"}


@pytest.fixture(scope="module")
def beside(stack: StackInfo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    with worker_beside(stack, tmp_path_factory.mktemp("beside")) as info:
        yield info


@pytest.fixture
def here(clean_stack: StackInfo) -> Iterator[FlowCaller]:
    with FlowCaller.connected(clean_stack) as caller:
        caller.put(LOG)
        yield caller


@pytest.fixture
def there(here: FlowCaller, beside: StackInfo) -> FlowCaller:
    """The same person, in front of the other process."""
    return here.at(beside)


def test_P11_32_equal_calls_with_one_key_at_two_processes_run_the_flow_once(
    here: FlowCaller, there: FlowCaller
) -> None:
    here.put({**LOG, "behaviour": "slow", "delay": SLOW})
    key = str(uuid4())
    both = [here, there]

    with ThreadPoolExecutor(AT_ONCE) as threads:
        asking = [
            threads.submit(both[number % 2].invoke, "Log_Email", email=MAIL, key=key)
            for number in range(AT_ONCE)
        ]
        answers = [one.result() for one in asking]

    assert Counter(map(told, answers)) == {(200, ""): 1, (409, "duplicate_run"): AT_ONCE - 1}
    (first,) = (one.json() for one in answers if one.status_code == 200)
    refused = [one.json() for one in answers if one.status_code == 409]
    assert {one["run_id"] for one in refused} == {first["run_id"]}
    assert {one["run_status"] for one in refused} <= {"started", "succeeded"}
    assert [one["outcome"] for one in here.news() if is_invocation(one)] == ["ok"]
    assert [told(one.invoke("Log_Email", email=MAIL, key=key)) for one in both] == (
        [(409, "duplicate_run")] * 2
    )
    (row,) = here.send("GET", "/runs").json()["runs"]
    assert (row["run_id"], row["outcome"]) == (first["run_id"], "succeeded")


@pytest.mark.parametrize(
    ("fault", "further", "ran", "answer", "outcome"),
    [
        pytest.param(
            "reset_after", {}, 1, (504, "salesforce_timeout"), "outcome_unknown", id="lost-answer"
        ),
        pytest.param(
            "reset_before", {}, 0, (504, "salesforce_timeout"), "outcome_unknown", id="cut-off"
        ),
        pytest.param(
            "status",
            {"value": 500},
            0,
            (502, "salesforce_failed"),
            "outcome_unknown",
            id="failure-of-the-server",
        ),
        pytest.param("html", {}, 0, (502, "salesforce_failed"), "outcome_unknown", id="a-page"),
        pytest.param(
            "status",
            {"value": 302, "headers": {"Location": "/services/elsewhere"}},
            0,
            (502, "salesforce_failed"),
            "outcome_unknown",
            id="a-redirect",
        ),
        pytest.param(
            "status",
            {"value": 503},
            0,
            (503, "salesforce_unavailable"),
            "not_sent",
            id="unavailable",
        ),
    ],
)
def test_P11_after_a_call_that_may_have_arrived_nothing_is_sent_a_second_time(
    here: FlowCaller,
    there: FlowCaller,
    fault: str,
    further: dict[str, Any],
    ran: int,
    answer: tuple[int, str],
    outcome: str,
) -> None:
    here.describe("Log_Email")
    here.misbehave("Log_Email", fault, **further)
    key = str(uuid4())

    first = here.invoke("Log_Email", email=MAIL, key=key)
    again = [one.invoke("Log_Email", email=MAIL, key=key) for one in (here, there, here)]

    assert told(first) == answer
    is_open = outcome == "outcome_unknown"
    assert first.json().get("run_status") == (outcome if is_open else None)
    assert [told(one) for one in again] == [(409, "duplicate_run")] * 3
    assert {one.json()["run_status"] for one in again} == {outcome}
    assert carried_out(here.news()) == ran
    (row,) = here.send("GET", "/runs").json()["runs"]
    assert row["outcome"] == outcome
    assert {one.json()["run_id"] for one in again} == {row["run_id"]}
    assert told(here.invoke("Log_Email", email=MAIL, key=str(uuid4()))) == (200, "")


def test_P11_a_client_that_goes_away_and_comes_again_runs_the_flow_once(
    here: FlowCaller, there: FlowCaller
) -> None:
    """Its own time-out, a gateway's, or a pane that was closed: the Flow was running already."""
    here.put({**LOG, "behaviour": "slow", "delay": SLOW})
    here.describe("Log_Email")
    key = str(uuid4())

    with pytest.raises(requests.exceptions.ReadTimeout):
        impatiently(here, key)
    at_once = there.invoke("Log_Email", email=MAIL, key=key)
    last = until(lambda: there.invoke("Log_Email", email=MAIL, key=key), is_over)

    assert (told(at_once), at_once.json()["run_status"]) == ((409, "duplicate_run"), "started")
    assert (told(last), last.json()["run_status"]) == ((409, "duplicate_run"), "succeeded")
    assert carried_out(here.news()) == 1


def impatiently(caller: FlowCaller, key: str) -> None:
    """In plain HTTP: over TLS its end of the connection would wait for ours."""
    caller._http.post(
        f"{caller._info.service}/api/v1/flows/Log_Email/runs",
        json={"email": MAIL, "inputs": {}},
        headers={"Authorization": caller.authorization, "Idempotency-Key": key},
        timeout=SLOW / 3,
    )


def is_over(answer: requests.Response) -> bool:
    return bool(answer.json().get("run_status") != "started")


def until[T](ask: Callable[[], T], enough: Callable[[T], bool]) -> T:
    """The first answer that is enough."""
    ends = time.monotonic() + 10
    while not enough(found := ask()):
        assert time.monotonic() < ends, found
        time.sleep(0.2)
    return found


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"email": {"subject": "another"}}, id="another-mail"),
        pytest.param({"email": {**MAIL, "cc_emails": ["cc@example.com"]}}, id="one-field-more"),
        pytest.param({"email": MAIL, "inputs": {"note": "x"}}, id="an-input-more"),
        pytest.param({"email": MAIL, "name": "Another_Flow"}, id="another-flow"),
    ],
)
def test_P12_a_key_that_was_used_for_another_request_is_refused_at_every_process(
    here: FlowCaller, there: FlowCaller, other: dict[str, Any]
) -> None:
    here.put(LOG, flow("Another_Flow", *texts("subject")))
    key = str(uuid4())
    first = here.invoke("Log_Email", email=MAIL, key=key)

    asked: dict[str, Any] = {"name": "Log_Email", "key": key, **other}
    refused = [one.invoke(**asked) for one in (here, there)]

    assert first.status_code == 200
    assert [told(one) for one in refused] == [(422, "idempotency_key_reused")] * 2
    assert all("run_id" not in one.json() for one in refused)
    assert carried_out(here.news()) == 1


def test_P12_a_key_is_its_users_own(here: FlowCaller, clean_stack: StackInfo) -> None:
    """A colleague who guesses it learns nothing by it, and runs their own."""
    key = str(uuid4())
    with FlowCaller.connected(clean_stack, tid=here.tid) as colleague:
        colleague.put(LOG)
        answers = [one.invoke("Log_Email", email=MAIL, key=key) for one in (here, colleague)]

    assert [told(one) for one in answers] == [(200, "")] * 2
    assert len({one.json()["run_id"] for one in answers}) == 2


def test_P11_a_process_killed_while_the_flow_runs_leaves_a_run_that_is_never_run_again(
    here: FlowCaller, stack: StackInfo, tmp_path: Path
) -> None:
    """SIGKILL between the request and its answer: the row says what is known, to every process."""
    here.put({**LOG, "behaviour": "slow", "delay": SLOW})
    key = str(uuid4())
    with worker_beside(stack, tmp_path) as doomed, ThreadPoolExecutor(1) as beside:
        process = ServiceProcess.of(tmp_path / "stack.json")
        asking = beside.submit(here.at(doomed).invoke, "Log_Email", email=MAIL, key=key)
        running = until(lambda: [one for one in here.news() if is_invocation(one)], bool)
        process.kill()
        with pytest.raises(requests.exceptions.ConnectionError):
            asking.result()

    assert [one["status"] for one in running] == [None], "it was not under way"
    again = [here.invoke("Log_Email", email=MAIL, key=key) for _ in range(2)]
    assert [told(one) for one in again] == [(409, "duplicate_run")] * 2
    assert {one.json()["run_status"] for one in again} == {"started"}
    (row,) = here.send("GET", "/runs").json()["runs"]
    assert (row["outcome"], row["run_id"]) == ("started", again[0].json()["run_id"])
    assert [one for one in here.news() if is_invocation(one)] == []
