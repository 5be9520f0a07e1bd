"""`make bench-store`: rows of runs, by group commit and by the SDK (README.md).

Exit code 1 if an aim is missed. `--markdown` says as well what it was measured on, as
bench/RESULTS.md has it.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.machine import markdown_table, measured_on
from bench.store.rounds import Load, Measured, measure
from bench.store.ways import Way
from local.stack import Stack
from local.stack_info import StackInfo
from tests.attacks.worker_settings import identity_environment

ROUNDS: Final = 9
LATENCIES_MS: Final = (0, 8)
LOADS: Final = tuple(
    Load(writers=writers, latency_ms=latency_ms, tenants=tenants, runs=runs)
    for latency_ms in LATENCIES_MS
    for writers, tenants, runs in ((1, 1, 80), (16, 2, 15), (64, 4, 5))
)
AIMED_AT: Final = 64  # writers
FASTER: Final = 1.4
"""Times the rate of single inserts."""
ROWS_A_TRANSACTION: Final = 30.0

type Rounds = dict[Load, dict[Way, list[Measured]]]


def interleaved(info: StackInfo, count: int) -> Rounds:
    """Every way in every round; which one begins changes, for whatever the one before leaves."""
    ways = list(Way)
    rounds: Rounds = {load: {way: [] for way in ways} for load in LOADS}
    for number in range(count):
        first = number % len(ways)
        for load in LOADS:
            for way in ways[first:] + ways[:first]:
                rounds[load][way].append(asyncio.run(measure(info, way, load)))
        print(f"round {number + 1} of {count}", file=sys.stderr, flush=True)
    return rounds


def table(rounds: Rounds) -> str:
    head = ["way", "ms on the way", "writers", "rows/s", "times", "CPU ms a row", "rows a request"]
    lines = [
        [
            way.value,
            str(load.latency_ms),
            str(load.writers),
            f"{_median(ways[way], lambda one: one.rate):,.0f}",
            f"{_faster(ways, way):.2f}",
            f"{_median(ways[way], lambda one: one.cpu_ms):.2f}",
            f"{_median(ways[way], lambda one: one.rows_a_request):.1f}",
        ]
        for load, ways in rounds.items()
        for way in Way
    ]
    return markdown_table(head, lines)


def missed(rounds: Rounds) -> list[str]:
    """The aims that are, each as a sentence."""
    told = []
    for load, ways in rounds.items():
        if load.writers != AIMED_AT:
            continue
        at = f"{load.writers} writers, {load.latency_ms} ms on the way"
        faster = _faster(ways, Way.OURS)
        if faster < FASTER:
            told.append(f"{at}: {faster:.2f} times the single inserts, not {FASTER}")
        together = _median(ways[Way.OURS], lambda one: one.rows_a_request)
        if together < ROWS_A_TRANSACTION:
            told.append(f"{at}: {together:.1f} rows a transaction, not {ROWS_A_TRANSACTION:.0f}")
    return told


def _faster(ways: dict[Way, list[Measured]], way: Way) -> float:
    single = _median(ways[Way.SINGLE], lambda one: one.rate)
    return _median(ways[way], lambda one: one.rate) / single


def _median(measured: Sequence[Measured], figure: Callable[[Measured], float]) -> float:
    return statistics.median(figure(one) for one in measured)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.store", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--markdown", action="store_true", help="with machine, date and command")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(data=Path(folder) / "stack", with_timers=False) as running,
    ):
        os.environ.update(identity_environment(running.info))
        rounds = interleaved(running.info, chosen.rounds)
    if chosen.markdown:
        print(f"{measured_on('make bench-store')}\n")
    print(table(rounds))
    wrong = missed(rounds)
    aims = f"{FASTER} times the single inserts and {ROWS_A_TRANSACTION:.0f} rows a transaction"
    print(f"\nMedians of {chosen.rounds} interleaved rounds. ", end="")
    print(f"Aims: {aims}, at {AIMED_AT} writers: {'missed' if wrong else 'held'}.")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
