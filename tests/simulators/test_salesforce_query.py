"""SOQL over the Flow views: screen Flows, their inputs, paging."""

import pytest

from local import scene
from local.simulators.salesforce import Salesforce
from tests.simulators.conftest import Serve
from tests.simulators.salesforce_rig import ORG, Rig, rest_error
from tests.simulators.serving import Clock, Json

QUERY = "/services/data/v66.0/query"
DEFINITIONS = (
    "SELECT DurableId, ApiName, Label, Description, ProcessType, TriggerType, ActiveVersionId, "
    "LatestVersionId, IsActive, IsOutOfDate, NamespacePrefix, ManageableState, "
    "InstalledPackageName, LastModifiedBy FROM FlowDefinitionView "
    "WHERE ProcessType IN ('Flow','AutoLaunchedFlow') AND ActiveVersionId != null"
)


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


@pytest.fixture
def token(rig: Rig) -> str:
    return rig.connect()["access_token"]


def run(rig: Rig, token: str, soql: str) -> Json:
    answer = rig.rest(QUERY, token, params={"q": soql})
    assert answer.status_code == 200, answer.text
    return answer.json()


def select(fields: str, view: str, where: str) -> str:
    return f"SELECT {fields} FROM {view} WHERE {where}"  # noqa: S608 - the simulator's own rows


def names(found: Json) -> list[str]:
    return [record["ApiName"] for record in found["records"]]


def test_the_query_for_flows_finds_screen_flows_too(rig: Rig, token: str) -> None:
    found = run(rig, token, DEFINITIONS)
    by_name = {record["ApiName"]: record for record in found["records"]}

    assert (found["totalSize"], found["done"]) == (7, True)
    screen = by_name["New_Lead_Screen"]
    assert screen["ProcessType"] == "Flow"
    assert screen["IsActive"] is False
    assert screen["ActiveVersionId"].startswith("301")
    assert screen["ActiveVersionId"] != screen["LatestVersionId"]
    assert screen["attributes"] == {
        "type": "FlowDefinitionView",
        "url": f"/services/data/v66.0/sobjects/FlowDefinitionView/{screen['DurableId']}",
    }
    assert (by_name["Log_Email"]["IsActive"], by_name["Log_Email"]["ProcessType"]) == (
        True,
        "AutoLaunchedFlow",
    )


def test_a_namespace_stands_in_its_own_column(rig: Rig, token: str) -> None:
    (record,) = run(rig, token, DEFINITIONS + " AND NamespacePrefix = 'ns'")["records"]

    assert (record["ApiName"], record["NamespacePrefix"]) == ("Sync_Contact", "ns")
    assert record["ManageableState"] == "installed"


def test_an_inactive_flow_has_no_active_version(rig: Rig, token: str) -> None:
    rig.put_org(
        org_id=scene.SALESFORCE_ORG_ID,
        instance_host=ORG,
        flows=[{"name": "Off", "kind": "screen", "active": False}, {"name": "On"}],
    )

    assert names(run(rig, token, DEFINITIONS)) == ["On"]
    assert names(
        run(rig, token, "SELECT ApiName FROM FlowDefinitionView WHERE ActiveVersionId = null")
    ) == ["Off"]


def test_only_flows_that_the_user_may_run_are_found(rig: Rig, token: str) -> None:
    rig.put_org(
        org_id=scene.SALESFORCE_ORG_ID,
        instance_host=ORG,
        flows=[{"name": "For_Bob", "users": ["bob"]}, {"name": "For_All"}],
    )

    assert names(run(rig, token, DEFINITIONS)) == ["For_All"]


def test_the_variables_of_the_active_version_are_found(rig: Rig, token: str) -> None:
    (flow,) = run(
        rig,
        token,
        "SELECT ActiveVersionId FROM FlowDefinitionView WHERE ApiName = 'New_Lead_Screen'",
    )["records"]
    found = run(
        rig,
        token,
        select(
            "ApiName, DataType, IsCollection, IsInput, IsOutput, ObjectType, Description",
            "FlowVariableView",
            f"FlowVersionViewId = '{flow['ActiveVersionId']}'",
        ),
    )

    shown = [
        (record["ApiName"], record["DataType"], record["IsInput"], record["IsOutput"])
        for record in found["records"]
    ]
    assert shown == [
        ("senderEmail", "String", True, False),
        ("recordId", "String", True, False),
        ("leadId", "String", False, True),
    ]


def test_a_variable_that_is_input_and_output_is_one_row(rig: Rig, token: str) -> None:
    rig.put_org(
        org_id=scene.SALESFORCE_ORG_ID,
        instance_host=ORG,
        flows=[
            {
                "name": "Mine",
                "inputs": [
                    {
                        "name": "contacts",
                        "type": "SOBJECT",
                        "sobject_type": "Contact",
                        "collection": True,
                    },
                    {"name": "amount", "type": "CURRENCY"},
                    {"name": "count", "type": "INTEGER"},
                ],
                "outputs": [{"name": "count", "type": "INTEGER"}],
            }
        ],
    )
    (flow,) = run(rig, token, "SELECT ActiveVersionId FROM FlowDefinitionView")["records"]
    found = run(
        rig,
        token,
        select(
            "ApiName, DataType, IsCollection, IsInput, IsOutput, ObjectType",
            "FlowVariableView",
            f"FlowVersionViewId = '{flow['ActiveVersionId']}'",
        ),
    )["records"]

    assert [tuple(record.values())[1:] for record in found] == [
        ("contacts", "sObject", True, True, False, "Contact"),
        ("amount", "Currency", False, True, False, None),
        ("count", "Number", False, True, True, None),
    ]


