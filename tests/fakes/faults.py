"""What goes wrong, or happens, during the next calls of a fake, as a test has planned it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class _Planned:
    method: str
    failure: Callable[[], BaseException]
    times: int
    is_carried_out: bool


class Faults:
    """Every fake has one; each of its calls goes through `call`."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []
        self._meanwhile: list[tuple[str, Callable[[], Awaitable[object]]]] = []

    def plan(
        self,
        method: str,
        failure: Callable[[], BaseException],
        *,
        times: int = 1,
        carried_out: bool = False,
    ) -> None:
        """The next `times` calls of `method` raise `failure()`: instead of being carried out, or
        (`carried_out`) after it, as when an answer is lost on its way."""
        self._planned.append(
            _Planned(method=method, failure=failure, times=times, is_carried_out=carried_out)
        )

    def meanwhile(self, method: str, happens: Callable[[], Awaitable[object]]) -> None:
        """While the next call of `method` is under way, this happens first."""
        self._meanwhile.append((method, happens))

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._planned.clear()

    def left(self, method: str) -> int:
        """How many of the planned failures of `method` have not happened yet."""
        return sum(planned.times for planned in self._planned if planned.method == method)

    @asynccontextmanager
    async def call(self, method: str) -> AsyncIterator[None]:
        """One call. It lets the other tasks run first, as every real call does."""
        await asyncio.sleep(0)
        for entry in [entry for entry in self._meanwhile if entry[0] == method][:1]:
            self._meanwhile.remove(entry)
            await entry[1]()
        planned = self._next(method)
        if planned is not None and not planned.is_carried_out:
            raise planned.failure()
        yield
        if planned is not None:
            raise planned.failure()

    def _next(self, method: str) -> _Planned | None:
        for planned in self._planned:
            if planned.method == method and planned.times > 0:
                planned.times -= 1
                return planned
        return None
