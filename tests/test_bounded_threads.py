"""Threads of one's own: never more than said, never all for one, and no endless queue."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Final

import pytest

from shared.bounded_threads import BoundedThreads

MOST_WAITING: Final = 256
MOST_WAITING_OF_A_PARTY: Final = 64
MOST_WAITING_OF_A_USER: Final = 8


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


class StartsNoThread(ThreadPoolExecutor):
    """As the real one when the system has no thread left: it queues the work, then raises."""

    def __init__(self, threads: int, *, failures: int) -> None:
        super().__init__(threads)
        self.failures = failures

    def _adjust_thread_count(self) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("can't start new thread")
        super()._adjust_thread_count()


def threads(
    number: int,
    share: int | None = None,
    share_of_user: int | None = None,
    executor: ThreadPoolExecutor | None = None,
) -> BoundedThreads:
    return BoundedThreads(
        threads=number,
        share=share or number,
        share_of_user=share_of_user or number,
        name="bounded",
        executor=executor,
    )


def begun(
    pool: BoundedThreads, blocked: Blocked, people: list[tuple[str, str]]
) -> list[asyncio.Task[str]]:
    """A call for each of these users, by party and name, that lasts until it is released."""
    return [asyncio.create_task(pool.run(*each, blocked, seconds=5)) for each in people]


def crowd(number: int, party: str) -> list[tuple[str, str]]:
    return [(party, f"user {each}") for each in range(number)]


async def settled() -> None:
    """Everything that can begin without waiting has begun."""
    await asyncio.sleep(0.05)


async def test_the_work_is_done_in_a_thread_of_that_name() -> None:
    ran_in = await threads(1).run("a", "user", lambda: threading.current_thread().name, seconds=5)

    assert ran_in.startswith("bounded")


async def test_what_the_work_raises_reaches_the_caller() -> None:
    def fail() -> None:
        raise LookupError("the work's own")

    pool = threads(1)
    with pytest.raises(LookupError):
        await pool.run("a", "user", fail, seconds=5)

    assert await pool.run("a", "user", lambda: 7, seconds=5) == 7


async def test_no_more_run_at_once_than_there_are_threads(blocked: Blocked) -> None:
    pool = threads(3)
    calls = [
        asyncio.create_task(pool.run(str(each), "user", blocked, seconds=5)) for each in range(10)
    ]
    await settled()
    assert blocked.busy == 3

    blocked.release.set()
    await asyncio.gather(*calls)
    assert blocked.most == 3


async def test_one_party_gets_its_share_and_leaves_the_others_theirs(blocked: Blocked) -> None:
    pool = threads(4, share=2)
    greedy = [
        asyncio.create_task(pool.run("greedy", "user", blocked, seconds=5)) for _ in range(10)
    ]
    await settled()
    assert blocked.busy == 2

    assert await pool.run("modest", "user", lambda: "done", seconds=0.5) == "done"

    blocked.release.set()
    await asyncio.gather(*greedy)
    assert blocked.most == 2


async def test_who_waits_too_long_for_a_thread_is_told_in_time(blocked: Blocked) -> None:
    pool = threads(1)
    first = asyncio.create_task(pool.run("a", "user", blocked, seconds=5))
    await settled()
    began = monotonic()

    with pytest.raises(TimeoutError):
        await pool.run("b", "user", lambda: 1, seconds=0.2)

    assert 0.15 < monotonic() - began < 1
    blocked.release.set()
    await first


async def test_work_that_its_caller_gave_up_on_keeps_its_thread_to_the_end(
    blocked: Blocked,
) -> None:
    pool = threads(1)
    with pytest.raises(TimeoutError):
        await pool.run("a", "user", blocked, seconds=0.1)
    with pytest.raises(TimeoutError):
        await pool.run("a", "user", lambda: 1, seconds=0.1)
    assert blocked.busy == 1

    blocked.release.set()

    assert await pool.run("a", "user", lambda: 2, seconds=5) == 2


@pytest.mark.filterwarnings("error")
async def test_a_late_failure_of_what_was_given_up_on_troubles_nobody(blocked: Blocked) -> None:
    def fail() -> None:
        blocked()
        raise LookupError

    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    pool = threads(1)
    with pytest.raises(TimeoutError):
        await pool.run("a", "user", fail, seconds=0.1)
    blocked.release.set()

    assert await pool.run("a", "user", lambda: 2, seconds=5) == 2
    assert complaints == []


@pytest.mark.parametrize("at_work", [True, False], ids=["at-work", "waiting"])
async def test_a_caller_who_leaves_takes_no_thread_along(blocked: Blocked, at_work: bool) -> None:
    pool = threads(1)
    calls = [asyncio.create_task(pool.run("a", "user", blocked, seconds=5)) for _ in range(2)]
    await settled()
    left = calls[0] if at_work else calls[1]
    left.cancel()
    with suppress(asyncio.CancelledError):
        await left
    blocked.release.set()
    await asyncio.gather(*calls, return_exceptions=True)

    assert (
        await asyncio.gather(*(pool.run("a", "user", lambda: 3, seconds=5) for _ in range(5)))
        == [3] * 5
    )
    assert pool._at_work == pool._waiting == []


async def test_who_leaves_just_when_a_thread_is_given_takes_it_not_along(blocked: Blocked) -> None:
    pool = threads(1)
    first, leaves = begun(pool, blocked, [("a", "1"), ("a", "2")])
    await settled()
    blocked.release.set()
    threading.Event().wait(0.1)  # holds the loop until the thread has reported
    for _ in range(2):
        await asyncio.sleep(0)
    assert pool._waiting == []  # its turn has come, and its task has not run yet
    leaves.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaves
    await first

    assert await pool.run("a", "3", lambda: 3, seconds=1) == 3


async def test_a_thread_that_is_freed_just_when_one_leaves_goes_to_the_next(
    blocked: Blocked,
) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    pool = threads(1)
    first, leaves, stays = begun(pool, blocked, [("a", "1"), ("a", "2"), ("a", "3")])
    await settled()
    blocked.release.set()
    threading.Event().wait(0.1)  # holds the loop until the thread has reported
    await asyncio.sleep(0)
    leaves.cancel()

    await asyncio.wait_for(asyncio.gather(first, stays), 2)
    assert leaves.cancelled()
    assert complaints == []


async def is_refused_at_once(pool: BoundedThreads, party: str, user: str) -> bool:
    began = monotonic()
    with pytest.raises(TimeoutError):
        await pool.run(party, user, lambda: 1, seconds=2)
    return monotonic() - began < 0.5


async def test_beyond_so_many_of_a_party_who_wait_its_next_is_refused_at_once(
    blocked: Blocked,
) -> None:
    pool = threads(1)
    calls = begun(pool, blocked, crowd(1 + MOST_WAITING_OF_A_PARTY, "a"))
    await settled()

    assert await is_refused_at_once(pool, "a", "one more")
    other = asyncio.create_task(pool.run("b", "user", lambda: 1, seconds=5))
    await settled()
    assert not other.done()

    blocked.release.set()
    await asyncio.gather(*calls)
    assert await other == 1
    assert await pool.run("a", "one more", lambda: 1, seconds=5) == 1


async def test_beyond_so_many_of_a_user_who_wait_the_next_is_refused_and_no_colleague(
    blocked: Blocked,
) -> None:
    pool = threads(1)
    calls = begun(pool, blocked, [("a", "busy")] * (1 + MOST_WAITING_OF_A_USER))
    await settled()

    assert await is_refused_at_once(pool, "a", "busy")
    others = begun(pool, blocked, [("a", "colleague"), ("b", "busy")])
    await settled()
    assert not any(each.done() for each in others)

    blocked.release.set()
    await asyncio.gather(*calls, *others)


async def test_beyond_so_many_of_all_who_wait_the_next_is_refused_at_once(
    blocked: Blocked,
) -> None:
    pool = threads(1)
    people = [(f"party {each}", "user") for each in range(1 + MOST_WAITING)]
    calls = begun(pool, blocked, people)
    await settled()

    assert await is_refused_at_once(pool, "one more", "user")

    blocked.release.set()
    await asyncio.gather(*calls)


async def test_parties_that_fill_every_place_make_room_for_one_that_has_none(
    blocked: Blocked,
) -> None:
    pool = threads(1)
    holder = begun(pool, blocked, [("holder", "user")])
    await settled()
    people = [each for party in "abcd" for each in crowd(MOST_WAITING_OF_A_PARTY, party)]
    calls = begun(pool, blocked, people)
    await settled()
    assert len(pool._waiting) == MOST_WAITING

    innocent = asyncio.create_task(pool.run("innocent", "user", lambda: 1, seconds=5))
    await settled()
    gave_way = [each for each in calls if each.done()]

    assert not innocent.done()
    assert gave_way == [calls[MOST_WAITING_OF_A_PARTY - 1]]
    with pytest.raises(TimeoutError):
        await gave_way[0]
    blocked.release.set()
    assert await innocent == 1
    await asyncio.gather(*holder, *calls, return_exceptions=True)


async def test_300_people_of_one_slow_party_do_not_refuse_another_nor_hold_it_up(
    blocked: Blocked,
) -> None:
    pool = threads(16, share=8, share_of_user=2)
    slow = begun(pool, blocked, crowd(300, "slow"))
    await settled()

    for _ in range(60):
        assert await pool.run("innocent", "user", lambda: 1, seconds=0.5) == 1

    assert blocked.busy == 8
    blocked.release.set()
    ends = await asyncio.gather(*slow, return_exceptions=True)
    assert sum(isinstance(end, str) for end in ends) == 8 + MOST_WAITING_OF_A_PARTY


async def test_ten_stuck_calls_of_one_user_do_not_hold_up_a_colleague(blocked: Blocked) -> None:
    pool = threads(16, share=8, share_of_user=2)
    stuck = begun(pool, blocked, [("a", "stuck")] * 10)
    await settled()
    assert blocked.busy == 2

    assert await pool.run("a", "colleague", lambda: 1, seconds=0.5) == 1

    blocked.release.set()
    await asyncio.gather(*stuck)
    assert blocked.most == 2


async def test_the_next_free_thread_goes_to_the_party_and_the_user_that_have_the_fewest() -> None:
    pool = threads(3)
    first = Blocked()
    longer = Blocked()
    served: list[str] = []
    held = begun(pool, longer, [("a", "1"), ("b", "1")]) + begun(pool, first, [("b", "2")])
    await settled()

    def serve(name: str) -> Callable[[], None]:
        return lambda: served.append(name)

    waiting = [("a", "1"), ("b", "1"), ("a", "2"), ("idle", "1")]
    calls = [
        asyncio.create_task(pool.run(*each, serve(" ".join(each)), seconds=5)) for each in waiting
    ]
    await settled()
    first.release.set()
    await asyncio.gather(*calls)

    assert served == ["idle 1", "a 2", "a 1", "b 1"]
    longer.release.set()
    await asyncio.gather(*held)


async def test_a_thread_that_cannot_be_started_loses_nothing() -> None:
    pool = threads(2, share_of_user=1, executor=StartsNoThread(2, failures=5))
    ran: list[str] = []

    for _ in range(5):
        with pytest.raises(TimeoutError):
            await pool.run("a", "user", lambda: ran.append("refused"), seconds=5)

    both_at_once = threading.Barrier(2)
    answers = await asyncio.gather(
        *(pool.run("a", user, lambda: both_at_once.wait(2), seconds=5) for user in ("user", "2"))
    )
    assert sorted(answers) == [0, 1]
    assert ran == []  # whose caller was told that it failed
    assert pool._at_work == pool._waiting == []


async def test_when_a_thread_cannot_be_started_the_next_in_line_has_its_turn(
    blocked: Blocked,
) -> None:
    executor = StartsNoThread(1, failures=0)
    pool = threads(1, executor=executor)
    first = begun(pool, blocked, [("a", "1")])
    await settled()
    executor.failures = 1
    unlucky = asyncio.create_task(pool.run("a", "2", lambda: 2, seconds=5))
    lucky = asyncio.create_task(pool.run("a", "3", lambda: 3, seconds=5))
    await settled()
    blocked.release.set()

    with pytest.raises(TimeoutError):
        await unlucky
    assert await lucky == 3
    await asyncio.gather(*first)


async def test_who_gives_up_waiting_for_a_thread_gives_back_the_share(blocked: Blocked) -> None:
    """Of four of one party, with a share of two, the third comes in the first one's place."""
    pool = threads(2)
    others = [asyncio.create_task(pool.run("other", "user", blocked, seconds=5)) for _ in range(2)]
    await settled()
    both_at_once = threading.Barrier(2)
    gives_up = asyncio.create_task(pool.run("a", "user", lambda: 0, seconds=0.1))
    patient = [
        asyncio.create_task(pool.run("a", "user", lambda: both_at_once.wait(2), seconds=5))
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
        await pool.run(str(party), "user", lambda: None, seconds=5)

    assert pool._at_work == pool._waiting == []
