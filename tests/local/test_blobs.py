"""Azurite's Blob service behind its proxy, driven by azure-storage-blob with a token of the managed
identity."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.identity.aio import ManagedIdentityCredential
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from local import scene
from local.network import pinned_network
from local.stack_info import StackInfo
from shared.azure_transport import NetworkTransport
from shared.storage import BACKUP_CONTAINER, BLOB_API_VERSION
from tests.control_client import ControlClient

pytestmark = pytest.mark.stack

A_FEW_BLOCKS = 3 * 1024**2 + 1


@pytest.fixture
async def account(
    stack: StackInfo, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BlobServiceClient]:
    monkeypatch.setenv("IDENTITY_ENDPOINT", stack.identity_endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", scene.IDENTITY_HEADER)
    network = pinned_network(stack)
    async with (
        ManagedIdentityCredential() as credential,
        BlobServiceClient(
            stack.blobs,
            credential=credential,
            transport=NetworkTransport(network),
            api_version=BLOB_API_VERSION,
            max_single_put_size=1024**2,
            max_block_size=1024**2,
            retry_total=0,
        ) as client,
    ):
        yield client
    await network.close()


@pytest.fixture
async def container(account: BlobServiceClient) -> AsyncIterator[ContainerClient]:
    made = await account.create_container(f"c{uuid4().hex}")
    yield made
    await made.delete_container()


async def read(container: ContainerClient, name: str) -> bytes:
    downloading = await container.download_blob(name)
    return await downloading.readall()


@pytest.mark.parametrize("size", [0, 1, A_FEW_BLOCKS], ids=["empty", "a-byte", "blocks"])
async def test_a_blob_comes_back_as_it_was(container: ContainerClient, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"\xff" * (size % 256)

    await container.upload_blob("a/b c ä.sealed", data)

    assert await read(container, "a/b c ä.sealed") == data


async def test_the_container_of_the_backups_is_there(account: BlobServiceClient) -> None:
    backups = account.get_container_client(BACKUP_CONTAINER)

    assert await backups.exists()


async def test_a_fault_of_the_blob_service_reaches_the_sdk(
    container: ContainerClient, control: ControlClient
) -> None:
    fault = {"fault": "status", "value": 503, "match": f"/{scene.STORAGE_ACCOUNT}/"}
    control.post("/_sim/faults", {"target": "blobs", **fault})

    with pytest.raises(HttpResponseError) as failed:
        await container.upload_blob("a", b"1")

    assert failed.value.status_code == 503
    await container.upload_blob("a", b"1")


async def test_an_upload_whose_answer_is_lost_was_carried_out(
    container: ContainerClient, control: ControlClient
) -> None:
    # Twice: aiohttp tries an idempotent method once more when a kept connection breaks.
    fault = {"fault": "reset_after", "match": f"/{scene.STORAGE_ACCOUNT}/", "times": 2}
    control.post("/_sim/faults", {"target": "blobs", **fault})

    with pytest.raises(ServiceRequestError):
        await container.upload_blob("a", b"1", overwrite=True)

    assert await read(container, "a") == b"1"


async def test_nobody_reads_without_a_token(stack: StackInfo, container: ContainerClient) -> None:
    network = pinned_network(stack)
    await container.upload_blob("a", b"1")
    async with ContainerClient(
        stack.blobs,
        container.container_name,
        api_version=BLOB_API_VERSION,
        transport=NetworkTransport(network),
    ) as anybody:
        with pytest.raises((ClientAuthenticationError, HttpResponseError)):
            await read(anybody, "a")
    await network.close()


async def test_a_reset_empties_every_container_and_keeps_it(
    account: BlobServiceClient, container: ContainerClient, control: ControlClient
) -> None:
    for name in ("a", "b/c"):
        await container.upload_blob(name, b"1")

    control.post("/_sim/reset")

    assert [blob.name async for blob in container.list_blobs()] == []
    with pytest.raises(ResourceNotFoundError):
        await read(container, "a")
    await container.upload_blob("a", b"1")
