"""The one way out: what its clients refuse, ignore, and do not wait for."""

import asyncio
import gzip
import socket
import ssl
import tracemalloc
import warnings
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Final

import aiohttp
import pytest
import requests
import trustme
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.egress import Egress
from shared.identity.on_behalf_of import MsalOnBehalfOf
from shared.names import Resolve
from shared.network import Network, read_body, strict_tls
from shared.outside import Azure
from tests.settings import settings
from tests.upstream import (
    LOOPBACK,
    answering,
    authority,
    authority_file,
    certified,
    dripping,
    gzipped,
    in_turn,
    pinned_network,
    redirecting,
    scripted,
    trusting,
    upstream,
)

HOST: Final = "login.salesforce.com"
URL: Final = f"https://{HOST}/path"
BOMB: Final = gzip.compress(bytes(64 * 1024 * 1024))

type Client = Callable[[Network, str], Awaitable[bytes]]


async def with_requests(network: Network, url: str) -> bytes:
    """What the synchronous client gets, called as the service calls it: in a thread."""
    session = network.requests_session()
    try:
        answer = await asyncio.to_thread(session.get, url, headers={"Authorization": "Bearer ours"})
        return answer.content
    finally:
        session.close()


async def with_aiohttp(network: Network, url: str) -> bytes:
    async with network.session().get(
        url, allow_redirects=False, headers={"Authorization": "Bearer ours"}
    ) as answer:
        return await read_body(answer, max_bytes=1024 * 1024)


BOTH: Final = pytest.mark.parametrize(
    "client",
    [pytest.param(with_requests, id="requests"), pytest.param(with_aiohttp, id="aiohttp")],
)


def quick(port: int, *, seconds: float = 5.0, max_bytes: int = 1024 * 1024) -> requests.Session:
    """A session that waits less than the usual one, for a port of 127.0.0.1 itself."""
    network = Network(
        Egress(outside=[f"https://{LOOPBACK}:{port}"]),
        tls=trusting(authority()),
        authority=authority_file(),
        total_seconds=seconds,
        max_bytes=max_bytes,
    )
    return network.requests_session()


async def fetched(port: int, *, seconds: float = 5.0, max_bytes: int = 1024 * 1024) -> bytes:
    with quick(port, seconds=seconds, max_bytes=max_bytes) as session:
        answer = await asyncio.to_thread(session.get, f"https://{LOOPBACK}:{port}/")
        return answer.content


# --- the environment has no say ------------------------------------------------------------------


