"""The public halves of the keys that sign receipts and exports: what verifying takes."""

from dataclasses import dataclass

from shared.errors import Json
from shared.ports import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishKeys:
    signer: Signer

    async def __call__(self) -> Json:
        """A JWK Set (RFC 7517), newest key first. Raises KeyVaultFailedError."""
        return {"keys": [dict(key) for key in await self.signer.public_keys()]}
