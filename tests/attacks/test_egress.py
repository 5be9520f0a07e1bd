"""O-09, P-13, P-05: requests to where they must not go; each by both of the network's clients.

Names lead to a listening socket on this machine wherever that is possible: what is refused would
have arrived. Deadlines, redirects and what else holds for every call: tests/test_network.py.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from threading import enumerate as threads
from time import monotonic
from typing import Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import pytest
import requests
from aiohttp import web
from azure.core.exceptions import ClientAuthenticationError
from urllib3.exceptions import MaxRetryError, NewConnectionError

from local.network import pinned
from shared.egress import Egress
from shared.errors import SalesforceUnavailableError
from shared.model import Access, OrgId
from shared.names import LOOKUP_SECONDS, Names, Resolve, from_dns
from shared.network import CONNECT_SECONDS, Network, read_body
from shared.outside import Azure
from shared.salesforce.transport import SalesforceRest
from shared.secret import Secret
from tests.settings import settings
from tests.test_salesforce_hosts import FOREIGN, INSTANCES
from tests.upstream import (
    LOOPBACK,
    answering,
    authority_file,
    redirecting,
    upstream,
)

ROOT: Final = Path(__file__).parent.parent.parent
ORG: Final = "contoso.my.salesforce.com"
VAULT: Final = "customer.vault.azure.net"
TABLES: Final = "flowrunner.table.core.windows.net"
SCOPE: Final = "https://storage.azure.com/.default"
PUBLIC: Final = "93.184.215.14"

type Client = Callable[[Network, str], Awaitable[bytes]]


async def with_requests(network: Network, url: str) -> bytes:
    with network.requests_session() as session:
        answer = await asyncio.to_thread(session.get, url, allow_redirects=False)
        return answer.content


async def with_aiohttp(network: Network, url: str) -> bytes:
    async with network.session().get(url, allow_redirects=False) as answer:
        return await read_body(answer, max_bytes=1024)


BOTH: Final = pytest.mark.parametrize(
    "client",
    [pytest.param(with_requests, id="requests"), pytest.param(with_aiohttp, id="aiohttp")],
)

REFUSED: Final = (requests.exceptions.RequestException, aiohttp.ClientError)


def was_never_sent(exc: BaseException) -> bool:
    """As the adapters read it: that nothing has left, and the call may be repeated."""
    if isinstance(exc, (aiohttp.ClientConnectorError, requests.exceptions.InvalidURL)):
        return True
    cause = exc.args[0] if exc.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


class Trap:
    """A port that counts who knocks, and a resolver that leads every name to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.knocks = 0
        self.asked: list[str] = []

    def resolve(
        self, host: str, port: int, family: socket.AddressFamily, kind: socket.SocketKind
    ) -> Sequence[Any]:
        del port, family
        self.asked.append(host)
        return [(socket.AF_INET, kind, 0, "", (LOOPBACK, self.port))]


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    async def knock(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.knocks += 1
        writer.transport.abort()

    server = await asyncio.start_server(knock, LOOPBACK, 0)
    found = Trap(server.sockets[0].getsockname()[1])
    yield found
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def closing(network: Network) -> AsyncIterator[Network]:
    try:
        yield network
    finally:
        await network.close()


def answers(*addresses: str) -> Resolve:
    """A name server that says the same of every name."""

    def lookup(
        host: str, port: int, family: socket.AddressFamily, kind: socket.SocketKind
    ) -> Sequence[Any]:
        del host, family
        return [
            (socket.AF_INET6, kind, 0, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, kind, 0, "", (address, port))
            for address in addresses
        ]

    return lookup


def full_egress() -> Egress:
    """Of a deployment that has switched everything on."""
    egress = Egress()
    egress.admit_settings(
        settings(
            sentry_dsn="https://0123456789abcdef0123456789abcdef@o1.ingest.de.sentry.io/1",
            applicationinsights_connection_string=(
                "InstrumentationKey=7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3;"
                "IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/"
            ),
        )
    )
    return egress


# --- O-09: which hosts ---------------------------------------------------------------------------

OUR_HOSTS: Final = [
    *(str(case.values[0]) for case in INSTANCES),
    "login.salesforce.com",
    "test.salesforce.com",
    "login.microsoftonline.com",
    "www.googleapis.com",
    VAULT,
    TABLES,
    "flowrunnerbackup.blob.core.windows.net",
    "o1.ingest.de.sentry.io",
    "westeurope-5.in.applicationinsights.azure.com",
]

NEAR_OURS: Final = [
    "login.microsoftonline.com.evil.example.com",
    "login.microsoftonline.com.",
    "xlogin.microsoftonline.com",
    "login.windows.net",
    "graph.microsoft.com",
    "accounts.google.com",
    "storage.googleapis.com",
    "another.table.core.windows.net",
    "flowrunner.blob.core.windows.net",
    "vault.azure.net",
    "a.b.vault.azure.net",
    "customer.vault.azure.net.evil.example.com",
    "customer-vault.azure.net",
    "o2.ingest.de.sentry.io",
    "o1.ingest.us.sentry.io",
    "eastus-5.in.applicationinsights.azure.com",
    "management.azure.com",
    "flowrunner.example.com",
    "addin.example.com",
]

SPELLINGS: Final = [
    "127.0.0.1",
    "127.1",
    "127.000.000.001",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "0",
    "0.0.0.0",  # noqa: S104 - nothing is bound
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "\uff11\uff12\uff17.0.0.1",
    "169.254.169.254",
    "168.63.129.16",
    PUBLIC,
]


@pytest.mark.parametrize("host", OUR_HOSTS)
def test_each_host_of_the_service_is_admitted_by_https_at_its_port_alone(host: str) -> None:
    egress = full_egress()

    assert egress.admits("https", host, 443)
    assert not egress.admits("http", host, 80)
    assert not egress.admits("http", host, 443)
    assert not egress.admits("wss", host, 443)
    assert not egress.admits("https", host, 8443)


@pytest.mark.parametrize("host", OUR_HOSTS[-5:])
def test_a_host_of_the_settings_is_not_admitted_without_them(host: str) -> None:
    assert Egress().admits("https", host, 443) == (host == VAULT)


def test_what_the_settings_name_besides_is_not_admitted() -> None:
    """The addresses of callers and of other regions are told to browsers, and never called."""
    egress = Egress()
    chosen = settings(tenant_regions={"ms-x": ("northeurope", "https://ne.example.com/api")})
    egress.admit_settings(chosen)

    for host in ("flowrunner.example.com", "addin.example.com", "ne.example.com"):
        assert not egress.admits("https", host, 443)


@BOTH
async def test_o09_no_other_host_is_looked_up_or_dialled(client: Client, trap: Trap) -> None:
    """The corpus of instances, what resembles another of our hosts, and what must not be one."""
    hosts = [*(str(case.values[0]) for case in FOREIGN), *NEAR_OURS, *SPELLINGS]
    passed = []
    async with closing(Network(full_egress(), resolve=trap.resolve)) as network:
        for url in (f"https://{host}{end}" for host in hosts for end in ("", f":{trap.port}/")):
            try:
                await client(network, url)
            except (*REFUSED, ValueError, UnicodeError):
                pass
            else:
                passed.append(url)

    # A parser may make one of our own hosts of an odd text; that one is harmless, and it is
    # asked for by its own name.
    assert {host for host in trap.asked if not full_egress().admits("https", host, 443)} == set()
    assert passed == []


@BOTH
@pytest.mark.parametrize("host", [*NEAR_OURS, *SPELLINGS])
async def test_o09_a_host_that_is_refused_was_never_sent_to(
    client: Client, host: str, trap: Trap
) -> None:
    async with closing(Network(full_egress(), resolve=trap.resolve)) as network:
        for url in (f"https://{host}/", f"https://{host}:{trap.port}/"):
            with pytest.raises(REFUSED) as refused:
                await client(network, url)

            assert was_never_sent(refused.value)
    assert (trap.knocks, trap.asked) == (0, [])


@BOTH
@pytest.mark.parametrize(
    "url",
    [
        "https://contoso.my.salesforce.com@evil.example.com/",
        "https://user:secret@evil.example.com/",
        "https://evil.example.com\\@contoso.my.salesforce.com.evil.example.com/",
        "https://evil.example.com#@contoso.my.salesforce.com/",
        "https://evil.example.com?@contoso.my.salesforce.com/",
        "https://contoso.my.salesforce.com:8443/",
        "https://contoso.my.salesforce.com%2eevil.example.com/",
        "https://contoso.my.salesforce.com\uff0eevil.example.com/",
    ],
)
async def test_o09_an_address_of_several_readings_leads_nowhere(
    client: Client, url: str, trap: Trap
) -> None:
    """What was parsed is checked, not what was written."""
    async with closing(Network(full_egress(), resolve=trap.resolve)) as network:
        with pytest.raises((*REFUSED, ValueError)):
            await client(network, url)

    assert (trap.knocks, trap.asked) == (0, [])


@BOTH
async def test_the_trap_of_the_tests_above_catches_what_is_admitted(
    client: Client, trap: Trap
) -> None:
    async with closing(Network(full_egress(), resolve=trap.resolve)) as network:
        with pytest.raises(REFUSED):
            await client(network, f"https://{ORG}/")

    assert (trap.knocks, trap.asked) == (1, [ORG])


async def test_o09_plain_http_is_refused_by_the_asynchronous_client(trap: Trap) -> None:
    async with closing(Network(full_egress(), resolve=trap.resolve)) as network:
        for url in (f"http://{ORG}/", f"http://{ORG}:443/", f"http://{LOOPBACK}:{trap.port}/"):
            with pytest.raises(aiohttp.ClientConnectorError):
                await with_aiohttp(network, url)

    assert (trap.knocks, trap.asked) == (0, [])


async def test_o09_a_redirect_that_somebody_follows_ends_at_the_rule() -> None:
    """No caller follows one; this is what holds if a library did."""
    async with upstream(ORG) as server, closing(own_network(server.port)) as network:
        server.answer = redirecting(f"https://{LOOPBACK}:{server.port}/token", 307)
        with pytest.raises(aiohttp.ClientConnectorError):
            async with network.session().get(f"https://{ORG}/"):
                pass
        with network.requests_session() as session:
            session.max_redirects = 5
            with pytest.raises(requests.exceptions.ConnectionError):
                await asyncio.to_thread(session.get, f"https://{ORG}/")

        assert [request.host for request in server.received] == [ORG, ORG]


def own_network(port: int) -> Network:
    """Every name leads to this port; the rule is the service's own."""
    return Network(
        full_egress(), resolve=pinned({"*.my.salesforce.com": port}), authority=authority_file()
    )


@pytest.mark.parametrize("given", [True, False], ids=["a-given-network", "its-own"])
async def test_the_service_keeps_to_its_settings_in_whatever_network(given: bool) -> None:
    """The local stack brings a network of its own; the rule is the same one."""
    network = Network() if given else None
    azure = Azure(settings(), network)
    found = azure._network

    assert network is None or found is network
    assert found.egress.admits("https", TABLES, 443)
    assert found.egress.admits("https", "flowrunnerbackup.blob.core.windows.net", 443)
    assert not found.egress.admits("https", "another.table.core.windows.net", 443)
    assert not found.egress.admits("https", "o1.ingest.de.sentry.io", 443)
    await azure.close()


# --- O-09: which addresses -----------------------------------------------------------------------

NEVER: Final = [
    pytest.param(LOOPBACK, id="loopback"),
    pytest.param("127.8.9.10", id="more-of-it"),
    pytest.param("0.0.0.0", id="unspecified"),  # noqa: S104 - nothing is bound
    pytest.param("169.254.169.254", id="instance-metadata"),
    pytest.param("169.254.1.1", id="link-local"),
    pytest.param("168.63.129.16", id="the-wire-server"),
    pytest.param("100.64.0.1", id="of-a-carrier"),
    pytest.param("224.0.0.1", id="multicast"),
    pytest.param("239.1.2.3", id="multicast-of-an-organisation"),
    pytest.param("240.0.0.1", id="reserved"),
    pytest.param("255.255.255.255", id="broadcast"),
    pytest.param("::1", id="loopback-6"),
    pytest.param("::", id="unspecified-6"),
    pytest.param("fe80::1", id="link-local-6"),
    pytest.param("fe80::1%eth0", id="link-local-6-with-its-wire"),
    pytest.param("fec0::1", id="site-local-6"),
    pytest.param("ff02::1", id="multicast-6"),
    pytest.param("::7f00:1", id="loopback-as-compatible"),
    pytest.param("::ffff:127.0.0.1", id="loopback-as-mapped"),
    pytest.param("::ffff:169.254.169.254", id="metadata-as-mapped"),
    pytest.param("::ffff:168.63.129.16", id="the-wire-server-as-mapped"),
    pytest.param("64:ff9b::7f00:1", id="loopback-by-nat64"),
    pytest.param("64:ff9b::a9fe:a9fe", id="metadata-by-nat64"),
    pytest.param("2002:7f00:1::", id="loopback-by-6to4"),
    pytest.param("2002:a9fe:a9fe::1", id="metadata-by-6to4"),
    pytest.param("2001::7f00:1", id="teredo"),
]

PRIVATE: Final = [
    pytest.param("10.0.0.4", id="10"),
    pytest.param("172.16.0.1", id="172"),
    pytest.param("192.168.1.1", id="192"),
    pytest.param("fd00::4", id="unique-local-6"),
    pytest.param("::ffff:10.0.0.4", id="10-as-mapped"),
    pytest.param("64:ff9b::a00:4", id="10-by-nat64"),
    pytest.param("2002:a00:4::", id="10-by-6to4"),
]


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("host", OUR_HOSTS[-9:])
def test_o09_no_host_may_be_this_machine_or_its_platform(host: str, address: str) -> None:
    assert not full_egress().may_dial(host, address)


@pytest.mark.parametrize("address", PRIVATE)
def test_only_azures_own_endpoints_may_be_in_the_virtual_network(address: str) -> None:
    """Private endpoints (bicep/modules/privateendpoints.bicep), and nobody else's names."""
    egress = full_egress()
    private = [host for host in OUR_HOSTS if egress.may_dial(host, address)]

    assert private == [
        VAULT,
        TABLES,
        "flowrunnerbackup.blob.core.windows.net",
        "westeurope-5.in.applicationinsights.azure.com",
    ]


@pytest.mark.parametrize(
    "address", [PUBLIC, "2606:4700::1111", "64:ff9b::5db8:d70e", "2002:5db8:d70e::1"]
)
@pytest.mark.parametrize("host", OUR_HOSTS[-9:])
def test_every_host_may_have_a_public_address(host: str, address: str) -> None:
    assert full_egress().may_dial(host, address)


@BOTH
@pytest.mark.parametrize("address", [*NEVER, *PRIVATE])
async def test_o09_a_name_that_was_made_to_lead_inside_is_not_called(
    client: Client, address: str
) -> None:
    """DNS rebinding: a My Domain of the right form, and whoever answers for it lies."""
    egress = full_egress()
    network = Network(egress, resolve=from_dns(egress, answers(address)))
    async with closing(network):
        with pytest.raises(REFUSED) as refused:
            await client(network, f"https://{ORG}/")

    assert was_never_sent(refused.value)


@BOTH
async def test_o09_the_systems_own_resolver_is_checked_like_any_other(
    client: Client, trap: Trap
) -> None:
    """`localhost` stands for a name of the settings whose zone was taken over."""
    url = f"https://localhost:{trap.port}"
    for egress in (Egress(inside=[url]), Egress(outside=[url])):
        async with closing(Network(egress)) as network:
            with pytest.raises(REFUSED) as refused:
                await client(network, f"{url}/")

            assert was_never_sent(refused.value)
    assert trap.knocks == 0


def test_o09_of_several_addresses_only_those_that_are_allowed_are_left() -> None:
    egress = full_egress()
    lookup = from_dns(egress, answers(LOOPBACK, "10.0.0.4", PUBLIC, "::1", "2606:4700::1111"))

    assert addresses_of(lookup, ORG) == [PUBLIC, "2606:4700::1111"]
    assert addresses_of(lookup, VAULT) == ["10.0.0.4", PUBLIC, "2606:4700::1111"]


def addresses_of(resolve: Resolve, host: str) -> list[str]:
    found = resolve(host, 443, socket.AF_UNSPEC, socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


@BOTH
async def test_o09_what_was_checked_is_dialled_with_no_second_look(
    client: Client, trap: Trap
) -> None:
    """A name server with a time to live of zero may answer differently the second time."""
    asked: list[str] = []
    async with upstream(ORG) as server:
        server.answer = answering(b"ok")

        def once(host: str, *_: object) -> Sequence[Any]:
            asked.append(host)
            port = server.port if len(asked) == 1 else trap.port
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (LOOPBACK, port))]

        async with closing(Network(resolve=once, authority=authority_file())) as network:
            assert await client(network, f"https://{ORG}/") == b"ok"

        assert asked == [ORG]
    assert trap.knocks == 0


