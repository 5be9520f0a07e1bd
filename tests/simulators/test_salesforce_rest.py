"""What all REST calls share: versions, sessions, limits, errors, compression."""

import gzip

import pytest

from local import scene
from local.simulators.salesforce import Salesforce
from tests.simulators.conftest import Serve
from tests.simulators.salesforce_rig import (
    FLOWS,
    LOGIN,
    ORG,
    OTHER_ORG,
    SANDBOX,
    Rig,
    rest_error,
)
from tests.simulators.serving import Clock

EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


@pytest.mark.parametrize("path", ["/services/data/", "/services/data"])
def test_the_versions_are_told_without_authentication(rig: Rig, path: str) -> None:
    answer = rig.request("GET", f"https://{ORG}{path}")

    versions = answer.json()
    assert [entry["version"] for entry in versions] == [f"{number}.0" for number in range(60, 69)]
    assert versions[-1] == {
        "label": "Winter '27",
        "url": "/services/data/v68.0",
        "version": "68.0",
    }
    assert (versions[0]["label"], versions[6]["label"]) == ("Spring '24", "Spring '26")


def test_a_dead_token_is_401_with_an_array(rig: Rig, clock: Clock) -> None:
    token = rig.connect()["access_token"]
    clock.advance(7200)

    answer = rig.rest(FLOWS, token)

    assert (answer.status_code, answer.json()) == (401, EXPIRED)
    assert answer.headers["WWW-Authenticate"] == "Token"
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no-header"),
        pytest.param({"Authorization": "Bearer"}, id="no-token"),
        pytest.param({"Authorization": "Bearer 00D5g00000CONTO!nothing"}, id="unknown-token"),
        pytest.param({"Authorization": "Basic YTpi"}, id="another-scheme"),
    ],
)
def test_without_a_session_nothing_is_answered(rig: Rig, headers: dict[str, str]) -> None:
    answer = rig.request("GET", f"https://{ORG}{FLOWS}", headers=headers)

    assert (answer.status_code, answer.json()) == (401, EXPIRED)


@pytest.mark.parametrize("host", [OTHER_ORG, SANDBOX, LOGIN])
def test_a_token_of_one_org_is_nothing_at_another_host(rig: Rig, host: str) -> None:
    token = rig.connect()["access_token"]

    assert rig.rest(FLOWS, token, host=host).json() == EXPIRED
    assert rig.alive(token)


def test_a_token_without_the_scope_api_is_not_for_rest(rig: Rig) -> None:
    token = rig.connect(scope="web refresh_token")["access_token"]

    answer = rig.rest(FLOWS, token)

    assert answer.status_code == 401
    assert answer.json() == [
        {
            "message": "This session is not valid for use with the REST API",
            "errorCode": "INVALID_SESSION_ID",
        }
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/services/data/v66.0/sobjects/Account",
        "/services/data/v66.0/actions/custom/flow/Log_Email/extra",
        "/services/data/v99.0/actions/custom/flow",
        "/services/data/v66/actions/custom/flow",
        "/services/data/66.0/query?q=SELECT+ApiName+FROM+FlowDefinitionView",
    ],
)
def test_what_does_not_exist_is_404_with_an_array(rig: Rig, path: str) -> None:
    token = rig.connect()["access_token"]

    answer = rig.rest(path, token)

    assert answer.status_code == 404
    assert answer.json() == [
        {"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}
    ]
    assert rest_error(rig.rest(path, "")) == (401, "INVALID_SESSION_ID")


def test_a_wrong_method_is_405(rig: Rig) -> None:
    answer = rig.rest(FLOWS, rig.connect()["access_token"], method="DELETE")

    assert rest_error(answer) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "GET, HEAD"


def test_every_answer_tells_how_much_was_used(rig: Rig) -> None:
    token = rig.connect()["access_token"]

    used = [
        rig.rest(path, token).headers["Sforce-Limit-Info"]
        for path in (FLOWS, "/services/data/v66.0/x")
    ]

    assert used == ["api-usage=1/1000000", "api-usage=2/1000000"]


def test_beyond_the_daily_limit_everything_is_refused(rig: Rig, clock: Clock) -> None:
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, api_limit=2)
    fields = rig.connect()
    answers = [rig.rest(FLOWS, fields["access_token"]) for _ in range(3)]
    clock.advance(24 * 3600)
    fresh = rig.refresh(fields["refresh_token"]).json()["access_token"]

    assert [answer.status_code for answer in answers] == [200, 200, 403]
    assert answers[2].json() == [
        {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
    ]
    assert rig.alive(fresh)


@pytest.mark.parametrize(
    ("status", "error_code"),
    [
        (403, "API_DISABLED_FOR_ORG"),
        (403, "INSUFFICIENT_ACCESS"),
        (503, "SERVER_UNAVAILABLE"),
        (401, "INVALID_SESSION_ID"),
    ],
)
def test_a_rest_error_can_be_scripted(rig: Rig, status: int, error_code: str) -> None:
    token = rig.connect()["access_token"]
    rig.script(errorCode=error_code, message="scripted", status=status, path=FLOWS)

    assert rest_error(rig.rest(FLOWS, token)) == (status, error_code)
    assert rig.alive(token)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        pytest.param("gzip, deflate", "gzip", id="asked-for"),
        pytest.param("identity", None, id="not-asked-for"),
        pytest.param("gzip;q=0, identity", None, id="asked-not-to"),
    ],
)
def test_answers_are_compressed_for_who_asks(rig: Rig, accepted: str, coding: str | None) -> None:
    token = rig.connect()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": accepted}

    answer = rig.request("GET", f"https://{ORG}{FLOWS}", headers=headers, stream=True)
    raw = answer.raw.read(decode_content=False)

    assert answer.headers.get("Content-Encoding") == coding
    assert b'"actions"' in (gzip.decompress(raw) if coding else raw)


def test_a_request_may_be_compressed(rig: Rig) -> None:
    headers = {
        "Authorization": f"Bearer {rig.connect()['access_token']}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    body = gzip.compress(b'{"inputs": [{"subject": "Hello"}]}')

    answer = rig.request("POST", f"https://{ORG}{FLOWS}/Log_Email", headers=headers, data=body)

    assert answer.json()[0]["outputValues"]["subject"] == "Hello"
