"""opencensus-ext-azure 1.1.15, held to what we ask of it: the one file that imports it.

Upstream is retired, and has five habits that are taken away here; each is measured, and each has a
test: it raises on Python 3.13, reports about itself to Microsoft (statsbeat), writes what it could
not send to the temporary folder in clear, sends an envelope whose processor failed, and makes its
own connections, with redirects and the proxies of the environment.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from opencensus.common.schedule import QueueEvent
from opencensus.ext.azure.common.transport import TransportStatusCode
from opencensus.ext.azure.log_exporter import AzureLogHandler

from shared.telemetry.losses import count

if TYPE_CHECKING:
    import requests

    from shared.telemetry.app_insights import TokenCredential

_SCOPE: Final = "https://monitor.azure.com//.default"  # with both slashes: the audience has one
_SECONDS: Final = (5.0, 10.0)  # to connect, to read; the session bounds the whole call
_GRACE_SECONDS: Final = 2.0  # what closing may take, also at the end of the process
_CAPACITY: Final = 1_000


class EnvelopeHandler(AzureLogHandler):  # type: ignore[misc]  # no annotations upstream
    """Queues records; a thread of the SDK's sends them in batches, by our session."""

    def __init__(
        self,
        connection: str,
        *,
        session: "requests.Session",
        credential: "TokenCredential | None",
        rebuilt: Callable[[Mapping[str, Any]], dict[str, Any]],
        export_seconds: float,
    ) -> None:
        self._session = session  # before the SDK's constructor, which starts the thread
        self._credential = credential
        self._rebuilt = rebuilt
        super().__init__(
            connection_string=connection,
            enable_local_storage=False,
            export_interval=export_seconds,
            queue_capacity=_CAPACITY,
            grace_period=_GRACE_SECONDS,
        )

    def createLock(self) -> None:  # noqa: N802 - overrides the standard library's name
        """Upstream sets no lock, and `Handler.handle` of Python 3.13 enters it: a TypeError.

        https://github.com/census-instrumentation/opencensus-python/issues/1249
        """
        logging.Handler.createLock(self)

    def _check_stats_collection(self) -> bool:
        """No statsbeat: no calls to 169.254.169.254 and to an ingestion of Microsoft's own.

        Upstream asks this method wherever it would collect or report. Its switch is a variable of
        the environment, which nothing in `shared/` touches.
        """
        return False

    def apply_telemetry_processors(self, envelopes: Sequence[Any]) -> list[dict[str, Any]]:
        """Fail closed, where upstream sends what a processor has choked on."""
        kept = []
        for envelope in envelopes:
            try:
                kept.append(self._rebuilt(envelope))
            except Exception:  # noqa: BLE001 - whatever it is, an unchecked envelope stays here
                count("not_checked")
        return kept

    def _transmit(self, envelopes: Sequence[dict[str, Any]]) -> int:
        """Never raises; upstream's would call `requests.post` and follow redirects."""
        if not envelopes:
            return int(TransportStatusCode.SUCCESS)
        try:
            accepted = self._post(envelopes)
        except Exception:  # noqa: BLE001 - no token, no connection, no readable answer: all the same
            accepted = 0
        if accepted < len(envelopes):
            count("not_delivered", len(envelopes) - accepted)
            return int(TransportStatusCode.DROP)
        return int(TransportStatusCode.SUCCESS)

    def _post(self, envelopes: Sequence[dict[str, Any]]) -> int:
        """How many envelopes were accepted: all on 200, some on 206, none otherwise."""
        headers = {"Content-Type": "application/json", "User-Agent": "flowrunner"}
        if self._credential is not None:
            headers["Authorization"] = f"Bearer {self._credential.get_token(_SCOPE).token}"
        response = self._session.post(
            f"{self.options.endpoint.rstrip('/')}/v2.1/track",
            data=json.dumps(envelopes).encode(),
            headers=headers,
            timeout=_SECONDS,
            allow_redirects=False,
        )
        match response.status_code:
            case 200:
                return len(envelopes)
            case 206:
                return int(response.json()["itemsAccepted"])
            case _:
                return 0

    def flush(self, timeout: float | None = None) -> None:
        """Send now. Upstream's does nothing when its thread has already taken the records out."""
        if not hasattr(self, "_worker") or not self._worker.is_alive():
            return
        until = monotonic() + (_GRACE_SECONDS if timeout is None else timeout)
        done = QueueEvent("flush")
        self._queue.put(done, block=True, timeout=max(0.0, until - monotonic()))
        done.wait(max(0.0, until - monotonic()))

    def close(self, timeout: float | None = None) -> None:
        super().close(timeout)
        self._session.close()
