"""The Blob service of the backup account: Azurite behind a proxy that changes nothing, so that
faults can be injected.

One of Azurite's accounts stands for both of a deployment's, and its Blob service is a process of
its own. Served over TLS on 127.0.0.1, as the Table service is, for one reason less to differ.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from xml.etree import ElementTree as ET

from aiohttp import web
from yarl import URL

from local.simulators.azurite_proxy import AzuriteProxy
from local.simulators.control_requests import control_body, refused

_API: Final = {"x-ms-version": "2021-12-02"}
_MADE: Final = (HTTPStatus.CREATED, HTTPStatus.CONFLICT)  # the second: it was there already


class Blobs:
    """`azurite` leads to Azurite's Blob service."""

    name = "blobs"
    hosts: tuple[str, ...] = ("127.0.0.1",)

    def __init__(self, azurite: AzuriteProxy) -> None:
        self._azurite = azurite
        self._account = azurite.account

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.route("*", "/{path:.*}", self._azurite.forward)]

    def control(self) -> Sequence[web.RouteDef]:
        return [web.post("/_sim/containers", self._create)]

    def reset(self) -> None:
        """The blobs are in Azurite: `empty` is what makes the service new."""

    async def close(self) -> None:
        await self._azurite.close()

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

    async def _create(self, request: web.Request) -> web.Response:
        """Create these containers where they are missing, as a deployment does."""
        names = (await control_body(request, "names")).get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise refused("names must be an array of texts")
        for name in names:
            await self._create_one(name)
        return web.json_response({})

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
