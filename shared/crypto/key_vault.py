"""Azure Key Vault: wraps data keys, and hands out the service's own secrets.

The wrapping key (`tenant-kek`, RSA-3072) never leaves the vault. Wrapping needs its public half
alone and happens here; unwrapping happens in the vault. Algorithm: RSA-OAEP-256 (RFC 8017 with
SHA-256). Clients are made at first use; who made the network closes the connections.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from time import monotonic
from typing import Final

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.keyvault.keys import KeyVaultKey, KeyVaultKeyIdentifier
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import KeyWrapAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient
from azure.keyvault.secrets import SecretProperties
from azure.keyvault.secrets.aio import SecretClient

from shared.cache import TimedCache
from shared.errors import KeyVaultFailedError
from shared.ports import Clock
from shared.secret import Secret, SecretVersion

TENANT_KEK: Final = "tenant-kek"
_CACHE_SECONDS: Final = 600.0
_DEADLINE_SECONDS: Final = 10.0
_COOLDOWN_SECONDS: Final = 60.0
_FAILURE_SECONDS: Final = 2.0
CLIENT_OPTIONS: Final = {
    "retry_total": 2,
    "retry_backoff_factor": 0.2,
    "retry_backoff_max": 2,
    "permit_redirects": False,
}
"""How often the SDK's clients try again, and how soon; and that they go nowhere else."""


class KeyVaultKeyWrapper:
    """Satisfies `ports.KeyWrapper`."""

    def __init__(
        self,
        vault_uri: str,
        *,
        credential: AsyncTokenCredential,
        transport: Callable[[], AsyncHttpTransport],  # type: ignore[type-arg]
        monotonic_clock: Callable[[], float] = monotonic,
    ) -> None:
        self._credential, self._transport = credential, transport
        self._ours = f"{vault_uri.rstrip('/')}/keys/{TENANT_KEK}"
        self._newest: TimedCache[str, KeyVaultKey] = TimedCache(
            size=1_000, seconds=_CACHE_SECONDS, clock=monotonic_clock
        )
        self._by_id: TimedCache[str, CryptographyClient] = TimedCache(
            size=100, seconds=_CACHE_SECONDS, clock=monotonic_clock
        )

    async def wrap(self, data_key: bytes, *, by: str | None = None) -> tuple[bytes, str]:
        wanted = by or self._ours
        async with vault_call():
            key = await self._newest.get(wanted, lambda: self._get(wanted))
            result = await self._client(str(key.id)).wrap_key(
                KeyWrapAlgorithm.rsa_oaep_256, data_key
            )
        return result.encrypted_key, str(key.id)

    async def newest(self, *, by: str | None = None) -> str:
        wanted = by or self._ours
        async with vault_call():
            key = await self._newest.get(wanted, lambda: self._get(wanted))
        return str(key.id)

    async def _get(self, key_id: str) -> KeyVaultKey:
        """A customer's key is in the customer's vault."""
        wanted = KeyVaultKeyIdentifier(key_id)
        vault = KeyClient(
            wanted.vault_url,
            credential=self._credential,
            transport=self._transport(),
            **CLIENT_OPTIONS,
        )
        return await vault.get_key(wanted.name, wanted.version)

    async def unwrap(self, wrapped: bytes, kek_id: str) -> bytes:
        async with vault_call():
            result = await self._client(kek_id).unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped)
        return result.key

    def _client(self, kek_id: str) -> CryptographyClient:
        client = self._by_id.peek(kek_id)
        if client is None:
            client = CryptographyClient(
                kek_id, self._credential, transport=self._transport(), **CLIENT_OPTIONS
            )
            self._by_id.put(kek_id, client)
        return client


