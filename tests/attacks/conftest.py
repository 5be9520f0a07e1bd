"""What the attacks on deletion share: all that the stack stores, and its managed identity."""

from collections.abc import Iterator

import pytest

from local.stack_info import StackInfo
from tests.attacks.azurite_rows import AzuriteRows
from tests.attacks.worker_settings import identity_environment


@pytest.fixture
def rows(stack: StackInfo) -> Iterator[AzuriteRows]:
    found = AzuriteRows(stack)
    yield found
    found.close()


@pytest.fixture
def identity_endpoint(stack: StackInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The managed identity's library takes its endpoint from the environment, as in App Service."""
    for name, value in identity_environment(stack).items():
        monkeypatch.setenv(name, value)
