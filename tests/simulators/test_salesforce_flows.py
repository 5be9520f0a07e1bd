"""Flows by REST: list, describe, invoke."""

import time

import pytest

from local import scene
from local.simulators.salesforce import Salesforce
from local.simulators.salesforce.ids import is_id
from tests.simulators.conftest import Serve
from tests.simulators.salesforce_rig import FLOWS, ORG, Rig, rest_error
from tests.simulators.serving import Clock


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


@pytest.fixture
def token(rig: Rig) -> str:
    return rig.connect()["access_token"]


def put_flow(rig: Rig, **flow: object) -> None:
    """The org has this Flow alone."""
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, flows=[{"name": "Mine", **flow}])


def test_the_list_shows_active_autolaunched_flows(rig: Rig, token: str) -> None:
    actions = rig.rest(FLOWS, token).json()["actions"]

    assert [action["name"] for action in actions] == [
        "Log_Email",
        "Create_Case",
        "ns__Sync_Contact",
        "Always_Faults",
        "Waits_For_Approval",
        "Takes_Its_Time",
    ]
    assert actions[2] == {
        "label": "Sync Contact",
        "name": "ns__Sync_Contact",
        "type": "FLOW",
        "url": f"{FLOWS}/ns__Sync_Contact",
    }


def test_the_types_of_custom_actions_are_listed(rig: Rig, token: str) -> None:
    types = rig.rest("/services/data/v60.0/actions/custom", token).json()

    assert types["flow"] == "/services/data/v60.0/actions/custom/flow"


def test_a_describe_shows_inputs_and_outputs(rig: Rig, token: str) -> None:
    described = rig.rest(f"{FLOWS}/Log_Email", token).json()
    inputs = {variable["name"]: variable for variable in described["inputs"]}
    outputs = {variable["name"]: variable for variable in described["outputs"]}

    assert (described["name"], described["type"], described["standard"]) == (
        "Log_Email",
        "FLOW",
        False,
    )
    assert inputs["subject"]["maxOccurs"] == 1
    assert inputs["recipientEmails"]["maxOccurs"] == 2000
    assert {variable["required"] for variable in inputs.values()} == {False}
    assert outputs["Flow__InterviewStatus"]["type"] == "PICKLIST"
    assert outputs.keys() - inputs.keys() == {"Flow__InterviewStatus", "Flow__InterviewGuid"}


def test_a_describe_names_types_records_and_picklists(rig: Rig, token: str) -> None:
    case = rig.rest(f"{FLOWS}/Create_Case", token).json()["inputs"]
    contact = rig.rest(f"{FLOWS}/ns__Sync_Contact", token).json()["inputs"]

    assert {variable["name"]: variable["type"] for variable in contact} == {
        "age": "INTEGER",
        "optedIn": "BOOLEAN",
        "birthday": "DATE",
        "lastSeen": "DATETIME",
        "score": "DOUBLE",
        "contact": "SOBJECT",
    }
    assert contact[5]["sobjectType"] == "Contact"
    assert [value["value"] for value in case[1]["picklistValues"]] == ["High", "Medium", "Low"]


def test_an_apex_defined_variable_has_a_class_and_no_type(rig: Rig, token: str) -> None:
    put_flow(rig, inputs=[{"name": "parsed", "type": "APEX", "apex_class": "Parser$Result"}])

    (variable,) = rig.rest(f"{FLOWS}/Mine", token).json()["inputs"]

    assert (variable["apexClass"], variable["type"]) == ("Parser$Result", None)


@pytest.mark.parametrize("flow", ["Nothing", "New_Lead_Screen", "log_email", "Sync_Contact"])
def test_what_cannot_be_called_is_404(rig: Rig, token: str, flow: str) -> None:
    described = rig.rest(f"{FLOWS}/{flow}", token)
    invoked = rig.invoke(flow, token, {})

    assert rest_error(described) == rest_error(invoked) == (404, "NOT_FOUND")
    assert described.json()[0]["message"] == "The requested resource does not exist"
    assert invoked.json()[0]["message"] == f"Invalid Action Type: {flow}"


