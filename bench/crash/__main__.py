"""`make crash`: SIGKILL before and after every request of what touches a grant.

Exits 1 if a grant was lost, left alive or left half done where it need not be.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter

from bench.crash.report import lines
from bench.crash.sweep import Swept, crash_on
from bench.crash.works import WORKS, Work
from local.stack import Stack
from local.stack_info import StackInfo
from tests.attacks.outgoing import MOMENTS, Moment
from tests.attacks.worker_settings import identity_environment
from tests.control_client import ControlClient


async def swept(
    info: StackInfo, works: Sequence[Work], moments: Sequence[Moment]
) -> Sequence[Swept]:
    found: list[Swept] = []
    with closing(ControlClient(info.control)) as control:
        async with crash_on(info, control) as crash:
            for work in works:
                began = perf_counter()
                found.append(await crash(work, moments))
                print(f"{work.name}: {perf_counter() - began:.0f} s", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [work.name for work in WORKS]
    parser.add_argument("works", nargs="*", help=f"of {', '.join(names)}; all, if none is named")
    parser.add_argument("--moment", choices=MOMENTS, help="that one alone; else both")
    chosen = parser.parse_args()
    if unknown := set(chosen.works) - set(names):
        parser.error(f"no such work: {', '.join(sorted(unknown))}")
    works = [work for work in WORKS if work.name in (chosen.works or names)]
    moments = [moment for moment in MOMENTS if chosen.moment in (None, moment)]
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(data=Path(folder) / "stack", with_timers=False) as running,
    ):
        os.environ.update(identity_environment(running.info))
        sweeps = asyncio.run(swept(running.info, works, moments))
    print("\n".join(lines(sweeps)))
    held = not any(sweep.broken for sweep in sweeps)
    print("as promised" if held else "NOT as promised")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
