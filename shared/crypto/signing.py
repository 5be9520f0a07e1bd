"""Azure Key Vault as signer: the key `receipt-signing` (P-256), whose private half stays there.

Receipts and exports are signed by its newest version. Every version that the vault still shows is
published, so that what was signed years ago can be verified. Operations: ES256 over a digest
(https://learn.microsoft.com/rest/api/keyvault/keys/sign/sign).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.keyvault.keys import KeyProperties, KeyVaultKey
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import SignatureAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient

from shared.cache import TimedCache
from shared.crypto.key_vault import CLIENT_OPTIONS, vault_call
from shared.errors import KeyVaultFailedError
from shared.jws import SIGNATURE_BYTES, public_jwk
from shared.model import SigningKey
from shared.telemetry.events import alarm

RECEIPT_SIGNING: Final = "receipt-signing"
_NEWEST_SECONDS: Final = 600.0
_PUBLISHED_SECONDS: Final = 300.0
_NOT_SHOWN: Final = frozenset({403, 404})  # disabled, or destroyed since it was listed
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class KeyVaultSigner:
    """Satisfies `ports.Signer`."""

    def __init__(
        self,
        vault_uri: str,
        *,
        credential: AsyncTokenCredential,
        transport: Callable[[], AsyncHttpTransport],  # type: ignore[type-arg]
        monotonic_clock: Callable[[], float] = monotonic,
    ) -> None:
        self._credential, self._transport = credential, transport
        self._keys = KeyClient(
            vault_uri, credential=credential, transport=transport(), **CLIENT_OPTIONS
        )
        self._newest: TimedCache[str, SigningKey] = TimedCache(
            size=1, seconds=_NEWEST_SECONDS, clock=monotonic_clock
        )
        self._published: TimedCache[str, Sequence[Mapping[str, str]]] = TimedCache(
            size=1, seconds=_PUBLISHED_SECONDS, clock=monotonic_clock
        )
        self._clients: TimedCache[str, CryptographyClient] = TimedCache(
            size=10, seconds=_NEWEST_SECONDS, clock=monotonic_clock
        )

    async def newest(self) -> SigningKey:
        return await self._newest.get(RECEIPT_SIGNING, self._read_newest)

    async def sign(self, key: SigningKey, digest: bytes) -> bytes:
        """A signature that the public half has verified: no other is worth handing out."""
        async with vault_call():
            client = self._client(key.key_id)
            signature = (await client.sign(SignatureAlgorithm.es256, digest)).signature
            if not signature or len(signature) != SIGNATURE_BYTES:
                raise KeyVaultFailedError
            check = await client.verify(SignatureAlgorithm.es256, digest, signature)
        if not check.is_valid:
            raise KeyVaultFailedError
        return signature

    async def public_keys(self) -> Sequence[Mapping[str, str]]:
        return await self._published.get(RECEIPT_SIGNING, self._read_public_keys)

    async def _read_newest(self) -> SigningKey:
        async with vault_call():
            key = await self._keys.get_key(RECEIPT_SIGNING)
        jwk = _jwk(key)
        if jwk is None:
            raise KeyVaultFailedError
        return SigningKey(kid=jwk["kid"], key_id=str(key.id))

    async def _read_public_keys(self) -> Sequence[Mapping[str, str]]:
        """An empty set would be taken for the truth by whoever saves it: a failure instead."""
        async with vault_call():
            versions = [
                version
                async for version in self._keys.list_properties_of_key_versions(RECEIPT_SIGNING)
            ]
        versions.sort(key=lambda version: version.created_on or _LONG_AGO, reverse=True)
        shown = [await self._public_key(version) for version in versions]
        if not any(shown):
            raise KeyVaultFailedError
        return tuple(jwk for jwk in shown if jwk is not None)

    async def _public_key(self, version: KeyProperties) -> Mapping[str, str] | None:
        """One version; None, and an alarm, if the vault does not show it: what it has signed
        cannot be verified by those who ask now."""
        jwk = None
        try:
            async with vault_call():
                jwk = _jwk(await self._keys.get_key(RECEIPT_SIGNING, version.version))
        except KeyVaultFailedError as exc:
            cause = exc.__cause__
            if not isinstance(cause, HttpResponseError) or cause.status_code not in _NOT_SHOWN:
                raise
        if jwk is None:
            alarm("key_unavailable", dependency="key_vault")
        return jwk

    def _client(self, key_id: str) -> CryptographyClient:
        client = self._clients.peek(key_id)
        if client is None:
            client = CryptographyClient(
                key_id, self._credential, transport=self._transport(), **CLIENT_OPTIONS
            )
            self._clients.put(key_id, client)
        return client


def _jwk(key: KeyVaultKey) -> Mapping[str, str] | None:
    """The public half as it is published; None for what cannot sign by ES256."""
    members: Any = key.key  # which members it has depends on the kind of key
    if members.crv != "P-256" or not members.x or not members.y:
        return None
    return public_jwk(members.x, members.y)
