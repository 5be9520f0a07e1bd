"""Lets the Azure SDK's asynchronous clients speak through our one network."""

from azure.core.pipeline.transport._aiohttp import (
    AioHttpTransport,  # the public name is made at run time, which mypy cannot follow
)

from shared.network import Network


class NetworkTransport(AioHttpTransport):
    """azure-core's transport over the session of a `Network`, taken when the first call is made.

    The session is not owned here: closing an SDK client leaves it open for the others.
    """

    def __init__(self, network: Network) -> None:
        super().__init__(use_env_settings=False)
        self._network = network

    async def open(self) -> None:
        """Called by azure-core before each request."""
        self.session = self._network.session()

    async def close(self) -> None:
        """Let go of the session; the network closes it."""
        self.session = None
