"""What is outside the service, twice: the fakes of the other tests, and the real adapters against
the local stack. Every test of this folder that asks for `outside` runs on both."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
import requests

from local import scene as made_up
from local.network import pinned_network
from local.stack_info import StackInfo
from shared import ports
from shared.model import TenantId
from shared.outside import Azure
from tests.contract.rows import ALICE, BOB, LONGER
from tests.contract.salesforce import FakeScene, Scene, SimulatedScene
from tests.fakes import World
from tests.settings import settings

BOTH = [
    pytest.param("fake", id="fake"),
    pytest.param("real", id="real", marks=pytest.mark.stack),
]


@pytest.fixture
async def azure(stack: StackInfo, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Azure]:
    """The adapters as deployed, on the stack's network. The managed identity's library takes its
    endpoint from the environment, as it does in App Service."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", stack.identity_endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", made_up.IDENTITY_HEADER)
    chosen = settings(
        tables_endpoint=stack.tables,
        backup_endpoint=stack.blobs,
        public_base_url=f"{stack.service_https}/api",
    )
    outside = Azure(chosen, pinned_network(stack))
    yield outside
    await outside.close()


@pytest.fixture(params=BOTH)
def outside(request: pytest.FixtureRequest) -> ports.Outside:
    """Not asynchronous itself, so that the stack is started only where it is wanted."""
    if request.param == "fake":
        return World()
    real: Azure = request.getfixturevalue("azure")
    return real


@pytest.fixture
def tenant() -> TenantId:
    """A tenant of the test's own: the stack is shared by all tests."""
    return TenantId.parse(f"ms-{uuid4()}")


@pytest.fixture
def other_tenant() -> TenantId:
    return TenantId.parse(f"ms-{uuid4()}")


@pytest.fixture
async def admitted(outside: ports.Outside, tenant: TenantId, other_tenant: TenantId) -> None:
    """Rows of ALICE, BOB and LONGER may be inserted in both tenants."""
    await admit(outside, tenant, other_tenant)


@pytest.fixture
async def admitted_azure(azure: Azure, tenant: TenantId, other_tenant: TenantId) -> None:
    """The same, for tests of the real adapters alone."""
    await admit(azure, tenant, other_tenant)


async def admit(outside: ports.Outside, *tenants: TenantId) -> None:
    for one in tenants:
        await outside.gates.open(one)
        for user in (ALICE, BOB, LONGER):
            await outside.gates.open_for(one, user)


@pytest.fixture
def browser(stack: StackInfo) -> Iterator[requests.Session]:
    """Somebody's browser, to which production host names lead as they do for the service."""
    with pinned_network(stack).requests_session() as session:
        yield session


@pytest.fixture(params=BOTH)
def scene(request: pytest.FixtureRequest) -> Scene:
    """A Salesforce org of the test's own."""
    if request.param == "fake":
        return FakeScene(World())
    azure, control = request.getfixturevalue("azure"), request.getfixturevalue("control")
    return SimulatedScene(azure, control, request.getfixturevalue("browser"))
