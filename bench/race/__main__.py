"""`make race`: 64 callers in 8 processes on one expired grant, 300 times; and on the fake store.

Exit code 1 if any round breaks the rule: one redemption, no replay, every caller served, and what
is stored is the token that Salesforce would take next.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Final

from bench.race.in_memory import race_in_memory
from bench.race.processes import processes
from bench.race.rounds import Field, race
from bench.race.scene import Scene
from bench.race.table import Table
from local.stack import Stack
from local.stack_info import StackInfo
from tests.attacks.worker_settings import identity_environment

_USERS: Final = 5
_OF_THE_SAME: Final = 60
"""Rounds. Then others take their place: the ledger, at which each round looks, has grown long."""


async def on_the_stack(info: StackInfo, rounds: int, count: int, callers: int) -> Table:
    """Race, and tell of each round that is wrong at once."""
    table = Table(processes=count, callers=count * callers)
    async with Scene(info) as scene, processes(info, count) as racing:
        for first in range(0, rounds, _OF_THE_SAME):
            scene.begin_anew()
            users = await asyncio.to_thread(scene.connected, _USERS)
            field = Field(users=users, processes=count, callers=callers)
            numbers = range(first, min(first + _OF_THE_SAME, rounds))
            async for ran in race(scene, racing, field, numbers):
                table.add(ran)
                if ran.wrong:
                    print(f"WRONG: {ran.line()}", flush=True)
            print(f"{numbers.stop} rounds", flush=True)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--callers", type=int, default=8, help="in each process")
    parser.add_argument("--in-memory", type=int, default=100, help="rounds of 100; 0: none")
    chosen = parser.parse_args()
    began = perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(data=Path(folder) / "stack", with_timers=False) as running,
    ):
        os.environ.update(identity_environment(running.info))
        table = asyncio.run(
            on_the_stack(running.info, chosen.rounds, chosen.processes, chosen.callers)
        )
    print(f"On Azurite, {perf_counter() - began:.0f} s in all:")
    print("\n".join(table.lines()))
    held = table.is_right
    if chosen.in_memory:
        began = perf_counter()
        tally = asyncio.run(race_in_memory(chosen.in_memory))
        print(f"On the fake store, {perf_counter() - began:.0f} s:")
        print("\n".join(tally.lines()))
        held = held and tally.is_right
    print("as promised" if held else "NOT as promised")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
