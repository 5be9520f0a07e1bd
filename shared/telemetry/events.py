"""Log lines as events with named fields: what the service uses to tell of itself.

The Functions worker ships only the formatted message of a record (`extra` is lost on the way), so
an event is one line of JSON. The same goes to the attached sinks. Nothing here does I/O at
import, blocks, or raises: a failed check drops the event.
"""

import json
import logging
from collections.abc import Mapping
from time import monotonic
from typing import Final, Unpack

from shared.telemetry.allow_list import (
    EVENT_NAMES,
    WARNINGS,
    EventName,
    Fields,
    Severity,
    Value,
    checked,
)
from shared.telemetry.losses import count, losses
from shared.telemetry.sanitized_error import SanitizedError, where_of
from shared.telemetry.sinks import Forwarder, Sink

__all__ = [
    "EventName",
    "Fields",
    "SanitizedError",
    "alarm",
    "attach",
    "detach",
    "event",
    "flush",
    "losses",
    "quiet_libraries",
    "where_of",
]

_LEVELS: Final[Mapping[Severity, int]] = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_log: Final = logging.getLogger("flowrunner")
_log.setLevel(logging.INFO)
_forwarders: Final[list[Forwarder]] = []


def event(name: EventName, **fields: Unpack[Fields]) -> None:
    """Tell that this happened: one line in the log, and the same to the sinks."""
    severity: Severity = "warning" if name in WARNINGS else "info"
    _tell(name, severity, fields, None)


def alarm(
    name: EventName, error: SanitizedError | None = None, /, **fields: Unpack[Fields]
) -> None:
    """As `event`, for what somebody should look at; this alone goes to Sentry too.

    `cause` and `where` are taken from the error, unless they are given.
    """
    known = error.fields() if error is not None else {}
    _tell(name, "error", {**known, **fields}, error)


def attach(sink: Sink) -> None:
    """From now on, events go to this sink as well. `detach` it to close it."""
    _forwarders.append(Forwarder(sink))


def detach(sink: Sink, seconds: float = 2.0) -> None:
    """Flush and close what was attached."""
    for forwarder in tuple(_forwarders):
        if forwarder.sink is sink:
            _forwarders.remove(forwarder)
            forwarder.close(seconds)


def flush(seconds: float) -> bool:
    """Whether every sink sent what it had, within so many seconds. For tests and shutdown."""
    until = monotonic() + seconds
    done = [forwarder.flush(max(0.0, until - monotonic())) for forwarder in tuple(_forwarders)]
    return all(done)


def _tell(
    name: str, severity: Severity, fields: Mapping[str, object], error: SanitizedError | None
) -> None:
    try:
        if name not in EVENT_NAMES:
            count("unknown_event")
            return
        clean = checked(fields)
        for forwarder in tuple(_forwarders):
            forwarder.put({"event": name, "severity": severity, **clean}, error)
    except Exception:  # noqa: BLE001 - fail closed: unchecked, nothing is said; and no request fails
        count("not_checked")
        return
    _write(name, severity, clean)


def _write(name: str, severity: Severity, clean: Mapping[str, Value]) -> None:
    try:
        _log.log(_LEVELS[severity], json.dumps({"event": name, **clean}))
    except Exception:  # noqa: BLE001 - a broken log handler is no reason to fail a request
        count("not_logged")


# --- what other people's code logs ---------------------------------------------------------------

LIBRARIES: Final = (
    "aiohttp",
    "asyncio",  # the text of exceptions in forgotten tasks
    "azure",  # header names, addresses, answers
    "charset_normalizer",
    "msal",  # requests and answers at DEBUG
    "oauthlib",
    "opencensus",
    "requests",
    "requests_oauthlib",  # tokens, codes and secrets at DEBUG
    "sentry_sdk",
    "urllib3",  # addresses with their query at DEBUG, and in warnings about retries
)


class _NameOnly(logging.Handler):
    """Of a library's warning, keeps which library and which class of exception; not a word more.

    It goes to the log alone: a warning about telemetry must not become telemetry, and asyncio
    warns from finalizers, where the queue of a sink may be locked by this very thread.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            raised = record.exc_info[1] if record.exc_info else None
            known = SanitizedError.of(raised).fields() if raised is not None else {}
            library = record.name.partition(".")[0]
            _write("library_warning", "warning", checked({"dependency": library, **known}))
        except Exception:  # noqa: BLE001 - as above
            count("not_checked")


def quiet_libraries() -> None:
    """Let no library's own words into a log, at any level that anybody sets. Idempotent.

    Levels alone would not do: `requests_oauthlib` prints tokens at DEBUG, and a child's level, set
    by one well-meant line somewhere, overrules its parent's. So each library's records end at its
    topmost logger, whose only handler knows no message.
    """
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.handlers[:] = [_NameOnly(logging.WARNING)]
