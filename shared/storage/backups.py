"""The container of the backups, in an account of its own: files by their names."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.storage.blob import StorageErrorCode
from azure.storage.blob.aio import ContainerClient, LinearRetry

from shared.errors import StorageFailedError
from shared.storage import BACKUP_CONTAINER, BLOB_API_VERSION

_SECONDS: Final = 30.0  # for each call, and each page of names
_MAX_BYTES: Final = 256 * 1024**2
_BLOCK_BYTES: Final = 1024**2  # of an upload: aiohttp warns of larger bodies, which block the loop
_READ_BYTES: Final = 4 * 1024**2  # of a download: one request each


class BlobBackupStore:
    """Satisfies `ports.BackupStore`. Whoever made the network closes it."""

    def __init__(
        self,
        endpoint: str,
        *,
        credential: AsyncTokenCredential,
        transport: Callable[[], AsyncHttpTransport],  # type: ignore[type-arg]
        seconds: float = _SECONDS,
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        self._seconds, self._max_bytes = seconds, max_bytes
        self._container = ContainerClient(
            endpoint,
            BACKUP_CONTAINER,
            credential=credential,
            transport=transport(),
            api_version=BLOB_API_VERSION,
            max_single_put_size=_BLOCK_BYTES,
            max_block_size=_BLOCK_BYTES,
            max_single_get_size=_READ_BYTES,
            max_chunk_get_size=_READ_BYTES,
            permit_redirects=False,
            retry_policy=LinearRetry(backoff=1, retry_total=2, random_jitter_range=1),
        )

    async def put(self, name: str, data: bytes) -> None:
        """A large file is sent in blocks, and is there when the last request says so."""
        async with self._call():
            await self._container.upload_blob(name, data, overwrite=True)

    async def put_new(self, name: str, data: bytes) -> None:
        async with self._call():
            try:
                await self._container.upload_blob(name, data, overwrite=False)
            except ResourceExistsError:
                return

    async def get(self, name: str) -> bytes | None:
        async with self._call():
            try:
                downloading = await self._container.download_blob(name)
                if downloading.size > self._max_bytes:
                    raise StorageFailedError
                return await _read(downloading.size, downloading.chunks())
            except ResourceNotFoundError as exc:
                if _is_absent(exc):
                    return None
                raise

    async def names(self, prefix: str) -> Sequence[str]:
        found: list[str] = []
        pages = self._container.list_blob_names(name_starts_with=prefix).by_page()
        while True:
            async with self._call():
                try:
                    found += [name async for name in await anext(pages)]
                except StopAsyncIteration:
                    return found

    async def delete(self, name: str) -> None:
        async with self._call():
            try:
                await self._container.delete_blob(name)
            except ResourceNotFoundError as exc:
                if not _is_absent(exc):
                    raise

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        """One call to the store: it ends in time, and fails as StorageFailedError or not at all.

        An answer that is no XML, or lacks a header, trips the SDK in ways of its own.
        """
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except (
            AzureError,
            TimeoutError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as exc:
            raise StorageFailedError from exc


async def _read(size: int, chunks: AsyncIterator[bytes]) -> bytes:
    """So many bytes, neither less nor more: an answer may say one thing and hold another."""
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > size:
            break
    if len(data) != size:
        raise StorageFailedError
    return bytes(data)


def _is_absent(exc: ResourceNotFoundError) -> bool:
    """Whether the file is missing, and not the container: that one is a failure: "nothing is
    there" would pass for "nothing is left"."""
    return getattr(exc, "error_code", None) == StorageErrorCode.BLOB_NOT_FOUND
