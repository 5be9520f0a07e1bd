"""What became of the tokens that were tried, counted, and said whether it is right."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from bench.tokens.cases import Case
from bench.tokens.violations import EXPIRED, GUEST, NOT_AUTHENTICATED, PERSONAL

ACCEPTED: Final = "accepted"
_UNAUTHORIZED: Final = frozenset({NOT_AUTHENTICATED, EXPIRED})
_FORBIDDEN: Final = frozenset({PERSONAL, GUEST})
_SHOWN: Final = 10

type Answer = Callable[[Case], Awaitable[tuple[str, float]]]
"""The code that a refusal has, `accepted`, or whatever else came; and after how many seconds."""


@dataclass(slots=True, kw_only=True)
class Report:
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[tuple[Case, str]] = field(default_factory=list)
    """Other answers than the contract's."""
    slowest: float = 0.0
    slowest_kind: str = ""

    def add(self, case: Case, answer: str, seconds: float) -> None:
        self.by_kind.setdefault(case.kind, Counter())[answer] += 1
        if answer != case.expected:
            self.wrong.append((case, answer))
        if seconds > self.slowest:
            self.slowest, self.slowest_kind = seconds, case.kind

    @property
    def answers(self) -> Counter[str]:
        return sum(self.by_kind.values(), Counter[str]())

    @property
    def accepted(self) -> int:
        return self.answers[ACCEPTED]

    @property
    def is_right(self) -> bool:
        return not self.wrong and self.answers.total() > 0

    def lines(self) -> Iterator[str]:
        for kind, answers in sorted(self.by_kind.items()):
            told = ", ".join(f"{count:,} {answer}" for answer, count in sorted(answers.items()))
            yield f"  {kind:<32}{answers.total():>8,}  {told}"
        unauthorized = sum(self.answers[code] for code in _UNAUTHORIZED)
        forbidden = sum(self.answers[code] for code in _FORBIDDEN)
        yield (
            f"  {'in all':<32}{self.answers.total():>8,}  {self.accepted} accepted, "
            f"{unauthorized:,} answered 401, {forbidden:,} answered 403 as the contract says, "
            f"{len(self.wrong)} wrong; "
            f"slowest {self.slowest * 1_000:.1f} ms ({self.slowest_kind})"
        )
        for case, answer in self.wrong[:_SHOWN]:
            yield f"  WRONG: {case.target}, {case.kind}: {answer}, not {case.expected}"


async def tried(cases: Iterable[Case], *lanes: Answer) -> Report:
    """Try them, each lane one after the other."""
    report = Report()
    left = iter(cases)

    async def run(answer: Answer) -> None:
        for case in left:
            told, seconds = await answer(case)
            report.add(case, told, seconds)

    await asyncio.gather(*(run(answer) for answer in lanes))
    return report
