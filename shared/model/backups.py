"""Backups: what is in them, under which names, and for how long.

One container holds for each tenant `<tenant>/<date>/<table>.<nnnn>.sealed` and `manifest.json` of
each night, and `<tenant>/keys.json`: the wrapped data keys, without which none of it opens. Beside
them lies the ledger of deletions, `deletions/<tenant>/<deletion id>.json`, for those who restore,
and, while the tables are away, the journal of refreshed grants, `journal/<tenant>/<user>/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from shared.model.connections import OrgId
from shared.model.deletions import DeletionScope
from shared.model.places import Place
from shared.model.who import TenantId, UserId

BACKUP_DAYS: Final = 30
"""For so many days a backup is kept. Without the tenant's keys it is noise before that."""

BACKED_UP: Final = ("tenants", "users", "runs")
"""The tables with what is backed up. Grants never are: after a total loss users connect again,
because a refresh token of yesterday has been used since, and to use it twice revokes the grant."""

ROWS_A_PART: Final = 20_000

BACKUP_LEASE: Final = "backup"
"""Held while a tenant's files are written; a deletion waits for it."""

type Cell = str | bool | int | float | datetime | bytes
type Row = Mapping[str, Cell]
"""A row of one tenant, `RowKey` among its columns; whose row it is, is said elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupPart:
    """A sealed file of a backup: at most `ROWS_A_PART` rows of one table."""

    name: str
    table: str
    rows: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupManifest:
    """What belongs to one tenant's backup of one day. Without it there is none."""

    tenant: TenantId
    taken_at: datetime
    parts: tuple[BackupPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """A confirmed deletion, as whoever restores a backup needs to know it."""

    deletion_id: str
    tenant: TenantId
    scope: DeletionScope
    subject_sha256: str | None
    confirmed_at: datetime
    receipted_at: datetime | None


def is_technical(row_key: str) -> bool:
    """Whether a row is of the moment and of no use after a loss: gates, leases, used keys."""
    return row_key == "gate" or row_key.startswith(("gate|", "lease|", "idem|"))


def tenant_folder(tenant: TenantId) -> str:
    return f"{tenant}/"


def day_folder(tenant: TenantId, day: date) -> str:
    return f"{tenant}/{day.isoformat()}/"


def part_name(tenant: TenantId, day: date, table: str, number: int) -> str:
    return f"{day_folder(tenant, day)}{table}.{number:04}.sealed"


def manifest_name(tenant: TenantId, day: date) -> str:
    return f"{day_folder(tenant, day)}manifest.json"


def keys_name(tenant: TenantId) -> str:
    """Deleted with the tenant's data: that shreds every backup of the tenant."""
    return f"{tenant}/keys.json"


def ledger_folder(tenant: TenantId) -> str:
    return f"deletions/{tenant}/"


def ledger_name(tenant: TenantId, deletion_id: str) -> str:
    return f"{ledger_folder(tenant)}{deletion_id}.json"


def journal_folder(tenant: TenantId | None = None, user: UserId | None = None) -> str:
    """The journal of grants: of a user, of a tenant, or the whole."""
    parts = [part for part in ("journal", tenant, user) if part is not None]
    return "/".join(parts) + "/"


def journal_name(tenant: TenantId, user: UserId, org: OrgId, consent: str, generation: int) -> str:
    """One file for each generation of a consent: whoever takes one away means no other."""
    return f"{journal_folder(tenant, user)}{org.lower()}-{consent[:16]}-{generation}.json"


def day_of(name: str) -> date | None:
    """The day of a backup's file, by its name; None for keys, ledger, and what is not ours."""
    parts = name.split("/")
    if len(parts) != len(("tenant", "date", "file")):
        return None
    try:
        return date.fromisoformat(parts[1])
    except ValueError:
        return None


def part_place(tenant: TenantId, day: date, table: str, number: int) -> Place:
    row_key = f"{day.isoformat()}|{table}|{number:04}"
    return Place(tenant=tenant, table="backup", row_key=row_key, column="rows")


def manifest_place(tenant: TenantId, day: date) -> Place:
    row_key = f"{day.isoformat()}|manifest"
    return Place(tenant=tenant, table="backup", row_key=row_key, column="sha256")


def keys_place(tenant: TenantId) -> Place:
    return Place(tenant=tenant, table="backup", row_key="keys", column="sha256")
