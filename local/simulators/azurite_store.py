"""What the simulators `tables` and `blobs` share: one of Azurite's services behind its proxy, and
the control that makes what a deployment would have made there."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from aiohttp import web

from local.simulators.azurite_proxy import AzuriteProxy
from local.simulators.control_requests import control_body, refused


class AzuriteStore(ABC):
    """`azurite` leads to the service; `makes` is what is created in it: `tables`, `containers`."""

    name: str
    makes: str
    hosts: tuple[str, ...] = ("127.0.0.1",)

    def __init__(self, azurite: AzuriteProxy) -> None:
        self._azurite = azurite
        self._account = azurite.account

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.route("*", "/{path:.*}", self._azurite.forward)]

    def control(self) -> Sequence[web.RouteDef]:
        return [web.post(f"/_sim/{self.makes}", self._create)]

    def reset(self) -> None:  # noqa: B027 - the same for every service: nothing is kept here
        """What is stored is in Azurite: `empty` is what makes the service new."""

    async def close(self) -> None:
        await self._azurite.close()

    @abstractmethod
    async def empty(self) -> None:
        """Nothing is stored any more, and what was created is still there."""

    @abstractmethod
    async def create(self, names: Sequence[str]) -> None:
        """Create these where they are missing, as a deployment does."""

    async def _create(self, request: web.Request) -> web.Response:
        names = (await control_body(request, "names")).get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise refused("names must be an array of texts")
        await self.create(names)
        return web.json_response({})