@BOTH
async def test_proxies_of_the_environment_are_ignored(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:9")
        monkeypatch.setenv(name.lower(), f"http://{LOOPBACK}:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert requests.utils.get_environ_proxies(URL)  # the trap is set
    async with upstream(HOST) as server:
        server.answer = answering(b"straight")

        assert await client(server.network, URL) == b"straight"


@BOTH
async def test_a_netrc_does_not_replace_our_authorization(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login eve password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert requests.utils.get_netrc_auth(URL) == ("eve", "canary")  # the trap is set
    async with upstream(HOST) as server:
        server.answer = answering(b"ok")
        await client(server.network, URL)

        assert server.received[0].headers["Authorization"] == "Bearer ours"


@BOTH
@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
async def test_a_certificate_bundle_of_the_environment_is_not_trusted(
    client: Client, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The variable names an authority that vouches for the server; the service does not know it."""
    stranger = trustme.CA()
    stranger.cert_pem.write_to_path(str(tmp_path / "stranger.pem"))
    monkeypatch.setenv(name, str(tmp_path / "stranger.pem"))
    async with upstream(HOST, tls=certified(HOST, ca=stranger)) as server:
        with pytest.raises((requests.exceptions.SSLError, aiohttp.ClientConnectorCertificateError)):
            await client(server.network, URL)

        assert server.received == []


@BOTH
async def test_a_broken_bundle_of_the_environment_breaks_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "there-is-none"))
    async with upstream(HOST) as server:
        server.answer = answering(b"ok")

        assert await client(server.network, URL) == b"ok"


async def test_the_production_context_trusts_no_bundle_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """OpenSSL itself reads SSL_CERT_FILE when a context loads its defaults."""
    authority().cert_pem.write_to_path(str(tmp_path / "stranger.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "stranger.pem"))
    context = strict_tls()

    assert not any("trustme" in str(trusted["subject"]) for trusted in context.get_ca_certs())


# --- where a call may lead -----------------------------------------------------------------------


async def test_the_synchronous_client_refuses_plain_http() -> None:
    async with upstream(HOST) as server:
        session = server.network.requests_session()
        with session, pytest.raises(requests.exceptions.InvalidSchema):
            await asyncio.to_thread(session.get, f"http://{LOOPBACK}:{server.port}/")

        assert server.received == []


@BOTH
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(client: Client, status: int) -> None:
    async with upstream(HOST, "evil.example.com") as server:
        server.answer = redirecting("https://evil.example.com/token", status)
        try:
            await client(server.network, URL)
        except requests.exceptions.TooManyRedirects:
            assert client is with_requests

        assert [request.host for request in server.received] == [HOST]


@pytest.mark.parametrize("client", [with_aiohttp], ids=["aiohttp"])
async def test_no_cookie_is_kept(client: Client) -> None:
    async with upstream(HOST) as server:
        server.answer = answering(headers={"Set-Cookie": "session=canary; Path=/; Secure"})
        await client(server.network, URL)
        await client(server.network, URL)

        assert [request.headers.get("Cookie") for request in server.received] == [None, None]


async def test_the_synchronous_client_keeps_no_cookie_either() -> None:
    """One session serves many users of a tenant: what one is given must not go with another."""
    async with upstream(HOST) as server:
        server.answer = answering(headers={"Set-Cookie": "session=canary; Path=/; Secure"})
        with server.network.requests_session() as session:
            for _ in range(2):
                await asyncio.to_thread(session.get, URL)

        assert [request.headers.get("Cookie") for request in server.received] == [None, None]


async def test_closing_twice_is_no_error_and_a_closed_network_opens_again() -> None:
    async with upstream(HOST) as server:
        server.answer = answering(b"ok")
        await with_aiohttp(server.network, URL)
        await server.network.close()
        await server.network.close()

        assert await with_aiohttp(server.network, URL) == b"ok"


# --- how long, and how much ----------------------------------------------------------------------


async def test_a_body_that_drips_ends_at_the_deadline() -> None:
    """`requests` counts each read alone: at a byte every 0.1 s this answer takes six seconds."""
    async with upstream() as server:
        server.answer = dripping(b"x" * 60, seconds=0.1)
        began = monotonic()

        with pytest.raises(requests.exceptions.Timeout):
            await fetched(server.port, seconds=0.5)

        assert monotonic() - began < 2.0


async def test_a_head_that_drips_ends_at_the_deadline() -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.1)

    async with scripted(drip) as port:
        began = monotonic()

        with pytest.raises(requests.exceptions.RequestException):
            await fetched(port, seconds=0.5)

        assert monotonic() - began < 2.0


async def test_silence_ends_at_the_deadline() -> None:
    async def say_nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async with scripted(say_nothing) as port:
        began = monotonic()

        with pytest.raises(requests.exceptions.Timeout):
            await fetched(port, seconds=0.3)

        assert monotonic() - began < 2.0


async def test_a_time_out_that_the_caller_asks_for_does_not_lengthen_the_deadline() -> None:
    async with upstream() as server:
        server.answer = dripping(b"x" * 60, seconds=0.1)
        began = monotonic()
        with quick(server.port, seconds=0.3) as session, pytest.raises(requests.exceptions.Timeout):
            await asyncio.to_thread(
                session.get, f"https://{LOOPBACK}:{server.port}/", timeout=600, stream=True
            )

        assert monotonic() - began < 2.0


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        pytest.param(1_000, True, id="as-large-as-allowed"),
        pytest.param(1_001, False, id="one-byte-more"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
async def test_the_synchronous_cap_is_exact_and_counts_what_was_inflated(
    size: int, fits: bool, packed: bool
) -> None:
    async with upstream() as server:
        body = b"x" * size
        server.answer = gzipped(body) if packed else answering(body)
        if fits:
            assert await fetched(server.port, max_bytes=1_000) == body
        else:
            with pytest.raises(requests.exceptions.RequestException):
                await fetched(server.port, max_bytes=1_000)


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        pytest.param(1_000, True, id="as-large-as-allowed"),
        pytest.param(1_001, False, id="one-byte-more"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
async def test_the_asynchronous_cap_is_exact_and_counts_what_was_inflated(
    size: int, fits: bool, packed: bool
) -> None:
    async with upstream(HOST) as server:
        body = b"x" * size
        server.answer = gzipped(body) if packed else answering(body)
        async with server.network.session().get(URL) as answer:
            if fits:
                assert await read_body(answer, max_bytes=1_000) == body
            else:
                with pytest.raises(aiohttp.ClientPayloadError):
                    await read_body(answer, max_bytes=1_000)


@BOTH
async def test_a_decompression_bomb_is_not_inflated(client: Client) -> None:
    """P-05: 64 KB that stand for 64 MiB. `requests` by itself would inflate them all."""
    async with upstream(HOST) as server:
        server.answer = answering(BOMB, headers={"Content-Encoding": "gzip"})
        tracemalloc.start()
        try:
            with pytest.raises((requests.exceptions.RequestException, aiohttp.ClientPayloadError)):
                await client(server.network, URL)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 24 * 1024 * 1024


@BOTH
async def test_an_answer_that_arrives_in_pieces_is_whole(client: Client) -> None:
    """The first piece of a gzip stream may inflate to nothing; that is not the end of it."""
    packed = gzip.compress(b"all of it")

    async def in_pieces(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n" + head.encode())
        for start in range(0, len(packed), 6):
            writer.write(packed[start : start + 6])
            await writer.drain()
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)

    async with scripted(in_pieces, tls=certified(HOST)) as port:
        network = pinned_network({HOST: port})

        assert await client(network, URL) == b"all of it"
        await network.close()


@BOTH
@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        pytest.param(b"not gzip at all", "gzip", id="no-gzip-at-all"),
        pytest.param(b"not zlib at all", "deflate", id="no-zlib-at-all"),
    ],
)
async def test_what_cannot_be_inflated_is_an_error(
    client: Client, body: bytes, encoding: str
) -> None:
    async with upstream(HOST) as server:
        server.answer = answering(body, headers={"Content-Encoding": encoding})

        with pytest.raises((requests.exceptions.RequestException, aiohttp.ClientPayloadError)):
            await client(server.network, URL)


@BOTH
@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(gzip.compress(b"x" * 999)[:-12], id="cut-short"),
        pytest.param(gzip.compress(b"x" * 999)[:-1], id="cut-in-the-check-sum"),
        pytest.param(gzip.compress(b"x") + b"<script>", id="followed-by-a-text"),
        pytest.param(gzip.compress(b"x") + b"\0", id="followed-by-a-zero"),
        pytest.param(gzip.compress(b"x") + gzip.compress(b"y"), id="followed-by-another"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_a_gzip_stream_has_one_end_and_it_is_the_bodys(client: Client, packed: bytes) -> None:
    """RFC 1952 allows members in a row. No server that we call sends them, and readers disagree."""
    async with upstream(HOST) as server:
        server.answer = answering(packed, headers={"Content-Encoding": "gzip"})
        with pytest.raises((requests.exceptions.RequestException, aiohttp.ClientPayloadError)):
            await client(server.network, URL)


@BOTH
async def test_deflate_is_understood(client: Client) -> None:
    async with upstream(HOST) as server:
        server.answer = answering(zlib.compress(b"ok"), headers={"Content-Encoding": "deflate"})

        assert await client(server.network, URL) == b"ok"


@BOTH
@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "x-gzip", "gzip, gzip", "", "*"])
async def test_an_encoding_that_was_not_asked_for_is_an_error(
    client: Client, encoding: str
) -> None:
    async with upstream(HOST) as server:
        server.answer = answering(gzip.compress(b"x"), headers={"Content-Encoding": encoding})
        with pytest.raises((requests.exceptions.RequestException, aiohttp.ClientPayloadError)):
            await client(server.network, URL)


@BOTH
async def test_a_body_that_ends_early_is_an_error(client: Client) -> None:
    async def end_early(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.05)

    async with scripted(end_early, tls=certified(HOST)) as port:
        network = pinned_network({HOST: port})
        with pytest.raises((requests.exceptions.RequestException, aiohttp.ClientError)):
            await client(network, URL)
        await network.close()


async def test_the_synchronous_answer_reads_like_any_other() -> None:
    async with upstream(HOST) as server:
        server.answer = in_turn(gzipped(b'{"a": 1}'), answering(b'{"error": "x"}', status=400))
        with server.network.requests_session() as session:
            first = await asyncio.to_thread(session.get, URL)
            second = await asyncio.to_thread(session.get, URL)

        assert first.json() == {"a": 1}
        assert (second.status_code, second.json()) == (400, {"error": "x"})


async def test_a_caller_may_shorten_the_deadline() -> None:
    """As msal's calls do: what is left of a sign-in's time is all that its next request has."""
    async with upstream() as server:
        server.answer = dripping(b"x" * 60, seconds=0.1)
        began = monotonic()
        with quick(server.port, seconds=5) as session, pytest.raises(requests.exceptions.Timeout):
            await asyncio.to_thread(session.get, f"https://{LOOPBACK}:{server.port}/", timeout=0.4)

        assert monotonic() - began < 1.0


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: 100\r\n\r\nhalf", id="of-a-known-length"),
        pytest.param(b"Connection: close\r\n\r\nhalf", id="that-the-end-of-the-connection-ends"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", id="in-chunks"),
    ],
)
async def test_a_body_that_stops_midway_ends_at_the_deadline_and_is_no_answer(
    head: bytes,
) -> None:
    """The deadline is the call's: what the head took is not given to the body once more."""

    async def stop(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.4)
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        await writer.drain()
        await asyncio.sleep(5)

    async with scripted(stop) as port:
        began = monotonic()

        with pytest.raises(requests.exceptions.Timeout):
            await fetched(port, seconds=0.6)

        assert monotonic() - began < 0.9


@contextmanager
def black_hole(*addresses: str, port: int = 0) -> Iterator[int]:
    """A port of these that takes no more connections, and refuses none: its queue is full."""
    with ExitStack() as opened:
        for address in addresses:
            listening = opened.enter_context(socket.socket())
            listening.bind((address, port))
            listening.listen(0)
            port = listening.getsockname()[1]
            for _ in range(4):
                filling = opened.enter_context(socket.socket())
                filling.setblocking(False)
                filling.connect_ex((address, port))
        yield port


def resolving(*addresses: str) -> Resolve:
    """A resolver that knows these addresses for every name."""

    def resolve(
        host: str, port: int, family: int = 0, kind: int = 0
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        del host, family
        return [(socket.AF_INET, kind, 0, "", (address, port)) for address in addresses]

    return resolve


def through(resolve: Resolve, port: int = 443, *, seconds: float) -> requests.Session:
    """A session for this port of 127.0.0.1 and of the host, wherever that leads."""
    network = Network(
        Egress(outside=[f"https://{LOOPBACK}:{port}", f"https://{HOST}:{port}"]),
        resolve=resolve,
        tls=trusting(authority()),
        authority=authority_file(),
        total_seconds=seconds,
    )
    return network.requests_session()


async def test_all_addresses_of_a_name_share_the_time_to_connect() -> None:
    """Upstream gives each address the whole time: eight that drop packets take eight times it."""
    addresses = [f"127.0.0.{last}" for last in range(1, 9)]
    with (
        black_hole(*addresses) as port,
        through(resolving(*addresses), port, seconds=1.2) as session,
    ):
        began = monotonic()
        with pytest.raises(requests.exceptions.ConnectTimeout):
            await asyncio.to_thread(session.get, f"https://{LOOPBACK}:{port}/")

        assert 1.0 < monotonic() - began < 2.0


async def test_a_second_address_is_tried_where_the_first_does_not_answer() -> None:
    async with upstream(HOST) as server:
        server.answer = answering(b"ok")
        resolve = resolving("127.0.0.2", "127.0.0.3", LOOPBACK)  # silent, refusing, answering
        with (
            black_hole("127.0.0.2", port=server.port),
            through(resolve, server.port, seconds=5) as session,
        ):
            answer = await asyncio.to_thread(session.get, f"https://{LOOPBACK}:{server.port}/")

        assert answer.content == b"ok"


async def test_the_handshake_has_what_connecting_left_of_the_time() -> None:
    """And not the share of one address: eight of them leave each a second at most."""

    async def slow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1.4)
        writer.close()

    plain = await asyncio.start_server(slow, LOOPBACK, 0)
    port = plain.sockets[0].getsockname()[1]
    addresses = [LOOPBACK, *(f"127.0.0.{last}" for last in range(2, 9))]
    async with plain:
        with through(resolving(*addresses), port, seconds=3) as session:
            began = monotonic()
            with pytest.raises(requests.exceptions.RequestException):
                await asyncio.to_thread(session.get, f"https://{LOOPBACK}:{port}/")

            assert 1.3 < monotonic() - began < 2.0


async def test_the_certificate_is_the_names_whatever_address_was_dialled() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(HOST).configure_cert(context)  # for the name, and not for 127.0.0.1
    async with upstream(HOST, tls=context) as server:
        server.answer = answering(b"ok")
        with through(resolving(LOOPBACK), server.port, seconds=5) as session:
            answer = await asyncio.to_thread(session.get, f"https://{HOST}:{server.port}/")
            with pytest.raises(requests.exceptions.SSLError):
                await asyncio.to_thread(session.get, f"https://{LOOPBACK}:{server.port}/")

        assert answer.content == b"ok"
        assert [request.host for request in server.received] == [f"{HOST}:{server.port}"]


async def test_a_connection_that_is_kept_outlives_the_deadline_of_the_call_before() -> None:
    callers: list[object] = []

    async def note(request: web.Request) -> web.Response:
        assert request.transport is not None
        callers.append(request.transport.get_extra_info("peername"))
        return web.Response(body=b"ok")

    async with upstream() as server:
        server.answer = note
        with quick(server.port, seconds=0.4) as session:
            for _ in range(2):
                await asyncio.to_thread(session.get, f"https://{LOOPBACK}:{server.port}/")
                await asyncio.sleep(0.6)

        assert len(callers) == 2
        assert len(set(callers)) == 1


async def test_a_name_without_an_address_cannot_be_reached() -> None:
    def unknown(*_: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "made up")

    for resolve in (unknown, resolving()):
        with (
            through(resolve, seconds=1) as session,
            pytest.raises(requests.exceptions.ConnectionError),
        ):
            await asyncio.to_thread(session.get, URL)


# --- TLS (X-13) ----------------------------------------------------------------------------------


def self_signed() -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    bundle = trustme.Blob(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with bundle.tempfile() as path:
        context.load_cert_chain(path)
    return context


def expired() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    long_ago = datetime.now(UTC) - timedelta(days=9)
    authority().issue_cert(
        HOST, not_before=long_ago, not_after=long_ago + timedelta(days=1)
    ).configure_cert(context)
    return context


def tls_1_1() -> ssl.SSLContext:
    context = certified(HOST)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@BOTH
@pytest.mark.parametrize(
    "tls",
    [
        pytest.param(self_signed, id="self-signed"),
        pytest.param(lambda: certified(HOST, ca=trustme.CA()), id="an-unknown-authority"),
        pytest.param(lambda: certified("test.salesforce.com"), id="another-host"),
        pytest.param(lambda: certified("*.com"), id="too-wide-a-wildcard"),
        pytest.param(expired, id="expired"),
        pytest.param(tls_1_1, id="tls-1.1"),
    ],
)
async def test_a_server_that_does_not_prove_itself_hears_nothing(
    client: Client, tls: Callable[[], ssl.SSLContext]
) -> None:
    async with upstream(HOST, tls=tls()) as server:
        with pytest.raises((requests.exceptions.SSLError, aiohttp.ClientConnectorError)):
            await client(server.network, URL)

        assert server.received == []


@BOTH
async def test_a_server_that_proves_itself_is_heard(client: Client) -> None:
    """The rig of the test above is right but for what each case breaks."""
    async with upstream(HOST) as server:
        server.answer = answering(b"ok")

        assert await client(server.network, URL) == b"ok"


async def test_the_tls_1_1_server_is_refused_for_its_version_alone() -> None:
    async with upstream(HOST, tls=tls_1_1()) as server:
        lax = trusting(authority())
        lax.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):
            lax.minimum_version = ssl.TLSVersion.TLSv1_1
        _, writer = await asyncio.open_connection(
            LOOPBACK, server.port, ssl=lax, server_hostname=HOST
        )

        assert writer.get_extra_info("ssl_object").version() == "TLSv1.1"
        writer.transport.abort()


def test_production_verifies_certificates_and_names_from_tls_1_2_on() -> None:
    context = strict_tls()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_production_does_not_trust_the_authority_of_these_tests() -> None:
    async with upstream() as server:
        network = Network(Egress(outside=[f"https://{LOOPBACK}:{server.port}"]))
        for client in (with_requests, with_aiohttp):
            with pytest.raises((requests.exceptions.SSLError, aiohttp.ClientConnectorError)):
                await client(network, f"https://{LOOPBACK}:{server.port}/")
        await network.close()

        assert server.received == []


async def test_the_managed_identity_of_the_synchronous_libraries_uses_no_proxy_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It speaks to the platform's own endpoint: its header and tokens are nobody else's."""

    async def issue(_: web.Request) -> web.Response:
        return web.json_response(
            {"access_token": "issued", "expires_on": "4102444800", "token_type": "Bearer"}
        )

    app = web.Application()
    app.router.add_get("/msi/token", issue)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://{LOOPBACK}:{runner.addresses[0][1]}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "made-up")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    outside = Azure(settings(), Network())
    try:
        on_behalf_of = outside.on_behalf_of
        assert isinstance(on_behalf_of, MsalOnBehalfOf)

        assert await asyncio.to_thread(on_behalf_of._client_assertion) == "issued"
    finally:
        await outside.close()
        await runner.cleanup()
