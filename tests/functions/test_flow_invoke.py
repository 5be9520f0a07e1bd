"""Running a Flow, from request to response, with fakes behind the ports."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from shared import errors
from shared.errors import FlowRunnerError
from shared.secret import Secret
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, FakeFlow, World, variable
from tests.functions.host import call, failure_of, json_of

MAIL: Final = {"sender_email": "sender@example.com", "subject": "canary-subject"}


async def invoked(
    world: World,
    token: Secret,
    body: object = None,
    *,
    flow: str = "Log_Email",
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Any:  # noqa: ANN401 - azure's response carries few types
    sent = dict(headers or {}) if key is None else {"Idempotency-Key": key}
    return await call(
        world.services,
        "flow_invoke",
        token=token,
        route={"flow": flow},
        headers=sent,
        body={"email": MAIL} if body is None else body,
    )


async def test_a_flow_runs_with_what_it_declares_and_its_outputs_come_back(
    world: World, connected: Secret
) -> None:
    body = {"email": MAIL, "inputs": {"recordId": "001000000000001"}}
    response = await invoked(world, connected, body)

    assert response.status_code == 200
    assert json_of(response) == {
        "run_id": world.runs.only().id,
        "status": "succeeded",
        "outputs": {"senderEmail": "sender@example.com", "subject": "canary-subject"},
    }
    (received,) = world.flows.received
    assert received.inputs == {
        "senderEmail": "sender@example.com",
        "subject": "canary-subject",
        "recordId": "001000000000001",
    }


async def test_p01_what_the_flow_does_not_declare_stays(world: World, connected: Secret) -> None:
    world.flows.put(FakeFlow(name="Subject_Only", inputs=(variable("subject"),)))
    mail = {**MAIL, "cc_emails": ["canary@example.com"], "message_id": "canary-id"}
    await invoked(world, connected, {"email": mail}, flow="Subject_Only")

    assert world.flows.received[-1].inputs == {"subject": "canary-subject"}


async def test_a_flow_that_waits_says_so(world: World, connected: Secret) -> None:
    assert json_of(await invoked(world, connected, flow="Waits_For_Approval"))["status"] == (
        "waiting"
    )


@pytest.mark.parametrize("body", [{}, {"email": None, "inputs": None, "org_id": None}])
async def test_a_flow_may_run_without_any_input(
    world: World, connected: Secret, body: object
) -> None:
    assert (await invoked(world, connected, body)).status_code == 200
    assert world.flows.received[-1].inputs == {}


async def test_one_org_of_several_can_be_named(world: World, connected: Secret) -> None:
    await world.connect(await world.signed_in("alice"), FABRIKAM_ORG)

    ambiguous = await invoked(world, connected, {})
    chosen = await invoked(world, connected, {"org_id": CONTOSO_ORG})

    assert failure_of(ambiguous) == (409, "org_ambiguous")
    assert chosen.status_code == 200


# --- refused before anything is sent -------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "members"),
    [
        pytest.param(
            {"inputs": {"Subject": "x"}},
            "undeclared_input",
            {"input": "Subject"},
            id="another-case",
        ),
        pytest.param(
            {"inputs": {"bcc": "x"}}, "undeclared_input", {"input": "bcc"}, id="undeclared"
        ),
        pytest.param(
            {"inputs": {"\ud800": "x"}},
            "undeclared_input",
            {"input": "\ud800"},
            id="a-name-that-is-no-unicode",
        ),
        pytest.param(
            {"inputs": {"subject": 7}},
            "invalid_input",
            {"input": "subject", "wanted": "STRING"},
            id="another-type",
        ),
        pytest.param({"inputs": {f"i{n}": 1 for n in range(65)}}, "invalid_request", {}, id="many"),
        pytest.param({"inputs": {"subject": "x" * 33_000}}, "invalid_request", {}, id="large"),
        pytest.param({"inputs": []}, "invalid_request", {}, id="inputs-that-are-a-list"),
        pytest.param({"inputs": "x"}, "invalid_request", {}, id="inputs-that-are-a-text"),
        pytest.param({"email": []}, "invalid_request", {}, id="a-mail-that-is-a-list"),
        pytest.param({"email": {"subject": 7}}, "invalid_request", {}, id="a-subject-of-digits"),
        pytest.param({"email": {"source": "x"}}, "invalid_request", {}, id="another-source"),
        pytest.param({"email": {"sent_at": "x"}}, "invalid_request", {}, id="no-time"),
        pytest.param({"org_id": "x"}, "invalid_request", {}, id="no-org"),
        pytest.param({"org_id": 7}, "invalid_request", {}, id="an-org-that-is-a-number"),
        pytest.param({"user": "x"}, "invalid_request", {}, id="an-unknown-member"),
    ],
)
async def test_what_does_not_fit_is_refused_by_name_and_never_by_value(
    world: World, connected: Secret, body: object, code: str, members: dict[str, str]
) -> None:
    response = await invoked(world, connected, body)
    told = json_of(response)

    assert failure_of(response) == (400, code)
    assert {name: told[name] for name in members} == members
    assert world.flows.received == []
    assert world.runs.rows == {}


@pytest.mark.parametrize(
    "flow", ["Nowhere", "", "../../sobjects/Account", "Log_Email?x", "Log_Email%2f", "a" * 129]
)
async def test_a_flow_that_is_not_there_or_cannot_be_is_not_found(
    world: World, connected: Secret, flow: str
) -> None:
    assert failure_of(await invoked(world, connected, flow=flow)) == (404, "not_found")
    assert world.runs.rows == {}


async def test_a_screen_flow_does_not_run_by_a_call(world: World, connected: Secret) -> None:
    response = await invoked(world, connected, flow="New_Lead_Screen")

    assert failure_of(response) == (400, "invalid_request")
    assert world.flows.received == []


async def test_without_a_connection_nothing_runs(world: World, alice: Secret) -> None:
    assert failure_of(await invoked(world, alice)) == (409, "salesforce_not_connected")


# --- failures of the run -------------------------------------------------------------------------


async def test_a_fault_of_the_flow_reaches_its_user_in_salesforces_words(
    world: World, connected: Secret
) -> None:
    response = await invoked(world, connected, flow="Always_Faults")
    told = json_of(response)

    assert failure_of(response) == (422, "flow_failed")
    assert told["run_id"] == world.runs.only().id
    assert told["errors"] == [
        {
            "statusCode": "UNKNOWN_EXCEPTION",
            "message": "An error occurred when executing a flow interview.",
        }
    ]


@pytest.mark.parametrize(
    ("failure", "answer", "outcome"),
    [
        (errors.SalesforceForbiddenError, (403, "salesforce_forbidden"), None),
        (lambda: errors.SalesforceLimitError(60), (429, "salesforce_limit_reached"), None),
        (errors.SalesforceUnavailableError, (503, "salesforce_unavailable"), None),
        (errors.SalesforceTimeoutError, (504, "salesforce_timeout"), "outcome_unknown"),
        (errors.SalesforceFailedError, (502, "salesforce_failed"), "outcome_unknown"),
        (errors.InvalidRequestError, (400, "invalid_request"), None),
        (errors.NotFoundError, (404, "not_found"), None),
        (RuntimeError, (500, "internal"), None),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else None,
)
async def test_p11_each_failure_says_whether_the_flow_may_have_run(
    world: World,
    connected: Secret,
    failure: Callable[[], FlowRunnerError],
    answer: tuple[int, str],
    outcome: str | None,
) -> None:
    world.flows.faults.plan("invoke", failure)
    response = await invoked(world, connected)
    told = json_of(response)

    assert failure_of(response) == answer
    assert told.get("run_status") == outcome
    if outcome is not None:
        assert told["run_id"] == world.runs.only().id


@pytest.mark.parametrize(
    ("where", "method", "failure", "answer"),
    [
        ("runs", "start", errors.StorageFailedError, (502, "storage_failed")),
        ("tenants", "remember_flow_name", errors.StorageFailedError, (502, "storage_failed")),
        ("connections", "of_user", errors.StorageFailedError, (502, "storage_failed")),
        ("flows", "describe", errors.SalesforceTimeoutError, (504, "salesforce_timeout")),
    ],
)
async def test_a_failure_before_the_call_leaves_it_uncalled(
    world: World,
    connected: Secret,
    where: str,
    method: str,
    failure: Callable[[], FlowRunnerError],
    answer: tuple[int, str],
) -> None:
    getattr(world, where).faults.plan(method, failure)
    response = await invoked(world, connected)

    assert failure_of(response) == answer
    assert "run_status" not in json_of(response)
    assert world.flows.received == []


async def test_a_run_whose_end_could_not_be_written_is_answered_all_the_same(
    world: World, connected: Secret
) -> None:
    world.runs.faults.plan("finish", errors.StorageFailedError, times=9)

    assert (await invoked(world, connected)).status_code == 200


async def test_outputs_that_are_no_unicode_reach_the_caller(
    world: World, connected: Secret
) -> None:
    """Half an emoji, as a Flow that cuts texts may well return."""
    response = await invoked(world, connected, {"inputs": {"subject": "x\ud83d"}})

    assert response.status_code == 200
    assert json_of(response)["outputs"]["subject"] == "x\ud83d"


# --- the idempotency key -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("k", id="one-character"),
        pytest.param("k" * 128, id="the-longest"),
        pytest.param("8e03978e-40d5-43e8-bc93-6894a57f9324", id="a-uuid"),
        pytest.param('"quoted" {and} | more ~', id="any-printable-ascii"),
    ],
)
async def test_the_same_key_runs_the_flow_once(world: World, connected: Secret, key: str) -> None:
    first = await invoked(world, connected, key=key)
    again = await invoked(world, connected, key=key)

    assert first.status_code == 200
    assert failure_of(again) == (409, "duplicate_run")
    assert json_of(again)["run_id"] == json_of(first)["run_id"]
    assert json_of(again)["run_status"] == "succeeded"
    assert len(world.flows.received) == 1


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("k" * 129, id="too-long"),
        pytest.param("k\tk", id="a-tab"),
        pytest.param("k\x00", id="a-nul"),
        pytest.param("k\x7f", id="delete"),
        pytest.param("k\r\nX: y", id="a-header"),
        pytest.param("schlüssel", id="beyond-ascii"),
        pytest.param("k\u2028", id="a-line-separator"),
    ],
)
async def test_a_key_of_another_form_is_invalid(world: World, connected: Secret, key: str) -> None:
    assert failure_of(await invoked(world, connected, key=key)) == (400, "invalid_request")
    assert world.flows.received == []


async def test_without_a_key_every_call_is_a_run_of_its_own(
    world: World, connected: Secret
) -> None:
    for _ in range(3):
        assert (await invoked(world, connected)).status_code == 200

    assert len(world.flows.received) == 3


async def test_p12_the_same_key_for_another_request_is_refused(
    world: World, connected: Secret
) -> None:
    await invoked(world, connected, {"email": MAIL}, key="k")
    others: list[dict[str, Any]] = [
        {"email": {**MAIL, "subject": "another"}},
        {"email": MAIL, "inputs": {"recordId": "001000000000001"}},
        {},
    ]
    for body in others:
        response = await invoked(world, connected, body, key="k")
        assert failure_of(response) == (422, "idempotency_key_reused")
    elsewhere = await invoked(world, connected, flow="Always_Faults", key="k")

    assert failure_of(elsewhere) == (422, "idempotency_key_reused")
    assert len(world.flows.received) == 1


async def test_the_order_of_members_makes_no_other_request(world: World, connected: Secret) -> None:
    await invoked(world, connected, {"email": {"subject": "a", "source": "gmail"}}, key="k")

    again = await invoked(
        world, connected, {"inputs": {}, "email": {"source": "gmail", "subject": "a"}}, key="k"
    )

    assert failure_of(again) == (409, "duplicate_run")


async def test_a_key_is_the_users_own(world: World, connected: Secret) -> None:
    await invoked(world, connected, key="k")
    bob = await world.sign_in("bob")
    await world.connect(bob.caller)

    assert (await invoked(world, bob.session, key="k")).status_code == 200
    assert len(world.flows.received) == 2


async def test_p11_a_key_whose_run_was_lost_says_so_and_runs_nothing(
    world: World, connected: Secret
) -> None:
    world.flows.faults.plan("invoke", errors.SalesforceTimeoutError, carried_out=True)
    await invoked(world, connected, key="k")

    again = await invoked(world, connected, key="k")

    assert failure_of(again) == (409, "duplicate_run")
    assert json_of(again)["run_status"] == "outcome_unknown"
    assert len(world.flows.received) == 1


async def test_p11_thirty_at_once_with_one_key_run_the_flow_once(
    world: World, connected: Secret
) -> None:
    answers = await asyncio.gather(*(invoked(world, connected, key="k") for _ in range(25)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 24
    assert len(world.flows.received) == 1


async def test_a_key_in_the_body_or_under_another_name_is_none(
    world: World, connected: Secret
) -> None:
    for _ in range(2):
        response = await invoked(world, connected, headers={"X-Idempotency-Key": "k"})
        assert response.status_code == 200

    refused = await invoked(world, connected, {"idempotency_key": "k"})
    assert failure_of(refused) == (400, "invalid_request")
