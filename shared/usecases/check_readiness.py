"""What of the service's dependencies this instance reaches, and since when; for administrators."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Final

from shared.cache import TimedCache
from shared.errors import NotAdminError, UpstreamError
from shared.model import Caller
from shared.ports import Clock, Probe

DEADLINE_SECONDS: Final = 5.0
KEPT_SECONDS: Final = 10.0
_ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """`since` is when this instance first found it so; its checks are the only ones it knows of."""

    name: str
    is_reachable: bool
    since: datetime


class CheckReadiness:
    """Asks every dependency at once, and keeps the answers for ten seconds: however often
    administrators ask, an instance makes its dependencies no more calls than that."""

    def __init__(
        self,
        *,
        probes: Sequence[Probe],
        clock: Clock,
        deadline: float = DEADLINE_SECONDS,
        monotonic_clock: Callable[[], float] = monotonic,
    ) -> None:
        self._probes, self._clock, self._deadline = probes, clock, deadline
        self._found: dict[str, Dependency] = {}
        self._checks: TimedCache[str, Sequence[Dependency]] = TimedCache(
            size=1, seconds=KEPT_SECONDS, clock=monotonic_clock
        )

    async def __call__(self, caller: Caller) -> Sequence[Dependency]:
        """Each as it was at most ten seconds ago, in the order of the probes.

        What cannot be reached is a finding and no failure. Raises NotAdminError.
        """
        if not caller.is_admin:
            raise NotAdminError
        return await self._checks.get(_ALL, self._check)

    async def _check(self) -> Sequence[Dependency]:
        return await asyncio.gather(*(self._ask(probe) for probe in self._probes))

    async def _ask(self, probe: Probe) -> Dependency:
        try:
            async with asyncio.timeout(self._deadline):
                await probe()
        except (UpstreamError, TimeoutError):
            return self._seen(probe.name, is_reachable=False)
        return self._seen(probe.name, is_reachable=True)

    def _seen(self, name: str, *, is_reachable: bool) -> Dependency:
        before = self._found.get(name)
        if before is None or before.is_reachable != is_reachable:
            self._found[name] = Dependency(
                name=name, is_reachable=is_reachable, since=self._clock()
            )
        return self._found[name]
