"""`make fuzz-tokens`: altered tokens of both providers, and altered sessions: none gets in.

In this process through the real policies, for their number; and some over HTTP at the stack, where
besides nothing may be stored, and the door has to open for a good token at the end.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from bench.tokens.cases import cases
from bench.tokens.in_process import answering, targets, verifiers
from bench.tokens.over_http import tried_over_http
from bench.tokens.report import Report, tried
from local.addin import MICROSOFT_ADMINISTRATOR, AddIn
from local.stack import Stack
from local.stack_info import StackInfo
from shared.storage import TABLE_NAMES
from tests.attacks.azurite_rows import AzuriteRows, Rows


async def in_process(seed: int, count: int) -> Report:
    return await tried(cases(seed, count, await targets()), answering(verifiers()))


def over_http(info: StackInfo, seed: int, count: int) -> tuple[Report, bool]:
    """What came of it; and whether nothing was stored, by a comparison that notices a sign-in."""
    with AddIn(info) as pane:
        # Those whose sessions are altered have signed in before the rows are counted.
        asyncio.run(tried_over_http(info, seed, 1))
        before = rows_of(info)
        report = asyncio.run(tried_over_http(info, seed, count))
        after = rows_of(info)
        pane.sign_in_with_microsoft(*MICROSOFT_ADMINISTRATOR)
        is_noticed = rows_of(info) != after
    return report, before == after and is_noticed


def rows_of(info: StackInfo) -> Rows:
    """All that the service has stored."""
    rows = AzuriteRows(info)
    try:
        return {name: rows.table(name) for name in TABLE_NAMES}
    finally:
        rows.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--over-http", type=int, default=2_000, help="so many besides; 0: none")
    chosen = parser.parse_args()
    began = perf_counter()
    report = asyncio.run(in_process(chosen.seed, chosen.count))
    print(f"In process, seed {chosen.seed}, {perf_counter() - began:.0f} s:")
    print("\n".join(report.lines()))
    held = report.is_right
    if chosen.over_http:
        with tempfile.TemporaryDirectory() as folder, Stack(data=Path(folder) / "stack") as running:
            began = perf_counter()
            report, is_clean = over_http(running.info, chosen.seed, chosen.over_http)
        print(f"Over HTTP, {perf_counter() - began:.0f} s:")
        print("\n".join(report.lines()))
        print("  nothing was stored" if is_clean else "  WRONG: rows were stored or changed")
        held = held and report.is_right and is_clean
    print("none got in" if held else "NOT as promised")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
