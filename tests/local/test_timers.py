"""When timer functions run: local/timers.py, with a clock that only waiting moves."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.functions as func

from local.host_functions import TimerFunction, index
from local.timers import FileScheduleMonitor, ScheduleStatus, TimerScheduler, current_status

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def timers(*schedules: str, run_on_startup: bool = False) -> Sequence[TimerFunction]:
    """Functions named `timer_0`, `timer_1`, ..., one for each schedule."""
    app = func.FunctionApp()
    for number, schedule in enumerate(schedules):

        @app.function_name(f"timer_{number}")
        @app.timer_trigger(arg_name="timer", schedule=schedule, run_on_startup=run_on_startup)
        async def run(timer: func.TimerRequest) -> None:
            """Never called here: the scheduler calls what it is given."""

    return index(app, "api")[1]


@dataclass
class Memory:
    """A monitor in memory."""

    statuses: dict[str, ScheduleStatus] = field(default_factory=dict)

    def load(self, timer: str) -> ScheduleStatus | None:
        return self.statuses.get(timer)

    def save(self, timer: str, status: ScheduleStatus) -> None:
        self.statuses[timer] = status


class World:
    """A clock, a sleep that moves it, and a record of runs. Ends after a number of runs."""

    def __init__(self, runs: int, *, each_takes: timedelta = timedelta()) -> None:
        self.now = NOON
        self.runs: list[tuple[str, datetime, bool]] = []
        self.statuses: list[ScheduleStatus | None] = []
        self.slept: list[float] = []
        self.done = asyncio.Event()
        self._wanted = runs
        self._each_takes = each_takes
        self._going: set[str] = set()

    def clock(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if self.done.is_set():
            await asyncio.Event().wait()
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    async def run(
        self, timer: TimerFunction, *, past_due: bool, status: ScheduleStatus | None
    ) -> None:
        assert timer.name not in self._going, "a second run beside the first"
        self._going.add(timer.name)
        self.runs.append((timer.name, self.now, past_due))
        self.statuses.append(status)
        self.now += self._each_takes
        await asyncio.sleep(0)
        self._going.remove(timer.name)
        if len(self.runs) >= self._wanted:
            self.done.set()

    async def play(self, functions: Sequence[TimerFunction], monitor: Memory) -> None:
        scheduler = TimerScheduler(functions, self.run, monitor, clock=self.clock, sleep=self.sleep)
        scheduler.start()
        async with asyncio.timeout(10):
            await self.done.wait()
        await scheduler.stop()


async def test_a_timer_runs_whenever_it_is_due() -> None:
    world = World(runs=3)

    await world.play(timers("0 */5 * * * *"), Memory())

    minutes = [moment - NOON for _, moment, _ in world.runs]
    assert minutes == [timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=15)]
    assert not any(past_due for _, _, past_due in world.runs)


async def test_a_long_wait_looks_at_the_clock_every_minute() -> None:
    world = World(runs=1)

    await world.play(timers("30 2 13 * * *"), Memory())

    assert world.runs == [("timer_0", NOON + timedelta(hours=1, minutes=2, seconds=30), False)]
    assert max(world.slept) == 60


async def test_a_timer_whose_run_is_going_is_not_started_again() -> None:
    """What fell due meanwhile runs once when the run has ended, and is not called past due."""
    world = World(runs=3, each_takes=timedelta(minutes=12))

    await world.play(timers("0 */5 * * * *"), Memory())

    assert world.runs == [
        ("timer_0", NOON + timedelta(minutes=5), False),
        ("timer_0", NOON + timedelta(minutes=17), False),
        ("timer_0", NOON + timedelta(minutes=29), False),
    ]


async def test_timers_do_not_wait_for_each_other() -> None:
    begun: list[str] = []
    both = asyncio.Event()

    async def run(timer: TimerFunction, *, past_due: bool, status: ScheduleStatus | None) -> None:
        begun.append(timer.name)
        if len(begun) == 2:
            both.set()
        await both.wait()

    scheduler = TimerScheduler(
        timers("0 0 3 * * *", "0 0 4 * * *", run_on_startup=True), run, Memory()
    )
    scheduler.start()
    async with asyncio.timeout(10):
        await both.wait()
    await scheduler.stop()

    assert begun == ["timer_0", "timer_1"]


async def test_a_timer_runs_at_start_where_it_says_so() -> None:
    world = World(runs=2)

    await world.play(timers("0 0 13 * * *", run_on_startup=True), Memory())

    assert [moment for _, moment, _ in world.runs] == [NOON, NOON + timedelta(hours=1)]


async def test_an_occurrence_missed_while_no_host_ran_is_past_due_once() -> None:
    monitor = Memory()
    yesterday = NOON - timedelta(days=1)
    monitor.save(
        "timer_0",
        ScheduleStatus(last=yesterday, next=yesterday + timedelta(hours=1), last_updated=yesterday),
    )
    world = World(runs=2)

    await world.play(timers("0 0 13 * * *"), monitor)

    assert world.runs == [
        ("timer_0", NOON, True),
        ("timer_0", NOON + timedelta(hours=1), False),
    ]


async def test_a_timer_that_never_ran_is_past_due_when_its_first_occurrence_was_missed() -> None:
    monitor = Memory()
    first = World(runs=0)
    scheduler = TimerScheduler(
        timers("0 0 13 * * *"), first.run, monitor, clock=first.clock, sleep=asyncio.sleep
    )
    scheduler.start()
    await asyncio.sleep(0)
    await scheduler.stop()
    later = World(runs=1)
    later.now = NOON + timedelta(hours=2)

    await later.play(timers("0 0 13 * * *"), monitor)

    assert later.runs == [("timer_0", NOON + timedelta(hours=2), True)]


async def test_a_schedule_that_was_changed_meanwhile_is_not_past_due() -> None:
    monitor = Memory()
    world = World(runs=1)
    await world.play(timers("0 */5 * * * *"), monitor)
    later = World(runs=1)
    later.now = NOON + timedelta(days=1)

    await later.play(timers("0 0 13 * * *"), monitor)

    assert later.runs == [("timer_0", NOON + timedelta(days=1, hours=1), False)]


async def test_a_run_is_told_when_it_ran_last_and_runs_next() -> None:
    world = World(runs=2)

    await world.play(timers("0 */5 * * * *"), Memory())

    second = world.statuses[1]
    assert second == ScheduleStatus(
        last=NOON + timedelta(minutes=5),
        next=NOON + timedelta(minutes=10),
        last_updated=NOON + timedelta(minutes=5),
    )


async def test_a_schedule_of_seconds_is_not_recorded() -> None:
    """The real host does not persist what comes more than once a minute."""
    world, monitor = World(runs=2), Memory()

    await world.play(timers("*/10 * * * * *"), monitor)

    assert world.statuses == [None, None]
    assert monitor.statuses == {}


async def test_a_stop_waits_for_the_run_that_is_going_and_records_it() -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run(timer: TimerFunction, *, past_due: bool, status: ScheduleStatus | None) -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    monitor = Memory()
    scheduler = TimerScheduler(
        timers("0 0 13 * * *", run_on_startup=True), run, monitor, clock=lambda: NOON
    )
    scheduler.start()
    async with asyncio.timeout(10):
        await begun.wait()
        stopping = asyncio.create_task(scheduler.stop())
        await asyncio.sleep(0.01)
        assert not stopping.done()
        may_end.set()
        await stopping

    assert ended.is_set()
    assert monitor.statuses["timer_0"].last == NOON


def test_a_status_is_kept_in_a_file(tmp_path: Path) -> None:
    status = ScheduleStatus(last=NOON, next=NOON + timedelta(hours=1), last_updated=NOON)
    FileScheduleMonitor(tmp_path / "timers").save("retention_cleanup", status)

    again = FileScheduleMonitor(tmp_path / "timers")
    assert again.load("retention_cleanup") == status
    assert again.load("keep_alive") is None


def test_without_a_missed_occurrence_the_next_one_lies_ahead() -> None:
    (timer,) = timers("0 0 13 * * *")
    yesterday, due = NOON - timedelta(hours=23), NOON + timedelta(hours=1)
    recorded = ScheduleStatus(last=yesterday, next=due, last_updated=yesterday)

    assert current_status(timer.schedule, None, NOON).next == due
    assert current_status(timer.schedule, recorded, NOON) == recorded
