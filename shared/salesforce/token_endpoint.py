"""One call of Salesforce's token endpoint: in a thread, in twenty seconds, and sent or not sent.

requests-oauthlib blocks, and so has threads of its own here. What matters most is whether a code or
refresh token has left, because each serves once. So the body of the request asks before it is
written, and may not be once nobody waits, or when there is hardly time left for an answer: a call
that failed before was not sent and will not be, whatever the name server, the network or TLS did to
it. After that, only an answer decides.
"""

from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any, Final

import requests
from requests.adapters import BaseAdapter
from requests_oauthlib import OAuth2Session

from shared import strict_json
from shared.bounded_threads import BoundedThreads
from shared.errors import (
    FlowRunnerError,
    SalesforceLimitError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.network import Network
from shared.salesforce.oauth_errors import LIMIT_SECONDS

SECONDS: Final = 20.0
"""For all of a call: waiting for a thread, the name, the connection, the answer. Whoever hangs up
on a slow org loses the new token that it is about to send: so this is long, a lease is longer."""

_SHARE_TO_SEND: Final = 0.6
"""Of that time. A token that leaves at the last moment is spent, and its answer comes too late."""

_THREADS: Final = 16
_THREADS_OF_A_HOST: Final = 8
_THREADS_OF_A_USER: Final = 2
_MAX_BYTES: Final = 64 * 1024
_MAX_DEPTH: Final = 8
_HOOKS: Final = ("access_token_response", "refresh_token_response")

type Call = Callable[[OAuth2Session, float], object]
"""Has the session trade a code or a refresh token, in so many seconds."""


class TokenRefusedError(Exception):
    """Salesforce answered with an OAuth error (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__()
        self.error, self.description = error, description


class _Sending:
    """Whether the body has begun to leave. Its thread and who waits for it agree on that here.

    `latest` is until when it may begin, by `time.monotonic`.
    """

    def __init__(self, latest: float) -> None:
        self._latest = latest
        self._lock = Lock()
        self._has_begun = self._is_called_off = False

    def begin(self) -> None:
        """Raises TimeoutError if nobody waits any more, or if it is too late."""
        with self._lock:
            if self._is_called_off or monotonic() > self._latest:
                raise TimeoutError
            self._has_begun = True

    def call_off(self) -> FlowRunnerError:
        """What has not begun never will: the failure to tell of."""
        with self._lock:
            self._is_called_off = True
            return SalesforceTimeoutError() if self._has_begun else SalesforceUnavailableError()


class _Body:
    """The body of a request. It is asked for when connection, TLS and the request's head are done
    with."""

    def __init__(self, content: bytes | str, sending: _Sending) -> None:
        self._content = content.encode() if isinstance(content, str) else content
        self._sending = sending

    def __iter__(self) -> Iterator[bytes]:
        self._sending.begin()
        yield self._content


class _AsksBeforeSending(BaseAdapter):
    """The network's adapter; the body that it sends is a `_Body`."""

    def __init__(self, adapter: BaseAdapter, sending: _Sending) -> None:
        super().__init__()
        self._adapter, self._sending = adapter, sending

    def send(
        self,
        request: requests.PreparedRequest,
        *args: Any,  # noqa: ANN401 - as upstream
        **kwargs: Any,  # noqa: ANN401
    ) -> requests.Response:
        # Its length is in the head already.
        request.body = _Body(request.body or b"", self._sending)  # type: ignore[assignment]
        return self._adapter.send(request, *args, **kwargs)

    def close(self) -> None:
        self._adapter.close()


class TokenEndpoint:
    """`seconds` is the longest that anybody waits."""

    def __init__(
        self, network: Network, *, client_id: str, callback_url: str, seconds: float = SECONDS
    ) -> None:
        self._network = network
        self._client_id, self._callback_url = client_id, callback_url
        self._seconds = seconds
        self._threads = BoundedThreads(
            threads=_THREADS,
            share=_THREADS_OF_A_HOST,
            share_of_user=_THREADS_OF_A_USER,
            name="salesforce-token",
        )

    async def ask(self, call: Call, *, host: str, user: str) -> dict[str, Any]:
        """The members of a token answer. Threads are shared fairly among hosts and their users.

        Raises TokenRefusedError, SalesforceUnavailableError (nothing was redeemed),
        SalesforceLimitError, SalesforceTimeoutError (sent, and no answer that can be used).
        """
        now = monotonic()
        sending = _Sending(now + _SHARE_TO_SEND * self._seconds)
        work = partial(self._ask, call, sending, now + self._seconds)
        try:
            return await self._threads.run(host, user, work, seconds=self._seconds)
        except TimeoutError as exc:
            raise sending.call_off() from exc
        finally:
            sending.call_off()

    def close(self) -> None:
        """Let go of the threads; what they do ends by itself, within the time of a call."""
        self._threads.close()

    def _ask(self, call: Call, sending: _Sending, until: float) -> dict[str, Any]:
        """Runs in a thread."""
        answers: list[dict[str, Any]] = []

        def keep(response: requests.Response) -> requests.Response:
            answers.append(_read(response))
            return response

        session = OAuth2Session(self._client_id, redirect_uri=self._callback_url)
        self._network.equip(session)
        for scheme, adapter in list(session.adapters.items()):
            session.mount(scheme, _AsksBeforeSending(adapter, sending))
        for hook in _HOOKS:
            session.register_compliance_hook(hook, keep)
        try:
            call(session, max(0.01, until - monotonic()))
        except (FlowRunnerError, TokenRefusedError):
            raise
        except requests.TooManyRedirects as exc:  # not followed, and nothing was redeemed
            raise SalesforceUnavailableError from exc
        except Exception as exc:
            # Of the network: then the answer is missing. Of the library, which may trip over an
            # answer in one way or another: then it is read here, and judged by who asked.
            if not answers:
                raise sending.call_off() from exc
        finally:
            session.close()
        return answers[0]


def _read(response: requests.Response) -> dict[str, Any]:
    """The members of a token answer.

    A 503, a redirect, and a refusal of the edge (4xx without an OAuth error) say that nothing was
    redeemed. Another 5xx, or a success that cannot be read, leaves that open.
    """
    status = response.status_code
    if status == 429:  # noqa: PLR2004
        raise SalesforceLimitError(LIMIT_SECONDS)
    if status == 503:  # noqa: PLR2004
        raise SalesforceUnavailableError
    members = _members(response)
    is_refusal = 300 <= status < 500  # noqa: PLR2004 - RFC 9110, 15.4 and 15.5
    if members is not None and (is_refusal or status == 200):  # noqa: PLR2004
        error, description = members.get("error"), members.get("error_description")
        if isinstance(error, str) and error:
            raise TokenRefusedError(error, description if isinstance(description, str) else "")
    if is_refusal:
        raise SalesforceUnavailableError
    if members is None or status != 200:  # noqa: PLR2004
        raise SalesforceTimeoutError
    return members


def _members(response: requests.Response) -> dict[str, Any] | None:
    """The JSON object in an answer; None for whatever else it holds."""
    is_json = "json" in response.headers.get("Content-Type", "")
    if not is_json or len(response.content) > _MAX_BYTES:
        return None
    try:
        members = strict_json.loads(response.content, max_depth=_MAX_DEPTH)
    except ValueError:
        return None
    return members if isinstance(members, dict) else None
