"""A service that dies, or whose every neighbour fails, at one step of its way: each in its turn.

Every call of every fake is a step. What is tried is a whole use case, once for each step, with a
world of its own, so that no step is left out when the code changes.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from shared.errors import (
    FlowRunnerError,
    KeyVaultFailedError,
    SalesforceTimeoutError,
    StorageFailedError,
)
from shared.model import MOST_SKEW
from shared.usecases.refresh_grant import LEASE
from tests.fakes import World
from tests.fakes.faults import Faults

_MOST_STEPS: Final = 200


class KilledError(BaseException):
    """The process is gone: nothing that it would still have done is done."""


class End(Enum):
    """What happens at the step."""

    KILLED_BEFORE = "killed before it"
    KILLED_AFTER = "killed after it"
    FAILS = "it fails"
    ANSWER_LOST = "it is done and the answer is lost"

    @property
    def is_carried_out(self) -> bool:
        return self in (End.KILLED_AFTER, End.ANSWER_LOST)

    @property
    def is_kill(self) -> bool:
        return self in (End.KILLED_BEFORE, End.KILLED_AFTER)


@dataclass(slots=True, kw_only=True)
class Step:
    """The step at which it happens, and what was called there."""

    number: int
    end: End
    name: str | None = None
    _so_far: int = 0

    def is_now(self, name: str) -> bool:
        self._so_far += 1
        if self.name is not None or self._so_far <= self.number:
            return False
        self.name = name
        return True


class _Mortal(Faults):
    """The planned failures of one fake, and the end at the step."""

    def __init__(self, step: Step, fake: str, failure: type[FlowRunnerError]) -> None:
        super().__init__()
        self._step, self._fake, self._failure = step, fake, failure

    @asynccontextmanager
    async def call(self, method: str) -> AsyncIterator[None]:
        is_now = self._step.is_now(f"{self._fake}.{method}")
        raised = KilledError if self._step.end.is_kill else self._failure
        if is_now and not self._step.end.is_carried_out:
            raise raised
        async with super().call(method):
            yield
        if is_now:
            raise raised


_FAKES: Final = {
    "tenants": StorageFailedError,
    "tenant_keys": StorageFailedError,
    "users": StorageFailedError,
    "connections": StorageFailedError,
    "outbox": StorageFailedError,
    "pending": StorageFailedError,
    "backups": StorageFailedError,
    "key_wrapper": KeyVaultFailedError,
    "login": SalesforceTimeoutError,
}


class Lived(Protocol):
    """What a use case is tried in."""

    @property
    def world(self) -> World: ...


async def each_end[S: Lived](
    prepared: Callable[[], Awaitable[S]], act: Callable[[S, World], Awaitable[object]]
) -> AsyncIterator[tuple[S, Step]]:
    """Every scene that is left behind: each end at each step. `act` is given an instance that has
    nothing in memory, and which is no more afterwards; then all is well again."""
    for end in End:
        for number in range(_MOST_STEPS):
            scene, step = await prepared(), Step(number=number, end=end)
            for fake, failure in _FAKES.items():
                getattr(scene.world, fake).faults = _Mortal(step, fake, failure)
            with suppress(KilledError, FlowRunnerError):
                await act(scene, scene.world.another_instance())
            for fake in _FAKES:
                getattr(scene.world, fake).faults = Faults()
            if step.name is None:
                assert number > 0, "it takes no step at all"
                break
            yield scene, step
        else:
            raise AssertionError(f"more than {_MOST_STEPS} steps")


async def time_passes(world: World, *, minutes: int = 25) -> None:
    """The timer comes every five minutes; leases and claims lapse."""
    world.clock.move(seconds=(LEASE + MOST_SKEW).total_seconds())
    for _ in range(minutes // 5):
        world.clock.move(minutes=5)
        await world.another_instance().services.work_off_revocations()
