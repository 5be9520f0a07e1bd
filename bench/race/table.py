"""The rounds of a race, summed up for a person."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from bench.race.messages import SUCCEEDED
from bench.race.rounds import Round


@dataclass(slots=True, kw_only=True)
class Table:
    processes: int
    callers: int
    rounds: list[Round] = field(default_factory=list)

    def add(self, ran: Round) -> None:
        self.rounds.append(ran)

    @property
    def is_right(self) -> bool:
        return bool(self.rounds) and not any(one.wrong for one in self.rounds)

    def lines(self) -> Iterator[str]:
        outcomes = sum((one.outcomes for one in self.rounds), Counter[str]())
        failures = {code: count for code, count in outcomes.items() if code != SUCCEEDED}
        waits = [wait for one in self.rounds for wait in one.waits]
        living = sum(one.stored_is_living for one in self.rounds)
        wrong = sum(bool(one.wrong) for one in self.rounds)
        yield from _row("rounds", f"{len(self.rounds)}, of which {wrong} wrong")
        yield from _row("callers", f"{self.callers} in {self.processes} processes")
        yield from _row("redemptions", f"{sum(one.redemptions for one in self.rounds):,}")
        yield from _row("tokens sent", f"{sum(one.sent for one in self.rounds):,}")
        yield from _row("replays", f"{sum(one.replays for one in self.rounds):,}")
        yield from _row("successes", f"{outcomes[SUCCEEDED]:,}")
        yield from _row("failures", f"{sum(failures.values()):,} {failures or ''}".rstrip())
        yield from _row("stored is living", f"after {living} of {len(self.rounds)} rounds")
        yield from _row("a round, s", _spread([one.seconds for one in self.rounds]))
        for caches in ("new", "kept", "emptied"):
            own = [one.seconds for one in self.rounds if one.caches == caches and not one.slow]
            yield from _row(f"  {caches} caches", _spread(own))
        yield from _row("  slow org", _spread([one.seconds for one in self.rounds if one.slow]))
        yield from _row("losers waited, s", f"{_spread(waits)}, {len(waits):,} of them")
        yield from _row("store calls", _spread([one.store_calls for one in self.rounds]))
        yield from _row("start within, ms", _spread([1_000 * one.spread for one in self.rounds]))


def _row(name: str, told: str) -> Iterator[str]:
    yield f"  {name:<18}{told}"


def _spread(values: list[float] | list[int]) -> str:
    if not values:
        return "none"
    if all(isinstance(value, int) for value in values):
        return f"median {median(values):.0f}, most {max(values)}"
    return f"median {median(values):.2f}, most {max(values):.2f}"
