"""Rounds of a race, and the rule that each of them is held to."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from time import monotonic
from typing import Final

from bench.race.messages import CACHES, SUCCEEDED, Caches, Call, Prepare, Race, Ran
from bench.race.processes import Processes
from bench.race.scene import Connected, Counted, Scene, Stored
from shared.model import Health

_TO_THE_LINE: Final = 0.1
"""Seconds from the order to the start: enough for all processes to have read it."""
_SLOW_EACH: Final = 10
_SLOW_SECONDS: Final = 1.0
_QUICK_SECONDS: Final = 0.02


@dataclass(frozen=True, kw_only=True)
class Round:
    """What happened, by the account of everybody who took part."""

    number: int
    caches: Caches
    slow: bool
    callers: int
    start: float
    ran: Sequence[Ran]
    counted: tuple[Counted, Counted]
    """By Salesforce, before and after."""
    stored: tuple[Stored, Stored]
    """Before and after."""
    living: str | None
    """The SHA-256 of the refresh token that Salesforce takes next; None: it takes none."""

    @cached_property
    def calls(self) -> Sequence[Call]:
        return list(chain.from_iterable(one.calls for one in self.ran))

    @cached_property
    def outcomes(self) -> Counter[str]:
        return Counter(call.outcome for call in self.calls)

    @property
    def redemptions(self) -> int:
        return self.counted[1].redemptions - self.counted[0].redemptions

    @property
    def replays(self) -> int:
        return self.counted[1].replays - self.counted[0].replays

    @property
    def sent(self) -> int:
        """Refresh tokens that the processes sent to Salesforce."""
        return sum(one.redemptions for one in self.ran)

    @property
    def seconds(self) -> float:
        """From the start until the last caller had an answer."""
        return max(one.ended for one in self.ran) - self.start

    @property
    def spread(self) -> float:
        """Seconds between the first process to start and the last."""
        started = [one.started for one in self.ran]
        return max(started) - min(started)

    @property
    def waits(self) -> list[float]:
        """Of those who were refused, and waited for somebody else's redemption."""
        return [call.waited for call in self.calls if call.waited is not None and not call.redeemed]

    @property
    def store_calls(self) -> int:
        return sum(one.store_calls for one in self.ran)

    @property
    def stored_is_living(self) -> bool:
        return self.stored[1].digest == self.living

    @property
    def wrong(self) -> list[str]:
        """What breaks the rule; nothing if the round is as promised."""
        before, row = (stored.row for stored in self.stored)
        moved = row.generation - before.generation
        rule = {
            f"{self.redemptions} redemptions": self.redemptions == 1,
            f"{self.replays} replays": self.replays == 0,
            f"{self.sent} refresh tokens sent": self.sent == 1,
            f"outcomes {dict(self.outcomes)}": self.outcomes == {SUCCEEDED: self.callers},
            "what is stored is not the living token": self.stored_is_living,
            f"{moved} generations": moved == 1,
            f"health {row.health.value}": row.health is Health.ACTIVE,
            "somebody still holds the lease": row.lease_holder is None,
        }
        return [told for told, holds in rule.items() if not holds]

    def line(self) -> str:
        pace = ", slow Salesforce" if self.slow else ""
        told = "; ".join(self.wrong) or "as promised"
        return f"round {self.number} ({self.caches} caches{pace}, {self.seconds:.2f} s): {told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Who runs."""

    users: Sequence[Connected]
    processes: int
    callers: int
    """In each process."""


async def race(
    scene: Scene, processes: Processes, field: Field, numbers: range
) -> AsyncIterator[Round]:
    """The rounds with these numbers. Each user races three times, once with each kind of caches,
    and then it is the next one's turn. In every tenth round Salesforce is slow."""
    counted = scene.counted()
    for number in numbers:
        who = field.users[number // len(CACHES) % len(field.users)]
        caches, slow = CACHES[number % len(CACHES)], number % _SLOW_EACH == _SLOW_EACH - 1
        scene.redeeming_takes(_SLOW_SECONDS if slow else _QUICK_SECONDS)
        await processes.prepare(Prepare(caches=caches))
        stored = await scene.stored(who)
        scene.expire_access_of(who)
        order = race_of(who, field.callers)
        ran = await processes.race(order)
        before, counted = counted, scene.counted()
        yield Round(
            number=number,
            caches=caches,
            slow=slow,
            callers=field.callers * field.processes,
            start=order.start,
            ran=ran,
            counted=(before, counted),
            stored=(stored, await scene.stored(who)),
            living=counted.living.get(who.at_salesforce),
        )


def race_of(who: Connected, callers: int, *, killed: bool = False) -> Race:
    """An order for now."""
    return Race(
        tenant=who.tenant,
        user=who.user,
        org=who.org,
        callers=callers,
        start=monotonic() + _TO_THE_LINE,
        killed=killed,
    )
