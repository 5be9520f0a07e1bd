"""P-02: requests that are too large, that do not end, or come too slowly, and what the other users
of the process notice of them.

Above 100 MB, above 100 headers and below 240 bytes a second it is the host that refuses, as
Azure's does (Kestrel, and the limit of an HTTP trigger): here its stand-in (local/host_request.py).
Below that it hands a body on when it has all of it, so that the app, whose limit is 256 KiB, never
waits for one, and cannot keep the host from reading it.
"""

import json
import math
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

import pytest

from local.stack_info import StackInfo
from tests.attacks.flow_callers import FlowCaller, flow, texts, told
from tests.attacks.raw_http import Raw, answer, connected, exchange, head
from tests.attacks.service_process import ServiceProcess

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

PATH: Final = "/api/v1/flows/Log_Email/runs"
LARGEST: Final = 256 * 1024
HOSTS_LARGEST: Final = 104_857_600
MIB: Final = 1024 * 1024
GROWTH: Final = 32 * MIB
"""What may stay behind of an allocator's, whatever came."""
SLOW_ONES: Final = 40
CALLS: Final = 13  # twice, within the burst of one user
PAUSE: Final = 0.05
TIMES_SLOWER: Final = 10
SLACK: Final = 0.25  # seconds: another process has this core for a moment


@pytest.fixture
def caller(stack: StackInfo) -> Iterator[FlowCaller]:
    with FlowCaller.connected(stack) as connected:
        connected.put(flow("Log_Email", *texts("subject")))
        yield connected


@pytest.fixture
def process(stack: StackInfo) -> ServiceProcess:
    return ServiceProcess.of_stack(stack)


def start(caller: FlowCaller, length: int, **headers: str) -> bytes:
    """The head of an otherwise good request."""
    sent = {"Authorization": caller.authorization, "Content-Type": "application/json"}
    return head(PATH, {**sent, "Content-Length": str(length), **headers})


def code_of(raw: Raw) -> tuple[int, str]:
    """Without a code where the app was not asked."""
    return raw.status, json.loads(raw.body)["code"] if raw.header("X-Request-Id") else ""


def of_length(length: int) -> bytes:
    """A body of so many bytes that runs the Flow: what it does not ask for is dropped."""
    empty = b'{"email": {"body": ""}}'
    return b'{"email": {"body": "' + b"x" * (length - len(empty)) + b'"}}'


def test_P02_the_app_takes_a_body_of_256_kib_and_not_a_byte_more(caller: FlowCaller) -> None:
    assert told(caller.post_bytes("Log_Email", of_length(LARGEST))) == (200, "")
    assert caller.news_of_runs() == [{"inputs": [{}]}]

    assert told(caller.post_bytes("Log_Email", of_length(LARGEST + 1))) == (413, "body_too_large")
    assert caller.news() == []


