"""A call of the token endpoint: when it ends, whose threads it takes, and whether it was sent
(O-15)."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import monotonic
from typing import Any, Final

import pytest
from aiohttp import web

from local import scene
from shared.egress import Egress
from shared.errors import SalesforceTimeoutError, SalesforceUnavailableError
from shared.model import Grant, OrgId
from shared.network import Network
from shared.salesforce.oauth import SalesforceOAuth
from shared.salesforce.token_endpoint import SECONDS
from shared.secret import Secret
from shared.usecases.refresh_grant import _LAST_WRITE, _TIME_TO_ASK, LEASE
from tests import upstream as up
from tests.upstream import LOOPBACK, Upstream, certified, pinned_network, upstream

INSTANCE: Final = "contoso.my.salesforce.com"
OTHER: Final = "fabrikam.my.salesforce.com"
SHORT: Final = 2.0
GRACE: Final = 1.5
"""For a busy machine: a deadline of seconds is not one of milliseconds."""

GRANT: Final = Grant(
    org=OrgId.parse(scene.SALESFORCE_ORG_ID),
    salesforce_user="005xx000001SwiUAAS",
    instance_host=INSTANCE,
    login_host="login.salesforce.com",
    refresh_token=Secret("old-refresh"),
    access_token=Secret("old-access"),
)

type Logins = Callable[[Network], SalesforceOAuth]


@pytest.fixture
def logins() -> Iterator[Logins]:
    """Makes adapters whose calls may take two seconds, and closes them."""
    made: list[SalesforceOAuth] = []

    async def secret(_: str) -> Secret:
        return Secret("made-up consumer secret")

    def make(network: Network) -> SalesforceOAuth:
        made.append(
            SalesforceOAuth(
                network,
                client_id=scene.SALESFORCE_CLIENT_ID,
                client_secret=secret,
                callback_url="https://flowrunner.example.com/api/v1/salesforce/callback",
                seconds=SHORT,
            )
        )
        return made[-1]

    yield make
    for login in made:
        login.close()


@pytest.fixture
async def salesforce() -> AsyncIterator[Upstream]:
    async with upstream(INSTANCE, OTHER) as server:
        yield server


async def failing(call: Awaitable[object]) -> tuple[type[Exception], float]:
    """How a call fails, and after how many seconds."""
    began = monotonic()
    with pytest.raises(Exception) as failed:  # noqa: PT011 - the caller compares the type
        await call
    return type(failed.value), monotonic() - began


async def refused(_: object) -> web.StreamResponse:
    """An answer that is one, and quickly given."""
    return web.json_response({"error": "slow_down"}, status=400)


class Names:
    """A name server that does not answer until it is told to, and then leads to this port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.asked, self.answers = threading.Event(), threading.Event()

    def __call__(self, *_: object) -> list[Any]:
        self.asked.set()
        self.answers.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (LOOPBACK, self._port))]

    def network(self) -> Network:
        return Network(
            Egress(outside=[f"https://{INSTANCE}"]),
            resolve=self,
            tls=up.trusting(up.authority()),
            authority=up.authority_file(),
        )


# --- how long it takes ---------------------------------------------------------------------------


async def half_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """No more from this side, and nothing said; the connection stays."""
    del reader
    writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
    await asyncio.sleep(60)


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader, writer
    await asyncio.sleep(60)


async def dripping_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    for byte in b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}":
        await asyncio.sleep(0.4)
        writer.write(bytes([byte]))
        await writer.drain()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(half_closed, id="half-closed"),
        pytest.param(deaf, id="silence"),
        pytest.param(dripping_head, id="a-byte-each-0.4-seconds"),
    ],
)
async def test_o15_a_call_ends_in_time_and_counts_as_sent(
    logins: Logins, script: up.Script
) -> None:
    async with up.scripted(script, tls=certified(INSTANCE)) as port:
        login = logins(pinned_network({INSTANCE: port}))
        failure, seconds = await failing(login.refresh(GRANT))

    assert failure is SalesforceTimeoutError
    assert seconds < SHORT + GRACE


async def test_o15_a_body_that_drips_ends_in_time(logins: Logins, salesforce: Upstream) -> None:
    salesforce.answer = up.dripping(b'{"access_token": "x"}', seconds=0.4)
    failure, seconds = await failing(logins(salesforce.network).refresh(GRANT))

    assert failure is SalesforceTimeoutError
    assert SHORT - 0.1 < seconds < SHORT + GRACE


async def test_o15_a_name_that_does_not_resolve_in_time_sends_nothing_then_or_later(
    logins: Logins, salesforce: Upstream
) -> None:
    names = Names(salesforce.port)
    failure, seconds = await failing(logins(names.network()).refresh(GRANT))
    names.answers.set()
    await asyncio.sleep(0.5)

    assert failure is SalesforceUnavailableError
    assert SHORT - 0.1 < seconds < SHORT + GRACE
    assert salesforce.received == []


async def test_what_could_be_sent_at_the_last_moment_only_is_not_sent(
    logins: Logins, salesforce: Upstream
) -> None:
    """Its answer would come too late, and the token would be spent."""
    names = Names(salesforce.port)
    asyncio.get_running_loop().call_later(0.75 * SHORT, names.answers.set)
    failure, seconds = await failing(logins(names.network()).refresh(GRANT))

    assert failure is SalesforceUnavailableError
    assert 0.7 * SHORT < seconds < SHORT
    assert salesforce.received == []


