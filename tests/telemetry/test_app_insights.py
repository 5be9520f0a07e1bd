"""The real opencensus-ext-azure, on Python 3.13, sending to a receiver."""

import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from local import scene
from shared.telemetry.allow_list import Value
from shared.telemetry.app_insights import AppInsightsSink, rebuilt
from shared.telemetry.events import alarm, event, flush
from shared.telemetry.losses import Loss
from shared.telemetry.sinks import Sink
from tests.telemetry.canaries import CANARIES, hits
from tests.telemetry.receiver import Answer, Receiver

# Retired upstream: it reads the clock and the locale by deprecated calls, on import and later.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from opencensus.ext.azure.common.processor import ProcessorMixin
    from opencensus.ext.azure.log_exporter import AzureLogHandler

    from shared.telemetry.opencensus_handler import EnvelopeHandler

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")

LATE = 60.0  # an export interval that no test waits for: flush must do it


def sink(receiver: Receiver, credential: "Credential | None" = None) -> AppInsightsSink:
    return AppInsightsSink(
        scene.APP_INSIGHTS_CONNECTION,
        session_factory=receiver.session,
        credential=None if credential is None else lambda: credential,
        export_seconds=LATE,
    )


@pytest.fixture
def handler(receiver: Receiver) -> Iterator[EnvelopeHandler]:
    """The SDK's handler as the sink sets it up."""
    made = EnvelopeHandler(
        scene.APP_INSIGHTS_CONNECTION,
        session=receiver.session(),
        credential=None,
        rebuilt=rebuilt,
        export_seconds=LATE,
    )
    yield made
    made.close()


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("x", logging.ERROR, "/srv/secret/path.py", 12, message, (), None)
    made.__dict__.update(extra)
    return made


def test_an_event_arrives_as_its_name_with_our_fields(
    receiver: Receiver, attached: Callable[[Sink], None]
) -> None:
    attached(sink(receiver))
    event("answered", function="flow_invoke", status=200, duration_ms=12.5, late=False)
    alarm("seal_broken", tenant=f"ms-{scene.ENTRA_TENANT}")
    began = monotonic()
    assert flush(20)
    assert monotonic() - began < LATE / 2

    [request] = receiver.received
    first, second = request.envelopes()
    assert request.url == f"https://{scene.APP_INSIGHTS_HOST}/v2.1/track"
    assert request.timeout == (5.0, 10.0)
    assert first.pop("time").endswith("Z")
    assert first == {
        "ver": 1,
        "name": "Microsoft.ApplicationInsights.Message",
        "iKey": scene.APP_INSIGHTS_KEY,
        "tags": {"ai.cloud.role": "flowrunner"},
        "data": {
            "baseType": "MessageData",
            "baseData": {
                "ver": 2,
                "message": "answered",
                "severityLevel": 1,
                "properties": {
                    "function": "flow_invoke",
                    "status": "200",
                    "duration_ms": "12.5",
                    "late": "false",
                },
            },
        },
    }
    data = second["data"]["baseData"]
    assert (data["message"], data["severityLevel"]) == ("seal_broken", 3)
    assert data["properties"] == {"tenant": f"ms-{scene.ENTRA_TENANT}"}


def test_python_3_13_needs_a_lock_that_upstream_does_not_make(handler: EnvelopeHandler) -> None:
    class Upstream(AzureLogHandler):  # type: ignore[misc]  # no annotations upstream
        def _check_stats_collection(self) -> bool:
            return False

    assert sys.version_info >= (3, 13)
    upstream = Upstream(
        connection_string=scene.APP_INSIGHTS_CONNECTION,
        enable_local_storage=False,
    )
    try:
        with pytest.raises(TypeError, match="context manager"):
            upstream.handle(record("started"))
    finally:
        upstream.createLock = lambda: logging.Handler.createLock(upstream)
        upstream.createLock()
        upstream.close(timeout=5)
    assert handler.handle(record("started"))


def upstreams_own(handler: EnvelopeHandler, message: str, **extra: object) -> dict[str, Any]:
    """The envelope as the SDK makes it of a record."""
    envelope: dict[str, Any] = handler.log_record_to_envelope(record(message, **extra))
    return envelope


def test_what_the_sdk_adds_of_its_own_is_taken_out(handler: EnvelopeHandler) -> None:
    raw = upstreams_own(handler, "started", custom_dimensions={"code": "internal"})
    added = json.dumps(raw)
    for what in ("ai.cloud.roleInstance", "ai.device.id", "/srv/secret/path.py", "MainProcess"):
        assert what in added
    [kept] = handler.apply_telemetry_processors([raw])
    assert kept["tags"] == {"ai.cloud.role": "flowrunner"}
    assert kept["data"]["baseData"]["properties"] == {"code": "internal"}
    assert "path" not in json.dumps(kept)


def test_a_field_is_checked_again_at_the_last_door(handler: EnvelopeHandler) -> None:
    dimensions = {"code": CANARIES["env"], "mail": CANARIES["argv"], CANARIES["env"]: "x"}
    raw = upstreams_own(handler, "started", custom_dimensions=dimensions)
    assert {"env", "argv"} <= hits(json.dumps(raw).encode())
    [kept] = handler.apply_telemetry_processors([raw])
    assert kept["data"]["baseData"]["properties"] == {"code": "withheld"}
    assert hits(json.dumps(kept).encode()) == set()