def test_an_endpoint_that_is_given_as_an_address_is_that_address_alone() -> None:
    """The local stack's storage: https://127.0.0.1:port."""
    egress = Egress(inside=[f"https://{LOOPBACK}:10002/devstoreaccount1"])

    assert egress.admits("https", LOOPBACK, 10002)
    assert not egress.admits("https", LOOPBACK, 443)
    assert not egress.admits("http", LOOPBACK, 10002)
    assert egress.may_dial(LOOPBACK, LOOPBACK)
    assert not egress.may_dial(LOOPBACK, "127.0.0.2")


# --- O-09: the adapters take it for what it is ---------------------------------------------------


@pytest.mark.parametrize("address", [LOOPBACK, "10.0.0.4"])
async def test_o09_a_flow_at_an_org_that_leads_inside_is_not_run(address: str) -> None:
    """Nothing was sent: the run may be repeated."""
    egress = full_egress()
    access = Access(
        org=OrgId.parse("00D5g00000CONTOEA5"),
        instance_host=ORG,
        token=Secret("00D5g00000CONTO!canary"),
        generation=1,
    )
    async with closing(Network(egress, resolve=from_dns(egress, answers(address)))) as network:
        with pytest.raises(SalesforceUnavailableError):
            await SalesforceRest(network).call(access, "POST", "x", body={"inputs": []})


