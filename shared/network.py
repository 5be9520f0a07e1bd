"""The one way out: every outgoing connection of the service is made by the clients given out here.

They connect to the hosts of `Egress` and nowhere else, at addresses that such a host may have. They
verify certificates, speak TLS 1.2 or newer, follow no redirects, keep no cookies, and take neither
proxies nor credentials, certificate bundles or key logs from the environment (a `.netrc` would
replace our Authorization header, a proxy variable would carry customers' data elsewhere). Each call
has a total deadline, and each answer that we read ourselves a size cap. The Azure SDK reads its own
answers, from our own storage account and vault: under a deadline, without a cap.

`build(settings, network)` takes the network as an argument. The local stack injects one that pins
production host names to its simulators; no setting of the service can do that.
"""

import ssl
from errno import EACCES
from typing import Final

import aiohttp
import certifi
import requests
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from shared.answer_body import CHUNK_BYTES, Body, UnreadableBodyError
from shared.egress import Egress
from shared.names import Names, Resolve, from_dns
from shared.requests_adapter import (
    CONNECT_SECONDS,
    MAX_ANSWER_BYTES,
    TOTAL_SECONDS,
    DeadlineAdapter,
)

__all__ = [
    "CONNECT_SECONDS",
    "MAX_ANSWER_BYTES",
    "TOTAL_SECONDS",
    "Network",
    "read_body",
    "strict_tls",
]


def strict_tls(authority: str | None = None) -> ssl.SSLContext:
    """A client context that verifies, with TLS 1.2 as the floor (Salesforce, Entra and Azure).

    The roots are Mozilla's, as packaged, or those of the file `authority`. The standard library's
    default would take them from SSL_CERT_FILE, and write the keys of each session to the file that
    SSLKEYLOGFILE names; `ssl.create_default_context` does, so it is not used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificates and names
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cafile=authority or certifi.where())
    return context


async def read_body(response: aiohttp.ClientResponse, *, max_bytes: int) -> bytes:
    """The body, inflated if it was sent so, and never more than `max_bytes` of it.

    Raises aiohttp.ClientPayloadError if there is more, or if it cannot be inflated.
    """
    try:
        encoding = response.headers.get("Content-Encoding", "identity")
        body = Body(encoding, max_bytes=max_bytes)
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            body.add(chunk)
        return body.whole()
    except UnreadableBodyError as exc:
        raise aiohttp.ClientPayloadError from exc


class _Connector(aiohttp.TCPConnector):
    """Gets connections to the hosts of this service. Each request comes through here, before its
    host is looked up. What is refused ends like a host that cannot be reached: nothing was sent.
    """

    def __init__(self, egress: Egress, names: Names, tls: ssl.SSLContext) -> None:
        super().__init__(ssl=tls, resolver=names, limit=0)
        self._egress = egress

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature of aiohttp
    ) -> Connection:
        """Raises aiohttp.ClientConnectorError for any other host, and for a proxy."""
        host, port = req.url.raw_host or "", req.port or 0
        if req.proxy is not None or not self._egress.admits(req.url.scheme, host, port):
            refused = OSError(EACCES, "not a host of this service")
            raise aiohttp.ClientConnectorError(req.connection_key, refused)
        return await super().connect(req, traces, timeout)


class Network:
    """Gives out the HTTP clients. Whoever made a network closes it; production never does.

    `egress` says which hosts may be called. `resolve`, `tls` and `authority` are the local stack's:
    where a name leads, instead of DNS, and whose certificates are good there. `total_seconds` and
    `max_bytes` bound the synchronous client.
    """

    def __init__(
        self,
        egress: Egress | None = None,
        *,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        authority: str | None = None,
        total_seconds: float = TOTAL_SECONDS,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.egress: Final = egress or Egress()
        self._names = Names(resolve or from_dns(self.egress))
        self._tls = tls or strict_tls(authority)
        self._authority = authority
        self._total_seconds = total_seconds
        self._max_bytes = max_bytes
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """The shared asynchronous client. Made at first use, because it needs a running loop.

        Callers pass `allow_redirects=False` and read the body themselves (`auto_decompress` is
        off, so that nobody can be made to inflate more than they agreed to).
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(self.egress, self._names, self._tls),
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
        session.adapters.pop("http://", None)

    def identity_session(self) -> requests.Session:
        """For the managed identity: its endpoint, on this machine, speaks plain HTTP."""
        session = self.requests_session()
        session.mount("http://", self._adapter())
        return session

    def _adapter(self) -> DeadlineAdapter:
        return DeadlineAdapter(
            self._tls,
            egress=self.egress,
            names=self._names,
            total_seconds=self._total_seconds,
            max_bytes=self._max_bytes,
        )

    async def close(self) -> None:
        """Close what was given out. Closing twice is no error."""
        if self._session is not None:
            await self._session.close()
            self._session = None
