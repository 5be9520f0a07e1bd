"""S-06: how long a session holds, to the second, also on workers whose clocks differ; and how old
it may be to confirm a deletion."""

import pytest

from tests.attacks.every_route import EXPIRED, REFUSED, answers_of_every_route, every_route
from tests.attacks.matrix import answer_of
from tests.attacks.people import Scene, set_scene
from tests.fakes import FakeClock, World
from tests.functions.host import call


@pytest.fixture
async def scene() -> Scene:
    return await set_scene()


async def test_S06_using_a_session_does_not_make_it_live_longer(scene: Scene) -> None:
    world, session = scene.world, await scene.world.session_of("alice")
    for _ in range(14):
        world.clock.move(minutes=1)
        await world.services.authenticate(session)
    world.clock.move(seconds=59)
    await world.services.authenticate(session)

    world.clock.move(seconds=1)

    assert await answers_of_every_route(world, scene, session) == every_route(EXPIRED)


async def test_S06_an_hour_or_a_day_later_it_is_over_still(scene: Scene) -> None:
    for hours in (1, 24, 24 * 365):
        scene.world.clock.move(hours=hours)
        session = scene.alice.session
        assert await answers_of_every_route(scene.world, scene, session) == every_route(EXPIRED)


def beside(world: World, *, seconds: float) -> World:
    """Another instance, whose clock is ahead by so much (behind, if negative)."""
    other = world.another_instance()
    other.clock = FakeClock(world.clock())
    other.clock.move(seconds=seconds)
    return other


@pytest.mark.parametrize("seconds", [-300, -299, -60, 0, 60, 299, 300])
async def test_S06_workers_whose_clocks_differ_by_five_minutes_take_each_others_sessions(
    scene: Scene, seconds: float
) -> None:
    other = beside(scene.world, seconds=seconds)
    here, there = await scene.world.session_of("alice"), await other.session_of("alice")

    await other.services.authenticate(here)
    await scene.world.services.authenticate(there)


async def test_S06_of_a_clock_that_is_further_behind_new_sessions_are_none(scene: Scene) -> None:
    other = beside(scene.world, seconds=-301)
    session = await scene.world.session_of("alice")

    assert await answers_of_every_route(other, scene, session) == every_route(REFUSED)


@pytest.mark.parametrize(
    ("ahead", "age", "answer"),
    [
        pytest.param(0, 0, 202, id="new"),
        pytest.param(0, 299, 202, id="a-second-before-the-end"),
        pytest.param(0, 300, 202, id="at-the-end"),
        pytest.param(0, 301, 403, id="a-second-later"),
        pytest.param(300, 0, 202, id="new-by-a-clock-five-minutes-ahead"),
        pytest.param(300, 1, 403, id="a-second-old-by-a-clock-five-minutes-ahead"),
        pytest.param(-300, 600, 202, id="ten-minutes-old-by-a-clock-five-minutes-behind"),
        pytest.param(-300, 601, 403, id="and-a-second-more"),
    ],
)
async def test_S06_a_session_of_five_minutes_confirms_and_no_older_one(
    scene: Scene, ahead: float, age: float, answer: int
) -> None:
    """By the clock of whoever is asked to confirm."""
    session = await scene.world.session_of("alice")
    asked = scene.alice.deletion
    scene.world.clock.move(seconds=age)
    other = beside(scene.world, seconds=ahead)

    response = await call(
        other.services,
        "deletion_confirm",
        token=session,
        route={"id": asked.deletion.id},
        body={"confirmation_code": asked.confirmation_code.reveal()},
    )

    assert response.status_code == answer
    if answer == 403:
        assert answer_of(response) == (403, "confirmation_required")
