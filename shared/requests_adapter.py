"""`requests` with what it lacks: a rule where it may go, a deadline for the call, a size cap."""

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from io import BytesIO
from math import inf
from threading import Timer, local
from time import monotonic
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

from shared.answer_body import CHUNK_BYTES, Body, UnreadableBodyError
from shared.egress import Egress
from shared.names import Names

CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 30.0
MAX_ANSWER_BYTES: Final = 6 * 1024 * 1024


class _Call(local):
    """The call that a thread is making: until when it may last, and the alarm that ends it."""

    until: float = inf
    alarm: Timer | None = None

    def begin(self, seconds: float) -> None:
        self.until = monotonic() + seconds

    def watch(self, sock: Any) -> None:  # noqa: ANN401 - urllib3 has sockets of several kinds
        """From here on, the connection is closed when time is up."""
        # A little late, so that whoever finds the connection closed finds the time over, too.
        self.alarm = Timer(max(0.0, self.until - monotonic()) + 0.01, _hang_up, [sock])
        self.alarm.daemon = True
        self.alarm.start()

    def end(self) -> None:
        if self.alarm is not None:
            self.alarm.cancel()
        self.until, self.alarm = inf, None

    @property
    def is_over(self) -> bool:
        return monotonic() >= self.until


def _hang_up(sock: Any) -> None:  # noqa: ANN401 - as above
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class _Connection(HTTPConnection):
    """Connects where it may, and reads an answer in the time that its call has, however it drips.

    The standard library reads the head line by line, each read with a time-out of its own, and
    leaves nowhere to look at the clock; so another thread closes the connection when time is up.
    """

    scheme = "http"
    egress: Egress
    names: Names
    call: _Call

    def _new_conn(self) -> socket.socket:
        """Called by urllib3 for each connection, before anything leaves: here is where the rule of
        hosts holds, and here are the very addresses dialled that were looked up and checked.

        All addresses of the name together get the time to connect; upstream gives it to each: a
        name of eight addresses behind a firewall that drops would take 40 seconds.
        """
        name, port, told = self._dns_host, self.port, self.timeout
        if not self.egress.admits(self.scheme, name, port):
            raise NewConnectionError(self, "not a host of this service")
        until = monotonic() + (told if isinstance(told, int | float) else CONNECT_SECONDS)
        try:
            left = until - monotonic()
            found = self.names.find(name, port, allowed_gai_family(), seconds=left)
        except socket.gaierror as exc:
            raise NameResolutionError(name, self, exc) from exc
        addresses = list(dict.fromkeys((str(one[4][0]), int(one[4][1])) for one in found))
        try:
            for number, address in enumerate(addresses):
                left = until - monotonic()
                self._dns_host, self.port = address
                self.timeout = min(max(1.0, left / (len(addresses) - number)), max(0.01, left))
                try:
                    connected = super()._new_conn()
                except (ConnectTimeoutError, NewConnectionError):
                    if address == addresses[-1] or monotonic() >= until:
                        raise
                else:
                    connected.settimeout(max(0.01, until - monotonic()))  # for the handshake
                    return connected
        finally:
            self._dns_host, self.port, self.timeout = name, port, told
        raise NewConnectionError(self, "the name has no address")

    def getresponse(self) -> Any:  # noqa: ANN401 - upstream's types disagree with each other
        """Raises TimeoutError when time is up, as a read that waits too long does."""
        self.call.watch(self.sock)
        try:
            return super().getresponse()
        except (OSError, HTTPException) as exc:
            if self.call.is_over:
                raise TimeoutError from exc
            raise


class _TlsConnection(_Connection, HTTPSConnection):
    """The same under TLS."""

    scheme = "https"


class DeadlineAdapter(HTTPAdapter):
    """Makes the connections of a `requests` session, and reads its answers.

    The timeouts of `requests` hold for each read alone: an answer that drips one byte at a time
    keeps a thread for ever. Here the body is read before the response is handed out, decompressed,
    at most `max_bytes` of it, within `total_seconds`; a caller who passes a number for `timeout`
    (or a pair, which is added up) may shorten that. Raises the exceptions of `requests`.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        *,
        egress: Egress,
        names: Names,
        total_seconds: float = TOTAL_SECONDS,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._tls = tls
        self._egress = egress
        self._names = names
        self._total_seconds = total_seconds
        self._max_bytes = max_bytes
        self._call = _Call()
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as upstream
        """Connections of our own kind, which keep to the rule and to the deadline."""
        super().init_poolmanager(*args, **kwargs, ssl_context=self._tls)
        ours = {"egress": self._egress, "names": self._names, "call": self._call}
        plain = type("Plain", (_Connection,), ours)
        encrypted = type("Encrypted", (_TlsConnection,), ours)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("EncryptedPool", (HTTPSConnectionPool,), {"ConnectionCls": encrypted}),
        }

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - the signature of requests
        timeout: object = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send, read, and answer. Streaming is overruled, and so is a longer time-out."""
        del stream, proxies
        seconds = min(_told(timeout), self._total_seconds)
        self._call.begin(seconds)
        try:
            response = super().send(
                request,
                stream=True,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
                verify=verify,
                cert=cert,  # type: ignore[arg-type]
                proxies=None,
            )
            response.raw = BytesIO(self._read(response))
        finally:
            self._call.end()
        return response

    def _read(self, response: requests.Response) -> bytes:
        raw = response.raw
        try:
            encoding = response.headers.get("Content-Encoding", "identity")
            body = Body(encoding, max_bytes=self._max_bytes)
            while chunk := raw.read1(CHUNK_BYTES, decode_content=False):
                body.add(chunk)
                if self._call.is_over:
                    raise requests.exceptions.ReadTimeout
            if self._call.is_over:  # hung up on: without a length, that looks like the end
                raise requests.exceptions.ReadTimeout
            return body.whole()
        except UnreadableBodyError as exc:
            raise requests.exceptions.ContentDecodingError from exc
        except urllib3.exceptions.HTTPError as exc:
            if self._call.is_over:
                raise requests.exceptions.ReadTimeout from exc
            raise requests.exceptions.ChunkedEncodingError from exc
        finally:
            raw.close()


def _told(timeout: object) -> float:
    """How many seconds a caller's `timeout` leaves; a pair is for connecting and for each read."""
    match timeout:
        case int() | float():
            return timeout
        case (int() | float() as connecting, int() | float() as reading):
            return connecting + reading
        case _:
            return inf
