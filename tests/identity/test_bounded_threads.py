"""Threads of one's own: never more than said, never all for one party, and no endless queue."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from time import monotonic
from typing import Final

import pytest

from shared.identity.bounded_threads import BoundedThreads

MOST_WAITING: Final = 256


class Blocked:
    """Work that lasts until it is released, and who is at it."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.busy = self.most = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
        self.release.wait(10)
        with self._lock:
            self.busy -= 1
        return threading.current_thread().name


@pytest.fixture
def blocked() -> Iterator[Blocked]:
    work = Blocked()
    yield work
    work.release.set()


def threads(number: int, share: int | None = None) -> BoundedThreads:
    return BoundedThreads(threads=number, share=share or number, name="bounded")


async def settled() -> None:
    """Everything that can begin without waiting has begun."""
    await asyncio.sleep(0.05)


async def test_the_work_is_done_in_a_thread_of_that_name() -> None:
    ran_in = await threads(1).run("a", lambda: threading.current_thread().name, seconds=5)

    assert ran_in.startswith("bounded")


async def test_what_the_work_raises_reaches_the_caller() -> None:
    def fail() -> None:
        raise LookupError("the work's own")

    pool = threads(1)
    with pytest.raises(LookupError):
        await pool.run("a", fail, seconds=5)

    assert await pool.run("a", lambda: 7, seconds=5) == 7


async def test_no_more_run_at_once_than_there_are_threads(blocked: Blocked) -> None:
    pool = threads(3)
    calls = [asyncio.create_task(pool.run(str(each), blocked, seconds=5)) for each in range(10)]
    await settled()
    assert blocked.busy == 3

    blocked.release.set()
    await asyncio.gather(*calls)
    assert blocked.most == 3


async def test_one_party_gets_its_share_and_leaves_the_others_theirs(blocked: Blocked) -> None:
    pool = threads(4, share=2)
    greedy = [asyncio.create_task(pool.run("greedy", blocked, seconds=5)) for _ in range(10)]
    await settled()
    assert blocked.busy == 2

    assert await pool.run("modest", lambda: "done", seconds=0.5) == "done"

    blocked.release.set()
    await asyncio.gather(*greedy)
    assert blocked.most == 2


async def test_who_waits_too_long_for_a_thread_is_told_in_time(blocked: Blocked) -> None:
    pool = threads(1)
    first = asyncio.create_task(pool.run("a", blocked, seconds=5))
    await settled()
    began = monotonic()

    with pytest.raises(TimeoutError):
        await pool.run("b", lambda: 1, seconds=0.2)

    assert 0.15 < monotonic() - began < 1
    blocked.release.set()
    await first


async def test_work_that_its_caller_gave_up_on_keeps_its_thread_to_the_end(
    blocked: Blocked,
) -> None:
    pool = threads(1)
    with pytest.raises(TimeoutError):
        await pool.run("a", blocked, seconds=0.1)
    with pytest.raises(TimeoutError):
        await pool.run("a", lambda: 1, seconds=0.1)
    assert blocked.busy == 1

    blocked.release.set()

    assert await pool.run("a", lambda: 2, seconds=5) == 2


@pytest.mark.filterwarnings("error")
async def test_a_late_failure_of_what_was_given_up_on_troubles_nobody(blocked: Blocked) -> None:
    def fail() -> None:
        blocked()
        raise LookupError

    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    pool = threads(1)
    with pytest.raises(TimeoutError):
        await pool.run("a", fail, seconds=0.1)
    blocked.release.set()

    assert await pool.run("a", lambda: 2, seconds=5) == 2
    assert complaints == []


@pytest.mark.parametrize("at_work", [True, False], ids=["at-work", "waiting"])
async def test_a_caller_who_leaves_takes_no_thread_along(blocked: Blocked, at_work: bool) -> None:
    pool = threads(1)
    calls = [asyncio.create_task(pool.run("a", blocked, seconds=5)) for _ in range(2)]
    await settled()
    left = calls[0] if at_work else calls[1]
    left.cancel()
    with suppress(asyncio.CancelledError):
        await left
    blocked.release.set()
    await asyncio.gather(*calls, return_exceptions=True)

    assert await asyncio.gather(*(pool.run("a", lambda: 3, seconds=5) for _ in range(5))) == [3] * 5
    assert pool._shares == {}


async def test_beyond_so_many_who_wait_the_next_is_refused_at_once(blocked: Blocked) -> None:
    pool = threads(1)
    calls = [
        asyncio.create_task(pool.run("a", blocked, seconds=5)) for _ in range(1 + MOST_WAITING)
    ]
    await settled()
    began = monotonic()

    with pytest.raises(TimeoutError):
        await pool.run("b", lambda: 1, seconds=5)
    assert monotonic() - began < 0.5

    blocked.release.set()
    await asyncio.gather(*calls)
    assert await pool.run("b", lambda: 1, seconds=5) == 1


async def test_who_gives_up_waiting_for_a_thread_gives_back_the_share(blocked: Blocked) -> None:
    """Of four of one party, with a share of two, the third comes in the first one's place."""
    pool = threads(2)
    others = [asyncio.create_task(pool.run("other", blocked, seconds=5)) for _ in range(2)]
    await settled()
    both_at_once = threading.Barrier(2)
    gives_up = asyncio.create_task(pool.run("a", lambda: 0, seconds=0.1))
    patient = [
        asyncio.create_task(pool.run("a", lambda: both_at_once.wait(2), seconds=5))
        for _ in range(2)
    ]
    with pytest.raises(TimeoutError):
        await gives_up
    blocked.release.set()

    assert sorted(await asyncio.gather(*patient)) == [0, 1]
    await asyncio.gather(*others)


async def test_parties_that_are_served_are_forgotten() -> None:
    pool = threads(2)
    for party in range(100):
        await pool.run(str(party), lambda: None, seconds=5)

    assert pool._shares == {}
