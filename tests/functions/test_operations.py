"""Health, the contract, preflights, and what matches no route."""

import pytest

from tests.fakes import World
from tests.functions.host import call, failure_of, json_of


async def test_x02_health_says_up_and_nothing_else(world: World) -> None:
    response = await call(world.services, "health")

    assert response.status_code == 200
    assert json_of(response) == {"status": "ok"}


async def test_health_asks_nothing_of_anybody(world: World) -> None:
    """It stays up while every dependency is down, and so says nothing about them."""
    for fake in (world.verifier, world.tenants, world.users, world.connections, world.key_wrapper):
        for method in ("verify", "load", "of_user", "wrap", "unwrap"):
            fake.faults.plan(method, RuntimeError)

    assert (await call(world.services, "health")).status_code == 200
    assert world.dependencies.asked == {}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "v1/health", {"GET"}),
        ("HEAD", "v1/health", {"GET"}),
        ("DELETE", "v1/flows", {"GET"}),
        ("PATCH", "v1/salesforce/connections", {"GET", "POST"}),
        ("GET", "v1/salesforce/connections/00D5g00000CONTOEA5", {"DELETE"}),
        ("GET", "v1/flows/Log_Email/runs", {"POST"}),
        ("PUT", "V1/Flows/Log_Email", {"GET"}),
        ("GET", "v1/sso/exchange", {"POST"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    world: World, method: str, path: str, allowed: set[str]
) -> None:
    response = await call(world.services, "unmatched", method=method, route={"path": path})

    assert failure_of(response) == (405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "", "v1", "v2/health", "health", "v1/health/x", "v1/flows/a/b/c", "admin/host/status",
        "../v1/health", "v1/%68ealth", "v1/health;x", "v1//health", "v1\\health", "x" * 4_000,
        "<script>canary</script>", "canary\r\nX-Canary: 1", "\ud800",
    ],
)  # fmt: skip
async def test_what_is_no_route_is_not_found_in_the_same_words(
    world: World, method: str, path: str
) -> None:
    response = await call(world.services, "unmatched", method=method, route={"path": path})

    assert failure_of(response) == (404, "not_found")
    assert "canary" not in response.get_body().decode() + str(dict(response.headers)).lower()
    assert json_of(response).keys() == {"type", "title", "status", "code", "incident"}


async def test_without_a_path_there_is_no_route(world: World) -> None:
    assert failure_of(await call(world.services, "unmatched")) == (404, "not_found")
