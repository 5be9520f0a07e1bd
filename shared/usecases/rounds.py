"""Going through many things in one run of a timer: a few at a time, and not for too long."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from time import monotonic
from typing import Final

_AT_A_TIME: Final = 4
_BUDGET: Final = timedelta(minutes=3)
"""After this nothing further is begun: the host ends a function after four minutes (host.json)."""


async def go_through[T](
    items: Iterable[T],
    do: Callable[[T], Awaitable[None]],
    *,
    budget: timedelta = _BUDGET,
    clock: Callable[[], float] = monotonic,
) -> None:
    """Do each of them, in this order. What there is no time for waits for the next run; `do`
    itself sees to it that one that fails holds up no other."""
    until = clock() + budget.total_seconds()
    running = asyncio.Semaphore(_AT_A_TIME)

    async def limited(item: T) -> None:
        async with running:
            if clock() < until:
                await do(item)

    await asyncio.gather(*(limited(item) for item in items))
