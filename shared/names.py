"""Looks host names up: in threads of its own, in bounded time, and only usable addresses.

`socket.getaddrinfo` knows no deadline and blocks its thread. The threads here are few: if name
servers hang, it is these that wait for them, and not the ones that the rest of the service shares.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

from shared.egress import Egress

type Resolve = Callable[[str, int, socket.AddressFamily, socket.SocketKind], Sequence[Any]]
"""Finds the addresses of a name, as `socket.getaddrinfo` does. Raises OSError if there is none."""

LOOKUP_SECONDS: Final = 5.0
_THREADS: Final = 8


def from_dns(egress: Egress, lookup: Resolve = socket.getaddrinfo) -> Resolve:
    """What DNS says, without the addresses that must not be dialled under that name."""

    def resolve(
        host: str, port: int, family: socket.AddressFamily, kind: socket.SocketKind
    ) -> Sequence[Any]:
        found = lookup(host, port, family, kind)
        usable = [one for one in found if egress.may_dial(host, str(one[4][0]))]
        if not usable:
            raise socket.gaierror(socket.EAI_NONAME, "no address that may be dialled")
        return usable

    return resolve


class Names(AbstractResolver):
    """What both clients look names up with; who asks dials what is answered, with no second look.

    A lookup that takes too long ends like one that finds nothing: nothing was sent. The thread
    waits on until the system's resolver gives up (resolv.conf(5): 5 s, twice, for each server).
    """

    def __init__(self, resolve: Resolve, *, seconds: float = LOOKUP_SECONDS) -> None:
        self._resolve = resolve
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(_THREADS, "names")

    def find(
        self, host: str, port: int, family: socket.AddressFamily, *, seconds: float
    ) -> Sequence[Any]:
        """As `Resolve`; blocks. Raises socket.gaierror."""
        asked = self._ask(host, port, family)
        try:
            return asked.result(min(seconds, self._seconds))
        except TimeoutError as exc:
            raise _took_too_long() from exc
        finally:
            asked.cancel()  # if it has not begun

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As aiohttp wants it. Raises socket.gaierror."""
        asked = asyncio.wrap_future(self._ask(host, port, family))
        try:
            found = await asyncio.wait_for(asked, self._seconds)
        except TimeoutError as exc:
            raise _took_too_long() from exc
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=of,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for of, _, proto, _, address in found
        ]

    def _ask(self, host: str, port: int, family: socket.AddressFamily) -> Future[Sequence[Any]]:
        try:
            return self._threads.submit(self._resolve, host, port, family, socket.SOCK_STREAM)
        except RuntimeError as exc:  # the system gives no thread
            raise socket.gaierror(socket.EAI_AGAIN, "no thread for the lookup") from exc

    async def close(self) -> None:
        """The threads end with this object."""


def _took_too_long() -> socket.gaierror:
    return socket.gaierror(socket.EAI_AGAIN, "the lookup took too long")
