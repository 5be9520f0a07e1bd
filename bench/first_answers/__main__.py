"""`make bench-coldstart`: from the start of a process to its first answer (README.md).

The package that is deployed, against the least app that azure.functions can be; with their
bytecode, and without. Exit code 1 if an aim is missed. `--markdown` says as well what it was
measured on, as bench/RESULTS.md has it.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.first_answers.apps import ON_THE_STACK, Apps, FirstAnswer, Request, first_answer
from bench.machine import markdown_table, measured_on
from local.addin import MICROSOFT_USER, AddIn
from local.demo import FLOW, MAIL
from local.environment import service_environment
from local.stack import Stack
from local.stack_info import StackInfo
from tools.package import ROOT, build

ROUNDS: Final = 9
HEALTH: Final = "health"
INVOKE: Final = "first invoke"
AIMS: Final = {HEALTH: 1.1, INVOKE: 3.0}
"""At most so many times as long as the minimal app, as deployed: with bytecode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What the deployed app is asked, and what of equal size the minimal one is."""

    deployed: Request
    minimal: Request
    environment: dict[str, str]  # of both


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    deployed: FirstAnswer
    minimal: FirstAnswer


type Rounds = dict[tuple[str, bool], list[Compared]]
"""By what is asked, and whether with bytecode."""


def health() -> Pair:
    """As after a deployment: the app's own entry, the settings of the sample, no network."""
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    asked = Request(function="health", method="GET", path="/api/v1/health")
    return Pair(deployed=asked, minimal=asked.of_the_minimal_app(), environment=sample["Values"])


def invoke(info: StackInfo, session_token: str) -> Pair:
    """On the network of a running stack, of a user who is signed in and connected."""
    body = json.dumps({"email": MAIL})
    asked = Request(
        function="flow_invoke",
        method="POST",
        path=f"/api/v1/flows/{FLOW}/runs",
        headers={
            "authorization": f"Bearer {session_token}",
            "content-type": "application/json",
            "content-length": str(len(body)),
        },
        parameters={"flow": FLOW},
        body=body,
    )
    environment = {
        **service_environment(info),
        "FLOWRUNNER_LOCAL_STACK": str(info.data / "stack.json"),
        "PYTHON_SCRIPT_FILE_NAME": ON_THE_STACK,
    }
    return Pair(deployed=asked, minimal=asked.of_the_minimal_app(), environment=environment)


def connected_user(info: StackInfo) -> str:
    """The session token of somebody who has run the Flow before, by another process."""
    with AddIn(info) as pane:
        token: str = pane.sign_in_with_microsoft(*MICROSOFT_USER)["session_token"]
        pane.connect("alice")
        pane.call("POST", f"/flows/{FLOW}/runs", body={"email": MAIL})
        return token


def interleaved(package: Path, folder: Path, count: int) -> Rounds:
    """Each round: both requests, with bytecode and without, of both apps one after the other."""
    with_it = Apps.unpack(package, folder / "apps")
    both = {True: with_it, False: with_it.without_bytecode(folder / "bare")}
    with Stack(data=folder / "stack", with_timers=False) as running:
        asked = {HEALTH: health(), INVOKE: invoke(running.info, connected_user(running.info))}
        rounds: Rounds = {(name, kept): [] for kept in both for name in asked}
        for number in range(count):
            for (name, kept), found in rounds.items():
                found.append(_compared(both[kept], asked[name], keep_bytecode=kept))
            print(f"round {number + 1} of {count}", file=sys.stderr, flush=True)
    return rounds


def _compared(apps: Apps, asked: Pair, *, keep_bytecode: bool) -> Compared:
    flags = () if keep_bytecode else ("-B",)
    environment = asked.environment
    own_entry = {k: v for k, v in environment.items() if k != "PYTHON_SCRIPT_FILE_NAME"}
    return Compared(
        minimal=first_answer(apps.minimal, asked.minimal, own_entry, flags=flags),
        deployed=first_answer(apps.deployed, asked.deployed, environment, flags=flags),
    )


def table(rounds: Rounds) -> str:
    head = ["answer", "bytecode", "minimal s", "ours s", "times", "at most", "CPU times"]
    lines = [
        [
            name,
            "yes" if kept else "no",
            f"{_median([one.minimal for one in found], _answered):.2f}",
            f"{_median([one.deployed for one in found], _answered):.2f}",
            f"{_times(found, _answered):.2f}",
            f"{AIMS[name]:.1f}" if kept else "",
            f"{_times(found, _cpu):.2f}",
        ]
        for (name, kept), found in rounds.items()
    ]
    return markdown_table(head, lines)


def missed(rounds: Rounds) -> list[str]:
    """The aims that are, each as a sentence. Without bytecode nothing is deployed, so no aim."""
    found = {name: _times(compared, _answered) for (name, kept), compared in rounds.items() if kept}
    return [
        f"{name}: {found[name]:.2f} times as long as the minimal app, not {at_most}"
        for name, at_most in AIMS.items()
        if found[name] > at_most
    ]


def _answered(one: FirstAnswer) -> float:
    return one.answered_after


def _cpu(one: FirstAnswer) -> float:
    return one.cpu_seconds


def _median(found: Sequence[FirstAnswer], figure: Callable[[FirstAnswer], float]) -> float:
    return statistics.median(figure(one) for one in found)


def _times(found: Sequence[Compared], figure: Callable[[FirstAnswer], float]) -> float:
    ours = _median([one.deployed for one in found], figure)
    return ours / _median([one.minimal for one in found], figure)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.first_answers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--package", type=Path, help="one that was made before; else it is made")
    parser.add_argument("--markdown", action="store_true", help="with machine, date and command")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        package = chosen.package or build(ROOT, folder / "flowrunner.zip").path
        rounds = interleaved(package, folder, chosen.rounds)
    if chosen.markdown:
        print(f"{measured_on('make bench-coldstart')}\n")
    print(table(rounds))
    wrong = missed(rounds)
    print(f"\nMedians of {chosen.rounds} interleaved rounds. ", end="")
    print(f"Aims, with bytecode: {'missed' if wrong else 'held'}.")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
