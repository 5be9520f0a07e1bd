"""A counterparty that answers what a test tells it to: a real HTTPS server on 127.0.0.1.

It goes by production host names: `Upstream.network` leads them here, as the local stack does, and
trusts the certificate authority of the tests alone. Names that are not its own lead nowhere.
"""

import asyncio
import atexit
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from tempfile import NamedTemporaryFile
from typing import Final

import trustme
from aiohttp import web

from local.network import pinned
from shared.egress import Egress
from shared.network import Network

type Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOPBACK: Final = "127.0.0.1"
_LARGEST_BODY: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it arrived."""

    method: str
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Upstream:
    """What the server answers next, what it received, and the network that leads to it."""

    def __init__(self, network: Network, port: int) -> None:
        self.network = network
        self.port = port
        self.received: list[Received] = []
        self.answer: Answer = answering(status=404)


@cache
def authority() -> trustme.CA:
    """The certificate authority of the tests."""
    return trustme.CA()


@cache
def authority_file() -> str:
    """Its certificate as a PEM file, for as long as the tests run.

    Given to `requests`, it takes the place of the packaged roots, which take long to read.
    """
    file = NamedTemporaryFile(suffix=".pem")  # noqa: SIM115 - closed at exit
    atexit.register(file.close)
    file.write(authority().cert_pem.bytes())
    file.flush()
    return file.name


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    """A client context as strict as the service's own, for this authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    ca.configure_trust(context)
    return context


def certified(*hosts: str, ca: trustme.CA | None = None) -> ssl.SSLContext:
    """A server context with a good certificate for these hosts and for 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (ca or authority()).issue_cert(*hosts, LOOPBACK).configure_cert(context)
    return context


@asynccontextmanager
async def upstream(*hosts: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """Serve `hosts` in the running loop; `tls` is the server's context, if not a good one."""
    kept: list[Upstream] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.Request)
        kept[0].received.append(
            Received(
                method=request.method,
                host=request.host,
                path=request.path_qs,
                headers=dict(request.headers),
                body=await request.read(),
            )
        )
        return await kept[0].answer(request)

    app = web.Application(client_max_size=_LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    context = tls or certified(*hosts)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(runner.server, LOOPBACK, 0, ssl=context)
    port: int = server.sockets[0].getsockname()[1]
    network = pinned_network(dict.fromkeys(hosts, port))
    kept.append(Upstream(network, port))
    try:
        yield kept[0]
    finally:
        await network.close()
        server.close()
        await runner.cleanup()
        server.abort_clients()  # one that broke off its handshake must not outlive the loop
        await server.wait_closed()


def pinned_network(pins: Mapping[str, int]) -> Network:
    """A network in which these host names lead to these ports, and no other name anywhere.

    Each of them may be called, whatever the service thinks of it: that a redirect is not followed
    shows where nothing else would stop it.
    """
    return Network(
        Egress(outside=[f"https://{host}" for host in pins if "*" not in host]),
        resolve=pinned(pins),
        tls=trusting(authority()),
        authority=authority_file(),
    )


# --- what it may answer --------------------------------------------------------------------------


def answering(
    body: bytes = b"",
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """The same answer to everything."""

    async def answer(_: web.Request) -> web.StreamResponse:
        sent = {"Content-Type": content_type, **(headers or {})}
        return web.Response(status=status, body=body, headers=sent)

    return answer


def answering_json(value: object, *, status: int = 200) -> Answer:
    return answering(json.dumps(value).encode(), status=status)


def page(status: int = 200) -> Answer:
    """A page for people, as edges and maintenance windows answer."""
    body = b"<!DOCTYPE html><title>Down for maintenance</title>"
    return answering(body, status=status, content_type="text/html")


def redirecting(location: str, status: int = 302) -> Answer:
    return answering(status=status, headers={"Location": location})


def gzipped(body: bytes, **headers: str) -> Answer:
    return answering(gzip.compress(body), headers={"Content-Encoding": "gzip", **headers})


def in_turn(*answers: Answer) -> Answer:
    """The first answer to the first request, and so on; the last one to all that follow."""
    left = list(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        chosen = left.pop(0) if len(left) > 1 else left[0]
        return await chosen(request)

    return answer


def dripping(body: bytes, *, seconds: float, headers: Mapping[str, str] | None = None) -> Answer:
    """The head at once, then one byte every so many seconds."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.headers.update(headers or {})
        response.content_length = len(body)
        await response.prepare(request)
        for start in range(len(body)):
            await asyncio.sleep(seconds)
            await response.write(body[start : start + 1])
        return response

    return answer


def after(event: asyncio.Event, answer: Answer) -> Answer:
    """The answer, once the event is set."""

    async def wait(request: web.Request) -> web.StreamResponse:
        await event.wait()
        return await answer(request)

    return wait


async def dropping(request: web.Request) -> web.StreamResponse:
    """The request arrives whole, and the connection goes without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def hanging(_: web.Request) -> web.StreamResponse:
    """No answer for longer than anybody waits."""
    await asyncio.sleep(600)
    return web.Response()


# --- servers that do not keep to HTTP ------------------------------------------------------------

type Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scripted(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A TLS server on 127.0.0.1 that does to each connection what the script says: its port.

    The script finds the head of the request read already.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await script(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has had enough
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, LOOPBACK, 0, ssl=tls or certified())
    port: int = server.sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        server.close()
        server.abort_clients()
        await server.wait_closed()
