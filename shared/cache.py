"""A small in-memory cache: bounded, timed, and loaded by one caller while the others wait."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from time import monotonic


class TimedCache[K: Hashable, V]:
    """Keeps at most `size` values for `seconds` each; the one unused for longest goes first.

    `get` runs `load` once however many callers ask at the same time (single flight). A failed
    load is told to all who waited for it, and not remembered. `forget` also keeps a load that is
    under way from being remembered: what it read may be out of date already.
    """

    def __init__(
        self, *, size: int, seconds: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._size, self._seconds, self._clock = size, seconds, clock
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._loads: dict[K, asyncio.Task[V]] = {}

    def peek(self, key: K) -> V | None:
        """The value if it is held and fresh; loads nothing."""
        held = self._values.get(key)
        if held is None or held[0] <= self._clock():
            return None
        self._values.move_to_end(key)
        return held[1]

    def put(self, key: K, value: V) -> None:
        now = self._clock()
        self._values[key] = (now + self._seconds, value)
        self._values.move_to_end(key)
        while len(self._values) > self._size or self._oldest_is_over(now):
            self._values.popitem(last=False)

    def _oldest_is_over(self, now: float) -> bool:
        """Of the one unused for longest: so what is over does not stay until there is no room."""
        return bool(self._values) and next(iter(self._values.values()))[0] <= now

    def forget(self, key: K) -> None:
        self._values.pop(key, None)
        self._loads.pop(key, None)

    async def get(self, key: K, load: Callable[[], Awaitable[V]]) -> V:
        """The value, loaded if need be. Raises what `load` raises."""
        value = self.peek(key)
        if value is not None:
            return value
        task = self._loads.get(key)
        if task is None:
            task = asyncio.create_task(_awaited(load))
            self._loads[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        # A caller who gives up must not take the load away from the others.
        return await asyncio.shield(task)

    def _landed(self, key: K, task: asyncio.Task[V]) -> None:
        is_current = self._loads.get(key) is task
        if is_current:
            del self._loads[key]
        # Asking for the exception also marks it as seen, should nobody be waiting any more.
        if not task.cancelled() and task.exception() is None and is_current:
            self.put(key, task.result())


async def _awaited[V](load: Callable[[], Awaitable[V]]) -> V:
    return await load()
