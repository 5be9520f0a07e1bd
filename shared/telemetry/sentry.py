"""Alarms to Sentry's EU region. Knows no SDK: `sentry_client.py` is imported at the first alarm.

An event is built from an allow-list here, and built again by `rebuilt` when the SDK hands it over
for sending, because the SDK adds to it (scenario V-03: everything short of that leaked).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from shared.telemetry.allow_list import EVENT_NAMES, PYTHON_NAME, RULES, Value, checked, fitting
from shared.telemetry.sanitized_error import Link, SanitizedError

if TYPE_CHECKING:
    import requests

    from shared.telemetry.sentry_client import SentryClient

# Who it happened to is not Sentry's to know: the incident leads to it, in our own log.
TAGS: Final = frozenset({"event", *RULES}) - {"tenant", "user", "where"}

_EVENT_ID: Final = re.compile(r"[0-9a-f]{32}")
_TIMESTAMP: Final = re.compile(r"[0-9T:-]{19}(\.[0-9]{1,6})?Z")
_RELEASE: Final = re.compile(r"[A-Za-z0-9._+@-]{1,100}")
_MOST_EXCEPTIONS: Final = 8
_MOST_FRAMES: Final = 32


class SentrySink:
    """Sends alarms, and nothing else. `release` and `region` are shown with every one of them.

    `session_factory` is the one way out (`Network.requests_session`); called at the first alarm.
    """

    alarms_only: Final = True

    def __init__(
        self,
        dsn: str,
        *,
        release: str,
        region: str,
        session_factory: "Callable[[], requests.Session]",
    ) -> None:
        if not (_RELEASE.fullmatch(release) and _RELEASE.fullmatch(region)):
            raise ValueError("release or region is no plain name")
        self._dsn = dsn
        self._release = release
        self._region = region
        self._session_factory = session_factory
        self._client: SentryClient | None = None

    def emit(self, event: Mapping[str, Value], error: SanitizedError | None) -> None:
        if event["severity"] != "error":
            return
        if self._client is None:
            self._client = self._connect()
        self._client.send(as_sentry_event(event, error))

    def flush(self, seconds: float) -> None:
        """Nothing waits: each alarm is sent before the next one is taken."""

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connect(self) -> "SentryClient":
        from shared.telemetry.sentry_client import SentryClient  # noqa: PLC0415 - 170 ms, see above

        return SentryClient(
            self._dsn,
            release=self._release,
            region=self._region,
            session=self._session_factory(),
            rebuilt=rebuilt,
        )


def as_sentry_event(event: Mapping[str, Value], error: SanitizedError | None) -> dict[str, Any]:
    """https://develop.sentry.dev/sdk/data-model/event-payloads/: the oldest exception first."""
    links = reversed(error.chain) if error is not None else ()
    return {
        "level": "error",
        "message": event["event"],
        "exception": {"values": [_as_exception(link) for link in links]},
        "tags": {name: value for name, value in event.items() if name in TAGS},
    }


def _as_exception(link: Link) -> dict[str, Any]:
    frames = [
        {
            "module": frame.module,
            "function": frame.function,
            "lineno": frame.line,
            "in_app": frame.is_own,
        }
        for frame in link.frames
    ]
    return {"type": link.name, "module": link.module, "stacktrace": {"frames": frames}}


def rebuilt(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event that may leave: what is listed here, each value of a known shape.

    Raises where the event is none of ours; it is dropped then.
    """
    name = event["message"]
    if name not in EVENT_NAMES or event.get("type"):  # a type: transaction, check-in, feedback
        raise ValueError("not an event of ours")
    tags = dict(event.get("tags") or {})
    known = {field: tags[field] for field in TAGS - {"event"} if field in tags}
    return {
        "event_id": _matching(_EVENT_ID, event["event_id"]),
        "timestamp": _matching(_TIMESTAMP, event["timestamp"]),
        "platform": "python",
        "logger": "flowrunner",
        "level": "error",
        "release": _matching(_RELEASE, event["release"]),
        "environment": _matching(_RELEASE, event["environment"]),
        "message": name,
        "exception": {"values": list(_exceptions(event))},
        "tags": {"event": name, **checked(known)},
    }


def _exceptions(event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    values: Sequence[Mapping[str, Any]] = (event.get("exception") or {}).get("values") or ()
    for value in values[-_MOST_EXCEPTIONS:]:
        frames = (value.get("stacktrace") or {}).get("frames") or ()
        yield {
            "type": _name(value.get("type")),
            "module": _name(value.get("module")),
            "stacktrace": {"frames": [_frame(frame) for frame in frames[-_MOST_FRAMES:]]},
        }


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "module": _name(frame.get("module")),
        "function": _name(frame.get("function")),
        "lineno": int(frame.get("lineno") or 0),
        "in_app": frame.get("in_app") is True,
    }


def _name(text: object) -> str:
    return fitting(text, PYTHON_NAME) if isinstance(text, str) else "withheld"


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError("not of the expected shape")
    return text
