"""Wherever the process dies or a neighbour fails, no living grant is left that nobody remembers.

Each use case that takes, replaces or ends a grant is cut short at each of its steps (`dying.py`);
then the timers do their work, and what is alive at Salesforce is what is stored here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import pytest

from shared.errors import NotConnectedError, SalesforceUnavailableError
from shared.model import Caller, Connection, Health, OneTimeCode
from tests.fakes import CONTOSO_ORG, World
from tests.usecases.dying import End, each_end, time_passes

MAY_BE_LOST_AT: Final = {
    ("login.refresh", End.KILLED_AFTER),
    ("login.refresh", End.ANSWER_LOST),
    ("connections.replace", End.KILLED_BEFORE),
}
"""Salesforce has rotated, and nobody has the new token, or has written it anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Alice, and the code with which she may complete a connection."""

    world: World
    alice: Caller
    completion: OneTimeCode | None = None

    @property
    def row(self) -> Connection:
        (row,) = self.world.connections.rows.values()
        return row

    @property
    def living(self) -> int:
        return self.world.login.living(self.alice.user)

    def nothing_waits(self) -> bool:
        world = self.world
        return (world.outbox.rows, world.pending.rows, world.backups.files) == ({}, {}, {})

    async def is_stored_alive(self) -> bool:
        """Whether what is stored is the refresh token that Salesforce takes next."""
        grant = await self.world.grants.open(self.row.place, self.row.sealed_grant)
        before = self.world.login.replays
        try:
            await self.world.login.refresh(grant)
        except NotConnectedError:
            return False
        return self.world.login.replays == before


async def connected() -> Scene:
    world = World()
    alice = await world.signed_in("alice")
    await world.connect(alice)
    return Scene(world=world, alice=alice)


async def consented() -> Scene:
    world = World()
    alice = await world.signed_in("alice")
    return Scene(world=world, alice=alice, completion=await world.consented(alice))


async def consented_again() -> Scene:
    scene = await connected()
    completion = await scene.world.consented(scene.alice)
    return Scene(world=scene.world, alice=scene.alice, completion=completion)


async def with_expired_access() -> Scene:
    scene = await connected()
    scene.world.login.expire_access_tokens()
    return scene


async def idle() -> Scene:
    scene = await connected()
    scene.world.clock.move(days=30)
    return scene


async def test_o22_a_disconnect_cut_short_anywhere_leaves_no_living_grant_behind() -> None:
    async def disconnect(scene: Scene, world: World) -> None:
        await world.services.disconnect(scene.alice, CONTOSO_ORG)

    steps: set[str | None] = set()
    async for scene, step in each_end(connected, disconnect):
        steps.add(step.name)
        is_there = bool(scene.world.connections.rows)
        assert is_there or scene.living == 0 or len(scene.world.outbox.rows) == 1, step
        await time_passes(scene.world)
        if is_there:
            assert scene.living == 1, step
            await disconnect(scene, scene.world)
        assert scene.world.connections.rows == {}, step
        assert scene.living == 0, step
        assert scene.nothing_waits(), step

    assert {"connections.disconnect", "login.revoke", "outbox.delete"} <= steps


@pytest.mark.parametrize("prepared", [consented, consented_again])
async def test_a_completion_cut_short_anywhere_leaves_one_living_grant_or_none(
    prepared: Callable[[], Awaitable[Scene]],
) -> None:
    """Connected with a grant that lives, or not connected and nothing lives; and of a connection
    that is made again, the old grant or the new one, and never both."""

    async def complete(scene: Scene, world: World) -> None:
        assert scene.completion is not None
        await world.services.complete_connection(scene.alice, scene.completion)

    steps: set[str | None] = set()
    async for scene, step in each_end(prepared, complete):
        steps.add(step.name)
        await time_passes(scene.world)
        assert scene.nothing_waits(), step
        assert scene.living == len(scene.world.connections.rows), step
        if prepared is consented_again:
            assert scene.world.connections.rows, step
        if scene.world.connections.rows:
            assert scene.row.health is Health.ACTIVE, step
            assert await scene.is_stored_alive(), step

    write = "connections.create" if prepared is consented else "connections.renew"
    assert {"pending.claim", write, "pending.delete"} <= steps


async def test_o17_a_refresh_cut_short_anywhere_loses_a_grant_only_after_the_rotation() -> None:
    async def refresh(scene: Scene, world: World) -> None:
        alice = scene.alice
        await world.refresh_grant(alice.tenant, alice.user, CONTOSO_ORG, stale_generation=1)

    steps: set[str | None] = set()
    lost: set[tuple[str | None, End]] = set()
    async for scene, step in each_end(with_expired_access, refresh):
        steps.add(step.name)
        rotated = scene.world.login.redemptions
        scene.world.clock.move(minutes=3)
        (refused,) = await asyncio.gather(refresh(scene, scene.world), return_exceptions=True)
        if refused is not None:
            assert isinstance(refused, NotConnectedError), step
            assert refused.health == scene.row.health == "rotation_lost", step
            assert rotated == 1, step
            lost.add((step.name, step.end))
        else:
            assert scene.row.health is Health.ACTIVE, step
            assert scene.living == 1, step
            assert scene.world.login.replays == 0, step
            assert await scene.is_stored_alive(), step
        await time_passes(scene.world)
        assert scene.nothing_waits(), step

    assert lost <= MAY_BE_LOST_AT
    assert ("login.refresh", End.ANSWER_LOST) in lost
    assert {"connections.load", "connections.replace", "login.refresh"} <= steps


async def test_a_lapse_cut_short_anywhere_leaves_no_living_grant_behind() -> None:
    async def lapse(_: Scene, world: World) -> None:
        await world.services.keep_alive()

    steps: set[str | None] = set()
    async for scene, step in each_end(idle, lapse):
        steps.add(step.name)
        await scene.world.another_instance().services.keep_alive()
        await time_passes(scene.world)
        assert (scene.row.health, scene.row.sealed_grant) == (Health.EXPIRED, b""), step
        assert scene.living == 0, step
        assert scene.nothing_waits(), step

    assert {"connections.renew", "login.revoke", "outbox.delete"} <= steps


async def left_behind() -> Scene:
    """A parked grant that nobody claimed, and a discarded one whose org was down."""
    scene = await connected()
    await scene.world.consented(scene.alice)
    scene.world.login.faults.plan("revoke", SalesforceUnavailableError)
    await scene.world.services.disconnect(scene.alice, CONTOSO_ORG)
    assert (scene.living, len(scene.world.outbox.rows)) == (2, 1)
    scene.world.clock.move(minutes=10)
    return scene


async def test_the_timer_cut_short_anywhere_finishes_the_next_time() -> None:
    async def work_off(_: Scene, world: World) -> None:
        await world.services.work_off_revocations()

    steps: set[str | None] = set()
    async for scene, step in each_end(left_behind, work_off):
        steps.add(step.name)
        await time_passes(scene.world)
        assert scene.living == 0, step
        assert scene.nothing_waits(), step

    assert {"pending.claim", "pending.delete", "outbox.delete", "login.revoke"} <= steps