def test_the_versions_of_a_flow_are_found(rig: Rig, token: str) -> None:
    (flow,) = run(
        rig, token, "SELECT DurableId FROM FlowDefinitionView WHERE ProcessType = 'Flow'"
    )["records"]
    found = run(
        rig,
        token,
        select(
            "VersionNumber, Status",
            "FlowVersionView",
            f"FlowDefinitionViewId = '{flow['DurableId']}' ORDER BY VersionNumber DESC",
        ),
    )["records"]

    assert [(record["VersionNumber"], record["Status"]) for record in found] == [
        (2, "Draft"),
        (1, "Active"),
    ]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param("ApiName LIKE 'Log%'", ["Log_Email"], id="like"),
        pytest.param("apiname = 'log_email'", ["Log_Email"], id="case-does-not-matter"),
        pytest.param(
            "ApiName NOT IN ('Log_Email') AND IsActive = false",
            ["New_Lead_Screen"],
            id="not-in-and-boolean",
        ),
        pytest.param("ApiName = 'it\\'s'", [], id="escaped-quote"),
        pytest.param("Description != null ORDER BY ApiName LIMIT 1", ["Create_Case"], id="limit"),
        pytest.param(
            "Description <> null ORDER BY ApiName LIMIT 1 OFFSET 1", ["Log_Email"], id="offset"
        ),
    ],
)
def test_conditions_choose_among_flows(
    rig: Rig, token: str, where: str, expected: list[str]
) -> None:
    soql = select("ApiName", "FlowDefinitionView", where)

    assert names(run(rig, token, soql)) == expected


@pytest.mark.parametrize(
    ("soql", "error_code"),
    [
        pytest.param("", "MALFORMED_QUERY", id="empty"),
        pytest.param("SELECT", "MALFORMED_QUERY", id="select-alone"),
        pytest.param("SELECT ApiName FROM FlowDefinitionView WHERE", "MALFORMED_QUERY", id="where"),
        pytest.param(
            "SELECT ApiName FROM FlowDefinitionView WHERE ApiName = 'x' OR ApiName = 'y'",
            "MALFORMED_QUERY",
            id="or",
        ),
        pytest.param("SELECT ApiName FROM FlowDefinitionView; DROP", "MALFORMED_QUERY", id="sign"),
        pytest.param(
            "SELECT ApiName FROM FlowDefinitionView WHERE ApiName = x",
            "MALFORMED_QUERY",
            id="bare-word",
        ),
        pytest.param(
            "SELECT ApiName FROM FlowDefinitionView LIMIT x", "MALFORMED_QUERY", id="limit-word"
        ),
        pytest.param("SELECT Secret FROM FlowDefinitionView", "INVALID_FIELD", id="field"),
        pytest.param(
            "SELECT ApiName FROM FlowDefinitionView WHERE Secret = 'x'",
            "INVALID_FIELD",
            id="field-in-where",
        ),
        pytest.param("SELECT Id FROM Account", "INVALID_TYPE", id="another-object"),
        pytest.param(
            "SELECT ApiName FROM FlowVariableView",
            "MALFORMED_QUERY",
            id="variables-without-version",
        ),
        pytest.param(
            "SELECT ApiName FROM FlowVariableView WHERE FlowVersionViewId != null",
            "MALFORMED_QUERY",
            id="variables-of-any-version",
        ),
        pytest.param(
            "SELECT Status FROM FlowVersionView WHERE Status = 'Active'",
            "MALFORMED_QUERY",
            id="versions-without-flow",
        ),
    ],
)
def test_a_query_that_is_not_right_is_400(rig: Rig, token: str, soql: str, error_code: str) -> None:
    assert rest_error(rig.rest(QUERY, token, params={"q": soql})) == (400, error_code)


def test_a_long_result_comes_in_pages(rig: Rig, token: str) -> None:
    flows = [{"name": f"Flow_{number}"} for number in range(5)]
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, flows=flows, query_batch=2)
    pages = [run(rig, token, "SELECT ApiName FROM FlowDefinitionView")]
    while "nextRecordsUrl" in pages[-1]:
        pages.append(rig.rest(pages[-1]["nextRecordsUrl"], token).json())

    assert [len(page["records"]) for page in pages] == [2, 2, 1]
    assert [page["done"] for page in pages] == [False, False, True]
    assert {page["totalSize"] for page in pages} == {5}
    assert [name for page in pages for name in names(page)] == [flow["name"] for flow in flows]


def test_a_client_may_ask_for_smaller_pages_of_at_least_200(rig: Rig, token: str) -> None:
    flows = [{"name": f"Flow_{number}"} for number in range(250)]
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, flows=flows)
    headers = {"Authorization": f"Bearer {token}", "Sforce-Query-Options": "batchSize=10"}

    page = rig.request(
        "GET",
        f"https://{ORG}{QUERY}",
        headers=headers,
        params={"q": "SELECT ApiName FROM FlowDefinitionView"},
    ).json()

    assert len(page["records"]) == 200


def test_the_next_page_belongs_to_who_asked(rig: Rig, token: str) -> None:
    flows = [{"name": f"Flow_{number}"} for number in range(3)]
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, flows=flows, query_batch=2)
    following = run(rig, token, "SELECT ApiName FROM FlowDefinitionView")["nextRecordsUrl"]
    bob = rig.connect("bob")["access_token"]

    assert rest_error(rig.rest(following, bob)) == (400, "INVALID_QUERY_LOCATOR")
    assert rest_error(rig.rest(f"{QUERY}/01g000-2000", token)) == (400, "INVALID_QUERY_LOCATOR")
    assert rig.rest(following, token).status_code == 200
