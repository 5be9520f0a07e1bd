"""A run of a timer: a few at a time, in order, and nothing begun that there is no time for."""

import asyncio

from shared.usecases.rounds import go_through
from tests.fakes import FakeClock


async def test_everything_is_done_once_and_in_order() -> None:
    done: list[int] = []

    async def do(item: int) -> None:
        done.append(item)

    await go_through(range(50), do)

    assert done == list(range(50))


async def test_four_are_under_way_at_most() -> None:
    under_way = most = 0

    async def do(_: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    await go_through(range(50), do)

    assert most == 4


async def test_after_three_minutes_nothing_is_begun_any_more() -> None:
    clock = FakeClock()
    done: list[int] = []

    async def do(item: int) -> None:
        done.append(item)
        clock.move(seconds=60)

    await go_through(range(50), do, clock=clock.monotonic)

    assert done == [0, 1, 2]
