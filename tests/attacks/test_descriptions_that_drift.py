"""P-14, P-10: between a description and the call that was made with it the Flow is changed, or the
access token ends. The answer is clear, nothing more leaves than was shown, and the call after it
is right."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from uuid import uuid4

import pytest

from local.stack_info import StackInfo
from tests.attacks.flow_callers import FlowCaller, carried_out, flow, is_invocation, texts, told
from tests.attacks.second_worker import worker_beside

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

MAIL: Final = {
    "subject": "a subject",
    "sender_email": "canary-sender@example.com",
    "cc_emails": ["canary-cc@example.com"],
}
SUBJECT: Final = flow("Log_Email", *texts("subject"))


@pytest.fixture
def caller(clean_stack: StackInfo) -> Iterator[FlowCaller]:
    """Who has just seen what the Flow takes: the subject."""
    with FlowCaller.connected(clean_stack) as connected:
        connected.put(SUBJECT)
        assert connected.describe("Log_Email").json()["email_fields"] == ["subject"]
        connected.news()
        yield connected


def test_P14_an_input_that_was_added_gets_nothing_before_it_was_shown(caller: FlowCaller) -> None:
    caller.put(flow("Log_Email", *texts("subject", "senderEmail", "ccEmails")))

    unaware = caller.invoke("Log_Email", email=MAIL)
    sent = caller.news_of_runs()
    shown = caller.describe("Log_Email").json()["email_fields"]
    aware = caller.invoke("Log_Email", email=MAIL)

    assert (told(unaware), sent) == ((200, ""), [{"inputs": [{"subject": "a subject"}]}])
    assert shown == ["sender_email", "cc_emails", "subject"]
    assert told(aware) == (200, "")
    expected = {
        "subject": "a subject",
        "senderEmail": "canary-sender@example.com",
        "ccEmails": "canary-cc@example.com",
    }
    assert caller.news_of_runs() == [{"inputs": [expected]}]


def test_P14_an_input_that_was_added_because_the_flow_needs_it_ends_in_the_flows_own_fault(
    caller: FlowCaller,
) -> None:
    """Salesforce declares no input of a Flow as required: a Flow that gets less than it needs
    fails by itself. Its user is told so in its words, and no field is sent that was not shown."""
    needy = flow("Log_Email", *texts("subject", "senderEmail"), behaviour="fault")
    caller.put(needy)

    answer = caller.invoke("Log_Email", email=MAIL)

    assert told(answer) == (422, "flow_failed")
    assert answer.json()["errors"][0]["statusCode"] == "UNKNOWN_EXCEPTION"
    assert caller.news_of_runs() == [{"inputs": [{"subject": "a subject"}]}]


def test_P14_an_input_that_was_taken_away_is_refused_and_the_next_call_is_right(
    caller: FlowCaller,
) -> None:
    caller.put(flow("Log_Email", *texts("senderEmail")))
    key = str(uuid4())

    refused = caller.invoke("Log_Email", email=MAIL, key=key)
    again = caller.invoke("Log_Email", email=MAIL, key=key)
    first = caller.news()
    right = caller.invoke("Log_Email", email=MAIL)

    assert told(refused) == (400, "invalid_request")
    assert (told(again), again.json()["run_status"]) == ((409, "duplicate_run"), "refused")
    assert carried_out(first) == 0
    assert [one["body"] for one in first if is_invocation(one)] == [
        {"inputs": [{"subject": "a subject"}]}
    ]
    assert told(right) == (200, "")
    assert caller.news_of_runs() == [{"inputs": [{"senderEmail": "canary-sender@example.com"}]}]


def test_P14_an_input_whose_type_was_changed_is_refused_and_the_next_call_is_right(
    caller: FlowCaller,
) -> None:
    """A number is asked for now: the mail has none, and a text for it is the caller's mistake."""
    caller.put(flow("Log_Email", {"name": "subject", "type": "INTEGER"}))

    refused = caller.invoke("Log_Email", email=MAIL)
    first = caller.news()
    right = caller.invoke("Log_Email", email=MAIL)
    mistyped = caller.invoke("Log_Email", inputs={"subject": "a text"})

    assert told(refused) == (400, "invalid_request")
    assert carried_out(first) == 0
    assert told(right) == (200, "")
    assert (told(mistyped), mistyped.json()["wanted"]) == ((400, "invalid_input"), "INTEGER")
    assert caller.news_of_runs() == [{"inputs": [{}]}]


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param([flow("Log_Email", *texts("subject"), active=False)], id="inactive"),
        pytest.param([], id="deleted"),
        pytest.param(
            [flow("Log_Email", *texts("subject"), trigger_type="RecordAfterSave")], id="triggered"
        ),
    ],
)
def test_P14_a_flow_that_is_gone_is_not_found_and_runs_as_it_is_when_it_is_back(
    caller: FlowCaller, gone: list[dict[str, Any]]
) -> None:
    caller.put(*gone)

    answers = [caller.invoke("Log_Email", email=MAIL) for _ in range(2)]
    described = caller.describe("Log_Email")
    ran = carried_out(caller.news())
    caller.put(flow("Log_Email", *texts("senderEmail")))
    back = caller.invoke("Log_Email", email=MAIL)

    assert [told(one) for one in (*answers, described)] == [(404, "not_found")] * 3
    assert ran == 0
    assert told(back) == (200, "")
    assert caller.news_of_runs() == [{"inputs": [{"senderEmail": "canary-sender@example.com"}]}]


