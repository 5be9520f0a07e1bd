"""Serves one simulator over TLS in this process, and dials it under its production host names.

Clients keep their production URLs and check the certificate in full; only the address that a
name stands for is pinned. A host name that the simulator does not claim cannot be reached.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

import aiohttp
import aiohttp.abc
import requests
import trustme
from aiohttp import web
from requests.adapters import HTTPAdapter

from local.simulators.simulator import Simulator

type Json = Any  # what json.loads answers: the test that reads it knows its shape

LOOPBACK = "127.0.0.1"
DEADLINE_SECONDS = 30.0
_SHUTDOWN_SECONDS = 1.0


class Clock:
    """Unix seconds that stand still until a test moves them."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Served:
    """A running simulator: sessions and connectors that reach it, and its control surface."""

    def __init__(self, simulator: Simulator, tls_port: int, control_port: int, ca: Path) -> None:
        self.simulator = simulator
        self.tls_port = tls_port
        self.control_url = f"http://{LOOPBACK}:{control_port}"
        self.ca = ca
        self._sessions: list[requests.Session] = []

    def session(self) -> requests.Session:
        """A new `requests.Session` pinned to the simulator; closed when the fixture ends."""
        session = requests.Session()
        session.trust_env = False  # REQUESTS_CA_BUNDLE and proxies must not have a say
        session.mount("https://", _PinnedAdapter(self.simulator.hosts, self.tls_port, self.ca))
        session.mount("http://", _Unreachable())
        self._sessions.append(session)
        return session

    def connector(self) -> aiohttp.TCPConnector:
        """A new aiohttp connector pinned to the simulator; call inside a running loop, and close
        it (or the session that owns it)."""
        return aiohttp.TCPConnector(
            ssl=ssl.create_default_context(cafile=str(self.ca)),
            resolver=_PinnedResolver(self.simulator.hosts, self.tls_port),
        )

    def client_session(self) -> aiohttp.ClientSession:
        """A new `aiohttp.ClientSession` over `connector()`; use it as a context manager."""
        return aiohttp.ClientSession(
            connector=self.connector(),
            timeout=aiohttp.ClientTimeout(total=DEADLINE_SECONDS),
            trust_env=False,
        )

    def control_get(self, path: str) -> Json:
        """The JSON answer of `GET <control port><path>`; any status but 200 fails the test."""
        return self._control("GET", path, None)

    def control_post(self, path: str, body: object = None) -> Json:
        """The JSON answer of `POST <control port><path>`; any status but 200 fails the test."""
        return self._control("POST", path, {} if body is None else body)

    def _control(self, method: str, path: str, body: object) -> Json:
        with requests.Session() as plain:
            plain.trust_env = False
            answer = plain.request(
                method, self.control_url + path, json=body, timeout=DEADLINE_SECONDS
            )
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.close()


@contextmanager
def serving(simulator: Simulator, ca: trustme.CA, ca_file: Path) -> Iterator[Served]:
    """Run the simulator in a thread with its own loop; `ca_file` holds the PEM of `ca`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=f"simulator-{simulator.name}")
    thread.start()

    def run[T](work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(DEADLINE_SECONDS)

    stops: list[Callable[[], Coroutine[Any, Any, None]]] = []
    try:
        tls = run(_listen(simulator.routes, _server_context(simulator.hosts, ca), stops))
        control = run(_listen(simulator.control, None, stops))
        with Served(simulator, tls, control, ca_file) as served:
            yield served
    finally:
        for stop in stops:
            run(stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE_SECONDS)
        loop.close()


def _server_context(hosts: tuple[str, ...], ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*(hosts or (LOOPBACK,))).configure_cert(context)
    return context


async def _listen(
    routes: Callable[[], Iterable[web.RouteDef]],
    context: ssl.SSLContext | None,
    stops: list[Callable[[], Coroutine[Any, Any, None]]],
) -> int:
    """Serve on a free port, which is returned; `stops` gets what ends it."""
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.add_routes(routes())
    runner = web.AppRunner(app, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    assert runner.server is not None
    server = await asyncio.get_running_loop().create_server(runner.server, LOOPBACK, 0, ssl=context)

    async def stop() -> None:
        server.close()
        await runner.cleanup()
        server.abort_clients()  # a client that answers no TLS close must not outlive the loop
        await server.wait_closed()

    stops.append(stop)
    port: int = server.sockets[0].getsockname()[1]
    return port


def _claims(hosts: tuple[str, ...], name: str) -> bool:
    """`*.` stands for exactly one label, as in a certificate."""
    wild = "*." + name.partition(".")[2]
    return name in hosts or wild in hosts


class _PinnedResolver(aiohttp.abc.AbstractResolver):
    def __init__(self, hosts: tuple[str, ...], port: int) -> None:
        self._hosts = hosts
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        if not _claims(self._hosts, host):
            raise OSError(f"{host} is not pinned")
        return [
            aiohttp.abc.ResolveResult(
                hostname=host,
                host=LOOPBACK,
                port=self._port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


class _PinnedAdapter(HTTPAdapter):
    """Dials the simulator, shows and checks the production name, and trusts one authority only,
    whatever `verify` a client library passes."""

    def __init__(self, hosts: tuple[str, ...], port: int, ca: Path) -> None:
        self._hosts = hosts
        self._port = port
        self._ca = str(ca)
        super().__init__()

    def build_connection_pool_key_attributes(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        cert: str | tuple[str, str] | None = None,
    ) -> tuple[Any, Any]:
        host, pool = super().build_connection_pool_key_attributes(request, self._ca, cert)
        name = str(host["host"])
        if not _claims(self._hosts, name):
            raise requests.ConnectionError(f"{name} is not pinned", request=request)
        host["host"], host["port"] = LOOPBACK, self._port
        cast("dict[str, Any]", pool).update(assert_hostname=name, server_hostname=name)
        return host, pool

    def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
        super().cert_verify(conn, url, self._ca, cert)  # type: ignore[no-untyped-call]

    def add_headers(self, request: requests.PreparedRequest, **_: object) -> None:
        # http.client would put the dialled address here.
        request.headers["Host"] = str(request.url).split("/", 3)[2]


class _Unreachable(HTTPAdapter):
    def send(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> requests.Response:
        raise requests.ConnectionError(f"{request.url}: plain HTTP is not served", request=request)
