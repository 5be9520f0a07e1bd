"""Deletions that were confirmed after a backup was taken, applied to its rows once more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.model import DeletionScope, UserId, subject_hash
from shared.model.backups import Cell, LedgerEntry, Row

# By table: the column that names a row's user (the key itself, in `users`), and those that may say
# when the row came to be.
_USER: Final[Mapping[str, str]] = {"users": "RowKey", "runs": "user_id", "tenants": "changed_by"}
_TIMES: Final = ("started_at", "created_at", "changed_at")


@dataclass(frozen=True, slots=True)
class ReappliedDeletions:
    """The ledger's entries of one tenant."""

    entries: Sequence[LedgerEntry]

    def last_of_tenant(self) -> datetime | None:
        """When the deletion of the whole tenant was last confirmed; None if it never was."""
        tenants = (entry for entry in self.entries if entry.scope is DeletionScope.TENANT)
        return max((entry.confirmed_at for entry in tenants), default=None)

    def all_gone(self, taken_at: datetime) -> bool:
        """Whether the whole tenant was deleted after its backup was taken."""
        return any(
            entry.scope is DeletionScope.TENANT and _over_at(entry) >= taken_at
            for entry in self.entries
        )

    def left_of(self, table: str, row: Row) -> Row | None:
        """What may come back of a row: as it is, without its author, or not at all.

        Somebody who was deleted, came back, and is in the backup since then stays.
        """
        user = row.get(_USER[table])
        if not isinstance(user, str) or not self._was_deleted(UserId(user), row):
            return row
        if table == "tenants":
            return {**row, "changed_by": ""}
        return None

    def _was_deleted(self, user: UserId, row: Row) -> bool:
        """Whether the user was deleted after this row came to be; a row without a time is old."""
        subject = subject_hash(user)
        born = next((time for time in map(row.get, _TIMES) if _is_time(time)), None)
        return any(
            entry.scope is DeletionScope.USER
            and entry.subject_sha256 == subject
            and (not isinstance(born, datetime) or born <= _over_at(entry))
            for entry in self.entries
        )


def _over_at(entry: LedgerEntry) -> datetime:
    """Until when nothing of the subject can be anything but what was deleted: nobody is let in
    again before there is a receipt."""
    return entry.receipted_at or datetime.max.replace(tzinfo=UTC)


def _is_time(cell: Cell | None) -> bool:
    return isinstance(cell, datetime)
