"""The cache: bounded, timed, and loaded by one caller while the others wait."""

import asyncio

import pytest

from shared.cache import TimedCache


class Seconds:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Where values come from: counts what was read, and may wait or fail."""

    def __init__(self) -> None:
        self.reads = 0
        self.value = "first"
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.failure: Exception | None = None

    async def load(self) -> str:
        self.reads += 1
        value = self.value
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        return value


async def turns() -> None:
    """Let everything that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def cache(clock: Seconds) -> TimedCache[str, str]:
    return TimedCache(size=2, seconds=60, clock=clock)


async def test_a_value_is_loaded_once_and_kept(cache: TimedCache[str, str]) -> None:
    source = Source()

    assert await cache.get("a", source.load) == "first"
    assert await cache.get("a", source.load) == "first"

    assert source.reads == 1
    assert cache.peek("a") == "first"


@pytest.mark.parametrize(
    ("age", "reads"), [pytest.param(59.9, 1, id="fresh"), pytest.param(60.0, 2, id="over")]
)
async def test_a_value_is_over_after_its_time(
    cache: TimedCache[str, str], clock: Seconds, age: float, reads: int
) -> None:
    source = Source()
    await cache.get("a", source.load)

    clock.now += age
    await cache.get("a", source.load)

    assert source.reads == reads


async def test_reading_a_value_does_not_make_it_younger(
    cache: TimedCache[str, str], clock: Seconds
) -> None:
    cache.put("a", "first")
    clock.now += 40
    assert cache.peek("a") == "first"
    clock.now += 40

    assert cache.peek("a") is None


async def test_the_one_unused_for_longest_goes_first(cache: TimedCache[str, str]) -> None:
    cache.put("a", "1")
    cache.put("b", "2")
    assert cache.peek("a") == "1"

    cache.put("c", "3")

    assert [cache.peek(key) for key in "abc"] == ["1", None, "3"]


async def test_peek_loads_nothing(cache: TimedCache[str, str]) -> None:
    assert cache.peek("a") is None


async def test_many_callers_at_once_cause_one_load(cache: TimedCache[str, str]) -> None:
    source = Source()
    source.may_answer.clear()
    callers = [asyncio.create_task(cache.get("a", source.load)) for _ in range(50)]
    await turns()
    source.may_answer.set()

    assert await asyncio.gather(*callers) == ["first"] * 50
    assert source.reads == 1


async def test_different_keys_do_not_wait_for_one_another(cache: TimedCache[str, str]) -> None:
    slow, quick = Source(), Source()
    slow.may_answer.clear()
    waiting = asyncio.create_task(cache.get("slow", slow.load))
    await turns()

    assert await cache.get("quick", quick.load) == "first"

    slow.may_answer.set()
    await waiting


async def test_a_failure_reaches_all_who_wait_and_is_not_remembered(
    cache: TimedCache[str, str],
) -> None:
    source = Source()
    source.failure = OSError()
    source.may_answer.clear()
    callers = [asyncio.create_task(cache.get("a", source.load)) for _ in range(5)]
    await turns()
    source.may_answer.set()

    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(answer) for answer in answers] == [OSError] * 5

    source.failure = None
    assert await cache.get("a", source.load) == "first"
    assert source.reads == 2


async def test_a_caller_who_gives_up_does_not_take_the_load_from_the_others(
    cache: TimedCache[str, str],
) -> None:
    source = Source()
    source.may_answer.clear()
    impatient = asyncio.create_task(cache.get("a", source.load))
    patient = asyncio.create_task(cache.get("a", source.load))
    await turns()

    impatient.cancel()
    source.may_answer.set()

    assert await patient == "first"
    assert source.reads == 1
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_a_failure_that_nobody_waits_for_any_more_is_no_noise(
    cache: TimedCache[str, str],
) -> None:
    """asyncio would complain about an exception that was never retrieved."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    source = Source()
    source.failure = OSError()
    source.may_answer.clear()
    impatient = asyncio.create_task(cache.get("a", source.load))
    await turns()
    impatient.cancel()
    source.may_answer.set()

    await turns()

    assert complaints == []
    assert source.reads == 1
    assert cache.peek("a") is None


async def test_forgetting_makes_the_next_caller_load(cache: TimedCache[str, str]) -> None:
    source = Source()
    await cache.get("a", source.load)
    source.value = "second"

    cache.forget("a")

    assert await cache.get("a", source.load) == "second"


async def test_a_load_under_way_when_forgotten_is_not_remembered(
    cache: TimedCache[str, str],
) -> None:
    """What it read may be out of date: those who wait for it get it, nobody after them."""
    source = Source()
    source.may_answer.clear()
    early = asyncio.create_task(cache.get("a", source.load))
    await turns()

    cache.forget("a")
    source.value = "second"
    late = asyncio.create_task(cache.get("a", source.load))
    await turns()
    source.may_answer.set()

    assert await early == "first"
    assert await late == "second"
    assert cache.peek("a") == "second"


async def test_forgetting_what_is_not_there_is_no_error(cache: TimedCache[str, str]) -> None:
    cache.forget("a")


async def test_what_is_over_does_not_stay_until_there_is_no_room() -> None:
    """Opened access tokens are kept by one of these."""
    clock = Seconds()
    cache: TimedCache[int, str] = TimedCache(size=1_000, seconds=60, clock=clock)
    for number in range(100):
        cache.put(number, "x")
    clock.now += 60

    cache.put(100, "y")

    assert list(cache._values) == [100]
