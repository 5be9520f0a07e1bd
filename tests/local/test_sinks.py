"""Telemetry as the SDKs send it arrives parsed; what the real services refuse is refused."""

import gzip
import json
from collections.abc import AsyncIterator

import pytest
import requests
from sentry_sdk.envelope import Envelope, Item, PayloadRef
from sentry_sdk.utils import Dsn

from local import scene
from local.network import pinned_network
from local.stack_info import StackInfo
from tests.control_client import ControlClient

pytestmark = pytest.mark.stack

SENTRY = f"https://{scene.SENTRY_HOST}/api/1/envelope/"
TRACK = f"https://{scene.APP_INSIGHTS_HOST}/v2.1/track"


@pytest.fixture
async def http(clean_stack: StackInfo) -> AsyncIterator[requests.Session]:
    network = pinned_network(clean_stack)
    with network.requests_session() as session:
        yield session
    await network.close()


def envelope() -> bytes:
    """An event and an attachment, serialised by the SDK."""
    built = Envelope(headers={"event_id": "9ec79c33ec9942ab8353589fcb2e04dc"})
    built.add_event({"event_id": "9ec79c33ec9942ab8353589fcb2e04dc", "level": "error"})
    built.add_item(Item(PayloadRef(b"two\nlines"), type="attachment"))
    return built.serialize()


def sentry_auth(dsn: str = scene.SENTRY_DSN) -> dict[str, str]:
    return {"X-Sentry-Auth": Dsn(dsn).to_auth("sentry.python/2.75.0").to_header()}


def item(**members: object) -> dict[str, object]:
    """A telemetry item as opencensus builds it."""
    return {
        "ver": 1,
        "name": "Microsoft.ApplicationInsights.Message",
        "time": "2026-01-15T12:00:00.000000Z",
        "iKey": scene.APP_INSIGHTS_KEY,
        "tags": {"ai.internal.sdkVersion": "py3.13:oc0.11:ext1.1"},
        "data": {"baseType": "MessageData", "baseData": {"ver": 2, "message": "started"}},
        **members,
    }


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_an_envelope_of_the_sdk_arrives_parsed(
    http: requests.Session, control: ControlClient, compressed: bool
) -> None:
    body = gzip.compress(envelope()) if compressed else envelope()
    encoding = {"Content-Encoding": "gzip"} if compressed else {}

    answer = http.post(SENTRY, body, headers={**sentry_auth(), **encoding}, timeout=10)

    assert answer.json() == {"id": "9ec79c33ec9942ab8353589fcb2e04dc"}
    (received,) = control.get("/_sim/sinks")["sentry"]
    assert [part["headers"]["type"] for part in received["items"]] == ["event", "attachment"]
    assert received["items"][0]["payload"]["level"] == "error"
    assert received["items"][1]["payload"] == "two\nlines"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no-key"),
        pytest.param(sentry_auth(f"https://{'0' * 32}@{scene.SENTRY_HOST}/1"), id="wrong-key"),
        pytest.param({"X-Sentry-Auth": "Sentry sentry_version=7"}, id="header-without-key"),
    ],
)
def test_sentry_refuses_an_envelope_without_the_right_key(
    http: requests.Session, control: ControlClient, headers: dict[str, str]
) -> None:
    answer = http.post(SENTRY, envelope(), headers=headers, timeout=10)

    assert answer.status_code == 403
    assert control.get("/_sim/sinks")["sentry"] == []


def test_sentry_refuses_the_key_of_another_project(http: requests.Session) -> None:
    other = SENTRY.replace("/api/1/", "/api/2/")

    assert http.post(other, envelope(), headers=sentry_auth(), timeout=10).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]\n", id="header-is-no-object"),
        pytest.param(b'{}\n{"type":"event"}\n{"cut', id="event-cut-off"),
        pytest.param(b'{}\n{"type":"attachment","length":9}\nshort', id="length-beyond-the-end"),
        pytest.param(b'{}\n{"type":"attachment","length":2}\nlong', id="longer-than-its-length"),
        pytest.param(b"{}\n{}\nx", id="item-without-type"),
    ],
)
def test_sentry_refuses_what_is_no_envelope(http: requests.Session, body: bytes) -> None:
    answer = http.post(SENTRY, body, headers=sentry_auth(), timeout=10)

    assert (answer.status_code, answer.json()["detail"]) == (400, "invalid event envelope")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json.dumps([item(), item()]), id="list"),
        pytest.param(f"{json.dumps(item())}\n{json.dumps(item())}\n", id="lines"),
    ],
)
def test_telemetry_arrives_as_it_was_sent(
    http: requests.Session, control: ControlClient, body: str
) -> None:
    encoding = {"Content-Encoding": "gzip"}

    answer = http.post(TRACK, gzip.compress(body.encode()), headers=encoding, timeout=10)

    assert answer.json() == {"itemsReceived": 2, "itemsAccepted": 2, "errors": []}
    assert control.get("/_sim/sinks")["app_insights"] == [item(), item()]


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(item(iKey="00000000-0000-0000-0000-000000000000"), id="another-key"),
        pytest.param(item(time="yesterday"), id="no-time"),
        pytest.param(item(time="2026-01-15T12:00:00"), id="time-without-zone"),
        pytest.param(item(name=None), id="no-name"),
        pytest.param(item(data={"baseData": {}}), id="no-base-type"),
        pytest.param(item(data={"baseType": "MessageData"}), id="no-base-data"),
        pytest.param("text", id="no-object"),
    ],
)
def test_a_bad_item_is_refused_alone(
    http: requests.Session, control: ControlClient, bad: object
) -> None:
    answer = http.post(TRACK, json=[bad, item()], timeout=10)

    assert (answer.status_code, answer.json()["itemsAccepted"]) == (206, 1)
    assert [(error["index"], error["statusCode"]) for error in answer.json()["errors"]] == [
        (0, 400)
    ]
    assert control.get("/_sim/sinks")["app_insights"] == [item()]


def test_nothing_but_bad_items_is_a_bad_request(http: requests.Session) -> None:
    assert http.post(TRACK, json=[item(iKey=None)], timeout=10).status_code == 400


def test_a_token_that_is_sent_must_be_a_right_one(
    http: requests.Session, control: ControlClient
) -> None:
    forged = {"Authorization": "Bearer forged"}

    assert http.post(TRACK, json=[item()], headers=forged, timeout=10).status_code == 401
    assert control.get("/_sim/sinks")["app_insights"] == []


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(SENTRY.replace(scene.SENTRY_HOST, scene.APP_INSIGHTS_HOST), id="sentry"),
        pytest.param(TRACK.replace(scene.APP_INSIGHTS_HOST, scene.SENTRY_HOST), id="insights"),
    ],
)
def test_neither_host_answers_for_the_other(http: requests.Session, url: str) -> None:
    assert http.post(url, json=[item()], headers=sentry_auth(), timeout=10).status_code == 404
