"""No column is written that the schema does not list (scenario V-08), and no row that the Table
service would refuse for its keys or its size (D-10, D-11).

Every table's client is one of these, so every write passes here. What is refused here is a bug of
ours, and nothing of it has been written. Limits:
https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
"""

# ruff: noqa: ANN401 - the keywords that follow are the SDK's own

import re
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Final

from azure.core import MatchConditions
from azure.data.tables import TransactionOperation, UpdateMode
from azure.data.tables.aio import TableClient

from shared.errors import StorageFailedError
from shared.model.schema import TABLES

_UNFIT_FOR_A_KEY: Final = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
_LARGEST_KEY: Final = 1_024
_LARGEST_VALUE: Final = 64 * 1_024
"""In bytes. So many columns that its row would be larger than 1 MiB no kind of row has."""

type _Entity = Mapping[str, Any]


class UnlistedColumnError(Exception):
    """A row was to be written that `shared/model/schema` knows nothing of.

    None of the errors that `store_call` takes for a failure of the store: it is a crash, with its
    alarm. Names columns, never what they hold.
    """


class CheckedTableClient(TableClient):
    """A table's client that refuses what the schema does not list."""

    async def create_entity(self, entity: _Entity, **kwargs: Any) -> Mapping[str, Any]:
        check_row(self.table_name, entity)
        return await super().create_entity(entity, **kwargs)

    async def update_entity(
        self,
        entity: _Entity,
        mode: str | UpdateMode = UpdateMode.MERGE,
        *,
        etag: str | None = None,
        match_condition: MatchConditions | None = None,
        **kwargs: Any,
    ) -> Mapping[str, Any]:
        check_row(self.table_name, entity)
        return await super().update_entity(
            entity, mode, etag=etag, match_condition=match_condition, **kwargs
        )

    async def upsert_entity(
        self, entity: _Entity, mode: str | UpdateMode = UpdateMode.MERGE, **kwargs: Any
    ) -> Mapping[str, Any]:
        check_row(self.table_name, entity)
        return await super().upsert_entity(entity, mode, **kwargs)

    async def submit_transaction(
        self,
        operations: Iterable[Any] | AsyncIterable[Any],
        **kwargs: Any,
    ) -> list[Mapping[str, Any]]:
        """All are checked before any is sent; deleting is always allowed."""
        if isinstance(operations, AsyncIterable):
            operations = [operation async for operation in operations]
        checked = list(operations)
        for kind, entity, *_ in checked:
            if kind != TransactionOperation.DELETE:
                check_row(self.table_name, entity)
        return await super().submit_transaction(checked, **kwargs)


def check_row(table_name: str, entity: _Entity) -> None:
    """Raises UnlistedColumnError for a row of no kind, or with a column that its kind has not;
    StorageFailedError, as if the service had been asked, for one that it would not take."""
    kind = TABLES[table_name].kind_of(entity["RowKey"])
    if kind is None:
        raise UnlistedColumnError(f"{table_name}: no such kind of row")
    if not entity.keys() <= kind.column_names:
        unlisted = ", ".join(sorted(entity.keys() - kind.column_names))
        raise UnlistedColumnError(f"{table_name}, {kind.name}: {unlisted}")
    _require_fits(entity)


def _require_fits(entity: _Entity) -> None:
    sizes = {name: _bytes_of(value) for name, value in entity.items()}
    if max(sizes.values()) > _LARGEST_VALUE:
        raise StorageFailedError
    for name in ("PartitionKey", "RowKey"):
        if sizes[name] > _LARGEST_KEY or _UNFIT_FOR_A_KEY.search(entity[name]):
            raise StorageFailedError


def _bytes_of(value: object) -> int:
    """As the service counts: text is UTF-16, and everything else that has no length is small."""
    if isinstance(value, str):
        return 2 * len(value) if value.isascii() else len(value.encode("utf-16-le"))
    return len(value) if isinstance(value, bytes) else 8
