"""What is told of the rounds: medians, ratios of the same round, and whether an aim was missed."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

from bench.proxy.load import Window
from bench.proxy.places import Upstream

_TAIL: Final = 0.05
_TICK_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One peer's figures in one round; latencies in milliseconds."""

    rate: float
    p50: float
    p99: float
    answered: int
    cpu_seconds: float
    """Of the server."""

    @property
    def cpu(self) -> float:
        """Milliseconds a request; of what is too little to be told, the least that is."""
        return max(self.cpu_seconds, _TICK_SECONDS) / self.answered * 1_000

    @classmethod
    def of(cls, window: Window) -> Self:
        ordered = sorted(window.latencies)
        return cls(
            rate=len(ordered) / window.seconds,
            p50=quantile(ordered, 0.50) * 1_000,
            p99=quantile(ordered, 0.99) * 1_000,
            answered=len(ordered),
            cpu_seconds=window.cpu_seconds,
        )


type Measure = Literal["rate", "p50", "p99", "cpu"]
type Cell = tuple[Upstream, int]
"""How soon the org answers, and on how many connections it is asked."""
type Rounds = Mapping[tuple[Cell, str], Sequence[Round]]
"""By cell and peer, in the order of the rounds."""


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that is not below this share of all (nearest rank)."""
    return ordered[math.ceil(share * len(ordered)) - 1]


def median(rounds: Sequence[Round], measure: Measure) -> float:
    values: list[float] = [getattr(one, measure) for one in rounds]
    return statistics.median(values)


def cpu_of_all(rounds: Sequence[Round]) -> float:
    """Milliseconds a request, over all rounds: the kernel tells hundredths of a second, which is
    much of what a slow round takes."""
    answered = sum(one.answered for one in rounds)
    return sum(one.cpu_seconds for one in rounds) / answered * 1_000


def ratios(ours: Sequence[Round], theirs: Sequence[Round], measure: Measure) -> list[float]:
    """Of each round, so that a minute in which the machine was busy counts for both."""
    return [
        getattr(mine, measure) / getattr(other, measure)
        for mine, other in zip(ours, theirs, strict=True)
    ]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Where the true median is, with 95 % confidence, by the ranks alone (the sign test's
    interval); of fewer than six values the least and the greatest, which say less."""
    ordered, count = sorted(values), len(values)
    cut, beyond = 0, 0.0
    for left_out in range(count // 2):
        beyond += math.comb(count, left_out) / 2**count
        if 2 * beyond > _TAIL:
            break
        cut = left_out
    return ordered[cut], ordered[count - 1 - cut]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """The service against a peer: `at_least` of it, or else `at_most`."""

    against: str
    measure: Measure
    cell: Cell
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    aim: Aim
    ratio: float
    low: float
    high: float

    @property
    def is_held(self) -> bool:
        return self._holds(self.ratio)

    @property
    def is_missed(self) -> bool:
        """By more than the noise: no end of the interval would do."""
        return not (self._holds(self.low) or self._holds(self.high))

    def _holds(self, ratio: float) -> bool:
        if self.aim.at_least is not None and ratio < self.aim.at_least:
            return False
        return self.aim.at_most is None or ratio <= self.aim.at_most


def judged(aim: Aim, rounds: Rounds, ours: str) -> Verdict:
    found = ratios(rounds[aim.cell, ours], rounds[aim.cell, aim.against], aim.measure)
    low, high = interval(found)
    return Verdict(aim=aim, ratio=statistics.median(found), low=low, high=high)
