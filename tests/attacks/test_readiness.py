"""X-02: over HTTP, health says up and no more, to anybody; what lies beneath is for administrators,
who learn of each dependency whether it answers, and cannot make the service press any of them."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from uuid import uuid4

import pytest

from local.stack_info import StackInfo
from shared.usecases.check_readiness import DEADLINE_SECONDS, KEPT_SECONDS
from tests.attacks.hammering import Pane, Who
from tests.control_client import ControlClient

pytestmark = pytest.mark.stack

DOWN: Final[Mapping[str, Mapping[str, object]]] = {
    # Listings alone: rows that are asked for by their keys are the session check's.
    "storage": {"target": "tables", "match": "/devstoreaccount1/tenants()"},
    "backups": {"target": "blobs", "match": "/"},
    "key_vault": {"target": "keyvault", "match": "/"},
    "microsoft": {"target": "entra", "match": "/"},
    "google": {"target": "google", "match": "/"},
    "salesforce": {"target": "salesforce", "match": "/"},
}
EVERYTHING: Final = set(DOWN)
SIMULATORS: Final = ("tables", "blobs", "keyvault", "entra", "google", "salesforce")
UNAVAILABLE: Final = {"fault": "status", "value": 503}
CUT: Final = {"fault": "reset_before"}
SILENT: Final = {"fault": "delay", "value": 20}


@pytest.fixture
def admin(stack: StackInfo) -> Iterator[Pane]:
    yield from signed_in(stack, is_admin=True)


@pytest.fixture
def user(stack: StackInfo) -> Iterator[Pane]:
    yield from signed_in(stack, is_admin=False)


def signed_in(stack: StackInfo, *, is_admin: bool) -> Iterator[Pane]:
    who = Who(tid=str(uuid4()), oid=str(uuid4()), salesforce_user="", is_admin=is_admin)
    with Pane(stack, who) as pane:
        pane.sign_in()
        yield pane


@pytest.fixture(autouse=True)
def behaving(control: ControlClient) -> Iterator[None]:
    yield
    control.clear_faults()


def break_down(control: ControlClient, broken: Mapping[str, Mapping[str, object]]) -> None:
    control.clear_faults()
    for name, fault in broken.items():
        control.post("/_sim/faults", {**DOWN[name], **fault, "times": 100_000})


def found(pane: Pane) -> tuple[str, dict[str, tuple[bool, str]]]:
    """The status, and of each dependency whether it is reachable, and since when."""
    answer = pane.call("GET", "/ready")
    assert set(answer) == {"status", "dependencies"}
    assert all(set(one) == {"name", "reachable", "since"} for one in answer["dependencies"])
    return answer["status"], {
        one["name"]: (one["reachable"], one["since"]) for one in answer["dependencies"]
    }


def eventually(pane: Pane, down: set[str]) -> tuple[dict[str, str], float]:
    """Since when each is as it is, once just these are down; and how long the slowest answer took.

    What an instance has found is kept for a while, so it may take that, and one check.
    """
    until = time.monotonic() + KEPT_SECONDS + 2 * DEADLINE_SECONDS
    slowest = 0.0
    while True:
        began = time.monotonic()
        status, dependencies = found(pane)
        slowest = max(slowest, time.monotonic() - began)
        assert set(dependencies) == EVERYTHING
        unreachable = {name for name, (is_there, _) in dependencies.items() if not is_there}
        assert status == ("degraded" if unreachable else "ready")
        if unreachable == down:
            return {name: since for name, (_, since) in dependencies.items()}, slowest
        assert time.monotonic() < until, unreachable
        time.sleep(0.5)


def test_X02_each_dependency_that_goes_away_is_named_with_the_time_and_so_is_its_return(
    admin: Pane, control: ControlClient
) -> None:
    """Three of them, then the other three, so that each is once down and once up beside others.
    One of them does not answer at all: it costs five seconds, and no other its place."""
    some: dict[str, Mapping[str, object]] = {
        "key_vault": SILENT,
        "google": UNAVAILABLE,
        "salesforce": CUT,
    }
    others: dict[str, Mapping[str, object]] = {
        "storage": UNAVAILABLE,
        "backups": CUT,
        "microsoft": UNAVAILABLE,
    }
    at_first, _ = eventually(admin, set())

    break_down(control, some)
    then, slowest = eventually(admin, set(some))
    assert DEADLINE_SECONDS <= slowest < DEADLINE_SECONDS + 2
    assert {name for name in EVERYTHING if then[name] != at_first[name]} == set(some)
    assert min(then[name] for name in some) > max(at_first.values())

    break_down(control, others)
    now, _ = eventually(admin, set(others))
    assert set(some) | set(others) == EVERYTHING
    assert {name for name in EVERYTHING if now[name] != then[name]} == EVERYTHING
    assert min(now.values()) > max(then.values())

    control.clear_faults()
    at_last, _ = eventually(admin, set())
    assert {name for name in EVERYTHING if at_last[name] != now[name]} == set(others)


def test_X02_without_the_store_nobody_is_known_and_health_answers_all_the_same(
    admin: Pane, control: ControlClient
) -> None:
    for target in SIMULATORS:
        fault = {"target": target, "match": "/", **UNAVAILABLE, "times": 100_000}
        control.post("/_sim/faults", fault)

    refused = until_status(lambda: admin.send("GET", "/ready"), 502)  # seconds: what is remembered
    health = admin.send("GET", "/health", headers={"Authorization": ""})

    assert refused.json()["code"] == "storage_failed"
    assert (health.status_code, health.json()) == (200, {"status": "ok"})


def until_status(ask: Callable[[], Any], status: int) -> Any:  # noqa: ANN401 - a response
    until = time.monotonic() + 20
    while (answer := ask()).status_code != status:
        assert time.monotonic() < until, answer.status_code
        time.sleep(0.5)
    return answer


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"User-Agent": "HealthCheck/1.0"}, id="x08-a-health-probe"),
        pytest.param({"User-Agent": "AlwaysOn"}, id="x08-the-platforms-own"),
        pytest.param({"X-Forwarded-For": "127.0.0.1"}, id="from-this-machine"),
        pytest.param({"x-functions-key": "canary"}, id="a-key-of-the-host"),
        pytest.param({"X-MS-CLIENT-PRINCIPAL": "eyJyb2xlcyI6WyJhZG1pbiJdfQ=="}, id="a-principal"),
    ],
)
def test_X02_readiness_is_for_administrators_alone(user: Pane, headers: dict[str, str]) -> None:
    for path in ("/ready", "/ready?scope=tenant&code=canary", "/READY"):
        refused = user.send("GET", path, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_admin")
        for authorization in ("", "Bearer not.a.token"):
            stranger = user.send("GET", path, headers={**headers, "Authorization": authorization})
            assert (stranger.status_code, stranger.json()["code"]) == (401, "not_authenticated")


def test_X02_an_administrator_cannot_make_the_service_press_its_dependencies(
    admin: Pane, control: ControlClient
) -> None:
    routes = {
        "keyvault": "GET /keys/{name}/{version}",
        "entra": "GET /{tenant}/discovery/v2.0/keys",
        "google": "GET /oauth2/v3/certs",
    }
    before = {name: control.get(f"/_sim/{name}/ledger")["calls"] for name in routes}
    began = time.monotonic()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: admin.send("GET", "/ready"), range(50)))

    took = time.monotonic() - began
    assert {answer.status_code for answer in answers} <= {200, 429}
    assert sum(answer.status_code == 200 for answer in answers) >= 20
    after = {name: control.get(f"/_sim/{name}/ledger")["calls"] for name in routes}
    for name, route in routes.items():
        times = after[name].get(route, 0) - before[name].get(route, 0)
        assert times <= 1 + took / KEPT_SECONDS, name
