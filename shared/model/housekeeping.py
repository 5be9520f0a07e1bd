"""Housekeeping: who may do it for a tenant at the moment, and what it came to."""

from dataclasses import dataclass, field
from datetime import datetime

from shared.model.who import TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A tenant's lease of some name, taken. `store_time` is the store's own clock at that moment,
    by which a wrong clock of ours shows."""

    tenant: TenantId
    name: str
    holder: str
    until: datetime
    store_time: datetime
    etag: str = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did: rows deleted, and rows that were kept because their time is unreadable."""

    deleted: int = 0
    unreadable: int = 0

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(
            deleted=self.deleted + other.deleted, unreadable=self.unreadable + other.unreadable
        )
