"""Listing and describing Flows, from request to response, with fakes behind the ports."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from shared import errors
from shared.errors import FlowRunnerError
from shared.secret import Secret
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, FakeFlow, World, variable
from tests.functions.host import call, failure_of, json_of

LIST: Final = "flow_list"
DESCRIBE: Final = "flow_describe"


async def described(world: World, token: Secret, flow: str = "Log_Email", **params: str) -> Any:  # noqa: ANN401
    return await call(world.services, DESCRIBE, token=token, route={"flow": flow}, params=params)


# --- list ----------------------------------------------------------------------------------------


async def test_the_flows_that_the_user_can_run_are_listed(world: World, connected: Secret) -> None:
    flows = json_of(await call(world.services, LIST, token=connected))["flows"]

    assert {
        "name": "Log_Email",
        "label": "Log Email",
        "description": "Logs an email",
        "kind": "autolaunched",
        "org_id": CONTOSO_ORG,
    } in flows
    assert {"ns__Sync_Contact", "New_Lead_Screen"} <= {flow["name"] for flow in flows}
    assert {flow["kind"] for flow in flows} == {"autolaunched", "screen"}


async def test_one_org_of_several_can_be_asked_for(world: World, connected: Secret) -> None:
    await world.connect(await world.signed_in("alice"), FABRIKAM_ORG)
    everywhere = json_of(await call(world.services, LIST, token=connected))["flows"]
    there = json_of(
        await call(world.services, LIST, token=connected, params={"org_id": FABRIKAM_ORG})
    )["flows"]

    assert {flow["org_id"] for flow in everywhere} == {CONTOSO_ORG, FABRIKAM_ORG}
    assert [flow["name"] for flow in there] == ["Log_Call"]


async def test_a_flow_that_the_user_may_not_run_is_not_listed(
    world: World, connected: Secret
) -> None:
    world.flows.put(FakeFlow(name="Only_For_Others", users=frozenset({"somebody-else"})))
    flows = json_of(await call(world.services, LIST, token=connected))["flows"]

    assert "Only_For_Others" not in {flow["name"] for flow in flows}


# --- describe ------------------------------------------------------------------------------------


async def test_a_flow_says_what_it_takes_gives_and_would_receive(
    world: World, connected: Secret
) -> None:
    world.flows.put(
        FakeFlow(
            name="Whole",
            label="The whole of it",
            inputs=(
                variable("FLR_from", description="who wrote"),
                variable("to", is_collection=True),
                variable("case", "SOBJECT", record_type="Case"),
            ),
            outputs=(variable("taskId", "ID"),),
        )
    )
    response = await described(world, connected, "Whole")

    assert response.status_code == 200
    assert json_of(response) == {
        "name": "Whole",
        "label": "The whole of it",
        "kind": "autolaunched",
        "inputs": [
            {
                "name": "FLR_from",
                "type": "STRING",
                "collection": False,
                "record_type": None,
                "description": "who wrote",
            },
            {
                "name": "to",
                "type": "STRING",
                "collection": True,
                "record_type": None,
                "description": None,
            },
            {
                "name": "case",
                "type": "SOBJECT",
                "collection": False,
                "record_type": "Case",
                "description": None,
            },
        ],
        "outputs": [
            {
                "name": "taskId",
                "type": "ID",
                "collection": False,
                "record_type": None,
                "description": None,
            }
        ],
        "email_fields": ["sender_email", "recipient_emails"],
    }


async def test_a_screen_flow_is_described_as_one(world: World, connected: Secret) -> None:
    assert json_of(await described(world, connected, "New_Lead_Screen"))["kind"] == "screen"


async def test_who_asks_sees_the_flow_as_it_is_now(world: World, connected: Secret) -> None:
    await described(world, connected)
    world.flows.put(FakeFlow(name="Log_Email", label="Renamed"))

    assert json_of(await described(world, connected))["label"] == "Renamed"


@pytest.mark.parametrize(
    "flow",
    [
        pytest.param("Nowhere", id="unknown"),
        pytest.param("", id="empty"),
        pytest.param("../../sobjects", id="p08-a-path"),
        pytest.param("%2e%2e%2fsobjects", id="p08-an-encoded-path"),
        pytest.param("Log_Email?x=1", id="p08-a-query"),
        pytest.param("Log_Email#x", id="p08-a-fragment"),
        pytest.param("Log_Email/x", id="p08-a-longer-path"),
        pytest.param("Log_Email\r\nX-Canary: 1", id="p06-a-header"),
        pytest.param("Log_Email\x00", id="p06-a-nul"),
        pytest.param("Log_Email ", id="a-space"),
        pytest.param("Lög_Email", id="p06-beyond-ascii"),
        pytest.param("１Log", id="a-full-width-digit"),  # noqa: RUF001 - on purpose
        pytest.param("_Log_Email", id="an-underscore-first"),
        pytest.param("1Log_Email", id="a-digit-first"),
        pytest.param("a" * 129, id="too-long"),
        pytest.param("Log_Email' OR Name != '", id="an-injection"),
    ],
)
async def test_a_flow_that_is_not_there_or_cannot_be_has_one_answer(
    world: World, connected: Secret, flow: str
) -> None:
    """The name becomes part of an address at Salesforce: nothing but a name passes (P-08)."""
    response = await described(world, connected, flow)

    assert failure_of(response) == (404, "not_found")
    assert "X-Canary" not in response.headers


async def test_a_flow_that_the_user_may_not_see_is_not_there(
    world: World, connected: Secret
) -> None:
    world.flows.put(FakeFlow(name="Only_For_Others", users=frozenset({"somebody-else"})))

    assert failure_of(await described(world, connected, "Only_For_Others")) == (404, "not_found")


# --- both ----------------------------------------------------------------------------------------

BOTH: Final = pytest.mark.parametrize("name", [LIST, DESCRIBE])
ROUTE: Final = {"flow": "Log_Email"}


@BOTH
async def test_without_a_connection_the_user_is_told_to_connect(
    world: World, alice: Secret, name: str
) -> None:
    for params in ({}, {"org_id": CONTOSO_ORG}):
        response = await call(world.services, name, token=alice, route=ROUTE, params=params)

        assert failure_of(response) == (409, "salesforce_not_connected")
        assert json_of(response)["action"] == "reconnect"


async def test_several_orgs_and_none_named_is_ambiguous(world: World, connected: Secret) -> None:
    await world.connect(await world.signed_in("alice"), FABRIKAM_ORG)

    assert failure_of(await described(world, connected)) == (409, "org_ambiguous")
    chosen = await described(world, connected, org_id=CONTOSO_ORG)
    assert json_of(chosen)["name"] == "Log_Email"


@BOTH
@pytest.mark.parametrize(
    "org_id", ["x", "001000000000001", "00D5g00000CONTOEA4", "00D", "00D5g00000CONTO/../x", " "]
)
async def test_an_org_id_of_another_form_is_invalid(
    world: World, connected: Secret, name: str, org_id: str
) -> None:
    response = await call(
        world.services, name, token=connected, route=ROUTE, params={"org_id": org_id}
    )

    assert failure_of(response) == (400, "invalid_request")


@BOTH
async def test_somebody_elses_org_is_not_connected(
    world: World, connected: Secret, name: str
) -> None:
    await world.connect(await world.signed_in("bob"), FABRIKAM_ORG)
    response = await call(
        world.services, name, token=connected, route=ROUTE, params={"org_id": FABRIKAM_ORG}
    )

    assert failure_of(response) == (409, "salesforce_not_connected")


@BOTH
@pytest.mark.parametrize(
    ("failure", "answer"),
    [
        (errors.SalesforceForbiddenError, (403, "salesforce_forbidden")),
        (lambda: errors.SalesforceLimitError(60), (429, "salesforce_limit_reached")),
        (errors.SalesforceFailedError, (502, "salesforce_failed")),
        (errors.SalesforceUnavailableError, (503, "salesforce_unavailable")),
        (errors.SalesforceTimeoutError, (504, "salesforce_timeout")),
        (RuntimeError, (500, "internal")),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "failure",
)
async def test_each_failure_of_salesforces_has_its_own_code(
    world: World,
    connected: Secret,
    name: str,
    failure: Callable[[], FlowRunnerError],
    answer: tuple[int, str],
) -> None:
    for method in ("list", "describe"):
        world.flows.faults.plan(method, failure)

    response = await call(world.services, name, token=connected, route=ROUTE)

    assert failure_of(response) == answer
    waits = answer[1] in ("salesforce_limit_reached", "salesforce_unavailable")
    assert ("Retry-After" in response.headers) is waits


@BOTH
@pytest.mark.parametrize(
    ("where", "method", "failure", "answer"),
    [
        ("connections", "load", errors.StorageFailedError, (502, "storage_failed")),
        ("connections", "of_user", errors.StorageFailedError, (502, "storage_failed")),
        ("key_wrapper", "unwrap", errors.KeyVaultFailedError, (502, "key_vault_failed")),
    ],
)
async def test_each_failure_of_ours_has_its_own_code(
    world: World,
    connected: Secret,
    name: str,
    where: str,
    method: str,
    failure: Callable[[], FlowRunnerError],
    answer: tuple[int, str],
) -> None:
    (key,) = world.tenant_keys.rows
    world.vault._opened.forget(key)
    getattr(world, where).faults.plan(method, failure)

    response = await call(world.services, name, token=connected, route=ROUTE)

    assert failure_of(response) == answer
    assert int(response.headers["Retry-After"]) > 0


@BOTH
async def test_p10_an_expired_access_token_is_refreshed_and_the_user_notices_nothing(
    world: World, connected: Secret, name: str
) -> None:
    world.login.expire_access_tokens()

    response = await call(world.services, name, token=connected, route=ROUTE)

    assert response.status_code == 200
    assert world.login.redemptions == 1


@BOTH
async def test_o13_a_grant_that_has_ended_says_why_and_what_to_do(
    world: World, connected: Secret, name: str
) -> None:
    world.login.expire_access_tokens()
    world.login.withdraw((await world.signed_in("alice")).user)

    response = await call(world.services, name, token=connected, route=ROUTE)

    assert failure_of(response) == (409, "salesforce_not_connected")
    body = json_of(response)
    assert (body["health"], body["action"]) == ("revoked", "reconnect")


@BOTH
async def test_more_than_thirty_requests_at_once_are_too_many(
    world: World, connected: Secret, name: str
) -> None:
    answers = [await call(world.services, name, token=connected, route=ROUTE) for _ in range(40)]
    refused = [answer for answer in answers if answer.status_code != 200]

    assert 5 <= len(refused) <= 12
    for answer in refused:
        assert failure_of(answer) == (429, "too_many_requests")
        assert int(answer.headers["Retry-After"]) >= 1


@BOTH
async def test_x08_a_method_in_a_header_changes_nothing(
    world: World, connected: Secret, name: str
) -> None:
    response = await call(
        world.services,
        name,
        token=connected,
        route=ROUTE,
        headers={"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "POST"},
    )

    assert response.status_code == 200
    assert world.flows.received == []
