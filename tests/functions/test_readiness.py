"""Readiness from request to response: for administrators, and not a word too much."""

import pytest

from shared.errors import KeyVaultFailedError, StorageFailedError
from shared.secret import Secret
from tests.fakes import World
from tests.fakes.world import DEPENDENCIES
from tests.functions.host import call, failure_of, json_of, operation

NOON_TEXT = "2026-01-15T12:00:00.000Z"


@pytest.fixture
async def carol(world: World) -> Secret:
    """The session token of an administrator."""
    return await world.session_of("carol")


def told(*, down: frozenset[str] = frozenset()) -> object:
    return {
        "status": "degraded" if down else "ready",
        "dependencies": [
            {"name": name, "reachable": name not in down, "since": NOON_TEXT}
            for name in DEPENDENCIES
        ],
    }


async def test_x02_an_administrator_sees_that_everything_is_there(
    world: World, carol: Secret
) -> None:
    response = await call(world.services, "readiness", token=carol)

    assert response.status_code == 200
    assert json_of(response) == told()
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", DEPENDENCIES)
async def test_x02_what_is_down_is_named_and_nothing_is_said_of_why(
    world: World, carol: Secret, name: str
) -> None:
    def failure() -> KeyVaultFailedError:
        return KeyVaultFailedError("canary.vault.azure.net")

    world.dependencies.faults.plan(name, failure)

    response = await call(world.services, "readiness", token=carol)

    assert response.status_code == 200
    assert json_of(response) == told(down=frozenset({name}))
    assert b"canary" not in response.get_body()


@pytest.mark.parametrize("name", ["alice", "mallory", "dave"])
async def test_x02_a_user_is_refused_whatever_the_state(world: World, name: str) -> None:
    world.dependencies.faults.plan("storage", StorageFailedError)
    session = await world.session_of(name)

    response = await call(world.services, "readiness", token=session)

    assert failure_of(response) == (403, "not_admin")
    assert world.dependencies.asked == {}


async def test_x02_a_stranger_causes_no_call_to_anybody(world: World) -> None:
    for token in (None, "canary"):
        response = await call(world.services, "readiness", token=token)
        assert failure_of(response) == (401, "not_authenticated")

    assert world.dependencies.asked == {}


async def test_without_the_store_nobody_knows_who_asks(world: World, carol: Secret) -> None:
    """The check of the session needs it, here as everywhere."""
    fresh = world.another_instance()
    world.users.faults.plan("load", StorageFailedError)

    response = await call(fresh.services, "readiness", token=carol)

    assert failure_of(response) == (502, "storage_failed")


async def test_one_instance_remembers_between_requests(world: World, carol: Secret) -> None:
    for _ in range(3):
        assert json_of(await call(world.services, "readiness", token=carol)) == told()

    assert world.dependencies.asked == dict.fromkeys(DEPENDENCIES, 1)


def test_the_contract_names_the_same_dependencies() -> None:
    answer = operation("readiness")[2]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]

    assert schema["properties"]["dependencies"]["items"]["properties"]["name"]["enum"] == list(
        DEPENDENCIES
    )
