"""Simulated identity providers and vaults, and the network that leads to them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from local.simulators.simulator import Simulator
from shared.network import Network
from tests.simulators.serving import Served, serving
from tests.upstream import authority, pinned_network

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