class KeyVaultSecrets:
    """The service's own secrets, by name. Kept in memory for ten minutes, so that they rotate."""

    def __init__(
        self,
        vault_uri: str,
        *,
        credential: AsyncTokenCredential,
        transport: Callable[[], AsyncHttpTransport],  # type: ignore[type-arg]
        clock: Clock,
        monotonic_clock: Callable[[], float] = monotonic,
    ) -> None:
        self._client = SecretClient(
            vault_uri, credential=credential, transport=transport(), **CLIENT_OPTIONS
        )
        self._clock = clock
        self._current: TimedCache[str, Secret] = TimedCache(
            size=20, seconds=_CACHE_SECONDS, clock=monotonic_clock
        )
        self._versions: TimedCache[str, Sequence[SecretVersion]] = TimedCache(
            size=20, seconds=_CACHE_SECONDS, clock=monotonic_clock
        )
        self._read_again: TimedCache[str, bool] = TimedCache(
            size=20, seconds=_COOLDOWN_SECONDS, clock=monotonic_clock
        )
        self._has_failed: TimedCache[str, bool] = TimedCache(
            size=20, seconds=_FAILURE_SECONDS, clock=monotonic_clock
        )

    async def current(self, name: str) -> Secret:
        """The newest version of a secret. Raises KeyVaultFailedError."""
        return await self._current.get(name, lambda: self._read(name, None))

    async def newest_two(self, name: str) -> Sequence[SecretVersion]:
        """Of the newest two versions that had begun when they were read, at most ten minutes ago,
        those that were enabled and not over; newest first, and perhaps none.

        An older one does not take the place of one of the two that was disabled or is over: it was
        retired, perhaps because it leaked. Raises KeyVaultFailedError: without asking the vault, if
        that failed in the last two seconds, for whoever sends an invented session gets here.
        """
        if self._versions.peek(name) is None and self._has_failed.peek(name):
            raise KeyVaultFailedError
        return await self._versions.get(name, lambda: self._read_newest_two(name))

    async def newest_two_by_now(self, name: str) -> Sequence[SecretVersion]:
        """The same, read again unless that was done in the last minute: names of versions come
        from tokens that nobody has verified yet, and must not become a flood on the vault. Who
        comes while it is being read waits for that."""
        await self._read_again.get(name, lambda: self._replace_newest_two(name))
        return await self.newest_two(name)

    async def _replace_newest_two(self, name: str) -> bool:
        """Whether it could be read; if not, what is known goes on serving (C-08)."""
        try:
            self._versions.put(name, await self._read_newest_two(name))
        except KeyVaultFailedError:
            return False
        return True

    async def _read_newest_two(self, name: str) -> Sequence[SecretVersion]:
        try:
            return [
                SecretVersion(
                    id=str(version.version),
                    secret=await self._read(name, version.version),
                    created_at=created_at,
                    updated_at=version.updated_on,
                    not_before=version.not_before,
                    expires_at=version.expires_on,
                )
                for created_at, version in await self._list_newest_two(name)
            ]
        except KeyVaultFailedError:
            self._has_failed.put(name, value=True)
            raise

    async def _list_newest_two(self, name: str) -> Sequence[tuple[datetime, SecretProperties]]:
        """With the time at which each was made. First the two are chosen, then the unusable go."""
        now = self._clock()
        begun: list[tuple[datetime, SecretProperties]] = []
        async with vault_call():
            async for version in self._client.list_properties_of_secret_versions(name):
                has_begun = version.not_before is None or version.not_before <= now
                if has_begun and version.version and version.created_on:
                    begun.append((version.created_on, version))
        begun.sort(key=lambda one: one[0], reverse=True)
        return [
            (created_at, version)
            for created_at, version in begun[:2]
            if version.enabled and (version.expires_on is None or now < version.expires_on)
        ]

    async def _read(self, name: str, version: str | None) -> Secret:
        async with vault_call():
            secret = await self._client.get_secret(name, version)
        if not secret.value:
            raise KeyVaultFailedError
        return Secret(secret.value)


@asynccontextmanager
async def vault_call() -> AsyncIterator[None]:
    """One call to the vault: it ends in time, and fails as KeyVaultFailedError or not at all.

    The SDK's texts quote addresses and key names. Its crypto clients raise ValueError and
    NotImplementedError for what they cannot do, too.
    """
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            yield
    except (AzureError, TimeoutError, ValueError, NotImplementedError) as exc:
        raise KeyVaultFailedError from exc