# --- the managed identity ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://127.0.0.1:41741/msi/token", LOOPBACK, 41741),
        ("http://localhost:8081/msi/token?resource=x", "localhost", 8081),
        ("http://169.254.130.4:8081/msi/token", "169.254.130.4", 8081),
        ("http://[::1]/msi/token", "::1", 80),
    ],
)
def test_the_identitys_endpoint_is_admitted_on_this_machine(url: str, host: str, port: int) -> None:
    egress = Egress()
    egress.admit_identity(url)

    assert egress.admits("http", host, port)
    assert not egress.admits("https", host, port)
    assert not egress.admits("http", host, port + 1)
    assert egress.may_dial(host, host if host != "localhost" else LOOPBACK)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/metadata/identity/oauth2/token",
        "http://168.63.129.16/machine",
        "http://10.0.0.4/msi/token",
        "http://93.184.215.14/msi/token",
        "http://evil.example.com/msi/token",
        "http://127.0.0.1.evil.example.com/msi/token",
        "http://localhost@evil.example.com/msi/token",
        "http://localhost.evil.example.com/msi/token",
        "https://evil.example.com/msi/token",
        "https://127.0.0.1/msi/token",
        "http://2130706433/msi/token",
    ],
)
def test_no_other_endpoint_passes_for_the_identitys(url: str) -> None:
    egress = Egress()
    egress.admit_identity(url)
    origin = urlsplit(url)

    assert not egress.admits(origin.scheme, str(origin.hostname), origin.port or 80)
    assert not egress.admits(origin.scheme, str(origin.hostname), origin.port or 443)


