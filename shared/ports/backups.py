"""Backups, and what a restore needs."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Protocol

from shared.model import TenantId
from shared.model.backups import Row
from shared.ports.keys import Vault
from shared.ports.stores import TenantKeyStore


class BackupStore(Protocol):
    """The container of the backups: files by name, in an account of its own.

    Each call ends within half a minute, so that a lease can outlast it. A missing container is a
    failure, not an absent file.
    """

    async def put(self, name: str, data: bytes) -> None:
        """Write the file, in the place of one of that name."""
        ...

    async def put_new(self, name: str, data: bytes) -> None:
        """Write the file, unless there is one of that name: then that one stays."""
        ...

    async def get(self, name: str) -> bytes | None:
        """The whole file, of at most 256 MiB; None if there is none."""
        ...

    async def names(self, prefix: str) -> Sequence[str]:
        """Every name that begins so, in order."""
        ...

    async def delete(self, name: str) -> None:
        """Delete the file. One that is gone is no error."""
        ...


class TableCopies(Protocol):
    """Rows as they are, of any table, for backups and their restoration."""

    def rows(self, table: str, tenant: TenantId) -> AsyncIterator[Row]:
        """Every row of the tenant, in the order of their keys, with the types of its columns."""
        ...

    async def insert(self, table: str, tenant: TenantId, rows: Iterable[Row]) -> None:
        """Write rows of this tenant, a hundred in a transaction. Through no gate.

        Raises StorageFailedError if one of their keys is taken; others may have been written.
        """
        ...

    async def is_empty(self, tenant: TenantId) -> bool:
        """Whether no table has a row of the tenant, `deletions` left aside."""
        ...


class Vaults(Protocol):
    """Makes a vault over other wrapped keys than those in the table."""

    def __call__(self, keys: TenantKeyStore) -> "Vault": ...


class RecordedDeletions(Protocol):
    """Puts deletions that were recorded beside the backups back into the table `deletions`."""

    def check(self, tenant: TenantId, entries: Sequence[bytes]) -> None:
        """Raises StorageFailedError for an entry that could not be put back."""
        ...

    async def put_back(self, tenant: TenantId, entries: Sequence[bytes]) -> None:
        """Each entry as it was written; those that the table has already are no error."""
        ...
