"""The journal: where a refreshed grant goes if the tables cannot take it.

It is the only copy there is, its predecessor is spent, and the tables and the backups are different
storage accounts: so it is written beside the backups, sealed, and goes as soon as the tables have
it (scenario O-17).
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.errors import InvalidRequestError
from shared.model import Connection, DataSubject, JournalledGrant, OrgId, TenantId, UserId
from shared.model.backups import journal_folder, journal_name
from shared.ports import BackupStore
from shared.telemetry.events import event


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantJournal:
    """One entry for each generation of a consent. Raises StorageFailedError if the store is away.

    A file that cannot be read is told, and is no entry: it must hold up neither the timer, nor a
    deletion, nor a refresh, which without it asks Salesforce. Deletions take it away by its name.
    """

    backups: BackupStore

    async def write(self, entry: JournalledGrant) -> None:
        content = {
            "org": entry.org,
            "consent": entry.consent,
            "generation": entry.generation,
            "sealed_grant": base64.b64encode(entry.sealed_grant).decode(),
            "written_at": int(entry.written_at.timestamp()),
        }
        await self.backups.put(_name_of(entry), json.dumps(content).encode())

    async def read(self, row: Connection) -> JournalledGrant | None:
        """What was journalled to continue this row."""
        name = journal_name(row.tenant, row.user, row.org, row.consent, row.generation + 1)
        return await self.at(name)

    async def names(self) -> Sequence[str]:
        """Where all entries lie, of everybody. There may be many: each is read by itself (`at`)."""
        return await self.backups.names(journal_folder())

    async def at(self, name: str) -> JournalledGrant | None:
        """What lies there; None if that is gone by now, or cannot be read."""
        found, _ = await self._entries([name])
        return found[0] if found else None

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[JournalledGrant], int]:
        """The entries of a user or a tenant; and how many cannot be read."""
        folder = journal_folder(subject.tenant, subject.user)
        return await self._entries(await self.backups.names(folder))

    async def forget(self, entry: JournalledGrant) -> None:
        await self.backups.delete(_name_of(entry))

    async def _entries(self, names: Sequence[str]) -> tuple[Sequence[JournalledGrant], int]:
        found: list[JournalledGrant] = []
        unreadable = 0
        for name in names:
            content = await self.backups.get(name)
            entry = None if content is None else _entry(name, content)
            if entry is not None:
                found.append(entry)
            elif content is not None:  # else it was forgotten meanwhile
                unreadable += 1
        if unreadable:
            event("row_unreadable", count=unreadable, step="journal")
        return found, unreadable


def _name_of(entry: JournalledGrant) -> str:
    return journal_name(entry.tenant, entry.user, entry.org, entry.consent, entry.generation)


def _entry(name: str, content: bytes) -> JournalledGrant | None:
    """None if it cannot be read, or is not of the place where it lies."""
    try:
        _, tenant, user, _ = name.split("/")
        found = json.loads(content)
        entry = JournalledGrant(
            tenant=TenantId.parse(tenant),
            user=UserId.parse(user),
            org=OrgId.parse(found["org"]),
            consent=str(found["consent"]),
            generation=int(found["generation"]),
            sealed_grant=base64.b64decode(found["sealed_grant"], validate=True),
            written_at=datetime.fromtimestamp(found["written_at"], tz=UTC),
        )
    except (KeyError, TypeError, ValueError, ArithmeticError, OSError, InvalidRequestError):
        return None
    return entry if _name_of(entry) == name else None