@pytest.mark.parametrize("address", [PUBLIC, "10.0.0.4", "169.254.169.254"])
def test_localhost_is_this_machine_whatever_is_said_of_it(address: str) -> None:
    egress = Egress()
    egress.admit_identity("http://localhost:8081/msi/token")

    assert not egress.may_dial("localhost", address)


async def test_the_metadata_service_is_not_asked_where_the_platform_gives_no_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK would turn to it, and its answer would be whoever's machine this is."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "IMDS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    azure = Azure(settings(), Network())
    try:
        failures = await asyncio.gather(
            azure._credential.get_token(SCOPE),
            asyncio.to_thread(azure._synchronous_credential().get_token, SCOPE),
            return_exceptions=True,
        )
    finally:
        await azure.close()

    for failure in failures:
        assert isinstance(failure, ClientAuthenticationError)
        assert "169.254.169.254" in str(failure.__cause__)
        assert "not a host of this service" in str(failure.__cause__)


async def test_the_identitys_endpoint_answers_both_of_its_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And once it is known, it is still for nobody else's session of `requests`."""
    app = web.Application()
    app.router.add_get("/msi/token", issue)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    endpoint = f"http://{LOOPBACK}:{runner.addresses[0][1]}/msi/token"
    monkeypatch.setenv("IDENTITY_ENDPOINT", endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", "made-up")
    azure = Azure(settings(), Network())
    try:
        mine = await azure._credential.get_token(SCOPE)
        theirs = await asyncio.to_thread(azure._synchronous_credential().get_token, SCOPE)
        session = azure._network.requests_session()
        with session, pytest.raises(requests.exceptions.InvalidSchema):
            await asyncio.to_thread(session.get, endpoint)
    finally:
        await azure.close()
        await runner.cleanup()

    assert (mine.token, theirs.token) == ("issued", "issued")


async def issue(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "access_token": "issued",
            "expires_on": "4102444800",
            "resource": request.query["resource"],
            "token_type": "Bearer",
        }
    )


