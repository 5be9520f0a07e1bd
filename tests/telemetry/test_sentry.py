"""The real sentry-sdk, sending to a receiver: alarms only, types and places only, one way out."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import sentry_sdk
from sentry_sdk.attachments import Attachment
from sentry_sdk.envelope import Envelope, Item

from local import scene
from shared.telemetry.events import SanitizedError, alarm, event, flush
from shared.telemetry.hosts import checked_sentry_dsn
from shared.telemetry.losses import Loss
from shared.telemetry.sentry import SentrySink, rebuilt
from shared.telemetry.sentry_client import SentryClient, SessionTransport
from shared.telemetry.sinks import Sink
from tests.telemetry.canaries import CANARIES, hits
from tests.telemetry.receiver import Answer, Receiver

USER = "u-abcdefghijklmnopqrstuvwxyz"


def sink(receiver: Receiver) -> SentrySink:
    return SentrySink(
        scene.SENTRY_DSN,
        release="flowrunner@1.2.3",
        region="westeurope",
        session_factory=receiver.session,
    )


@pytest.fixture
def client(receiver: Receiver) -> Iterator[SentryClient]:
    made = SentryClient(
        scene.SENTRY_DSN,
        release="flowrunner@1.2.3",
        region="westeurope",
        session=receiver.session(),
        rebuilt=rebuilt,
    )
    yield made
    made.close()


def refused() -> SanitizedError:
    try:
        checked_sentry_dsn(CANARIES["argv"])
    except ValueError as exc:
        return SanitizedError.of(exc)
    raise AssertionError


def test_an_alarm_arrives_as_types_and_places_with_our_fields_as_tags(
    receiver: Receiver, attached: Callable[[Sink], None]
) -> None:
    attached(sink(receiver))
    alarm("crashed", refused(), code="internal", status=500, user=USER)
    assert flush(20)

    [request] = receiver.received
    [(header, payload)] = request.items()
    assert header["type"] == "event"
    assert len(payload.pop("event_id")) == 32
    assert payload.pop("timestamp").endswith("Z")
    [exception] = payload.pop("exception")["values"]
    assert (exception["module"], exception["type"]) == ("builtins", "ValueError")
    assert [frame.pop("lineno") > 0 for frame in exception["stacktrace"]["frames"]] == [True, True]
    assert exception["stacktrace"]["frames"] == [
        {"module": __name__, "function": "refused", "in_app": False},
        {"module": "shared.telemetry.hosts", "function": "checked_sentry_dsn", "in_app": True},
    ]
    assert payload == {
        "platform": "python",
        "logger": "flowrunner",
        "level": "error",
        "release": "flowrunner@1.2.3",
        "environment": "westeurope",
        "message": "crashed",
        "tags": {"event": "crashed", "cause": "ValueError", "code": "internal", "status": 500},
    }


def test_the_request_goes_to_the_projects_envelope_address_without_redirects(
    receiver: Receiver, attached: Callable[[Sink], None], lost: Callable[[Loss], int]
) -> None:
    receiver.answer = Answer(307, {"Location": "https://example.com/"})
    attached(sink(receiver))
    alarm("seal_broken")
    assert flush(20)
    [request] = receiver.received
    assert request.url == f"https://{scene.SENTRY_HOST}/api/1/envelope/"
    assert request.headers["X-Sentry-Auth"].startswith(
        "Sentry sentry_key=0123456789abcdef0123456789abcdef, sentry_version=7"
    )
    assert request.timeout == (5.0, 10.0)
    assert lost("not_delivered") == 1


def test_only_alarms_go_to_sentry(receiver: Receiver, attached: Callable[[Sink], None]) -> None:
    attached(sink(receiver))
    event("signed_in", provider="google")
    event("grant_lost")
    alarm("deletion_overdue", count=1)
    assert flush(20)
    assert [each.items()[0][1]["message"] for each in receiver.received] == ["deletion_overdue"]


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (Answer(429, {"Retry-After": "60"}), "retry after"),
        (Answer(429), "no time given"),
        (Answer(429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), "a date"),
        (Answer(200, {"X-Sentry-Rate-Limits": "60:error;transaction:organization"}), "errors"),
        (Answer(200, {"X-Sentry-Rate-Limits": "5:transaction:key, 60::organization"}), "all"),
    ],
)
def test_a_rate_limit_is_obeyed(
    answer: Answer, what: str, receiver: Receiver, attached: Callable[[Sink], None]
) -> None:
    receiver.answer = answer
    attached(sink(receiver))
    for _ in range(3):
        alarm("seal_broken")
    assert flush(20)
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500),
        Answer(429, {"Retry-After": "0"}),
        Answer(200, {"X-Sentry-Rate-Limits": "60:transaction:organization"}),
    ],
)
def test_what_does_not_concern_errors_pauses_nothing(
    answer: Answer, receiver: Receiver, attached: Callable[[Sink], None]
) -> None:
    receiver.answer = answer
    attached(sink(receiver))
    for _ in range(3):
        alarm("seal_broken")
    assert flush(20)
    assert len(receiver.received) == 3


def hostile(**changes: object) -> dict[str, Any]:
    """An event as the SDK's defaults would fill it, with a canary at every place."""
    text = CANARIES["exception_text"]
    frame = {
        "module": "shared.network",
        "function": "requests_session",
        "lineno": 7,
        "filename": text,
        "abs_path": text,
        "vars": {"grant": CANARIES["local_variable"]},
        "context_line": text,
        "pre_context": [text],
    }
    exception = {
        "type": text,
        "module": "shared.errors",
        "value": text,
        "mechanism": {"data": {"x": text}},
        "stacktrace": {"frames": [frame, {**frame, "module": text, "function": text}]},
    }
    return {
        "level": text,
        "logger": text,
        "message": "crashed",
        "logentry": {"message": CANARIES["log_message"], "params": [CANARIES["log_args"]]},
        "exception": {"values": [exception]},
        "tags": {"code": text, "event": text, text: text, "tenant": text, "user": USER},
        "extra": {"sys.argv": [CANARIES["argv"]], "env": CANARIES["env"]},
        "request": {
            "url": text,
            "query_string": CANARIES["url_query"],
            "headers": {"x": CANARIES["headers"]},
        },
        "user": {"id": text, "ip_address": text},
        "breadcrumbs": {"values": [{"message": text}]},
        "contexts": {"trace": {"trace_id": text, "dynamic_sampling_context": {"x": text}}},
        "modules": {text: text},
        "server_name": CANARIES["server_name"],
        "transaction": text,
        "fingerprint": [text],
        "threads": {"values": [{"name": text}]},
        **changes,
    }


