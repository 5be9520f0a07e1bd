"""Waiting until a server answers."""

import http.client
import ssl
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

_PAUSE_SECONDS: Final = 0.03
_CALL_SECONDS: Final = 5.0


class NotReadyError(Exception):
    """A server did not answer in time."""


def wait_for(
    url: str,
    *,
    deadline: float,
    tls: ssl.SSLContext | None = None,
    status: int | None = None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Return when `url` answers with `status`, or at all if none is asked for.

    `deadline` is a time of `time.monotonic()`. `check` is called between attempts and may raise,
    for example because the server's process has ended. Raises NotReadyError.
    """
    while True:
        answered = _status(url, tls)
        if answered is not None and status in (None, answered):
            return
        check()
        if time.monotonic() > deadline:
            seen = "nothing" if answered is None else f"status {answered}"
            raise NotReadyError(f"{url} answered {seen} until the deadline")
        time.sleep(_PAUSE_SECONDS)


def _status(url: str, tls: ssl.SSLContext | None) -> int | None:
    parts = urlsplit(url)
    connection = (
        http.client.HTTPConnection(parts.netloc, timeout=_CALL_SECONDS)
        if parts.scheme == "http"
        else http.client.HTTPSConnection(parts.netloc, timeout=_CALL_SECONDS, context=tls)
    )
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
