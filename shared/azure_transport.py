"""Lets the Azure SDK's clients speak through our one network."""

from typing import Any

# The public names are made at run time, which mypy cannot follow.
from azure.core.pipeline.transport._aiohttp import AioHttpTransport
from azure.core.pipeline.transport._requests_basic import RequestsTransport

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


class IdentityTransport(NetworkTransport):
    """The same for the managed identity alone, which may be asked on this machine."""

    async def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - as upstream
        self._network.egress.admit_identity(request.url)
        return await super().send(request, **options)


class SynchronousIdentityTransport(RequestsTransport):
    """The same for libraries with threads of their own. Deadlines of seconds: the endpoint is on
    this machine, and the SDK's own are 300."""

    def __init__(self, network: Network) -> None:
        super().__init__(
            session=network.identity_session(),
            use_env_settings=False,
            connection_timeout=4,
            read_timeout=4,
        )
        self._network = network

    def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - as upstream
        self._network.egress.admit_identity(request.url)
        return super().send(request, **options)
