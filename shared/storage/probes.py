"""Whether the two storage accounts answer: by reads that find nothing, and change nothing."""

from typing import Final

from shared.ports import BackupStore
from shared.storage.tables import EVERY_KEY, Tables, pages_between

_OF_NOBODY: Final = "readiness"
"""No tenant's id, so no partition and no file begins so."""


class TablesProbe:
    """Satisfies `ports.Probe`: lists a partition of the table `tenants` in which nothing is.

    A listing, because a row that is asked for by its keys is not there either way: in a table that
    lacks it, and where the table itself is gone. Raises StorageFailedError.
    """

    name = "storage"

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def __call__(self) -> None:
        pages = pages_between(self._tables["tenants"], _OF_NOBODY, *EVERY_KEY, select=("RowKey",))
        async for _ in pages:
            pass


class BackupsProbe:
    """Satisfies `ports.Probe`: lists the container's files of a prefix that none has.

    Raises StorageFailedError.
    """

    name = "backups"

    def __init__(self, store: BackupStore) -> None:
        self._store = store

    async def __call__(self) -> None:
        await self._store.names(f"{_OF_NOBODY}/")
