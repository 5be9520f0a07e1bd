"""A few threads of one's own, for a library that blocks: shared fairly, and no endless queue.

The event loop's default executor also resolves host names. Work that may hang must not take its
threads. Nor may one party (a tenant, an org), or one user of it, take what the others need: neither
the threads nor the places to wait for one.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from time import monotonic
from typing import Any, Final

_MOST_WAITING: Final = 256
_MOST_WAITING_OF_A_PARTY: Final = 64
_MOST_WAITING_OF_A_USER: Final = 8


@dataclass(eq=False, slots=True)
class _Call:
    """Whose call it is; `turn` tells whether it gets a thread, once that is known."""

    party: str
    user: str
    turn: "asyncio.Future[bool]"

    @property
    def who(self) -> tuple[str, str]:
        """The user, whose name says nothing without the party's."""
        return self.party, self.user


class BoundedThreads:
    """At most `threads` at once, `share` of them for a party, `share_of_user` for a user of it.

    A free thread goes to the party that has the fewest, in it to the user who has the fewest, and
    among equals to who came first. A thread that its caller gave up on counts until its work has
    really ended. All calls come from one event loop.
    """

    def __init__(
        self,
        *,
        threads: int,
        share: int,
        share_of_user: int,
        name: str,
        executor: ThreadPoolExecutor | None = None,
    ) -> None:
        self._executor = executor or ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._threads = threads
        self._share = share
        self._share_of_user = share_of_user
        self._at_work: list[_Call] = []
        self._waiting: list[_Call] = []

    async def run[T](self, party: str, user: str, work: Callable[[], T], *, seconds: float) -> T:
        """What `work` returns or raises.

        Raises TimeoutError if that takes more than so many seconds, the wait for a thread
        included; at once, if too many wait already or the system gives no thread. Work that has
        begun is not interrupted.
        """
        until = monotonic() + seconds
        call = _Call(party, user, asyncio.get_running_loop().create_future())
        await self._wait_for_turn(call, seconds)
        working = self._begin(call, work)
        await asyncio.wait([working], timeout=until - monotonic())
        if not working.done():
            raise TimeoutError
        return working.result()

    def close(self) -> None:
        """Begin no more work. What has begun ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _wait_for_turn(self, call: _Call, seconds: float) -> None:
        self._waiting.append(call)
        self._hand_out()
        try:
            if not call.turn.done():
                self._make_room(call)
            async with asyncio.timeout(seconds):
                has_a_thread = await call.turn
        except BaseException:
            if call in self._at_work:  # had its turn, and left before it knew
                self._release(call)
            elif call in self._waiting:
                self._waiting.remove(call)
            raise
        if not has_a_thread:
            raise TimeoutError

    def _begin[T](self, call: _Call, work: Callable[[], T]) -> "asyncio.Future[T]":
        called_off = Event()

        def unless_called_off() -> T:
            if called_off.is_set():
                raise TimeoutError
            return work()

        try:
            working = asyncio.get_running_loop().run_in_executor(self._executor, unless_called_off)
        except BaseException as exc:
            # "Can't start new thread" leaves the work in the executor's queue, for a later thread.
            called_off.set()
            self._release(call)
            if isinstance(exc, RuntimeError):
                raise TimeoutError from exc
            raise
        working.add_done_callback(lambda done: self._done(call, done))
        return working

    def _done(self, call: _Call, working: "asyncio.Future[Any]") -> None:
        self._release(call)
        if not working.cancelled():
            working.exception()  # seen, should nobody be waiting any more

    def _release(self, call: _Call) -> None:
        self._at_work.remove(call)
        self._hand_out()

    def _hand_out(self) -> None:
        while len(self._at_work) < self._threads and (call := self._next()) is not None:
            self._waiting.remove(call)
            self._at_work.append(call)
            call.turn.set_result(True)

    def _next(self) -> _Call | None:
        of_party = Counter(each.party for each in self._at_work)
        of_user = Counter(each.who for each in self._at_work)
        may = (
            each
            for each in self._waiting
            if not each.turn.done()  # has left, and is about to be removed
            and of_party[each.party] < self._share
            and of_user[each.who] < self._share_of_user
        )
        return min(may, key=lambda each: (of_party[each.party], of_user[each.who]), default=None)

    def _make_room(self, call: _Call) -> None:
        """Raises TimeoutError if this call is one too many of its user, of its party or of all.

        With all places taken, the party that waits with the most calls gives up its newest, if
        the caller's party has fewer: parties that act together do not shut out another.
        """
        waiting = [each for each in self._waiting if not each.turn.done()]
        of_party = Counter(each.party for each in waiting)
        of_user = sum(each.who == call.who for each in waiting)
        if of_user > _MOST_WAITING_OF_A_USER or of_party[call.party] > _MOST_WAITING_OF_A_PARTY:
            raise TimeoutError
        if len(waiting) <= _MOST_WAITING:
            return
        longest, most = of_party.most_common(1)[0]
        if most <= of_party[call.party]:
            raise TimeoutError
        newest = next(each for each in reversed(waiting) if each.party == longest)
        self._waiting.remove(newest)
        newest.turn.set_result(False)
