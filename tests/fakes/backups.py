"""The container of the backups, and rows as they are, in memory."""

from collections.abc import AsyncIterator, Iterable, Sequence
from copy import deepcopy

from shared.errors import StorageFailedError
from shared.model import TenantId
from shared.model.backups import Row
from tests.fakes.faults import Faults

_PAGE = 1_000


class MemoryBackupStore:
    """Satisfies `ports.BackupStore`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.files: dict[str, bytes] = {}

    async def put(self, name: str, data: bytes) -> None:
        async with self.faults.call("put"):
            self.files[name] = data

    async def put_new(self, name: str, data: bytes) -> None:
        async with self.faults.call("put_new"):
            self.files.setdefault(name, data)

    async def get(self, name: str) -> bytes | None:
        async with self.faults.call("get"):
            return self.files.get(name)

    async def names(self, prefix: str) -> Sequence[str]:
        async with self.faults.call("names"):
            return sorted(name for name in self.files if name.startswith(prefix))

    async def delete(self, name: str) -> None:
        async with self.faults.call("delete"):
            self.files.pop(name, None)


class MemoryTableCopies:
    """Satisfies `ports.TableCopies`, with plain rows of its own: `tables[table][tenant][key]`."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.tables: dict[str, dict[TenantId, dict[str, Row]]] = {}

    async def rows(self, table: str, tenant: TenantId) -> AsyncIterator[Row]:
        """A page at a time, as the table gives them: what is written meanwhile may be missed."""
        found = sorted(self._rows(table, tenant).items())
        for start in range(0, len(found), _PAGE):
            async with self.faults.call("rows"):
                page = found[start : start + _PAGE]
            for _, row in page:
                yield dict(row)

    async def insert(self, table: str, tenant: TenantId, rows: Iterable[Row]) -> None:
        async with self.faults.call("insert"):
            held = self.tables.setdefault(table, {}).setdefault(tenant, {})
            for row in rows:
                if str(row["RowKey"]) in held:
                    raise StorageFailedError
                held[str(row["RowKey"])] = dict(row)

    async def is_empty(self, tenant: TenantId) -> bool:
        async with self.faults.call("is_empty"):
            return not any(
                self._rows(table, tenant) for table in self.tables if table != "deletions"
            )

    def copied(self) -> dict[str, dict[TenantId, dict[str, Row]]]:
        """All rows as they are now, to be compared with later ones."""
        return deepcopy(self.tables)

    def _rows(self, table: str, tenant: TenantId) -> dict[str, Row]:
        return self.tables.get(table, {}).get(tenant, {})
