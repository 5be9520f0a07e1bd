"""The world outside the service, and two people with their sessions."""

import pytest

from shared.secret import Secret
from tests.fakes import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def alice(world: World) -> Secret:
    """The session token of Alice, who works at contoso."""
    return await world.session_of("alice")


@pytest.fixture
async def connected(world: World) -> Secret:
    """The session token of Alice, who has connected contoso's org."""
    signed_in = await world.sign_in("alice")
    await world.connect(signed_in.caller)
    return signed_in.session
