"""Three ways of writing the rows of a run: before the call, and after it."""

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

from azure.core.pipeline.transport import AsyncHttpTransport
from azure.data.tables import UpdateMode

from shared.azure_transport import NetworkTransport
from shared.model import Idempotency, Run
from shared.network import Network
from shared.storage.entity_groups import EntityGroups, Write
from shared.storage.runs import TableRunStore, _entity
from shared.storage.tables import Operation, Tables, plain


class Way(StrEnum):
    SINGLE = "azure-data-tables, single"
    SDK_GROUPS = "azure-data-tables, group commit"
    OURS = "ours, group commit"


class HeldBackTransport(NetworkTransport):
    """A network that is so many seconds long. Held back here, because a proxy that does it takes
    CPU for each request, which would be counted against those who send many."""

    def __init__(self, network: Network, seconds: float) -> None:
        super().__init__(network)
        self._seconds = seconds

    async def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - as upstream
        if self._seconds:
            await asyncio.sleep(self._seconds)
        return await super().send(request, **options)


class SingleRunStore:
    """A call of the SDK for each row, with no gate: one transaction more would be needed for it."""

    def __init__(self, tables: Tables) -> None:
        self._runs: Final = tables["runs"]

    async def start(self, run: Run, idempotency: Idempotency | None) -> Run | None:
        assert idempotency is None
        await self._runs.create_entity(plain(_entity(run)))
        return None

    async def finish(self, run: Run) -> None:
        await self._runs.update_entity(plain(_entity(run)), mode=UpdateMode.MERGE)


class _SdkGroups(EntityGroups):
    """The same transactions, by the SDK."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def submit(self, table: str, writes: Sequence[Write]) -> None:
        await self._tables[table].submit_transaction([_operation(write) for write in writes])


def _operation(write: Write) -> Operation:
    entity = plain(write.entity)
    if write.kind == "insert":
        return ("create", entity)
    return ("update", entity, {"mode": UpdateMode.MERGE})


class _TablesBySdk(Tables):
    @cached_property
    def groups(self) -> EntityGroups:
        return _SdkGroups(self)


type RunWriter = TableRunStore | SingleRunStore
type Transport = Callable[[], AsyncHttpTransport]  # type: ignore[type-arg]


def run_writer(way: Way, endpoint: str, credential: Any, transport: Transport) -> RunWriter:  # noqa: ANN401 - the SDK's own
    """The grouping is the same code in both ways that group."""
    tables_of = _TablesBySdk if way is Way.SDK_GROUPS else Tables
    tables = tables_of(endpoint, credential=credential, transport=transport)
    return SingleRunStore(tables) if way is Way.SINGLE else TableRunStore(tables)
