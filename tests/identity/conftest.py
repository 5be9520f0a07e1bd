"""Simulated identity providers and vaults, the network that leads to them; and our own sessions."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from time import time

import pytest

from local import scene
from local.simulators.azure_tokens import AzureTokens
from local.simulators.entra import Entra
from local.simulators.simulator import Simulator
from shared.identity.sessions import SignedSessions
from shared.network import Network
from tests.fakes.clock import FakeClock
from tests.identity.entra_upstream import Made
from tests.identity.making_sessions import KEY, KID, Versions
from tests.simulators.serving import Served, serving
from tests.upstream import Upstream, authority, pinned_network, upstream

type Simulate = Callable[[Simulator], tuple[Served, Network]]


@pytest.fixture
async def simulate(tmp_path: Path) -> AsyncIterator[Simulate]:
    """`simulate(simulator)` runs one under its production host names, each with its network."""
    certificate = tmp_path / "authority.pem"
    authority().cert_pem.write_to_path(str(certificate))
    async with AsyncExitStack() as running:

        def start(simulator: Simulator) -> tuple[Served, Network]:
            served = running.enter_context(serving(simulator, authority(), certificate))
            network = pinned_network(dict.fromkeys(simulator.hosts, served.tls_port))
            running.push_async_callback(network.close)
            return served, network

        yield start


@pytest.fixture
def azure() -> AzureTokens:
    """Issues the managed identity's tokens."""
    return AzureTokens(clock=time)


@pytest.fixture
def entra(simulate: Simulate, azure: AzureTokens) -> tuple[Served, Network]:
    """The simulator, and the network that leads to it."""
    return simulate(Entra(clock=time, tokens=azure))


@pytest.fixture
def make(azure: AzureTokens) -> Iterator[Made]:
    """Makes an on-behalf-of for a network; it is closed at the end."""
    with closing(Made(lambda: azure.issue("api://AzureADTokenExchange"))) as made:
        yield made


@pytest.fixture
async def misbehaving() -> AsyncIterator[Upstream]:
    """What answers for Entra ID under its own name."""
    async with upstream(scene.ENTRA_HOST) as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def versions() -> Versions:
    return Versions(**{KID: KEY})


@pytest.fixture
def sessions(versions: Versions, clock: FakeClock) -> SignedSessions:
    return SignedSessions(secrets=versions, clock=clock)