def test_P02_a_hundred_megabytes_are_refused_by_the_app_and_leave_no_memory_behind(
    caller: FlowCaller, process: ServiceProcess
) -> None:
    """The host has read them by then. It does not keep them."""
    piece = b"x" * MIB
    before = process.resident_bytes()
    with connected(caller._info) as connection:
        connection.sendall(start(caller, HOSTS_LARGEST))
        for _ in range(HOSTS_LARGEST // MIB):
            connection.sendall(piece)
        refused = answer(connection)

    assert code_of(refused) == (413, "body_too_large")
    assert process.resident_bytes() - before < GROWTH
    assert caller.news() == []


def test_P02_what_says_that_it_is_larger_is_refused_by_the_host_before_it_is_sent(
    caller: FlowCaller, process: ServiceProcess
) -> None:
    process.forget_peak()
    before = process.resident_bytes()
    lengths = {HOSTS_LARGEST + 1: 413, 10**12: 413, 10**30: 400}

    answers = {one: exchange(caller._info, start(caller, one)) for one in lengths}

    assert {one: code_of(raw) for one, raw in answers.items()} == {
        one: (status, "") for one, status in lengths.items()
    }
    assert process.peak_bytes() - before < GROWTH
    assert caller.news() == []


def test_P02_a_body_without_a_length_is_refused_by_the_app_and_not_read(
    caller: FlowCaller, process: ServiceProcess
) -> None:
    """The host hands on an empty one (Azure/azure-functions-host#7930), and the app has no use for
    that. The answer comes while the sender goes on sending."""
    sent = {"Authorization": caller.authorization, "Content-Type": "application/json"}
    request = head(PATH, {**sent, "Transfer-Encoding": "chunked"})
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    process.forget_peak()
    before = process.resident_bytes()

    with connected(caller._info) as connection:
        connection.sendall(request + chunk)
        refused = answer(connection)
        sent_until_cut(connection, chunk)

    assert code_of(refused) == (400, "invalid_request")
    assert process.peak_bytes() - before < GROWTH
    assert caller.news() == []


def sent_until_cut(connection: socket.socket, chunk: bytes) -> None:
    """As far as somebody reads it: 64 MiB at most, or until the other end closes or waits."""
    connection.settimeout(0.5)
    try:
        for _ in range(1024):
            connection.sendall(chunk)
    except (OSError, TimeoutError):
        return


@pytest.mark.parametrize("number", [200, 10_000])
def test_P02_too_many_headers_are_refused_by_the_host(
    caller: FlowCaller, process: ServiceProcess, number: int
) -> None:
    process.forget_peak()
    before = process.resident_bytes()
    headers = {f"X{count}": "" for count in range(number)}

    refused = exchange(caller._info, start(caller, 2, **headers) + b"{}")
    too_large = exchange(caller._info, start(caller, 2, X="x" * 33_000) + b"{}")

    assert (code_of(refused), code_of(too_large)) == ((431, ""), (431, ""))
    assert process.peak_bytes() - before < GROWTH
    assert caller.news() == []


def test_P02_slow_and_huge_requests_cost_the_other_users_little(
    caller: FlowCaller, stack: StackInfo
) -> None:
    """Forty bodies come byte by byte until the host cuts them off (408), while others say that they
    are huge or bring thousands of headers. A colleague's p95 beside it is compared with the one in
    the quiet just before, as generously as a busy machine needs."""
    with FlowCaller.connected(stack, tid=caller.tid) as other, ExitStack() as held:
        other.put(flow("Log_Email", *texts("subject")))
        alone = served(other)
        connections = [held.enter_context(connected(stack)) for _ in range(SLOW_ONES)]
        for connection in connections:
            connection.sendall(start(caller, 1_000))
        with ThreadPoolExecutor(2) as threads:
            dripping = threads.submit(dripped, connections)
            hostile = threads.submit(hostile_for, 3.0, caller)
            beside = served(other)
            statuses = dripping.result()
            refused = hostile.result()

    print(  # noqa: T201 - the figures, for a person
        f"\nP-02: p95 {1000 * p95(beside):.0f} ms beside {SLOW_ONES} slow and {refused} huge "
        f"requests, {1000 * p95(alone):.0f} ms in the quiet"
    )
    assert statuses == [408] * SLOW_ONES
    assert p95(beside) <= TIMES_SLOWER * p95(alone) + SLACK
    assert caller.news() == []


def dripped(connections: Sequence[socket.socket]) -> list[int]:
    """A byte each, every half second, until all have been told; what each was told."""
    for _ in range(12):
        time.sleep(0.5)
        for connection in connections:
            try:
                connection.sendall(b" ")
            except OSError:
                continue  # cut off already: its answer waits to be read
    return [answer(connection).status for connection in connections]


def hostile_for(seconds: float, caller: FlowCaller) -> int:
    """How many of the others the host refused in that time."""
    ends, refused = time.monotonic() + seconds, 0
    asks: list[Callable[[], Raw]] = [
        lambda: exchange(caller._info, start(caller, HOSTS_LARGEST + 1)),
        lambda: exchange(caller._info, start(caller, 2, **{f"X{n}": "" for n in range(5_000)})),
    ]
    while time.monotonic() < ends:
        for ask in asks:
            assert ask().status in (413, 431)
            refused += 1
        time.sleep(PAUSE)
    return refused


def served(caller: FlowCaller) -> list[float]:
    """How long each of some runs took, in seconds. All of them succeed."""
    took = []
    for _ in range(CALLS):
        began = time.monotonic()
        assert told(caller.invoke("Log_Email", email={"subject": "x"})) == (200, "")
        took.append(time.monotonic() - began)
        time.sleep(PAUSE)
    return took


def p95(took: Sequence[float]) -> float:
    """By nearest rank."""
    return sorted(took)[math.ceil(0.95 * len(took)) - 1]
