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

from shared.errors import InvalidRequestError, StorageFailedError
from shared.model import Connection, DataSubject, JournalledGrant, OrgId, TenantId, UserId
from shared.model.backups import journal_folder, journal_name
from shared.ports import BackupStore


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantJournal:
    """One entry for each connection. Raises StorageFailedError."""

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
        """What was journalled for this connection, whatever it continues."""
        return await self._read(journal_name(row.tenant, row.user, row.org))

    async def of_subject(self, subject: DataSubject | None) -> Sequence[JournalledGrant]:
        """The entries of a user or a tenant; without a subject, all there are."""
        folder = (
            journal_folder() if subject is None else journal_folder(subject.tenant, subject.user)
        )
        found = [await self._read(name) for name in await self.backups.names(folder)]
        return [entry for entry in found if entry is not None]

    async def forget(self, entry: JournalledGrant) -> None:
        await self.backups.delete(_name_of(entry))

    async def _read(self, name: str) -> JournalledGrant | None:
        content = await self.backups.get(name)
        return None if content is None else _entry(name, content)


def _name_of(entry: JournalledGrant) -> str:
    return journal_name(entry.tenant, entry.user, entry.org)


def _entry(name: str, content: bytes) -> JournalledGrant:
    try:
        _, tenant, user, _ = name.split("/")
        found = json.loads(content)
        return JournalledGrant(
            tenant=TenantId.parse(tenant),
            user=UserId.parse(user),
            org=OrgId.parse(found["org"]),
            consent=str(found["consent"]),
            generation=int(found["generation"]),
            sealed_grant=base64.b64decode(found["sealed_grant"], validate=True),
            written_at=datetime.fromtimestamp(found["written_at"], tz=UTC),
        )
    except (KeyError, TypeError, ValueError, InvalidRequestError) as exc:
        raise StorageFailedError from exc