def test_P14_a_flow_that_is_gone_is_not_called_by_its_old_description(caller: FlowCaller) -> None:
    """The refusal tells that the description is out of date: the next call begins with a new one,
    and brings no mail to a Flow of that name that is another by then."""
    caller.put()
    assert told(caller.invoke("Log_Email", email=MAIL)) == (404, "not_found")
    caller.put(flow("Log_Email", *texts("senderEmail")))
    caller.news()

    answer = caller.invoke("Log_Email", email=MAIL)

    assert told(answer) == (200, "")
    assert caller.news_of_runs() == [{"inputs": [{"senderEmail": "canary-sender@example.com"}]}]


def test_P14_what_one_process_has_shown_the_other_takes(
    caller: FlowCaller, stack: StackInfo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The pane describes at one process and invokes at another, which remembers how the Flow was
    before: an input that the user was shown is not undeclared."""
    with worker_beside(stack, tmp_path_factory.mktemp("beside")) as beside:
        there = caller.at(beside)
        assert told(there.invoke("Log_Email", email=MAIL)) == (200, "")
        caller.put(flow("Log_Email", *texts("subject", "note")))
        shown = caller.describe("Log_Email").json()["inputs"]
        answer = there.invoke("Log_Email", email=MAIL, inputs={"note": "a note"})

    assert [one["name"] for one in shown] == ["subject", "note"]
    assert told(answer) == (200, ""), answer.text


# --- P-10: the access token ends ------------------------------------------------------------------


def test_P10_access_that_ends_before_the_call_is_refreshed_once_and_the_flow_runs_once(
    caller: FlowCaller,
) -> None:
    before = caller.control("/_sim/salesforce/ledger")
    caller.expire_access()

    answer = caller.invoke("Log_Email", email=MAIL)

    assert told(answer) == (200, "")
    calls = [one for one in caller.news() if is_invocation(one)]
    assert [(one["status"], one["outcome"]) for one in calls] == [
        (401, "INVALID_SESSION_ID"),
        (200, "ok"),
    ]
    assert calls[0]["body"] == calls[1]["body"] == {"inputs": [{"subject": "a subject"}]}
    assert calls[0]["header_values"]["Authorization"] != calls[1]["header_values"]["Authorization"]
    after = caller.control("/_sim/salesforce/ledger")
    assert after["redemptions"] - before["redemptions"] == 1
    assert after["replays"] == before["replays"]
    assert after["invocations"] - before["invocations"] == 1


def test_P10_of_sixteen_calls_at_once_with_ended_access_each_runs_once_after_one_refresh(
    caller: FlowCaller,
) -> None:
    before = caller.control("/_sim/salesforce/ledger")
    caller.expire_access()

    with ThreadPoolExecutor(16) as threads:
        asking = [
            threads.submit(caller.invoke, "Log_Email", email={"subject": f"mail {number}"})
            for number in range(16)
        ]
        answers = [one.result() for one in asking]

    assert [told(one) for one in answers] == [(200, "")] * 16
    ran = [one for one in caller.news() if is_invocation(one) and one["outcome"] == "ok"]
    subjects = sorted(one["body"]["inputs"][0]["subject"] for one in ran)
    assert subjects == sorted(f"mail {number}" for number in range(16))
    after = caller.control("/_sim/salesforce/ledger")
    assert after["redemptions"] - before["redemptions"] == 1
    assert after["replays"] == before["replays"]


def test_P10_an_org_that_refuses_fresh_access_as_well_is_asked_twice_and_no_more(
    caller: FlowCaller,
) -> None:
    caller.control(
        "/_sim/salesforce/errors",
        {
            "path": "/services/data/",
            "errorCode": "INVALID_SESSION_ID",
            "message": "Session expired or invalid",
            "status": 401,
            "times": 2,  # those of this call, and none for whoever comes later
        },
    )
    answer = caller.invoke("Log_Email", email=MAIL)

    assert told(answer) == (409, "salesforce_not_connected")
    assert [one["status"] for one in caller.news() if is_invocation(one)] == [401, 401]
    (row,) = caller.send("GET", "/runs").json()["runs"]
    assert row["outcome"] == "not_sent"
