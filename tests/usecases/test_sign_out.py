"""Signing out ends every session of the user, on every instance, and nobody else's."""

import pytest

from shared.errors import SessionExpiredError, StorageFailedError
from tests.fakes import World
from tests.usecases.conftest import Told


async def test_after_sign_out_every_session_of_the_user_is_over(world: World) -> None:
    sessions = [await world.session_of("alice") for _ in range(3)]
    caller = await world.services.authenticate(sessions[0])

    await world.services.sign_out(caller)

    for session in sessions:
        with pytest.raises(SessionExpiredError):
            await world.services.authenticate(session)


async def test_s02_another_instance_notices_within_ten_seconds(world: World) -> None:
    signed_in = await world.sign_in("alice")
    other = world.another_instance()
    await other.services.authenticate(signed_in.session)  # it remembers the standing now

    await world.services.sign_out(signed_in.caller)
    world.clock.move(seconds=10)

    with pytest.raises(SessionExpiredError):
        await other.services.authenticate(signed_in.session)


async def test_colleagues_stay_signed_in(world: World) -> None:
    alice, bob = await world.sign_in("alice"), await world.sign_in("bob")

    await world.services.sign_out(alice.caller)

    assert await world.services.authenticate(bob.session) == bob.caller


async def test_who_signs_in_again_has_a_session_that_holds(world: World) -> None:
    old = await world.sign_in("alice")
    await world.services.sign_out(old.caller)

    new = await world.sign_in("alice")

    assert await world.services.authenticate(new.session) == new.caller
    with pytest.raises(SessionExpiredError):
        await world.services.authenticate(old.session)


async def test_connections_outlive_the_sign_out(world: World) -> None:
    caller = await world.signed_in("alice")
    await world.connect(caller)

    await world.services.sign_out(caller)

    assert len((await world.sign_in("alice")).connections) == 1


async def test_a_sign_out_that_was_not_stored_is_not_told_as_one(world: World, told: Told) -> None:
    caller = await world.signed_in("alice")
    world.users.faults.plan("end_sessions", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await world.services.sign_out(caller)

    assert told("signed_out") == []