async def test_a_name_that_resolves_is_asked(logins: Logins, salesforce: Upstream) -> None:
    """The same name server, in time: what the tests above and below see is its doing."""
    names = Names(salesforce.port)
    names.answers.set()
    salesforce.answer = refused
    await failing(logins(names.network()).refresh(GRANT))

    assert len(salesforce.received) == 1


async def test_a_caller_who_leaves_before_it_was_sent_sends_nothing(
    logins: Logins, salesforce: Upstream
) -> None:
    names = Names(salesforce.port)
    call = asyncio.create_task(logins(names.network()).refresh(GRANT))
    await asyncio.to_thread(names.asked.wait, 5)
    call.cancel()
    with suppress(asyncio.CancelledError):
        await call
    names.answers.set()
    await asyncio.sleep(0.5)

    assert salesforce.received == []


def test_o15_the_lease_outlives_two_calls() -> None:
    """A redemption without an answer is repeated once under the same lease; and nothing is sent
    when there is no time left for its answer and for writing that."""
    assert LEASE.total_seconds() > 2 * SECONDS
    assert _TIME_TO_ASK.total_seconds() >= SECONDS + _LAST_WRITE.total_seconds()


# --- whose threads it takes ----------------------------------------------------------------------


async def test_calls_do_not_wait_for_the_event_loops_own_threads(
    logins: Logins, salesforce: Upstream
) -> None:
    salesforce.answer = refused
    release = threading.Event()
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    busy = loop.run_in_executor(None, release.wait, 10)

    failure, seconds = await failing(logins(salesforce.network).refresh(GRANT))

    release.set()
    await busy
    assert failure is SalesforceUnavailableError
    assert seconds < SHORT
    assert len(salesforce.received) == 1


async def test_an_org_that_hangs_holds_up_no_other(logins: Logins, salesforce: Upstream) -> None:
    async def hangs_there(request: web.Request) -> web.StreamResponse:
        return await (up.hanging(request) if request.host == INSTANCE else refused(request))

    salesforce.answer = hangs_there
    login = logins(salesforce.network)
    users = [f"005xx00000{number:05}AAA" for number in range(30)]
    crowd = [
        asyncio.create_task(failing(login.refresh(replace(GRANT, salesforce_user=user))))
        for user in users
    ]
    await asyncio.sleep(0.3)

    elsewhere, seconds = await failing(login.refresh(replace(GRANT, instance_host=OTHER)))

    assert elsewhere is SalesforceUnavailableError
    assert seconds < SHORT / 2
    failures = [failure for failure, _ in await asyncio.gather(*crowd)]
    at_work = [request for request in salesforce.received if request.host == INSTANCE]
    assert len(at_work) == failures.count(SalesforceTimeoutError) == 8
    assert failures.count(SalesforceUnavailableError) == 22


async def test_one_call_too_many_is_refused_at_once_and_not_sent(
    logins: Logins, salesforce: Upstream
) -> None:
    salesforce.answer = up.hanging
    login = logins(salesforce.network)
    waiting = [asyncio.create_task(failing(login.refresh(GRANT))) for _ in range(10)]
    await asyncio.sleep(0.3)

    failure, seconds = await failing(login.refresh(GRANT))

    assert failure is SalesforceUnavailableError
    assert seconds < SHORT / 2
    await asyncio.gather(*waiting)
    assert len(salesforce.received) == 2


async def test_closing_ends_the_threads_and_sends_no_more(
    logins: Logins, salesforce: Upstream
) -> None:
    salesforce.answer = refused
    others = set(threading.enumerate())
    login = logins(salesforce.network)
    await failing(login.refresh(GRANT))
    own = {thread for thread in threading.enumerate() if "salesforce" in thread.name} - others
    assert own

    login.close()
    for thread in own:
        await asyncio.to_thread(thread.join, 5)

    assert not any(thread.is_alive() for thread in own)
    assert (await failing(login.refresh(GRANT)))[0] is SalesforceUnavailableError
    assert len(salesforce.received) == 1


# --- TLS that breaks -----------------------------------------------------------------------------


@contextmanager
def breaking_tls(*, after_the_request: bool) -> Iterator[int]:
    """A server whose TLS turns into noise: instead of its handshake, or of its answer. Its port."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        listening.settimeout(5)  # for a test that never connects

        def serve() -> None:
            connection, _ = listening.accept()
            if after_the_request:
                connection = _read_in_tls(connection)
            else:
                connection.recv(4096)
            with connection:
                connection.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
                connection.settimeout(5)
                with suppress(OSError):
                    while connection.recv(4096):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


def _read_in_tls(connection: socket.socket) -> socket.socket:
    """The bare connection, when the whole request has been read from it."""
    secured = certified(INSTANCE).wrap_socket(connection, server_side=True)
    received = b""
    while b"refresh_token=old-refresh" not in received:
        received += secured.recv(4096)
    return socket.socket(fileno=secured.detach())


async def test_tls_that_fails_before_the_request_was_written_sent_nothing(logins: Logins) -> None:
    with breaking_tls(after_the_request=False) as port:
        failure, _ = await failing(logins(pinned_network({INSTANCE: port})).refresh(GRANT))

    assert failure is SalesforceUnavailableError


async def test_tls_that_fails_after_the_request_was_written_leaves_open_what_it_did(
    logins: Logins,
) -> None:
    """The token may be spent: a second use would end the grant."""
    with breaking_tls(after_the_request=True) as port:
        failure, seconds = await failing(logins(pinned_network({INSTANCE: port})).refresh(GRANT))

    assert failure is SalesforceTimeoutError
    assert seconds < SHORT, "the noise was an error; nobody waited for the deadline"
