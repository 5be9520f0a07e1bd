"""The load: so many kept connections, on each of which one request follows the answer to the last.

Written on asyncio's protocols, and with one prepared request for each connection, so that it costs
far less than what it measures; the row `direct` shows what it can do.
"""

import asyncio
import gc
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

_END: Final = b"\r\n\r\n"
_OK: Final = b"HTTP/1.1 200 "
_LENGTH: Final = b"\r\ncontent-length:"
_SHOWN: Final = 400
_MOST_SECONDS: Final = 60.0


class WrongAnswerError(Exception):
    """A server answered something else than the result of the Flow; the text shows what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to send, and what: request n goes over connection n. `expected` is in each answer."""

    port: int
    requests: Sequence[bytes]
    expected: bytes
    tls: ssl.SSLContext | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was answered within the time measured, at least once; latencies in seconds."""

    seconds: float
    latencies: Sequence[float]
    cpu_seconds: float


class _Round:
    """Ready once each connection has had an answer; then it is measured for a while."""

    def __init__(self, connections: int, seconds: float, cpu: Callable[[], float]) -> None:
        self._cold, self._seconds, self._cpu = connections, seconds, cpu
        self._loop = asyncio.get_running_loop()
        self._begun = 0.0
        self._cpu_before = 0.0
        self._latencies: list[float] = []
        self.is_over = False
        self.window: asyncio.Future[Window] = self._loop.create_future()

    def answered(self, latency: float, *, is_first: bool) -> None:
        if self._begun and not self.is_over:
            self._latencies.append(latency)
        if is_first:
            self._cold -= 1
            if not self._cold:
                self._begin()

    def failed(self, why: str) -> None:
        self.is_over = True
        if not self.window.done():
            self.window.set_exception(WrongAnswerError(why))

    def _begin(self) -> None:
        self._loop.call_later(self._seconds, self._end)
        self._cpu_before = self._cpu()
        self._begun = perf_counter()

    def _end(self) -> None:
        if self.window.done():
            return
        if not self._latencies:  # longer than was planned, but a figure
            self._loop.call_later(self._seconds, self._end)
            return
        took, spent = perf_counter() - self._begun, self._cpu() - self._cpu_before
        self.is_over = True
        self.window.set_result(
            Window(seconds=took, latencies=tuple(self._latencies), cpu_seconds=spent)
        )


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, expected: bytes, of: _Round) -> None:
        self._request, self._expected, self._round = request, expected, of
        self._received = b""
        self._is_first = True
        self._sent = 0.0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(_END)
        if not end:
            return
        _, found, length = head.lower().partition(_LENGTH)
        if found and len(body) < int(length.partition(b"\r\n")[0]):
            return
        if not head.startswith(_OK) or not found or self._expected not in body:
            self._round.failed(self._received[:_SHOWN].decode(errors="replace"))
            self._transport.close()
            return
        self._received = b""
        self._round.answered(perf_counter() - self._sent, is_first=self._is_first)
        self._is_first = False
        if self._round.is_over:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._round.is_over:
            self._round.failed(f"the connection was closed ({exc})")
        if not self.closed.done():
            self.closed.set_result(None)

    def _send(self) -> None:
        self._sent = perf_counter()
        self._transport.write(self._request)


async def run_round(
    target: Target, connections: int, seconds: float, cpu: Callable[[], float]
) -> Window:
    """Measure so long, after a first answer on each connection; `cpu` reads the server's clock.

    Raises WrongAnswerError, OSError, TimeoutError.
    """
    loop = asyncio.get_running_loop()
    measured = _Round(connections, seconds, cpu)
    opened = []
    gc.collect()
    gc.disable()
    try:
        for request in target.requests[:connections]:
            _, protocol = await loop.create_connection(
                lambda request=request: _Connection(request, target.expected, measured),
                "127.0.0.1",
                target.port,
                ssl=target.tls,
                server_hostname=target.host if target.tls else None,
            )
            opened.append(protocol)
        async with asyncio.timeout(_MOST_SECONDS):
            window = await measured.window
            await asyncio.gather(*(one.closed for one in opened))
    finally:
        gc.enable()
    return window
