"""The HTTP client that msal speaks through: one deadline for a whole call, and its status noted.

msal has no deadline of its own, and hands out neither the status nor the Retry-After of an answer.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import local
from time import monotonic
from typing import Final

import requests

_TOO_MANY: Final = 429
_SERVER_ERRORS: Final = 500


@dataclass(slots=True)
class Call:
    """One call of msal, which may be several requests. Of the answers, only how they went."""

    until: float
    status: int | None = None
    retry_after: str | None = None

    @property
    def asks_for_a_pause(self) -> bool:
        """Whether the last answer was 429 or 5xx."""
        return self.status is not None and (
            self.status == _TOO_MANY or self.status >= _SERVER_ERRORS
        )


class _Current(local):
    call: Call | None = None


class EntraClient:
    """Has the methods of msal's `HttpClient`. May be used in several threads at once."""

    def __init__(self, session: requests.Session) -> None:
        self._session = session
        self._current = _Current()

    @contextmanager
    def until(self, until: float) -> Iterator[Call]:
        """Requests of this thread, inside, end by then (by `time.monotonic`)."""
        self._current.call = Call(until)
        try:
            yield self._current.call
        finally:
            self._current.call = None

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Raises the exceptions of `requests`; so does `post`."""
        return self._send("GET", url, params=params, headers=headers)

    def post(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        return self._send("POST", url, params=params, data=data, headers=headers)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._session.close()

    def _send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        data: Mapping[str, str] | None = None,
    ) -> requests.Response:
        call = self._current.call
        left = call.until - monotonic() if call is not None else 0.0
        if call is None or left <= 0:
            raise requests.exceptions.Timeout
        answer = self._session.request(
            method,
            url,
            params=params,
            data=data,
            headers=headers,
            timeout=left,
            allow_redirects=False,
        )
        call.status, call.retry_after = answer.status_code, answer.headers.get("Retry-After")
        return answer
