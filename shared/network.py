"""The one way out: every outgoing connection of the service is made by the clients given out here.

They verify certificates, speak TLS 1.2 or newer, follow no redirects, keep no cookies, and take
neither proxies nor credentials nor certificate bundles from the environment (a `.netrc` would
replace our Authorization header, a proxy variable would carry customers' data elsewhere). Each
call has a total deadline, and each answer that we read ourselves a size cap. The Azure SDK reads
its own answers, from our own storage account and vault: under a deadline, without a cap.

`build(settings, network)` takes the network as an argument. The local stack injects one that pins
production host names to its simulators; no setting of the service can do that.
"""

import socket
import ssl
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from io import BytesIO
from math import inf
from threading import Timer, local
from time import monotonic
from typing import Any, Final

import aiohttp
import certifi
import requests
import urllib3
from aiohttp.abc import AbstractResolver
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family

type Resolve = Callable[[str, int, socket.AddressFamily, socket.SocketKind], Sequence[Any]]
"""Finds the addresses of a name, as `socket.getaddrinfo` does."""

CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 30.0
MAX_ANSWER_BYTES: Final = 6 * 1024 * 1024


def strict_tls() -> ssl.SSLContext:
    """A client context that verifies, with TLS 1.2 as the floor (Salesforce, Entra and Azure).

    The roots are Mozilla's, as packaged: OpenSSL's own default would take them from SSL_CERT_FILE.
    """
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


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


class _HangsUp(HTTPSConnection):
    """Connects and reads an answer in the time that its call has, however slowly it drips.

    The standard library reads the head line by line, each read with a time-out of its own, and
    leaves nowhere to look at the clock; so another thread closes the connection when time is up.
    """

    call: _Call
    resolve: Resolve

    def _new_conn(self) -> socket.socket:
        """All addresses of the name together get the time to connect; upstream gives it to each.

        A name of eight addresses behind a firewall that drops would otherwise take 40 seconds.
        """
        name, told = self._dns_host, self.timeout
        until = monotonic() + (told if isinstance(told, int | float) else CONNECT_SECONDS)
        try:
            found = self.resolve(name, self.port, allowed_gai_family(), socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        except socket.gaierror as exc:
            raise NameResolutionError(name, self, exc) from exc
        try:
            for number, address in enumerate(addresses):
                left = until - monotonic()
                self._dns_host = address
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
            self._dns_host, self.timeout = name, told
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


class DeadlineAdapter(HTTPAdapter):
    """`requests` with what it lacks: a deadline for the whole call, and a cap on the answer.

    The timeouts of `requests` hold for each read alone: an answer that drips one byte at a time
    keeps a thread for ever. Here the body is read before the response is handed out, decompressed,
    at most `max_bytes` of it, within `total_seconds`; a caller who passes a number for `timeout`
    may shorten that. Raises the exceptions of `requests`.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        *,
        total_seconds: float = TOTAL_SECONDS,
        max_bytes: int = MAX_ANSWER_BYTES,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        self._tls = tls
        self._total_seconds = total_seconds
        self._max_bytes = max_bytes
        self._resolve = resolve
        self._call = _Call()
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as upstream
        """Connections of our own kind, which keep the deadline while the answer is read."""
        super().init_poolmanager(*args, **kwargs, ssl_context=self._tls)
        the_call, the_resolver = self._call, self._resolve

        class Connection(_HangsUp):
            call = the_call
            resolve = staticmethod(the_resolver)

        class Pool(HTTPSConnectionPool):
            ConnectionCls = Connection

        self.poolmanager.pool_classes_by_scheme = {"https": Pool}

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
        shortened = timeout if isinstance(timeout, int | float) else self._total_seconds
        seconds = min(shortened, self._total_seconds)
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
        body = bytearray()
        raw = response.raw
        try:
            while chunk := raw.read1(65_536, decode_content=True):
                body += chunk
                if len(body) > self._max_bytes:
                    raise requests.exceptions.ContentDecodingError
                if self._call.is_over:
                    raise requests.exceptions.ReadTimeout
            if self._call.is_over:  # hung up on: without a length, that looks like the end
                raise requests.exceptions.ReadTimeout
        except urllib3.exceptions.HTTPError as exc:
            if self._call.is_over:
                raise requests.exceptions.ReadTimeout from exc
            raise requests.exceptions.ChunkedEncodingError from exc
        finally:
            raw.close()
        return bytes(body)


async def read_body(response: aiohttp.ClientResponse, *, max_bytes: int) -> bytes:
    """The body, inflated if it was sent so, and never more than `max_bytes` of it.

    Raises aiohttp.ClientPayloadError if there is more, or if it cannot be inflated: a few hundred
    kilobytes can stand for gigabytes, so the inflating stops where the limit is.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "deflate"):
        raise aiohttp.ClientPayloadError
    # 32 + MAX_WBITS: zlib and gzip headers are both recognised (RFC 1950, RFC 1952).
    inflate = None if encoding == "identity" else zlib.decompressobj(32 + zlib.MAX_WBITS)
    body = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        room = max_bytes - len(body) + 1
        try:
            body += chunk if inflate is None else inflate.decompress(chunk, room)
        except zlib.error as exc:
            raise aiohttp.ClientPayloadError from exc
        if len(body) > max_bytes:
            raise aiohttp.ClientPayloadError
    if inflate is not None and not inflate.eof:
        raise aiohttp.ClientPayloadError
    return bytes(body)


class Network:
    """Gives out the HTTP clients. Whoever made a network closes it; production never does.

    `resolver` and `adapter` exist for the local stack: they decide where a host name leads, and
    nothing else.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        resolver: Callable[[], AbstractResolver] | None = None,
        adapter: Callable[[], HTTPAdapter] | None = None,
        authority: str | None = None,
    ) -> None:
        self._tls = tls or strict_tls()
        self._resolver = resolver or aiohttp.ThreadedResolver
        self._adapter = adapter or (lambda: DeadlineAdapter(self._tls))
        self._authority = authority
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """The shared asynchronous client. Made at first use, because it needs a running loop.

        Callers pass `allow_redirects=False` and read the body themselves (`auto_decompress` is
        off, so that nobody can be made to inflate more than they agreed to).
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, resolver=self._resolver(), limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS),
                auto_decompress=False,
                trust_env=False,
                requote_redirect_url=False,
            )
        return self._session

    def requests_session(self) -> requests.Session:
        """A synchronous client for the libraries that need one; to be used in a thread."""
        session = requests.Session()
        self.equip(session)
        return session

    def equip(self, session: requests.Session) -> None:
        """Give these rules to a session that another library made."""
        session.trust_env = False
        session.max_redirects = 0
        session.verify = self._authority or True
        session.mount("https://", self._adapter())
        # Nothing of ours leaves unencrypted: without an adapter, `requests` refuses the scheme.
        del session.adapters["http://"]

    async def close(self) -> None:
        """Close what was given out. Closing twice is no error."""
        if self._session is not None:
            await self._session.close()
            self._session = None
