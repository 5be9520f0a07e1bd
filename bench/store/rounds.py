"""One measurement: so many writers, each a user, who run Flows of which nothing is called."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

import aiohttp
from azure.identity.aio import ManagedIdentityCredential

from bench.store.ways import HeldBackTransport, RunWriter, Way, run_writer
from local import scene
from local.network import pinned_network
from local.stack_info import StackInfo
from shared.azure_transport import IdentityTransport, NetworkTransport
from shared.model import OrgId, Run, RunOutcome, TenantId, UserId
from shared.storage.entity_groups import Write
from shared.storage.gates import user_gate
from shared.storage.tables import Tables, rows_between
from tests.settings import settings

ROWS_OF_A_RUN: Final = 2
"""Written, that is: inserted before the call, and changed after it."""
_ORG: Final = OrgId.parse(scene.SALESFORCE_ORG_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """`tenants` come one after the other: each is a new partition, which stays small."""

    writers: int
    latency_ms: int
    tenants: int
    runs: int  # of each writer, in each tenant

    @property
    def rows(self) -> int:
        return self.writers * self.tenants * self.runs * ROWS_OF_A_RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    seconds: float
    cpu_seconds: float  # of this process, in which the writers are and nothing else
    rows: int
    requests: int

    @property
    def rate(self) -> float:
        return self.rows / self.seconds

    @property
    def cpu_ms(self) -> float:
        return self.cpu_seconds * 1_000 / self.rows

    @property
    def rows_a_request(self) -> float:
        return self.rows / self.requests


async def measure(info: StackInfo, way: Way, load: Load) -> Measured:
    """Connections, clients and tokens are new, and are there before it begins."""
    async with _store(info, way, load) as (store, requests, tables):
        users = [UserId(f"u-{number:026}") for number in range(load.writers)]
        tenants = [TenantId.parse(f"ms-{uuid4()}") for _ in range(1 + load.tenants)]
        for tenant in tenants:
            await _open(tables, tenant, users)
        await _write(store, tenants[0], users, 2)
        requests.clear()
        began, cpu_began = time.perf_counter(), time.process_time()
        for tenant in tenants[1:]:
            await _write(store, tenant, users, load.runs)
        took, cpu_took = time.perf_counter() - began, time.process_time() - cpu_began
        sent = len(requests)
        await _require_written(tables, tenants[-1], load.writers * load.runs)
        return Measured(seconds=took, cpu_seconds=cpu_took, rows=load.rows, requests=sent)


async def _write(store: RunWriter, tenant: TenantId, users: Sequence[UserId], runs: int) -> None:
    """Each user runs one Flow after the other, all users at once."""

    async def one(user: UserId) -> None:
        for _ in range(runs):
            run = Run(
                id=f"r-{uuid4().hex[:26]}",
                tenant=tenant,
                user=user,
                org=_ORG,
                flow_id=f"f-{'a' * 26}",
                started_at=datetime.now(UTC),
            )
            await store.start(run, None)
            now = datetime.now(UTC)
            await store.finish(
                replace(run, finished_at=now, outcome=RunOutcome.SUCCEEDED, duration_ms=350)
            )

    async with asyncio.TaskGroup() as writers:
        for user in users:
            writers.create_task(one(user))


async def _open(tables: Tables, tenant: TenantId, users: Sequence[UserId]) -> None:
    keys = ({"PartitionKey": tenant, "RowKey": user_gate(user)} for user in users)
    await tables.groups.submit("runs", [Write(kind="insert", entity=key) for key in keys])


async def _require_written(tables: Tables, tenant: TenantId, runs: int) -> None:
    """Whatever way: each of them is there, and has an end."""
    rows = [row async for row in rows_between(tables["runs"], tenant, "run|", "run}")]
    assert len(rows) == runs
    assert all("finished_at" in row for row in rows)


@asynccontextmanager
async def _store(
    info: StackInfo, way: Way, load: Load
) -> AsyncIterator[tuple[RunWriter, list[str], Tables]]:
    """The store, the paths of the requests that it sends, and a way past it to prepare rows."""
    sent: list[str] = []

    async def note(*told: object) -> None:
        params = told[2]
        assert isinstance(params, aiohttp.TraceRequestStartParams)
        sent.append(params.url.path)

    network = pinned_network(info)
    network.egress.admit_settings(settings(tables_endpoint=info.azurite))
    tracing = aiohttp.TraceConfig()
    tracing.on_request_start.append(note)
    tracing.freeze()
    network.session().trace_configs.append(tracing)
    credential = ManagedIdentityCredential(transport=IdentityTransport(network))
    try:
        yield (
            run_writer(
                way,
                info.azurite,
                credential,
                lambda: HeldBackTransport(network, load.latency_ms / 1_000),
            ),
            sent,
            Tables(
                info.azurite, credential=credential, transport=lambda: NetworkTransport(network)
            ),
        )
    finally:
        await credential.close()
        await network.close()
