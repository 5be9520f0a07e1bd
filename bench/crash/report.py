"""The table of `make crash`: works, steps, kills, and what came of them."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bench.crash.sweep import Swept

_HEAD = ("work", "steps", "kills", "resumed", "cleanly failed", "lost", "orphaned", "broken rules")


def lines(sweeps: Sequence[Swept]) -> Iterator[str]:
    rows = [_row(swept) for swept in sweeps]
    sums = [str(sum(int(row[n]) for row in rows)) for n in range(1, len(_HEAD))]
    for name, *figures in (_HEAD, *rows, ("in all", *sums)):
        yield f"{name:<27}" + "".join(
            f"{figure:>{max(8, len(head) + 2)}}"
            for head, figure in zip(_HEAD[1:], figures, strict=True)
        )
    for swept in sweeps:
        yield from _details(swept)


def _row(swept: Swept) -> tuple[str, ...]:
    verdicts = Counter(one.verdict for one in swept.killed)
    figures = (
        len(swept.steps),
        len(swept.killed),
        verdicts["resumed"],
        verdicts["cleanly failed"],
        verdicts["lost"],
        sum(one.orphaned for one in swept.killed),
        len(swept.broken),
    )
    return swept.work.name, *map(str, figures)


def _details(swept: Swept) -> Iterator[str]:
    for one in swept.outcomes:
        if one.verdict == "lost":
            yield f"{swept.work.name}: lost {one.tried.where}"
        if one.orphaned:
            yield f"{swept.work.name}: orphaned {one.tried.where}"
    for rule in swept.broken:
        yield f"{swept.work.name}: BROKEN {rule}"
