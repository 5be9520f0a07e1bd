"""Runs timer functions when they are due, as the real host's timer listener does.

One listener per timer: the next wait begins only when a run has ended, so a run never overlaps
the one before; what fell due meanwhile runs once, at once. `past_due` is told only at start, when
the recorded status shows that an occurrence was missed while no host was running.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol, Self

from local.host_functions import TimerFunction
from local.ncrontab import NcrontabSchedule

_LONGEST_WAIT: Final = timedelta(minutes=1)  # then the clock is read again: machines are suspended
_NEVER: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleStatus:
    """When a timer last ran (`_NEVER` at first), is due next, and when that was worked out."""

    last: datetime
    next: datetime
    last_updated: datetime

    def to_json(self) -> dict[str, str]:
        """As the host tells a function."""
        return {
            "Last": self.last.isoformat(),
            "Next": self.next.isoformat(),
            "LastUpdated": self.last_updated.isoformat(),
        }

    @classmethod
    def from_json(cls, fields: dict[str, str]) -> Self:
        return cls(
            last=datetime.fromisoformat(fields["Last"]),
            next=datetime.fromisoformat(fields["Next"]),
            last_updated=datetime.fromisoformat(fields["LastUpdated"]),
        )


class ScheduleMonitor(Protocol):
    """Remembers the status of timers while no host is running."""

    def load(self, timer: str) -> ScheduleStatus | None: ...
    def save(self, timer: str, status: ScheduleStatus) -> None: ...


class FileScheduleMonitor:
    """One file per timer in a folder, which is made when it is missing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, timer: str) -> ScheduleStatus | None:
        with suppress(FileNotFoundError):
            return ScheduleStatus.from_json(json.loads(self._file(timer).read_bytes()))
        return None

    def save(self, timer: str, status: ScheduleStatus) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._file(timer).with_suffix(".draft")
        draft.write_text(json.dumps(status.to_json()), encoding="utf-8")
        draft.replace(self._file(timer))

    def _file(self, timer: str) -> Path:
        return self._folder / f"{timer}.json"


class RunTimer(Protocol):
    """What runs a timer function once, whatever comes of it: `FunctionsHost.run_timer`."""

    async def __call__(
        self, timer: TimerFunction, *, past_due: bool, status: ScheduleStatus | None
    ) -> None: ...


class TimerScheduler:
    """The listeners of all timers of an app."""

    def __init__(
        self,
        timers: Sequence[TimerFunction],
        run: RunTimer,
        monitor: ScheduleMonitor,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._listeners = [_Listener(timer, run, monitor, clock, sleep) for timer in timers]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to listen, on the running loop."""
        self._tasks = [asyncio.create_task(listener.listen()) for listener in self._listeners]

    async def stop(self) -> None:
        """Start no further run, and wait for those that are going."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(listener.run_in_flight() for listener in self._listeners))


class _Listener:
    def __init__(
        self,
        timer: TimerFunction,
        run: RunTimer,
        monitor: ScheduleMonitor,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._timer = timer
        self._run = run
        self._clock = clock
        self._sleep = sleep
        self._monitor = monitor if _is_monitored(timer, clock()) else None
        self._status: ScheduleStatus | None = None
        self._run_in_flight: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        """Until cancelled."""
        now = self._clock()
        recorded = self._monitor.load(self._timer.name) if self._monitor else None
        status = current_status(self._timer.schedule, recorded, now)
        if status != recorded:
            self._record(status)
        else:
            self._status = status
        if now > status.next:
            await self._invoke(past_due=True)
        elif self._timer.run_on_startup:
            await self._invoke()
        while True:
            await self._wait_until_due()
            await self._invoke()

    async def run_in_flight(self) -> None:
        """Wait for a run that `listen` began and, being cancelled, left behind."""
        if self._run_in_flight is not None:
            await self._run_in_flight

    async def _wait_until_due(self) -> None:
        assert self._status is not None  # noqa: S101 - set by `listen` before it waits
        while (wait := self._status.next - self._clock()) > timedelta():
            await self._sleep(min(wait, _LONGEST_WAIT).total_seconds())

    async def _invoke(self, *, past_due: bool = False) -> None:
        self._run_in_flight = asyncio.create_task(self._run_and_record(past_due=past_due))
        # Shielded: a stop ends the waiting, not the run.
        await asyncio.shield(self._run_in_flight)

    async def _run_and_record(self, *, past_due: bool) -> None:
        begun = self._clock()
        told = self._status if self._monitor else None
        await self._run(self._timer, past_due=past_due, status=told)
        due = self._timer.schedule.next_after(begun)
        self._record(ScheduleStatus(last=begun, next=due, last_updated=begun))

    def _record(self, status: ScheduleStatus) -> None:
        self._status = status
        if self._monitor:
            self._monitor.save(self._timer.name, status)


def current_status(
    schedule: NcrontabSchedule, recorded: ScheduleStatus | None, now: datetime
) -> ScheduleStatus:
    """The status to go by at start. Its `next` lies in the past if an occurrence was missed.

    A schedule that was changed since it was recorded is not past due: its next occurrence is
    worked out again.
    """
    if recorded is None:
        return ScheduleStatus(last=_NEVER, next=schedule.next_after(now), last_updated=now)
    basis = recorded.last if recorded.last > _NEVER else recorded.last_updated
    expected = schedule.next_after(basis)
    if recorded.next == expected:
        return recorded
    if now > expected:
        basis, expected = now, schedule.next_after(now)
    return ScheduleStatus(last=_NEVER, next=expected, last_updated=basis)


def _is_monitored(timer: TimerFunction, now: datetime) -> bool:
    """The host does not persist schedules that come more than once in the next minute."""
    second = timer.schedule.next_after(timer.schedule.next_after(now))
    return timer.use_monitor and second - now >= timedelta(minutes=1)
