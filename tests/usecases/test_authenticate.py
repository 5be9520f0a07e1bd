"""Who is behind a request, and when a session that was valid is over."""

import pytest

from shared.errors import (
    NotAuthenticatedError,
    SessionExpiredError,
    StorageFailedError,
    TooManyRequestsError,
)
from shared.model import TenantStatus
from shared.secret import Secret
from tests.fakes import World
from tests.usecases.counting import count_calls


async def test_a_session_leads_back_to_its_caller(world: World) -> None:
    signed_in = await world.sign_in("carol")

    assert await world.services.authenticate(signed_in.session) == signed_in.caller


async def test_any_instance_knows_the_session(world: World) -> None:
    signed_in = await world.sign_in("dave")

    other = world.another_instance()

    assert await other.services.authenticate(signed_in.session) == signed_in.caller


@pytest.mark.parametrize("token", ["alice", "a.b.c", "x" * 20_000])
async def test_what_is_no_session_is_not_authenticated(world: World, token: str) -> None:
    await world.signed_in("alice")

    with pytest.raises(NotAuthenticatedError) as caught:
        await world.services.authenticate(Secret(token))

    assert type(caught.value) is NotAuthenticatedError


async def test_s06_a_session_ends_after_fifteen_minutes(world: World) -> None:
    session = await world.session_of("alice")

    world.clock.move(seconds=899)
    await world.services.authenticate(session)
    world.clock.move(seconds=1)
    with pytest.raises(SessionExpiredError):
        await world.services.authenticate(session)


async def test_s04_a_session_outlives_one_rotation_of_the_signing_secret_and_no_second(
    world: World,
) -> None:
    session = await world.session_of("alice")

    world.secrets.rotate()
    await world.services.authenticate(session)
    world.secrets.rotate()
    with pytest.raises(NotAuthenticatedError):
        await world.services.authenticate(session)


async def test_s02_when_the_tenants_epoch_moves_on_every_session_of_it_ends(world: World) -> None:
    sessions = [await world.session_of(name) for name in ("alice", "bob")]
    elsewhere = await world.session_of("dave")
    tenant = (await world.signed_in("alice")).tenant
    world.tenants.change(tenant, epoch=1)
    world.clock.move(seconds=10)

    for session in sessions:
        with pytest.raises(SessionExpiredError):
            await world.services.authenticate(session)
    await world.services.authenticate(elsewhere)


async def test_s02_when_the_tenant_is_disabled_every_session_of_it_ends_within_ten_seconds(
    world: World,
) -> None:
    signed_in = await world.sign_in("alice")
    await world.services.authenticate(signed_in.session)
    world.tenants.change(signed_in.caller.tenant, status=TenantStatus.DISABLED)
    world.clock.move(seconds=10)

    with pytest.raises(SessionExpiredError):
        await world.services.authenticate(signed_in.session)


async def test_a_session_of_a_user_who_is_gone_is_not_authenticated(world: World) -> None:
    signed_in = await world.sign_in("alice")
    world.users.rows.clear()

    with pytest.raises(NotAuthenticatedError):
        await world.services.authenticate(signed_in.session)


async def test_a_session_of_a_tenant_that_is_gone_is_not_authenticated(world: World) -> None:
    signed_in = await world.sign_in("alice")
    world.tenants.rows.clear()

    with pytest.raises(NotAuthenticatedError):
        await world.services.authenticate(signed_in.session)


async def test_when_the_store_is_away_nobody_is_let_in(world: World) -> None:
    session = await world.session_of("alice")
    world.users.faults.plan("load", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await world.services.authenticate(session)

    await world.services.authenticate(session)


async def test_the_standing_is_read_once_in_five_seconds(world: World) -> None:
    """Most requests ask the store nothing: what fails there meanwhile does not matter."""
    session = await world.session_of("alice")
    await world.services.authenticate(session)
    world.tenants.faults.plan("load", StorageFailedError)

    world.clock.move(seconds=4.9)
    await world.services.authenticate(session)
    world.clock.move(seconds=0.1)
    with pytest.raises(StorageFailedError):
        await world.services.authenticate(session)


async def test_a_tenants_row_is_read_once_for_all_of_its_users(world: World) -> None:
    sessions = [await world.session_of(name) for name in ("alice", "bob")]
    asked = count_calls(world, "tenants", "load")

    for session in sessions:
        await world.services.authenticate(session)

    assert len(asked) == 1


async def test_s02_who_signs_out_ends_only_their_own_sessions(world: World) -> None:
    alices, bobs = [await world.session_of(name) for name in ("alice", "bob")]
    for session in (alices, bobs):
        await world.services.authenticate(session)

    await world.services.sign_out(await world.services.authenticate(alices))

    with pytest.raises(SessionExpiredError):
        await world.services.authenticate(alices)
    assert (await world.services.authenticate(bobs)).user


async def test_s02_who_signed_out_is_not_let_in_because_the_tenants_row_took_long(
    world: World,
) -> None:
    """What was known of the user may be too old by the time that the other row is there."""
    alices, bobs = [await world.session_of(name) for name in ("alice", "bob")]
    other = world.another_instance()
    await world.services.authenticate(alices)  # reads the tenant's row
    world.clock.move(seconds=3)
    await world.services.authenticate(bobs)  # reads Bob's
    world.clock.move(seconds=2.5)  # the tenant's is forgotten, Bob's not yet
    await other.services.sign_out(await other.services.authenticate(bobs))

    async def slowly() -> None:
        world.clock.move(seconds=4)

    world.tenants.faults.meanwhile("load", slowly)
    with pytest.raises(SessionExpiredError):
        await world.services.authenticate(bobs)


async def test_one_user_cannot_take_more_than_a_burst_at_once(world: World) -> None:
    session, other = await world.session_of("alice"), await world.session_of("bob")
    for _ in range(30):
        await world.services.authenticate(session)

    with pytest.raises(TooManyRequestsError):
        await world.services.authenticate(session)

    await world.services.authenticate(other)


async def test_one_tenant_cannot_take_more_than_its_burst_at_once(world: World) -> None:
    """However many users it spreads its calls over."""
    caller = await world.signed_in("alice")
    elsewhere = await world.session_of("dave")
    for _ in range(750):
        world.services.authenticate.tenant_limit.take(caller.tenant)

    with pytest.raises(TooManyRequestsError):
        await world.services.authenticate(await world.session_of("bob"))

    await world.services.authenticate(elsewhere)


async def test_an_ended_session_does_not_use_up_its_users_share(world: World) -> None:
    """Whoever stole it could otherwise lock the user out after the sign-out."""
    stolen = await world.session_of("alice")
    await world.services.sign_out(await world.services.authenticate(stolen))
    for _ in range(100):
        with pytest.raises(SessionExpiredError):
            await world.services.authenticate(stolen)

    await world.services.authenticate(await world.session_of("alice"))
