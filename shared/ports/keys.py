"""Keys, seals, signatures, pseudonyms."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.model import FlowName, Identity, OrgId, Place, SigningKey, TenantId, UserId
from shared.model.places import SealedValue


class KeyWrapper(Protocol):
    """Wraps data keys with a key that never leaves Key Vault (RSA-OAEP-256)."""

    async def wrap(self, data_key: bytes, *, by: str | None = None) -> tuple[bytes, str]:
        """The wrapped key, and the identifier (with version) of the key that wrapped it: the
        newest version of ours, or of the customer's key `by`."""
        ...

    async def newest(self, *, by: str | None = None) -> str:
        """The identifier that `wrap` would answer; at most ten minutes behind the vault."""
        ...

    async def unwrap(self, wrapped: bytes, kek_id: str) -> bytes: ...


class Vault(Protocol):
    """Seals values with the tenant's data key, bound to the place where they are kept."""

    async def create_key(self, tenant: TenantId) -> int:
        """Give a new tenant its first data key; a tenant that has one keeps it. The version of the
        newest."""
        ...

    async def rewrap(self, tenant: TenantId, *, by: str | None) -> None:
        """Wrap the tenant's data keys anew, by the customer's key `by` or (None) by ours.

        Raises KeyVaultFailedError if that key does not wrap, or does not unwrap: then nothing was
        changed.
        """
        ...

    async def newest_kek(self, *, by: str | None) -> str:
        """The version of the wrapping key that `rewrap` would use now."""
        ...

    async def add_key(self, tenant: TenantId, *, by: str | None) -> int:
        """One more data key, wrapped by the customer's key `by` or (None) by ours: its version. It
        seals from now on, on every instance within five seconds; the older ones still open.

        Raises KeyVaultFailedError if that key does not wrap, or does not unwrap: then there is no
        new data key.
        """
        ...

    async def destroy_key(self, tenant: TenantId, version: int) -> None:
        """What this version sealed never opens again; one that is gone is no error."""
        ...

    async def destroy_keys(self, tenant: TenantId) -> None:
        """Nothing that was sealed for the tenant ever opens again."""
        ...

    async def seal(self, place: Place, plain: bytes) -> bytes: ...

    async def open(self, place: Place, sealed: bytes) -> bytes:
        """Raises SealBrokenError if it does not open: moved, altered, of another tenant, or sealed
        by a version below the tenant's floor."""
        ...

    async def reseal(self, value: SealedValue, *, version: int) -> bytes | None:
        """The same value, sealed by this version; None if no older one has sealed it.

        Raises SealBrokenError where it does not open, or no key of its version is left; no alarm.
        """
        ...


class Signer(Protocol):
    """Signs what others verify without us (ES256), with a key that never leaves Key Vault."""

    async def newest(self) -> SigningKey:
        """The version to sign with; at most ten minutes behind the vault."""
        ...

    async def sign(self, key: SigningKey, digest: bytes) -> bytes:
        """r and s, 32 bytes each, over a SHA-256 digest. A version that is not the newest any
        more goes on signing."""
        ...

    async def public_keys(self) -> Sequence[Mapping[str, str]]:
        """The public JWK of every version there ever was, newest first.

        What the vault does not show is left out, and an alarm. At most five minutes old.
        """
        ...


class Pseudonyms(Protocol):
    """Keyed hashes that are stable inside one tenant and mean nothing outside it."""

    async def user_id(self, identity: Identity) -> UserId: ...

    async def flow_id(self, tenant: TenantId, org: OrgId, flow: FlowName) -> str: ...

    async def digest(self, tenant: TenantId, purpose: str, data: bytes) -> str: ...
