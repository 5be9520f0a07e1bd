"""The rows of tenants and users, the keys of tenants, and what a tenant has settled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from shared.model.connections import OrgId
from shared.model.who import Provider, TenantId, UserId

DEFAULT_RETENTION_DAYS = 365

type IdleGrants = Literal["lapse", "keep_alive"]


class TenantStatus(StrEnum):
    """Whether a tenant is served. `DELETING` is the tombstone: nobody signs in, nothing is written
    any more, and the row goes with the rest."""

    ACTIVE = "active"
    DISABLED = "disabled"
    DELETING = "deleting"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSettings:
    """What a tenant's administrators may decide; without a word of theirs, this."""

    retention_days: int = DEFAULT_RETENTION_DAYS
    """How long run metadata is kept, 1 to 3650 days."""
    allowed_orgs: tuple[OrgId, ...] = ()
    """The orgs that users may connect; empty: any."""
    idle_grants: IdleGrants = "lapse"
    """What becomes of a grant that nobody has used for nearly 30 days."""
    input_aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """For a Flow, by its API name: further names of inputs, and the email field each takes."""
    customer_key: str | None = None
    """A key in the customer's own vault that wraps this tenant's data keys; None: ours."""

    def allows(self, org: OrgId) -> bool:
        """Whether users may connect this org, and call it."""
        return not self.allowed_orgs or org in self.allowed_orgs

    def aliases_for(self, flow: str) -> Mapping[str, str]:
        """The further names of a Flow's inputs. Salesforce's API names know no case."""
        by_name = {name.lower(): names for name, names in self.input_aliases.items()}
        return by_name.get(flow.lower(), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A customer's own row. `epoch` ends all its sessions when it moves on."""

    id: TenantId
    provider: Provider
    region: str
    status: TenantStatus
    epoch: int
    created_at: datetime
    settings: TenantSettings
    floor_key_version: int
    sealed_directory: bytes = field(repr=False)
    sealed_pseudonym_key: bytes = field(repr=False)
    etag: str | None = field(default=None, compare=False)

    @property
    def is_active(self) -> bool:
        return self.status is TenantStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChange:
    """One change of a tenant's settings: who made it, when, and which ones, without the values.

    `changed_by` is empty once that user was deleted.
    """

    id: str
    changed_at: datetime
    changed_by: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user's row: the sealed identity and the epoch that ends the user's sessions.

    `is_leaving` is the tombstone of a deletion that is under way.
    """

    id: UserId
    tenant: TenantId
    sealed_identity: bytes = field(repr=False)
    epoch: int
    created_at: datetime
    last_seen_day: str
    is_leaving: bool = False
    etag: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A tenant's data key, wrapped by a key in Key Vault that never leaves it.

    Versions are never used twice, not even by a tenant that was deleted and came back: what is
    sealed by a destroyed key can never be taken for something of a living one.
    """

    tenant: TenantId
    version: int
    wrapped: bytes = field(repr=False)
    kek_id: str
    created_at: datetime
    retired_at: datetime | None = None
    """Since when nothing in the tables is sealed by it. Backups of the nights before are."""
