"""Whether Key Vault answers: reads the public half of the wrapping key."""

from collections.abc import Callable

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.keyvault.keys.aio import KeyClient

from shared.crypto.key_vault import CLIENT_OPTIONS, TENANT_KEK, vault_call


class KeyVaultProbe:
    """Satisfies `ports.Probe`. Takes no right beyond those that wrapping takes: the role on the
    key reads its public half (bicep/modules/roles.bicep). Raises KeyVaultFailedError."""

    name = "key_vault"

    def __init__(
        self,
        vault_uri: str,
        *,
        credential: AsyncTokenCredential,
        transport: Callable[[], AsyncHttpTransport],  # type: ignore[type-arg]
    ) -> None:
        self._client = KeyClient(
            vault_uri, credential=credential, transport=transport(), **CLIENT_OPTIONS
        )

    async def __call__(self) -> None:
        async with vault_call():
            await self._client.get_key(TENANT_KEK)
