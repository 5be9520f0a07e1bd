"""The Azure SDK's clients follow redirects unless told otherwise, and take the body along."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, Self

import pytest
from azure.core.credentials import AccessToken

from shared.azure_transport import NetworkTransport
from shared.crypto.key_vault import KeyVaultKeyWrapper, KeyVaultSecrets
from shared.crypto.signing import KeyVaultSigner
from shared.errors import KeyVaultFailedError, StorageFailedError
from shared.model import SigningKey
from shared.storage.backups import BlobBackupStore
from shared.storage.tables import Tables, store_call
from tests.upstream import Upstream, redirecting, upstream

TABLES: Final = "flowrunner.table.core.windows.net"
BLOBS: Final = "flowrunner.blob.core.windows.net"
VAULT: Final = "flowrunner.vault.azure.net"
ELSEWHERE: Final = "evil.example.com"


class AnyToken:
    """A credential that always has one."""

    async def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken("a-token", int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()))

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


async def write_a_row(server: Upstream) -> None:
    tables = Tables(f"https://{TABLES}", credential=AnyToken(), transport=transport(server))
    async with store_call():
        row = {"PartitionKey": "t", "RowKey": "r", "sealed": b"sealed"}
        await tables.for_restoring("users").create_entity(row)


async def write_a_backup(server: Upstream) -> None:
    store = BlobBackupStore(f"https://{BLOBS}", credential=AnyToken(), transport=transport(server))
    await store.put("t/2026-01-15/users.0000.sealed", b"sealed")


async def read_a_secret(server: Upstream) -> None:
    vault = KeyVaultSecrets(
        f"https://{VAULT}",
        credential=AnyToken(),
        transport=transport(server),
        clock=lambda: datetime(2026, 1, 15, tzinfo=UTC),
    )
    await vault.current("salesforce-client-secret")


async def unwrap_a_key(server: Upstream) -> None:
    keys = KeyVaultKeyWrapper(
        f"https://{VAULT}", credential=AnyToken(), transport=transport(server)
    )
    await keys.unwrap(b"wrapped", f"https://{VAULT}/keys/tenant-kek/1")


async def read_the_newest_signing_key(server: Upstream) -> None:
    signer = KeyVaultSigner(f"https://{VAULT}", credential=AnyToken(), transport=transport(server))
    await signer.newest()


async def sign_a_digest(server: Upstream) -> None:
    signer = KeyVaultSigner(f"https://{VAULT}", credential=AnyToken(), transport=transport(server))
    key = SigningKey(kid="kid", key_id=f"https://{VAULT}/keys/receipt-signing/1")
    await signer.sign(key, bytes(32))


def transport(server: Upstream) -> Callable[[], NetworkTransport]:
    return lambda: NetworkTransport(server.network)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("call", "failure"),
    [
        (write_a_row, StorageFailedError),
        (write_a_backup, StorageFailedError),
        (read_a_secret, KeyVaultFailedError),
        (unwrap_a_key, KeyVaultFailedError),
        (read_the_newest_signing_key, KeyVaultFailedError),
        (sign_a_digest, KeyVaultFailedError),
    ],
    ids=["tables", "backups", "secrets", "keys", "signing", "signatures"],
)
async def test_no_client_of_azure_follows_a_redirect(
    call: Callable[[Upstream], Awaitable[None]], failure: type[Exception], status: int
) -> None:
    async with upstream(TABLES, BLOBS, VAULT, ELSEWHERE) as server:
        server.answer = redirecting(f"https://{ELSEWHERE}/", status)

        with pytest.raises(failure):
            await call(server)

        assert server.received
        assert ELSEWHERE not in {request.host for request in server.received}
