"""The Table service: the clients, the deadline, and the one place that knows its errors.

Every table has `PartitionKey = tenant id`: isolation is the key itself. `design` rules that hold
for all stores: no SDK exception leaves this package, every call has a deadline, and whatever must
happen once is one conditional operation.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from azure.core import MatchConditions
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.data.tables import TableTransactionError, UpdateMode
from azure.data.tables.aio import TableClient

from shared.errors import InvalidRequestError, StorageFailedError
from shared.storage.entity_groups import EntityGroups
from shared.storage.schema_gate import CheckedTableClient

_DEADLINE_SECONDS: Final = 10.0
NOT_THERE_AS_READ: Final = frozenset({404, 412})

EVERY_KEY: Final = ("", "\ufffd")
"""Below and above every row key: whatever anybody ever wrote, not our keys alone."""

type Entity = Mapping[str, Any]
type Operation = tuple[str, Entity] | tuple[str, Entity, Mapping[str, Any]]
"""One operation of an entity group transaction, as the SDK takes it."""


class Tables:
    """Gives out one client a table, made at first use. Whoever made the network closes it."""

    def __init__(
        self,
        endpoint: str,
        *,
        credential: AsyncTokenCredential,
        transport: Callable[[], AsyncHttpTransport],  # type: ignore[type-arg]
    ) -> None:
        self._endpoint, self._credential, self._transport = endpoint, credential, transport
        self._clients: dict[tuple[str, type[TableClient]], TableClient] = {}

    def __getitem__(self, name: str) -> TableClient:
        """Whatever is written by it must be listed in the schema."""
        return self._client(name, CheckedTableClient)

    @cached_property
    def groups(self) -> EntityGroups:
        """For the rows that every run of a Flow writes."""
        return EntityGroups(self._endpoint, credential=self._credential, transport=self._transport)

    def for_restoring(self, name: str) -> TableClient:
        """Of no schema: what an earlier release listed and wrote has to come back as it was."""
        return self._client(name, TableClient)

    def _client(self, name: str, kind: type[TableClient]) -> TableClient:
        if (name, kind) not in self._clients:
            self._clients[name, kind] = kind(
                self._endpoint,
                name,
                credential=self._credential,
                transport=self._transport(),
                retry_total=2,
                retry_backoff_factor=0.2,
                retry_backoff_max=2,
                permit_redirects=False,
            )
        return self._clients[name, kind]


@asynccontextmanager
async def store_call() -> AsyncIterator[None]:
    """One call to the store: it ends in time, and fails as StorageFailedError or not at all.

    An answer that is no JSON trips the SDK in ways of its own (AttributeError and the like).
    """
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            yield
    except (AzureError, TimeoutError, AttributeError, LookupError, TypeError, ValueError) as exc:
        raise StorageFailedError from exc


@contextmanager
def row_is_readable() -> Iterator[None]:
    """A row that lacks a column, or holds another type there, is a failure of the store."""
    try:
        yield
    except (KeyError, TypeError, ValueError, InvalidRequestError) as exc:
        raise StorageFailedError from exc


async def get(table: TableClient, partition: str, row: str) -> Entity | None:
    """The row, or None if there is none."""
    async with store_call():
        try:
            entity: Entity = await table.get_entity(partition, row)
        except ResourceNotFoundError:
            return None
    return entity


async def insert(table: TableClient, entity: Entity) -> bool:
    """Whether the row was created; False if its keys are taken."""
    async with store_call():
        try:
            await table.create_entity(plain(entity))
        except ResourceExistsError:
            return False
    return True


async def merge(table: TableClient, entity: Entity, *, etag: str | None = None) -> bool:
    """Set these columns of an existing row; with an etag, only if it still is as read.

    False if the row is gone, or was changed meanwhile.
    """
    condition: dict[str, Any] = {}
    if etag is not None:
        condition = if_as_read(etag)
    async with store_call():
        try:
            await table.update_entity(plain(entity), mode=UpdateMode.MERGE, **condition)
        except (ResourceNotFoundError, ResourceModifiedError):
            return False
    return True


def if_as_read(etag: str | None) -> dict[str, Any]:
    """The condition of a write that is to fail if the row is not as read any more."""
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


async def replace_as_read(table: TableClient, entity: Entity, etag: str | None) -> str | None:
    """Write the whole row if it still is as read: its new etag, or None if it is not, or gone."""
    async with store_call():
        try:
            written = await table.update_entity(
                plain(entity),
                mode=UpdateMode.REPLACE,
                **if_as_read(etag),
            )
        except (ResourceNotFoundError, ResourceModifiedError):
            return None
    return str(written["etag"])


async def delete_as_read(table: TableClient, entity: Entity, etag: str) -> bool:
    """Delete a row if it still is as read. Of many callers exactly one is told True.

    A transaction of one, because the SDK's plain delete says nothing when the row is gone already,
    and then every caller would believe to have been the one.
    """
    keys = plain({"PartitionKey": entity["PartitionKey"], "RowKey": entity["RowKey"]})
    async with store_call():
        try:
            await table.submit_transaction([("delete", keys, if_as_read(etag))])
        except TableTransactionError as exc:
            if exc.status_code in NOT_THERE_AS_READ:
                return False
            raise
    return True


async def rows_between(
    table: TableClient,
    partition: str,
    low: str,
    high: str,
    *,
    where: Mapping[str, str] | None = None,
    no_later_than: tuple[str, datetime] | None = None,
) -> AsyncIterator[Entity]:
    """The rows of one partition with `low <= RowKey < high`, in the order of their keys."""
    pages = pages_between(table, partition, low, high, where=where, no_later_than=no_later_than)
    async for page in pages:
        for entity in page:
            yield entity


async def keys_between(
    table: TableClient,
    partition: str,
    low: str,
    high: str,
    *,
    where: Mapping[str, str] | None = None,
) -> AsyncIterator[list[str]]:
    """The row keys with `low <= RowKey < high`, page by page, and nothing else of the rows.

    `where` names columns and the text that each must hold.
    """
    async for page in pages_between(table, partition, low, high, select=("RowKey",), where=where):
        yield [str(entity["RowKey"]) for entity in page]


async def pages_between(
    table: TableClient,
    partition: str,
    low: str,
    high: str,
    *,
    select: tuple[str, ...] | None = None,
    where: Mapping[str, str] | None = None,
    no_later_than: tuple[str, datetime] | None = None,
) -> AsyncIterator[list[Entity]]:
    """Rows with `low <= RowKey < high`, page by page; with `select` these columns of them.

    `where` names columns and the text that each must hold, `no_later_than` a column and the latest
    time that it may hold.
    """
    text = "PartitionKey eq @partition and RowKey ge @low and RowKey lt @high"
    parameters: dict[str, object] = {"partition": partition, "low": low, "high": high}
    for number, (column, wanted) in enumerate((where or {}).items()):
        text += f" and {column} eq @where{number}"
        parameters[f"where{number}"] = wanted
    if no_later_than is not None:
        text += f" and {no_later_than[0]} le @latest"
        parameters["latest"] = no_later_than[1]
    rows = table.query_entities(
        text, parameters=plain(parameters), select=list(select) if select else None
    )
    async for page in _pages(rows.by_page()):
        yield page


async def pages_anywhere(
    table: TableClient,
    text: str,
    parameters: Mapping[str, object],
    *,
    select: tuple[str, ...] | None = None,
) -> AsyncIterator[list[Entity]]:
    """Rows of all partitions that fit, page by page: a scan, for timers and never for a request."""
    rows = table.query_entities(
        text, parameters=plain(parameters), select=list(select) if select else None
    )
    async for page in _pages(rows.by_page()):
        yield page


async def _pages(pages: Any) -> AsyncIterator[list[Entity]]:  # noqa: ANN401 - the SDK's iterator
    """Each page is one call to the store."""
    while True:
        async with store_call():
            try:
                page: list[Entity] = [entity async for entity in await anext(pages)]
            except StopAsyncIteration:
                return
        yield page


def plain(entity: Entity) -> dict[str, Any]:
    """As the SDK wants it: it looks at the exact type of a value, and our ids are kinds of str."""
    return {k: str(v) if isinstance(v, str) else v for k, v in entity.items()}


def etag_of(entity: Any) -> str:  # noqa: ANN401 - the SDK hangs the etag on its own mapping type
    return str(entity.metadata["etag"])


def utc(value: datetime) -> datetime:
    """A time from a row as a plain aware `datetime`; TypeError if it is none."""
    if not isinstance(value, datetime):
        raise TypeError
    return datetime.fromtimestamp(value.timestamp(), tz=UTC)
