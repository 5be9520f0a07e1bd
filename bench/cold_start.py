"""`python -m bench.cold_start PACKAGE`: what the package's bytecode saves at a cold start.

A process of its own for each start, with the run-time dependencies and Microsoft's worker library
alone. Compared are the package as it is deployed, and the same without bytecode: mounted read-only,
it would compile everything at each start anew. Azure's own part of a cold start (a place, the
mount, the host) is not in it.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.packaged_app import PackagedApp, Run

ROUNDS: Final = 5
WANTED: Final = 1.5
"""How much faster the app must be indexed with bytecode."""


def measure(package: Path) -> bool:
    """Print the figures of both. Whether they are as they must be."""
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        deployed = PackagedApp.unpack(package, Path(folder))
        bare = deployed.without_bytecode(Path(folder, "bare"))
        for _ in range(ROUNDS):
            with_it = deployed.run(import_all=True)
            rounds.append((with_it, bare.run(import_all=True, keep_bytecode=False)))
    print(f"cold start of {package}, medians of {ROUNDS} interleaved rounds")
    print("                             deployed   without bytecode   ratio")
    ratio = _print_compared("app indexed", rounds, lambda run: run.indexed_after)
    _print_compared("health answered", rounds, lambda run: run.answered_after)
    _print_compared("all imports of requests", rounds, lambda run: run.imported_after)
    return ratio >= WANTED


def _print_compared(
    what: str, rounds: Sequence[tuple[Run, Run]], seconds: Callable[[Run], float]
) -> float:
    """The ratio of the medians, which is printed with them."""
    with_it = statistics.median(seconds(run) for run, _ in rounds)
    without = statistics.median(seconds(run) for _, run in rounds)
    print(f"  {what:25} {with_it:8.2f} s {without:16.2f} s {without / with_it:7.1f}")
    return without / with_it


def main(package: str) -> int:
    is_held = measure(Path(package))
    print("as promised" if is_held else f"NOT as promised: indexed less than {WANTED} times faster")
    return 0 if is_held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
