"""The Blob service of the backup account: Azurite behind a proxy that changes nothing, so that
faults can be injected.

One of Azurite's accounts stands for both of a deployment's, and its Blob service is a process of
its own. Served over TLS on 127.0.0.1, as the Table service is, for one reason less to differ.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from xml.etree import ElementTree as ET

from yarl import URL

from local.simulators.azurite_store import AzuriteStore

_API: Final = {"x-ms-version": "2021-12-02"}
_MADE: Final = (HTTPStatus.CREATED, HTTPStatus.CONFLICT)  # the second: it was there already


class Blobs(AzuriteStore):
    """Azurite's Blob service."""

    name = "blobs"
    makes = "containers"

    async def empty(self) -> None:
        """Every container that has blobs is dropped and made again. Azurite lets its name be used
        at once; Azure would keep it back for half a minute and more."""
        for name in await self._names("comp=list", "Container"):
            if await self._names("restype=container&comp=list&maxresults=1", "Blob", name):
                async with self._azurite.session().delete(
                    self._container(name), headers=self._headers()
                ) as response:
                    response.raise_for_status()
                await self._create_one(name)

    async def create(self, names: Sequence[str]) -> None:
        for name in names:
            await self._create_one(name)

    async def _create_one(self, name: str) -> None:
        async with self._azurite.session().put(
            self._container(name), headers=self._headers()
        ) as response:
            if response.status not in _MADE:
                response.raise_for_status()

    async def _names(self, query: str, kind: str, container: str = "") -> list[str]:
        """The names of one page of containers (5,000), or of blobs."""
        url = (self._account / container).with_query(query)
        async with self._azurite.session().get(url, headers=self._headers()) as response:
            response.raise_for_status()
            listed = ET.fromstring(await response.read())  # noqa: S314 - Azurite's own
        return [entry.findtext("Name", "") for entry in listed.iter(kind)]

    def _container(self, name: str) -> URL:
        return (self._account / name).with_query("restype=container")

    def _headers(self) -> dict[str, str]:
        return {**_API, **self._azurite.authorization()}
