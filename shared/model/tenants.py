"""The rows of tenants and users, and the keys of tenants."""

from dataclasses import dataclass, field
from datetime import datetime

from shared.model.connections import OrgId
from shared.model.who import Provider, TenantId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A customer's own row. `epoch` ends all its sessions when it moves on."""

    id: TenantId
    provider: Provider
    region: str
    is_active: bool
    epoch: int
    created_at: datetime
    allowed_orgs: tuple[OrgId, ...]
    floor_key_version: int
    sealed_directory: bytes = field(repr=False)
    sealed_pseudonym_key: bytes = field(repr=False)
    etag: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user's row: the sealed identity and the epoch that ends the user's sessions."""

    id: UserId
    tenant: TenantId
    sealed_identity: bytes = field(repr=False)
    epoch: int
    created_at: datetime
    last_seen_day: str
    etag: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A tenant's data key, wrapped by a key in Key Vault that never leaves it."""

    tenant: TenantId
    version: int
    wrapped: bytes = field(repr=False)
    kek_id: str
    created_at: datetime
