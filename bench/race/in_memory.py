"""The same contention in one process, on the fake store: many more calls, in less time."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from bench.race.messages import SUCCEEDED
from shared.errors import NotConnectedError
from shared.model import Caller
from tests.attacks.stores import counted
from tests.fakes import CONTOSO_ORG, World

_CALLERS: Final = 100
_INSTANCES: Final = 10
_DEADLINE: Final = 60.0
"""Seconds for a round: whoever is still there is stuck."""


@dataclass(slots=True, kw_only=True)
class Tally:
    rounds: int = 0
    redemptions: int = 0
    replays: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, redemptions: int, replays: int, outcomes: Counter[str]) -> None:
        self.rounds += 1
        self.redemptions += redemptions
        self.replays += replays
        self.outcomes += outcomes

    @property
    def is_right(self) -> bool:
        return self.rounds > 0 and not self.wrong

    def lines(self) -> Iterator[str]:
        yield (
            f"  {self.rounds} rounds of {_CALLERS} callers in {_INSTANCES} instances: "
            f"{self.outcomes.total():,} contended calls, {self.redemptions} redemptions, "
            f"{self.replays} replays, {self.outcomes[SUCCEEDED]:,} successes"
        )
        for told in self.wrong:
            yield f"  WRONG: {told}"


async def race_in_memory(rounds: int) -> Tally:
    """Every third round the instances begin with nothing in memory."""
    world = World()
    caller = await world.signed_in("alice")
    await world.connect(caller)
    made = counted(world)
    instances: list[World] = []
    tally = Tally()
    for number in range(rounds):
        if number % 3 == 0:
            instances = [world.another_instance() for _ in range(_INSTANCES)]
        world.login.expire_access_tokens()
        made.clear()
        before = (world.login.redemptions, world.login.replays)
        async with asyncio.timeout(_DEADLINE):
            outcomes = Counter(
                await asyncio.gather(
                    *(_call(instances[one % _INSTANCES], caller) for one in range(_CALLERS))
                )
            )
        redemptions = world.login.redemptions - before[0]
        replays = world.login.replays - before[1]
        sent = made.count("login.refresh")
        tally.add(redemptions, replays, outcomes)
        if (sent, redemptions, replays, outcomes) != (1, 1, 0, {SUCCEEDED: _CALLERS}):
            told = f"{sent} tokens sent, {redemptions} redemptions, {replays} replays"
            tally.wrong.append(f"round {number}: {told}, outcomes {dict(outcomes)}")
    if not await _can_still_refresh(world):
        tally.wrong.append("what is stored in the end is not the living token")
    return tally


async def _call(instance: World, caller: Caller) -> str:
    try:
        await instance.services.list_flows(caller, CONTOSO_ORG)
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is counted
        return str(getattr(exc, "code", type(exc).__name__))
    return SUCCEEDED


async def _can_still_refresh(world: World) -> bool:
    """Whether what is stored is the token that Salesforce takes. Each round but the last has had
    the next one to show it."""
    (row,) = world.connections.rows.values()
    try:
        await world.login.refresh(await world.grants.open(row.place, row.sealed_grant))
    except NotConnectedError:
        return False
    return True