def test_v03_what_anybody_adds_to_an_event_is_taken_out_again(
    receiver: Receiver, client: SentryClient
) -> None:
    client.send(hostile())
    [request] = receiver.received
    [(_, payload)] = request.items()
    assert hits(receiver.everything()) == set()
    assert payload["tags"] == {"event": "crashed", "code": "withheld"}
    [exception] = payload["exception"]["values"]
    assert (exception["type"], exception["module"]) == ("withheld", "shared.errors")
    assert exception["stacktrace"]["frames"][0] == {
        "module": "shared.network",
        "function": "requests_session",
        "lineno": 7,
        "in_app": True,
    }


def test_the_search_would_have_found_the_canaries_of_that_event(receiver: Receiver) -> None:
    transport = SessionTransport(scene.SENTRY_DSN, receiver.session())
    envelope = Envelope({"event_id": "0" * 32, "sent_at": "2026-01-15T12:00:00Z"})
    envelope.add_event(hostile())  # type: ignore[arg-type]  # a plain dict
    transport.capture_envelope(envelope)
    assert hits(receiver.everything()) == CANARIES.keys() - {"chained_exception"}


@pytest.mark.parametrize(
    "changes",
    [
        {"message": CANARIES["log_message"]},
        {"message": None},
        {"release": CANARIES["env"] + " "},
        {"event_id": CANARIES["env"]},
        {"exception": {"values": [{"stacktrace": {"frames": [{"lineno": CANARIES["env"]}]}}]}},
        {"exception": {"values": "x"}},
        {"tags": [CANARIES["env"]]},
    ],
    ids=["a sentence", "no name", "a release", "an id", "a line number", "no list", "no tags"],
)
def test_an_event_that_cannot_be_rebuilt_is_dropped(
    changes: dict[str, Any],
    receiver: Receiver,
    client: SentryClient,
    lost: Callable[[Loss], int],
) -> None:
    client.send(hostile(**changes))
    assert receiver.received == []
    assert lost("not_checked") == 1


@pytest.mark.parametrize("kind", ["transaction", "check_in"])
def test_v03_nothing_but_events_is_sent(
    kind: str, receiver: Receiver, client: SentryClient
) -> None:
    client.send(hostile(type=kind, spans=[{"description": CANARIES["env"]}]))
    assert receiver.received == []


def test_attachments_and_other_items_of_an_envelope_are_left_out(receiver: Receiver) -> None:
    transport = SessionTransport(scene.SENTRY_DSN, receiver.session())
    envelope = Envelope(
        {"event_id": "0" * 32, "sent_at": "2026-01-15T12:00:00Z", "trace": CANARIES["env"]}
    )
    envelope.add_event({"message": "crashed"})
    envelope.add_item(Attachment(bytes=b"canary-argv", filename="x").to_envelope_item())
    envelope.add_item(Item(payload=CANARIES["argv"].encode(), type="log"))
    transport.capture_envelope(envelope)
    [request] = receiver.received
    assert request.items()[0][1] == {"message": "crashed"}
    assert b"canary" not in request.body


def test_the_global_client_of_the_sdk_stays_untouched(
    receiver: Receiver, client: SentryClient
) -> None:
    client.send(hostile())
    assert not sentry_sdk.get_client().is_active()
    sentry_sdk.capture_message(CANARIES["log_message"])
    assert len(receiver.received) == 1


def test_a_session_that_cannot_be_made_loses_the_alarm_only(
    attached: Callable[[Sink], None], lost: Callable[[Loss], int]
) -> None:
    def broken() -> requests.Session:
        raise OSError

    attached(SentrySink(scene.SENTRY_DSN, release="1", region="westeurope", session_factory=broken))
    alarm("crashed")
    alarm("crashed")
    assert flush(20)
    assert lost("sink_failed") == 2


@pytest.mark.parametrize("release", ["", "a b", "x" * 101, "1\n", "https://example.com/1"])
def test_a_release_is_a_plain_name(release: str, receiver: Receiver) -> None:
    with pytest.raises(ValueError, match="plain name"):
        SentrySink(
            scene.SENTRY_DSN,
            release=release,
            region="westeurope",
            session_factory=receiver.session,
        )