def broken_envelopes(handler: EnvelopeHandler) -> dict[str, Any]:
    def changed(path: str, value: object) -> dict[str, Any]:
        raw: dict[str, Any] = json.loads(json.dumps(upstreams_own(handler, "started")))
        place: dict[str, Any] = raw
        *way, last = path.split(".")
        for step in way:
            place = place[step]
        place[last] = value
        return raw

    error = ValueError(CANARIES["exception_text"])
    return {
        "a sentence": upstreams_own(handler, CANARIES["log_message"]),
        "an exception": upstreams_own(handler, "crashed", exc_info=(ValueError, error, None)),
        "no data": changed("data", None),
        "no properties": changed("data.baseData.properties", [CANARIES["env"]]),
        "a time": changed("time", CANARIES["env"]),
        "a severity": changed("data.baseData.severityLevel", CANARIES["env"]),
        "a high severity": changed("data.baseData.severityLevel", 9),
        "no time": {**upstreams_own(handler, "started"), "time": ""},
    }


def test_an_envelope_that_cannot_be_rebuilt_is_dropped_and_its_neighbours_are_not(
    handler: EnvelopeHandler, lost: Callable[[Loss], int]
) -> None:
    good = upstreams_own(handler, "started")
    broken = broken_envelopes(handler)
    for name, envelope in broken.items():
        kept = handler.apply_telemetry_processors([good, envelope, good])
        assert [each["data"]["baseData"]["message"] for each in kept] == ["started"] * 2, name
    assert lost("not_checked") == len(broken)


def test_upstream_sends_what_its_processor_choked_on(handler: EnvelopeHandler) -> None:
    """The control of the test above: what the override is for."""

    def choke(envelope: object) -> bool:
        raise ValueError

    handler.add_telemetry_processor(choke)
    sent = ProcessorMixin.apply_telemetry_processors(handler, [upstreams_own(handler, "x")])
    assert len(sent) == 1


def test_a_sentence_logged_to_the_handler_itself_does_not_leave(
    handler: EnvelopeHandler, receiver: Receiver
) -> None:
    handler.handle(record(CANARIES["log_message"]))
    handler.handle(record("started"))
    handler.flush(10)
    [request] = receiver.received
    assert [each["data"]["baseData"]["message"] for each in request.envelopes()] == ["started"]
    assert hits(receiver.everything()) == set()


class Token:
    token = "made-up-access-token"


class Credential:
    """As a managed identity: a token for the asked scope, or an exception."""

    def __init__(self, *, is_broken: bool = False) -> None:
        self.is_broken = is_broken
        self.scopes: list[tuple[str, ...]] = []

    def get_token(self, *scopes: str) -> Token:
        self.scopes.append(scopes)
        if self.is_broken:
            raise RuntimeError(CANARIES["exception_text"])
        return Token()


def test_a_credential_is_asked_for_the_monitors_scope(
    receiver: Receiver, attached: Callable[[Sink], None]
) -> None:
    credential = Credential()
    attached(sink(receiver, credential))
    event("started")
    assert flush(20)
    [request] = receiver.received
    assert request.headers["Authorization"] == "Bearer made-up-access-token"
    assert credential.scopes == [("https://monitor.azure.com//.default",)]


def test_without_a_token_nothing_is_sent_and_the_loss_is_counted(
    receiver: Receiver, attached: Callable[[Sink], None], lost: Callable[[Loss], int]
) -> None:
    attached(sink(receiver, Credential(is_broken=True)))
    event("started")
    event("started")
    assert flush(20)
    assert receiver.received == []
    assert lost("not_delivered") == 2


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        (Answer(500), 2),
        (Answer(429, {"Retry-After": "1"}), 2),
        (Answer(307, {"Location": "https://example.com/v2.1/track"}), 2),
        (Answer(206, body=b'{"itemsReceived":2,"itemsAccepted":1,"errors":[]}'), 1),
        (Answer(206, body=b"<html>"), 2),
        (Answer(200, body=b"<html>"), 0),
    ],
    ids=["error", "throttled", "redirect", "partial", "garbage", "fine"],
)
def test_a_batch_is_sent_once_and_what_was_refused_is_counted(
    answer: Answer,
    number: int,
    receiver: Receiver,
    attached: Callable[[Sink], None],
    lost: Callable[[Loss], int],
) -> None:
    receiver.answer = answer
    attached(sink(receiver))
    event("started")
    event("started")
    assert flush(20)
    assert len(receiver.received) == 1
    assert lost("not_delivered") == number


def test_a_hung_ingestion_blocks_neither_events_nor_flush(
    receiver: Receiver, attached: Callable[[Sink], None]
) -> None:
    receiver.may_answer.clear()
    try:
        attached(sink(receiver))
        event("started")
        began = monotonic()
        flush(1)
        for _ in range(100):
            event("started")
        assert monotonic() - began < 5
    finally:
        receiver.may_answer.set()


def test_events_are_exported_without_a_flush(receiver: Receiver) -> None:
    made = AppInsightsSink(
        scene.APP_INSIGHTS_CONNECTION, session_factory=receiver.session, export_seconds=0.1
    )
    told: Mapping[str, Value] = {"event": "started", "severity": "info"}
    made.emit(told, None)
    until = monotonic() + 10
    while not receiver.received and monotonic() < until:
        made.flush(0)
    made.close()
    assert receiver.received


def test_only_one_file_knows_each_sdk() -> None:
    folders = [Path(__file__).parents[2] / name for name in ("shared", "functions")]
    sources = {path.name: path.read_text() for folder in folders for path in folder.rglob("*.py")}
    for sdk, file in (("opencensus", "opencensus_handler.py"), ("sentry_sdk", "sentry_client.py")):
        imports = (f"import {sdk}", f"from {sdk}")
        knowing = [
            name
            for name, text in sources.items()
            if any(line.strip().startswith(imports) for line in text.splitlines())
        ]
        assert knowing == [file]
