"""N-01 once more, over HTTP: the ids in paths, through the host's routes, headers and all."""

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from time import sleep
from typing import Any, Final

import pytest
import requests

from functions.routes import contract
from local import scene
from local.addin import AddIn
from local.stack_info import StackInfo
from shared.model import OrgId
from shared.storage import TABLE_NAMES
from tests.attacks.people import ABSENT_ORG, STRANGE_ORG, Whose
from tests.attacks.places import Places
from tests.control_client import ControlClient

pytestmark = pytest.mark.stack

ORGS: Final = {
    Whose.OWN: ("alice", OrgId.parse(scene.SALESFORCE_ORG_ID), scene.SALESFORCE_ORG_HOST),
    Whose.COLLEAGUE: ("bob", OrgId.parse("00D5g00000FABRI"), "fabrikam.my.salesforce.com"),
    Whose.OTHER_TENANT: ("carol", STRANGE_ORG, "northwind.my.salesforce.com"),
}
ABSENT: Final = {"org_id": str(ABSENT_ORG), "flow": "No_Such_Flow", "id": "d-" + "a" * 26}
MALFORMED: Final = {"org_id": "00D..x", "flow": "Log%27Email", "id": "d-%C3%BC"}
_RANDOM: Final = {"x-request-id", "date"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """`ids` are theirs, by the name of the path's parameter."""

    pane: AddIn
    ids: Mapping[str, str]
    asked: Mapping[str, Any]


@pytest.fixture(scope="module")
def people(stack: StackInfo) -> Iterator[dict[Whose, Somebody]]:
    """Each with an org, a Flow and a request to be forgotten that the others do not have."""
    ours, theirs = str(uuid.uuid4()), str(uuid.uuid4())
    with ExitStack() as panes:
        control = ControlClient(stack.control)
        panes.callback(control.close)
        control.post("/_sim/reset")
        panes.callback(control.post, "/_sim/reset")
        found = {}
        for whose, (user, org, host) in ORGS.items():
            flow = {"name": f"Of_{user}", "behaviour": "echo"}
            control.post(
                "/_sim/salesforce/orgs", {"org_id": org, "instance_host": host, "flows": [flow]}
            )
            pane = panes.enter_context(AddIn(stack))
            tenant = theirs if whose is Whose.OTHER_TENANT else ours
            pane.sign_in_with_microsoft(tenant, str(uuid.uuid4()))
            pane.connect(user, org)
            asked = pane.call("POST", "/deletion-requests", body={"scope": "user"}, expect=201)
            ids = {"org_id": str(org), "flow": f"Of_{user}", "id": asked["id"]}
            found[whose] = Somebody(pane=pane, ids=ids, asked=asked)
        yield found


@pytest.fixture
def places(stack: StackInfo) -> Iterator[Places]:
    found = Places(stack)
    yield found
    found.close()


ROUTES: Final = [
    pytest.param(path, method, described["operationId"], id=described["operationId"])
    for path, methods in contract()["paths"].items()
    for method, described in methods.items()
    if "{" in path
]


def ids_in(path: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", path)


def send(me: Somebody, method: str, path: str, operation: str, values: Mapping[str, str]) -> Any:  # noqa: ANN401
    """The request as its owner would send it, with these ids in the path."""
    token = {"Authorization": f"Bearer {me.asked['status_token']}"}
    bodies = {
        "flow_invoke": {},
        "deletion_confirm": {"confirmation_code": me.asked["confirmation_code"]},
    }
    for name in ids_in(path):
        path = path.replace(f"{{{name}}}", values[name])
    return patiently(
        me,
        method.upper(),
        path.removeprefix("/v1"),
        body=bodies.get(operation),
        headers=token if operation in ("deletion_status", "deletion_receipt") else None,
    )


def patiently(me: Somebody, method: str, path: str, **request: Any) -> requests.Response:  # noqa: ANN401
    """Asked again where it was too often: a 429 would tell nothing of whose it is."""
    for _ in range(20):
        answer = me.pane.send(method, path, **request)
        if answer.status_code != 429:
            return answer
        sleep(int(answer.headers["Retry-After"]))
    raise TimeoutError(path)


def told(answer: requests.Response) -> tuple[int, bytes, dict[str, str]]:
    incident = answer.headers["X-Request-Id"]
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in _RANDOM}
    return answer.status_code, answer.content.replace(incident.encode(), b""), headers


def rows(places: Places) -> dict[str, list[dict[str, Any]]]:
    return {name: list(places.rows(name)) for name in TABLE_NAMES}


@pytest.mark.parametrize("whose", [Whose.COLLEAGUE, Whose.OTHER_TENANT, Whose.MALFORMED])
@pytest.mark.parametrize(("path", "method", "operation"), ROUTES)
def test_N01_over_http_anothers_id_is_answered_like_one_that_nobody_has(
    people: dict[Whose, Somebody],
    places: Places,
    path: str,
    method: str,
    operation: str,
    whose: Whose,
) -> None:
    me = people[Whose.OWN]
    theirs = MALFORMED if whose is Whose.MALFORMED else people[whose].ids
    reference = send(me, method, path, operation, ABSENT)
    before = rows(places)

    answer = send(me, method, path, operation, theirs)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert told(answer) == told(reference)
    assert rows(places) == before


@pytest.mark.parametrize("operation", ["flow_describe", "deletion_status"])
def test_N01_over_http_ones_own_is_answered(people: dict[Whose, Somebody], operation: str) -> None:
    """Else the refusals above could have another reason."""
    (route,) = [case for case in ROUTES if case.id == operation]
    path, method, _ = route.values

    for somebody in people.values():
        assert send(somebody, str(method), str(path), operation, somebody.ids).status_code == 200


def test_S08_over_http_no_answer_holds_a_token_of_salesforces(
    people: dict[Whose, Somebody], control: ControlClient
) -> None:
    """Every token that the org was shown, looked for in whatever a session can read."""
    me = people[Whose.OWN]
    control.post("/_sim/salesforce/expire", {"user": "alice", "org_id": me.ids["org_id"]})
    me.pane.call("POST", "/flows/Of_alice/runs", body={})  # refreshes once
    seen = control.get("/_sim/salesforce/ledger")["requests"]
    bearers = {
        value.removeprefix("Bearer ")
        for one in seen
        for name, value in one["header_values"].items()
        if name.lower() == "authorization" and value.startswith("Bearer ")
    }
    bodies = [one["body"] for one in seen if isinstance(one["body"], dict)]
    refreshed_by = {body["refresh_token"] for body in bodies if body.get("refresh_token")}
    assert bearers
    assert refreshed_by
    tokens = bearers | refreshed_by

    reads = [
        path.removeprefix("/v1")
        for path, methods in contract()["paths"].items()
        if "get" in methods and "{" not in path and "/salesforce/callback" not in path
    ]
    answers = {path: patiently(me, "GET", path) for path in [*reads, "/flows/Of_alice"]}

    assert answers["/me/data"].json()["held"]
    found = {
        path: token
        for path, answer in answers.items()
        for token in tokens
        if token in answer.text or token in str(answer.headers)
    }
    assert found == {}
