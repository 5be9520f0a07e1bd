"""What tests of the adapters for Key Vault share: a simulated vault in this process."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from local.simulators.azure_tokens import AzureTokens
from tests.crypto.simulated_vault import SimulatedVault, simulated_vault
from tests.fakes import NOON


@pytest.fixture(scope="session")
def vault_tokens() -> AzureTokens:
    """One directory for all vaults: making its key is slow."""
    return AzureTokens(clock=NOON.timestamp)


@pytest.fixture
def vault_process(tmp_path: Path, vault_tokens: AzureTokens) -> Iterator[SimulatedVault]:
    """Not asynchronous itself: the simulator has a loop and a thread of its own."""
    with simulated_vault(tmp_path, vault_tokens) as running:
        yield running


@pytest.fixture
async def vault(vault_process: SimulatedVault) -> AsyncIterator[SimulatedVault]:
    yield vault_process
    await vault_process.network.close()