@pytest.mark.parametrize("change", [{"active": False}, {"trigger_type": "RecordAfterSave"}])
def test_an_inactive_or_triggered_flow_cannot_be_called(
    rig: Rig, token: str, change: dict[str, object]
) -> None:
    put_flow(rig, **change)

    assert rig.rest(FLOWS, token).json() == {"actions": []}
    assert rig.rest(f"{FLOWS}/Mine", token).status_code == 404
    assert rig.invoke("Mine", token, {}).status_code == 404


def test_a_flow_with_a_newer_draft_can_be_called(rig: Rig, token: str) -> None:
    put_flow(rig, draft=True)

    assert rig.invoke("Mine", token, {}).json()[0]["isSuccess"] is True


def test_a_flow_may_be_limited_to_some_users(rig: Rig, token: str) -> None:
    bob = rig.connect("bob")["access_token"]
    put_flow(rig, users=["bob"])

    assert rig.rest(FLOWS, token).json() == {"actions": []}
    assert rig.rest(f"{FLOWS}/Mine", token).status_code == 404
    assert rest_error(rig.invoke("Mine", token, {})) == (403, "INSUFFICIENT_ACCESS")
    assert rig.invoke("Mine", bob, {}).status_code == 200


def test_an_echo_answers_what_was_sent(rig: Rig, token: str) -> None:
    sent = {"subject": "Hello", "recipientEmails": ["a@example.com", "b@example.com"]}

    (result,) = rig.invoke("Log_Email", token, sent).json()

    outputs = result["outputValues"]
    assert (result["actionName"], result["isSuccess"], result["errors"]) == (
        "Log_Email",
        True,
        None,
    )
    assert {name: outputs[name] for name in sent} == sent
    assert outputs["senderEmail"] is None
    assert outputs["Flow__InterviewStatus"] == "Finished"
    assert outputs["Flow__InterviewGuid"]


def test_each_run_makes_its_own_case(rig: Rig, token: str) -> None:
    runs = [rig.invoke("Create_Case", token, {"subject": "x"}).json()[0] for _ in range(2)]
    cases = [run["outputValues"] for run in runs]

    assert [case["caseNumber"] for case in cases] == ["00000001", "00000002"]
    assert all(is_id(case["caseId"]) and case["caseId"].startswith("500") for case in cases)
    assert "subject" not in cases[0]
    assert rig.ledger()["invocations"] == 2


def test_there_is_one_result_for_each_input(rig: Rig, token: str) -> None:
    results = rig.invoke("Log_Email", token, {"subject": "one"}, {"subject": "two"}).json()

    assert [result["outputValues"]["subject"] for result in results] == ["one", "two"]


@pytest.mark.parametrize("status", [400, 200])
def test_a_fault_is_a_result_whatever_the_status(rig: Rig, token: str, status: int) -> None:
    put_flow(rig, behaviour="fault", fault_status=status)

    answer = rig.invoke("Mine", token, {})

    assert answer.status_code == status
    (result,) = answer.json()
    assert (result["isSuccess"], result["outputValues"]) == (False, None)
    assert result["errors"] == [
        {
            "statusCode": "UNKNOWN_EXCEPTION",
            "message": "An error occurred when executing a flow interview.",
            "fields": [],
        }
    ]
    assert "errorCode" not in result


def test_a_fault_is_400_unless_set_otherwise(rig: Rig, token: str) -> None:
    assert rig.invoke("Always_Faults", token, {}).status_code == 400


def test_a_paused_interview_is_a_success(rig: Rig, token: str) -> None:
    (result,) = rig.invoke("Waits_For_Approval", token, {"subject": "x"}).json()

    assert result["isSuccess"] is True
    assert result["outputValues"]["Flow__InterviewStatus"] == "Waiting"


def test_a_slow_flow_takes_its_time(rig: Rig, token: str) -> None:
    put_flow(rig, behaviour="slow", delay=0.3)
    began = time.monotonic()

    assert rig.invoke("Mine", token, {}).status_code == 200
    assert time.monotonic() - began >= 0.3
