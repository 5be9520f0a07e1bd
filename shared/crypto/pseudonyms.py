"""Keyed hashes that stand for people, Flows and keys: stable in one tenant, noise outside it.

HMAC-SHA256 (RFC 2104) under the tenant's pseudonym key, which is kept sealed in the tenant's row.
Without the key, a hash cannot be tried against a list of likely inputs.
"""

import hmac
import struct
from collections.abc import Callable
from hashlib import sha256
from time import monotonic
from typing import Final

from shared.cache import TimedCache
from shared.errors import KeyVaultFailedError
from shared.model import FlowName, Identity, OrgId, Place, TenantId, UserId, base32
from shared.ports import TenantStore, Vault

_CACHE_SECONDS: Final = 600.0
_ROW_SECONDS: Final = 5.0
_CACHE_SIZE: Final = 1_000
_DIGEST_CHARACTERS: Final = 26  # 130 bits
_DIGEST_BYTES: Final = 20  # enough for them; base32 of the other twelve would be thrown away


def pseudonym_key_place(tenant: TenantId) -> Place:
    """Where the sealed pseudonym key is kept."""
    return Place(tenant=tenant, table="tenants", row_key="tenant", column="sealed_pseudonym_key")


class KeyedPseudonyms:
    """Satisfies `ports.Pseudonyms`."""

    def __init__(
        self,
        *,
        tenants: TenantStore,
        vault: Vault,
        monotonic_clock: Callable[[], float] = monotonic,
    ) -> None:
        self._tenants, self._vault = tenants, vault
        self._sealed: TimedCache[TenantId, bytes] = TimedCache(
            size=_CACHE_SIZE, seconds=_ROW_SECONDS, clock=monotonic_clock
        )
        self._keys: TimedCache[tuple[TenantId, bytes], bytes] = TimedCache(
            size=_CACHE_SIZE, seconds=_CACHE_SECONDS, clock=monotonic_clock
        )
        """By the sealed key as well: a tenant that was deleted and came back has another one."""

    async def user_id(self, identity: Identity) -> UserId:
        """`u-…` for a person; the same subject at the other provider is another person."""
        digest = await self._hash(identity.tenant, "user", identity.provider, identity.subject)
        return UserId(f"u-{digest}")

    async def flow_id(self, tenant: TenantId, org: OrgId, flow: FlowName) -> str:
        """`f-…` for a Flow of an org."""
        return f"f-{await self._hash(tenant, 'flow', org, flow)}"

    async def digest(self, tenant: TenantId, purpose: str, data: bytes) -> str:
        """A keyed hash of anything else; `purpose` keeps the kinds apart."""
        return await self._hash(tenant, purpose, data)

    async def _hash(self, tenant: TenantId, *parts: str | bytes) -> str:
        sealed = await self._sealed.get(tenant, lambda: self._sealed_key(tenant))
        place = pseudonym_key_place(tenant)
        key = await self._keys.get((tenant, sealed), lambda: self._vault.open(place, sealed))
        encoded = (part.encode() if isinstance(part, str) else part for part in parts)
        message = b"".join(struct.pack(">I", len(part)) + part for part in encoded)
        return base32(hmac.digest(key, message, sha256)[:_DIGEST_BYTES])[:_DIGEST_CHARACTERS]

    async def _sealed_key(self, tenant: TenantId) -> bytes:
        row = await self._tenants.load(tenant)
        if row is None:
            raise KeyVaultFailedError
        return row.sealed_pseudonym_key
