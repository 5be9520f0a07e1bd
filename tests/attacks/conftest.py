"""What the attacks on deletion share: a stack of their own, and all that it stores."""

from collections.abc import Iterator

import pytest

from local.stack_info import StackInfo
from tests.attacks.azurite_rows import AzuriteRows
from tests.attacks.still_stack import StillStack, identity_environment
from tests.control_client import ControlClient


@pytest.fixture(scope="session")
def still_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackInfo]:
    """A whole stack without timers, started once for these tests."""
    with StillStack(data=tmp_path_factory.mktemp("still_stack")) as running:
        yield running.info


@pytest.fixture
def still_control(still_stack: StackInfo) -> Iterator[ControlClient]:
    client = ControlClient(still_stack.control)
    yield client
    client.close()


@pytest.fixture
def rows(still_stack: StackInfo) -> Iterator[AzuriteRows]:
    found = AzuriteRows(still_stack)
    yield found
    found.close()


@pytest.fixture
def identity_endpoint(still_stack: StackInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The managed identity's library takes its endpoint from the environment, as in App Service."""
    for name, value in identity_environment(still_stack).items():
        monkeypatch.setenv(name, value)
