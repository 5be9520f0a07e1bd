"""`make bench-proxy`: a warm call of a Flow through the service, and by other ways (README.md).

Exit code 1 if an aim is missed by more than the noise.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from bench.machine import measured_on
from bench.proxy.ajax_proxy import NpmError
from bench.proxy.field import Field, field
from bench.proxy.figures import Cell, Round, Rounds
from bench.proxy.load import WrongAnswerError, run_round
from bench.proxy.peers import Peer
from bench.proxy.places import UPSTREAMS
from bench.proxy.processes import on
from bench.proxy.profile import profiled
from bench.proxy.report import AIMS, table, table_of_aims, verdicts
from local.readiness import NotReadyError
from local.stack import StackError

CONNECTIONS = (1, 16, 64)
CELLS: tuple[Cell, ...] = tuple(
    (upstream, connections) for upstream in UPSTREAMS for connections in CONNECTIONS
)
_JUDGED = frozenset(aim.cell for aim in AIMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`seconds` of a measurement where an aim is judged, and elsewhere."""

    rounds: int
    seconds: float
    seconds_elsewhere: float

    def seconds_of(self, cell: Cell) -> float:
        return self.seconds if cell in _JUDGED else self.seconds_elsewhere


QUICK = Plan(rounds=3, seconds=0.6, seconds_elsewhere=0.3)


def measure(on_field: Field, plan: Plan) -> Rounds:
    """Every peer once in each round, in another order each time. Raises WrongAnswerError."""
    rounds: dict[tuple[Cell, str], list[Round]] = {}
    peers = on_field.peers
    for number in range(plan.rounds):
        turn = number % len(peers)
        for cell in CELLS:
            for peer in (*peers[turn:], *peers[:turn]):
                measured = _measured(peer, cell, plan.seconds_of(cell))
                rounds.setdefault((cell, peer.name), []).append(measured)
        print(f"round {number + 1} of {plan.rounds}", file=sys.stderr, flush=True)
    return rounds


def _measured(peer: Peer, cell: Cell, seconds: float) -> Round:
    upstream, connections = cell
    target = peer.target(upstream, connections)
    try:
        window = asyncio.run(run_round(target, connections, seconds, peer.cpu_seconds))
    except (WrongAnswerError, OSError, TimeoutError) as exc:
        raise WrongAnswerError(f"{peer.name}: {exc!r}") from exc
    return Round.of(window)


def report(rounds: Rounds, peers: Sequence[str], missing: Sequence[str]) -> bool:
    """Print it. Whether no aim is missed by more than the noise."""
    print("\n\n".join(table(rounds, cell, peers) for cell in CELLS))
    found = verdicts(rounds)
    print(f"\n**Aims**\n\n{table_of_aims(found)}\n")
    for line in missing:
        print(f"A row is missing: {line}.")
    is_held = not any(verdict.is_missed for verdict in found)
    print("as promised" if is_held else "NOT as promised")
    return is_held


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.proxy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="3 short rounds: a hint, no more")
    parser.add_argument("--markdown", action="store_true", help="with what it was measured on")
    parser.add_argument("--profile", action="store_true", help="where the service's time goes")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flowrunner-bench-") as name:
        folder = Path(name)
        if chosen.profile:
            print(profiled(folder))
            return 0
        whole = Plan(rounds=chosen.rounds, seconds=1.0, seconds_elsewhere=0.6)
        plan = QUICK if chosen.quick else whole
        began = perf_counter()
        try:
            with field(max(CONNECTIONS), folder) as ready, on(ready.cores.others):
                rounds = measure(ready, plan)
        except (WrongAnswerError, NpmError, StackError, NotReadyError) as exc:
            print(exc, file=sys.stderr)
            return 1
    if chosen.markdown:
        print(f"{measured_on('make bench-proxy')}\n")
    names = [peer.name for peer in ready.peers]
    is_held = report(rounds, names, ready.missing)
    print(f"{plan.rounds} rounds in {perf_counter() - began:.0f} s", file=sys.stderr)
    return 0 if is_held else 1


if __name__ == "__main__":
    sys.exit(main())
