"""S-01 and S-02: no session is fixed, and none is replayed after its end, on every route that wants
one. (How fast they end on another process: test_session_ends.py.)"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import pytest

from shared.errors import StorageFailedError
from shared.model import DeletionScope, TenantStatus
from shared.secret import Secret
from tests.attacks.every_route import (
    EXPIRED,
    REFUSED,
    answers_of_every_route,
    claims_of,
    every_route,
)
from tests.attacks.matrix import Ask, answer_of
from tests.attacks.people import Scene, set_scene
from tests.attacks.stores import changes, contents
from tests.functions.host import call, json_of
from tests.usecases.deleting import asked_by


@pytest.fixture
async def scene() -> Scene:
    return await set_scene()


# --- S-01: fixation ------------------------------------------------------------------------------


def presenting(session: Secret) -> list[tuple[Mapping[str, str], Mapping[str, str]]]:
    """Headers and query of an exchange that carries a session along."""
    text = session.reveal()
    return [
        ({"Cookie": f"session={text}; session_token={text}"}, {}),
        ({"X-Session": text, "X-Session-Token": text}, {}),
        ({"Proxy-Authorization": f"Bearer {text}"}, {}),
        ({}, {"session": text, "session_token": text, "access_token": text, "sid": text}),
    ]


async def test_S01_an_exchange_never_takes_a_session_over(scene: Scene) -> None:
    """Mallory's session is sent along while bob signs in, wherever it could be put."""
    world, mallorys = scene.world, scene.mallory.session
    seen = {mallorys.reveal(), scene.bob.session.reveal()}
    for headers, params in presenting(mallorys):
        response = await call(
            world.services,
            "sso_exchange",
            token="bob",
            headers=headers,
            params=params,
            body={"provider": "microsoft"},
        )

        session = json_of(response)["session_token"]
        assert session not in seen
        seen.add(session)
        caller = await world.services.authenticate(Secret(session))
        assert (caller.user, caller.tenant) == (scene.bob.caller.user, scene.bob.caller.tenant)
    still = await world.services.authenticate(mallorys)
    assert (still.user, still.tenant) == (scene.mallory.caller.user, scene.mallory.caller.tenant)


@pytest.mark.parametrize("name", ["session", "session_token", "token", "sid"])
async def test_S01_an_exchange_with_a_session_in_its_body_is_refused(
    scene: Scene, name: str
) -> None:
    before = contents(scene.world)

    response = await Ask(
        token="bob",
        body={"provider": "microsoft", name: scene.mallory.session.reveal()},
    ).sent(scene.world.services, "sso_exchange")

    assert answer_of(response) == (400, "invalid_request")
    assert changes(before, contents(scene.world)) == set()


async def test_S01_signing_in_again_is_a_new_session_and_signing_out_ends_both(
    scene: Scene,
) -> None:
    """Outlook on the desk and on the telephone: one goes on beside the other, and none survives."""
    world = scene.world
    sessions = [await world.session_of("alice") for _ in range(2)]
    assert sessions[0] != sessions[1]
    for session in sessions:
        await world.services.authenticate(session)

    await call(world.services, "sso_sign_out", token=sessions[0])

    for session in (*sessions, scene.alice.session):
        assert await answers_of_every_route(world, scene, session) == every_route(EXPIRED)


# --- S-02: replay --------------------------------------------------------------------------------


async def sign_out(scene: Scene) -> None:
    await call(scene.world.services, "sso_sign_out", token=await scene.world.session_of("alice"))


async def delete_the_user(scene: Scene) -> None:
    await (await asked_by(scene.world, "alice")).confirm()


async def delete_the_tenant(scene: Scene) -> None:
    await (await asked_by(scene.world, "carol", DeletionScope.TENANT)).confirm()


async def suspend_the_tenant(scene: Scene) -> None:
    tenant = scene.alice.caller.tenant
    assert await scene.world.services.suspend_tenant(tenant, TenantStatus.DISABLED)


