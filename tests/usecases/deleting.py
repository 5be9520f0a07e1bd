"""A deletion from the asking to the receipt, for the tests of its parts."""

from dataclasses import dataclass

from shared.model import Caller, Deletion, DeletionScope, DeletionState
from shared.usecases.request_deletion import DeletionAsked
from tests.fakes import World
from tests.usecases.invoking import invocation, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleting:
    """One deletion, and the world in which it happens."""

    world: World
    caller: Caller
    asked: DeletionAsked

    @property
    def now(self) -> Deletion:
        """As it is stored."""
        return self.world.deletions.rows[self.caller.tenant, self.asked.deletion.id]

    async def confirm(self) -> Deletion:
        return await self.world.services.confirm_deletion(
            self.caller, self.asked.deletion.id, self.asked.confirmation_code
        )

    async def tick(self) -> DeletionState:
        """What the worker does in a minute."""
        await self.world.services.work_off_deletions()
        return self.now.state

    async def finish(self) -> Deletion:
        """Minute by minute, until it is done. At most a day."""
        for _ in range(24 * 60):
            if await self.tick() is DeletionState.RECEIPTED:
                return self.now
            self.world.clock.move(minutes=1)
        raise AssertionError(f"it is still {self.now.state} after a day")


async def asked_by(world: World, name: str, scope: DeletionScope = DeletionScope.USER) -> Deleting:
    caller = await world.signed_in(name)
    asked = await world.services.request_deletion(caller, scope)
    return Deleting(world=world, caller=caller, asked=asked)


async def lived(world: World, name: str) -> Caller:
    """Somebody who has signed in, connected an org, run a Flow twice, once with a key, begun to
    connect once more, and given a consent that nobody has claimed."""
    caller = await world.signed_in(name)
    await world.connect(caller)
    await run(world, caller, invocation())
    await run(world, caller, invocation(key="a key"))
    await world.services.begin_connection(caller, None, None)
    await world.consented(caller)
    return caller
