"""sentry-sdk, set up so that it can only do what we ask: the one file that imports it.

A client of our own, never the SDK's global one: nothing is patched, no logger is listened to, no
header is added to calls to third parties, and no exit hook runs. `release` is given, because the
SDK would run git to find one; what it would read from SENTRY_* variables is given as well.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from sentry_sdk import VERSION, Client, Transport
from sentry_sdk.consts import EndpointType
from sentry_sdk.envelope import Envelope

from shared.telemetry.losses import count

if TYPE_CHECKING:
    import requests
    from sentry_sdk.types import Event, Hint

_SECONDS: Final = (5.0, 10.0)  # to connect, to read; the session bounds the whole call
_LONGEST_PAUSE: Final = 3_600.0
_DEFAULT_PAUSE: Final = 60.0


class SentryClient:
    """Sends events, one at a time, in the caller's thread."""

    def __init__(
        self,
        dsn: str,
        *,
        release: str,
        region: str,
        session: "requests.Session",
        rebuilt: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> None:
        def before_send(event: "Event", hint: "Hint") -> "Event | None":  # noqa: ARG001 - SDK's
            try:
                return rebuilt(event)  # type: ignore[return-value]  # a plain dict of that shape
            except Exception:  # noqa: BLE001 - whatever it is, an unchecked event stays here
                count("not_checked")
                return None

        self._session = session
        self._client = Client(
            dsn=dsn,
            transport=SessionTransport(dsn, session),
            release=release,
            environment=region,
            before_send=before_send,
            before_send_transaction=lambda event, hint: None,  # noqa: ARG005 - SDK's signature
            before_breadcrumb=lambda crumb, hint: None,  # noqa: ARG005 - SDK's signature
            max_breadcrumbs=0,
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            server_name="",
            project_root="",
            trace_propagation_targets=[],
            traces_sample_rate=None,
            send_client_reports=False,
            enable_backpressure_handling=False,
            spotlight=False,
            debug=False,
            shutdown_timeout=0,
        )

    def send(self, event: dict[str, Any]) -> None:
        """Raises the exceptions of `requests`. No scope: the SDK has nothing of its own to add."""
        self._client.capture_event(event)  # type: ignore[arg-type]  # a plain dict of that shape

    def close(self) -> None:
        self._client.close(timeout=0)
        self._session.close()


class SessionTransport(Transport):
    """Sends envelopes by the service's own way out, in production too.

    The SDK's transports take proxies and certificate bundles from the environment, know no TLS
    floor and no total deadline, and start a thread; `Network` decides all that for every call of
    the service alike. Only events pass: no transaction, session, log, check-in or attachment.
    """

    def __init__(self, dsn: str, session: "requests.Session") -> None:
        super().__init__({"dsn": dsn})
        if self.parsed_dsn is None:
            raise ValueError("no DSN")
        auth = self.parsed_dsn.to_auth(f"sentry.python/{VERSION}")
        self._url = auth.get_api_url(EndpointType.ENVELOPE)
        self._headers = {
            "Content-Type": "application/x-sentry-envelope",
            "User-Agent": "flowrunner",
            "X-Sentry-Auth": auth.to_header(),
        }
        self._session = session
        self._paused_until = 0.0

    def capture_envelope(self, envelope: Envelope) -> None:
        events = [item for item in envelope.items if item.type == "event"]
        if not events or monotonic() < self._paused_until:
            count("not_delivered")
            return
        headers = {name: envelope.headers[name] for name in ("event_id", "sent_at")}
        response = self._session.post(
            self._url,
            data=Envelope(headers=headers, items=events).serialize(),
            headers=self._headers,
            timeout=_SECONDS,
            allow_redirects=False,
        )
        self._paused_until = monotonic() + _pause(response.status_code, response.headers)
        if response.status_code != 200:  # noqa: PLR2004 - the one status of success
            count("not_delivered")


def _pause(status: int, headers: Mapping[str, str]) -> float:
    """Seconds to be silent: https://develop.sentry.dev/sdk/expected-features/rate-limiting/."""
    pauses = [0.0]
    for limit in headers.get("X-Sentry-Rate-Limits", "").split(","):
        seconds, _, rest = limit.strip().partition(":")
        categories = rest.partition(":")[0]
        if seconds and (not categories or "error" in categories.split(";")):
            pauses.append(_seconds(seconds))
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        pauses.append(_seconds(headers.get("Retry-After", "")))
    return min(max(pauses), _LONGEST_PAUSE)


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else _DEFAULT_PAUSE