async def suspend_and_resume_the_tenant(scene: Scene) -> None:
    await suspend_the_tenant(scene)
    tenant = scene.alice.caller.tenant
    assert await scene.world.services.suspend_tenant(tenant, TenantStatus.ACTIVE)


@pytest.mark.parametrize(
    ("end", "of_whom"),
    [
        pytest.param(sign_out, "user", id="sign-out"),
        pytest.param(delete_the_user, "user", id="user-deleted"),
        pytest.param(delete_the_tenant, "tenant", id="tenant-deleted"),
        pytest.param(suspend_the_tenant, "tenant", id="tenant-suspended"),
        pytest.param(suspend_and_resume_the_tenant, "tenant", id="tenant-suspended-and-resumed"),
    ],
)
async def test_S02_an_ended_session_opens_no_route_on_any_instance(
    scene: Scene, end: Callable[[Scene], Awaitable[None]], of_whom: str
) -> None:
    """Each instance has let it in a moment before, so each remembers that it held."""
    instances = [scene.world, scene.world.another_instance()]
    ended, going_on = [scene.alice.session], [scene.mallory.session]
    (ended if of_whom == "tenant" else going_on).extend([scene.bob.session, scene.administrator])
    for world in instances:
        for session in (*ended, *going_on):
            await world.services.authenticate(session)

    await end(scene)
    scene.world.clock.move(seconds=10)

    for world in instances:
        for session in ended:
            assert await answers_of_every_route(world, scene, session) == every_route(EXPIRED)
        for session in going_on:
            await world.services.authenticate(session)


@pytest.mark.parametrize("end", [sign_out, delete_the_user], ids=["sign-out", "user-deleted"])
async def test_S02_where_it_was_ended_it_is_over_with_the_next_request(
    scene: Scene, end: Callable[[Scene], Awaitable[None]]
) -> None:
    await scene.world.services.authenticate(scene.alice.session)

    await end(scene)

    world, session = scene.world, scene.alice.session
    assert await answers_of_every_route(world, scene, session) == every_route(EXPIRED)


async def test_S02_what_takes_the_store_too_long_is_neither_believed_nor_remembered(
    scene: Scene,
) -> None:
    """Read for five seconds and remembered for five: more would break the promise of ten."""
    world, session = scene.world.another_instance(), scene.alice.session
    world.users.faults.meanwhile("load", lambda: asyncio.sleep(5.5))
    began = time.monotonic()

    with pytest.raises(StorageFailedError):
        await world.services.authenticate(session)
    assert time.monotonic() - began < 5.4

    await sign_out(scene)
    assert await answers_of_every_route(world, scene, session) == every_route(EXPIRED)


async def test_S02_a_session_of_a_deleted_user_is_none_when_the_row_is_gone(scene: Scene) -> None:
    deleting = await asked_by(scene.world, "alice")
    await deleting.confirm()
    session = scene.alice.session
    while scene.alice.caller.user in str(scene.world.users.rows):
        await deleting.tick()
        scene.world.clock.move(seconds=5)

    assert await answers_of_every_route(scene.world, scene, session) == every_route(REFUSED)


async def test_S02_a_session_from_before_the_deletion_is_none_of_who_comes_back(
    scene: Scene,
) -> None:
    """The same person under the same pseudonym, a minute later."""
    world, session = scene.world, scene.alice.session
    deleting = await asked_by(world, "alice")
    await deleting.confirm()
    while scene.alice.caller.user in str(world.users.rows):
        await deleting.tick()
        world.clock.move(seconds=5)
    await deleting.finish()
    again = await world.sign_in("alice")
    assert again.caller.user == scene.alice.caller.user
    said = await world.sessions.read(again.session)
    old = replace(said, user_epoch=int(claims_of(session)["epu"]))
    young = await world.sessions.issue(old)  # for the old one is over by age as well

    assert await answers_of_every_route(world, scene, young) == every_route(EXPIRED)
