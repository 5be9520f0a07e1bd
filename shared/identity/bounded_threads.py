"""A few threads of one's own, for a library that blocks: never more, and no endless queue.

The event loop's default executor also resolves host names and carries Salesforce's token calls.
Work that may hang must not take its threads.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_MOST_WAITING: Final = 256


@dataclass(slots=True)
class _Share:
    """What one party may use; `wanted` counts who uses it or waits for it."""

    free: asyncio.Semaphore
    wanted: int = 0


class BoundedThreads:
    """At most `threads` at once, and at most `share` of them for one party.

    A thread that its caller gave up on counts until its work has really ended.
    """

    def __init__(self, *, threads: int, share: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = asyncio.Semaphore(threads)
        self._share = share
        self._shares: dict[str, _Share] = {}
        self._waiting = 0

    async def run[T](self, party: str, work: Callable[[], T], *, seconds: float) -> T:
        """What `work` returns or raises.

        Raises TimeoutError if that takes more than so many seconds, the wait for a thread
        included; at once, if too many wait already. Work that has begun is not interrupted.
        """
        until = monotonic() + seconds
        async with asyncio.timeout(seconds):
            await self._take(party)
        working = asyncio.get_running_loop().run_in_executor(self._executor, work)
        working.add_done_callback(lambda done: self._done(party, done))
        await asyncio.wait([working], timeout=until - monotonic())
        if not working.done():
            raise TimeoutError
        return working.result()

    def close(self) -> None:
        """Begin no more work. What has begun ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _take(self, party: str) -> None:
        if self._waiting >= _MOST_WAITING:
            raise TimeoutError
        async with self._counted(party) as share:
            await share.free.acquire()
            try:
                await self._free.acquire()
            except BaseException:
                share.free.release()
                raise

    @asynccontextmanager
    async def _counted(self, party: str) -> "AsyncIterator[_Share]":
        share = self._shares.setdefault(party, _Share(asyncio.Semaphore(self._share)))
        share.wanted += 1
        self._waiting += 1
        try:
            yield share
        except BaseException:
            self._leave(party)
            raise
        finally:
            self._waiting -= 1

    def _done(self, party: str, working: "asyncio.Future[Any]") -> None:
        self._free.release()
        self._shares[party].free.release()
        self._leave(party)
        if not working.cancelled():
            working.exception()  # seen, should nobody be waiting any more

    def _leave(self, party: str) -> None:
        share = self._shares[party]
        share.wanted -= 1
        if share.wanted == 0:
            del self._shares[party]
