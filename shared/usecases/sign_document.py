"""A statement that others can verify without us: claims, signed."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import Json
from shared.jws import CompactJws, canonical_json
from shared.ports import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class SignDocument:
    signer: Signer

    async def __call__(self, typ: str, claims: Mapping[str, Json]) -> str:
        """The claims as a compact JWS of this type. Raises KeyVaultFailedError."""
        key = await self.signer.newest()
        document = CompactJws(canonical_json(claims), typ=typ, kid=key.kid)
        return document.signed(await self.signer.sign(key, document.digest()))
