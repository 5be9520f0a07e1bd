"""Everything that the service depends on, as far as being reachable goes."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from tests.fakes.faults import Faults


class FakeProbe:
    """Satisfies `ports.Probe`."""

    def __init__(self, dependencies: "FakeDependencies", name: str) -> None:
        self.name = name
        self._dependencies = dependencies

    async def __call__(self) -> None:
        await self._dependencies.answer(self.name)


class FakeDependencies:
    """All answer, unless a test plans otherwise (`faults.plan("key_vault", ...)`); those among the
    `silent` never do."""

    def __init__(self, names: Sequence[str]) -> None:
        self.faults = Faults()
        self.silent: set[str] = set()
        self.probes = tuple(FakeProbe(self, name) for name in names)
        self._asked: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()

    @property
    def asked(self) -> dict[str, int]:
        """How often each was asked so far."""
        return dict(self._asked)

    @property
    def answered(self) -> dict[str, int]:
        """How often each has answered so far."""
        return dict(self._answered)

    async def answer(self, name: str) -> None:
        self._asked[name] += 1
        async with self.faults.call(name):
            if name in self.silent:
                await asyncio.Event().wait()
            self._answered[name] += 1