# --- P-13: the environment -----------------------------------------------------------------------


@BOTH
async def test_p13_no_proxy_of_a_call_or_of_the_environment_is_used(
    client: Client, monkeypatch: pytest.MonkeyPatch, trap: Trap
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:{trap.port}")
        monkeypatch.setenv(name.lower(), f"http://{LOOPBACK}:{trap.port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "example.com")
    async with upstream(ORG) as server:
        server.answer = answering(b"straight")

        assert await client(server.network, f"https://{ORG}/") == b"straight"
    assert trap.knocks == 0


async def test_p13_a_proxy_that_a_library_asks_for_is_refused_or_ignored(trap: Trap) -> None:
    proxy = f"http://{LOOPBACK}:{trap.port}"
    async with upstream(ORG) as server:
        server.answer = answering(b"straight")
        with pytest.raises(aiohttp.ClientConnectorError):
            await server.network.session().get(f"https://{ORG}/", proxy=proxy)
        with server.network.requests_session() as session:
            answer = await asyncio.to_thread(
                session.get, f"https://{ORG}/", proxies={"https": proxy, "all": proxy}
            )

        assert answer.content == b"straight"
    assert trap.knocks == 0


@BOTH
async def test_p13_the_netrc_of_the_home_folder_is_not_read(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("default login eve password canary\n")
        (tmp_path / name).chmod(0o600)
    assert requests.utils.get_netrc_auth(f"https://{ORG}/") == ("eve", "canary")  # it is set
    async with upstream(ORG) as server:
        server.answer = answering(b"ok")
        await client(server.network, f"https://{ORG}/")

        assert "Authorization" not in server.received[0].headers


KEY_LOG: Final = """
import asyncio, ssl, sys
from shared.network import strict_tls
from tests.attacks.test_egress import ORG, own_network, with_aiohttp, with_requests
from tests.upstream import LOOPBACK, answering, authority_file, upstream

async def main():
    async with upstream(ORG) as server:
        server.answer = answering(b"ok")
        network = own_network(server.port)
        await with_requests(network, f"https://{ORG}/")
        await with_aiohttp(network, f"https://{ORG}/")
        await network.close()
        assert len(server.received) == 2
        if "trap" in sys.argv:
            tls = ssl.create_default_context(cafile=authority_file())
            _, writer = await asyncio.open_connection(LOOPBACK, server.port, ssl=tls)
            writer.transport.abort()
    assert strict_tls().keylog_filename is None

asyncio.run(main())
"""


@pytest.mark.parametrize("trapped", [False, True], ids=["ours", "the-standard-librarys"])
def test_no_client_writes_its_session_keys_to_a_file(trapped: bool, tmp_path: Path) -> None:
    """SSLKEYLOGFILE: whoever sets it and records the traffic reads all of it."""
    log = tmp_path / "keys.log"
    subprocess.run(
        [sys.executable, "-c", KEY_LOG, *(["trap"] if trapped else [])],
        env={**os.environ, "SSLKEYLOGFILE": str(log), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        timeout=60,
        check=True,
    )
    written = log.read_text(encoding="utf-8") if log.exists() else ""

    assert ("_SECRET" in written or "CLIENT_RANDOM" in written) == trapped


# --- name servers that hang ----------------------------------------------------------------------


class HangingNameServer:
    """Answers nobody until the test is over, and then nothing: its threads must not outlive it."""

    def __init__(self) -> None:
        self._over = Event()

    def resolve(self, *_: object) -> Sequence[Any]:
        self._over.wait(20)
        return []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()


async def test_a_lookup_that_hangs_ends_in_time_and_nothing_was_sent() -> None:
    with HangingNameServer() as server:
        async with closing(Network(resolve=server.resolve, total_seconds=0.4)) as network:
            began = monotonic()
            with pytest.raises(requests.exceptions.ConnectionError) as refused:
                await with_requests(network, f"https://{ORG}/")
            assert was_never_sent(refused.value)
            assert monotonic() - began < 2.0

            with pytest.raises(TimeoutError):
                async with asyncio.timeout(5):
                    await network.session().get(
                        f"https://{ORG}/", timeout=aiohttp.ClientTimeout(total=0.4)
                    )
            assert monotonic() - began < 3.0


async def test_lookups_that_hang_end_by_themselves_and_hold_few_threads() -> None:
    """However long the caller would wait: a run of a Flow has three minutes."""
    others = threads()
    with HangingNameServer() as server:
        names = Names(server.resolve, seconds=0.3)
        began = monotonic()
        found = await asyncio.gather(
            *(names.resolve(ORG, 443) for _ in range(40)), return_exceptions=True
        )
        with pytest.raises(socket.gaierror):
            names.find(ORG, 443, socket.AF_UNSPEC, seconds=60)

        assert {type(one) for one in found} == {socket.gaierror}
        assert monotonic() - began < 2.0
        assert len([thread for thread in threads() if thread not in others]) == 8


async def test_a_lookup_has_five_seconds_by_default() -> None:
    assert Names(answers(PUBLIC))._seconds == LOOKUP_SECONDS == CONNECT_SECONDS
