"""Events to Application Insights. Knows no SDK: `opencensus_handler.py` is imported at the first.

`rebuilt` is the only thing that makes what is sent: the SDK's own envelope names the host, its
operating system and locale, the process, and the path, module and line of the log call.
"""

import logging
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from shared.telemetry.allow_list import EVENT_NAMES, RULES, Value, checked
from shared.telemetry.sanitized_error import SanitizedError

if TYPE_CHECKING:
    import requests

    from shared.telemetry.opencensus_handler import EnvelopeHandler

_TIMESTAMP: Final = re.compile(r"[0-9T:-]{19}\.[0-9]{6}Z")
_LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_HIGHEST_SEVERITY: Final = 4
EXPORT_SECONDS: Final = 2.0


class AccessToken(Protocol):
    """As `azure.core.credentials.AccessToken`."""

    @property
    def token(self) -> str: ...


class TokenCredential(Protocol):
    """As `azure.core.credentials.TokenCredential`: synchronous; called from the sink's thread."""

    def get_token(self, *scopes: str) -> AccessToken:
        """Raises where there is none; the batch is lost then."""
        ...


class AppInsightsSink:
    """Sends every event as a trace: its message is the event's name, its dimensions our fields.

    `credential` gives a managed identity where the resource refuses mere instrumentation keys
    (DisableLocalAuth). It and `session_factory` (`Network.requests_session`) are called at the
    first event. Events are sent each `export_seconds`; a batch that fails is lost and counted,
    because the SDK's alternative is a world-readable file (its lines are in the log, too).
    """

    alarms_only: Final = False

    def __init__(
        self,
        connection: str,
        *,
        session_factory: "Callable[[], requests.Session]",
        credential: Callable[[], TokenCredential] | None = None,
        export_seconds: float = EXPORT_SECONDS,
    ) -> None:
        self._connection = connection
        self._session_factory = session_factory
        self._credential = credential
        self._export_seconds = export_seconds
        self._handler: EnvelopeHandler | None = None

    def emit(self, event: Mapping[str, Value], error: SanitizedError | None) -> None:
        """`error` stays here: `cause` and `where` are among the fields already."""
        del error
        if self._handler is None:
            self._handler = self._connect()
        self._handler.handle(_as_record(event))

    def flush(self, seconds: float) -> None:
        if self._handler is not None:
            self._handler.flush(seconds)

    def close(self) -> None:
        if self._handler is not None:
            self._handler.close()
            self._handler = None

    def _connect(self) -> "EnvelopeHandler":
        from shared.telemetry.opencensus_handler import (  # noqa: PLC0415 - 260 ms, see above
            EnvelopeHandler,
        )

        return EnvelopeHandler(
            self._connection,
            session=self._session_factory(),
            credential=self._credential() if self._credential is not None else None,
            rebuilt=rebuilt,
            export_seconds=self._export_seconds,
        )


def _as_record(event: Mapping[str, Value]) -> logging.LogRecord:
    """A record that knows no file, for the one thing that the SDK exports: log records."""
    level = _LEVELS[str(event["severity"])]
    record = logging.LogRecord("flowrunner", level, "", 0, str(event["event"]), None, None)
    record.custom_dimensions = {name: event[name] for name in RULES if name in event}
    return record


def rebuilt(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope that may leave: what is listed here, each value of a known shape.

    Raises where it is none of ours; it is dropped then. Empty tags let the ingestion know neither
    role instance nor device. Form: https://github.com/microsoft/ApplicationInsights-Home, schema
    MessageData; the dimensions are texts.
    """
    data = envelope["data"]["baseData"]
    name, time, severity = data["message"], envelope["time"], int(data["severityLevel"])
    if name not in EVENT_NAMES or not _TIMESTAMP.fullmatch(time):
        raise ValueError("not an event of ours")
    if not 0 <= severity <= _HIGHEST_SEVERITY:
        raise ValueError("not a severity")
    properties = dict(data["properties"])
    dimensions = checked({field: properties[field] for field in RULES if field in properties})
    return {
        "ver": 1,
        "name": "Microsoft.ApplicationInsights.Message",
        "time": time,
        "iKey": envelope["iKey"],
        "tags": {"ai.cloud.role": "flowrunner"},
        "data": {
            "baseType": "MessageData",
            "baseData": {
                "ver": 2,
                "message": name,
                "severityLevel": severity,
                "properties": {field: _text(value) for field, value in dimensions.items()},
            },
        },
    }


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
