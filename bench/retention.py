"""`make bench-retention`: how fast expired rows go, and what the kept ones cost (README.md)."""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import aiohttp

from bench.control import set_delay
from bench.rows import fill, runs_between
from local import scene
from local.network import pinned_network
from local.stack import Stack
from local.stack_info import StackInfo
from shared.model import Run, TenantId
from shared.outside import Azure
from shared.storage.runs import run_row_key
from tests.settings import settings

KEPT: Final = 100_000
EXPIRED: Final = 20_000
TENANTS: Final = 100
SAMPLE: Final = {0: 2_000, 8: 500}
"""Rows deleted one by one, by milliseconds of latency: its rate is what counts."""
ROUNDS: Final = 3
WANTED: Final = {0: 2.0, 8: 8.0}
MOST_FOR_KEPT: Final = 1.2

NOW: Final = datetime.now(UTC)
CUTOFF: Final = NOW - timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    seconds: float
    rows: int
    transactions: int

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


class Bench:
    """One stack, tenants that keep rows, and as many that keep none."""

    def __init__(self, info: StackInfo, latency_ms: int) -> None:
        """Without latency directly at Azurite; with it through the proxy that adds it."""
        self._info, self._latency_ms = info, latency_ms
        self._tables = info.tables if latency_ms else info.azurite
        self.keeping = [TenantId.parse(f"ms-{uuid4()}") for _ in range(TENANTS)]
        self.keeping_none = [TenantId.parse(f"ms-{uuid4()}") for _ in range(TENANTS)]

    async def keep(self) -> None:
        """Write the rows that stay."""
        for tenant in self.keeping:
            young = runs_between(tenant, CUTOFF + timedelta(hours=1), NOW, KEPT // TENANTS)
            await fill(self._info, young)

    async def expired(self, tenants: Sequence[TenantId], count: int) -> list[Run]:
        """Write so many runs of the time before, evenly over the tenants."""
        runs = [
            run
            for tenant in tenants
            for run in runs_between(
                tenant, CUTOFF - timedelta(days=20), CUTOFF, count // len(tenants)
            )
        ]
        await fill(self._info, iter(runs))
        return runs

    async def sweep(self, tenants: Sequence[TenantId]) -> Measured:
        """What the retention timer does with their runs: a few tenants at a time."""
        running = asyncio.Semaphore(4)

        async def limited(azure: Azure, tenant: TenantId) -> int:
            async with running:
                return (await azure.sweeper.runs(tenant, before=CUTOFF)).deleted

        await self.expired(tenants, EXPIRED)
        async with self._service() as (azure, requests):
            begun = time.perf_counter()
            deleted = await asyncio.gather(*(limited(azure, tenant) for tenant in tenants))
            took = time.perf_counter() - begun
        transactions = sum(path.endswith("$batch") for path in requests)
        return Measured(seconds=took, rows=sum(deleted), transactions=transactions)

    async def row_by_row(self) -> Measured:
        """The plain way, among the same kept rows, with the same SDK, over the same network."""
        runs = await self.expired(self.keeping, SAMPLE[self._latency_ms])
        async with self._service() as (azure, _):
            table = azure._tables["runs"]  # noqa: SLF001 - the very client that the service uses
            begun = time.perf_counter()
            for run in runs:
                await table.delete_entity(str(run.tenant), run_row_key(run))
            took = time.perf_counter() - begun
        return Measured(seconds=took, rows=len(runs), transactions=0)

    @asynccontextmanager
    async def _service(self) -> AsyncIterator[tuple[Azure, list[str]]]:
        """The adapters as deployed, and the paths of the requests that they send."""
        sent: list[str] = []

        async def note(*told: object) -> None:
            params = told[2]
            assert isinstance(params, aiohttp.TraceRequestStartParams)
            sent.append(params.url.path)

        network = pinned_network(self._info)
        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(note)
        tracing.freeze()
        network.session().trace_configs.append(tracing)
        azure = Azure(settings(tables_endpoint=self._tables), network)
        await azure.sweeper.runs(TenantId.parse(f"ms-{uuid4()}"), before=CUTOFF)  # token, TLS
        sent.clear()
        set_delay(self._info, self._latency_ms)
        try:
            yield azure, sent
        finally:
            set_delay(self._info, 0)
            await azure.close()


async def measure(info: StackInfo, latency_ms: int) -> bool:
    """One table of figures. Whether they are as they must be."""
    bench = Bench(info, latency_ms)
    await bench.keep()
    plain, among, alone = [], [], []
    for _ in range(ROUNDS):
        plain.append(await bench.row_by_row())
        among.append(await bench.sweep(bench.keeping))
        alone.append(await bench.sweep(bench.keeping_none))
    ratio = _median_rate(among) / _median_rate(plain)
    cost = statistics.median(m.seconds for m in among) / statistics.median(m.seconds for m in alone)
    counted = {m.transactions for m in (*among, *alone)}
    rows = {m.rows for m in (*among, *alone)}
    print(f"\n{latency_ms} ms on the way, medians of {ROUNDS} interleaved rounds")
    print(f"  row by row            {_median_rate(plain):8,.0f} rows/s")
    print(f"  retention timer       {_median_rate(among):8,.0f} rows/s, {KEPT:,} rows kept")
    print(f"  retention timer       {_median_rate(alone):8,.0f} rows/s, none kept")
    print(f"  faster by             {ratio:8.1f} times (at least {WANTED[latency_ms]:.0f})")
    print(f"  the kept rows cost    {cost:8.2f} times the time (at most {MOST_FOR_KEPT})")
    print(f"  transactions          {counted} for {rows} rows")
    return (
        ratio >= WANTED[latency_ms]
        and cost <= MOST_FOR_KEPT
        and counted == {EXPIRED // 100}
        and rows == {EXPIRED}
    )


def _median_rate(measured: list[Measured]) -> float:
    return statistics.median(one.rate for one in measured)


def main() -> int:
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(data=Path(folder), with_timers=False) as running,
    ):
        os.environ["IDENTITY_ENDPOINT"] = running.info.identity_endpoint
        os.environ["IDENTITY_HEADER"] = scene.IDENTITY_HEADER
        print(f"{EXPIRED:,} expired rows among {KEPT:,} kept ones, of {TENANTS} tenants")
        held = [asyncio.run(measure(running.info, latency)) for latency in WANTED]
    print("\nas promised" if all(held) else "\nNOT as promised")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
