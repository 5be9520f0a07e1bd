"""The history of runs, from request to response, with fakes behind the ports."""

from collections.abc import Callable
from typing import Any

import pytest

from shared import errors
from shared.errors import FlowRunnerError
from shared.secret import Secret
from tests.fakes import CONTOSO_ORG, World
from tests.functions.host import call, failure_of, json_of


async def listed(world: World, token: Secret, **params: str) -> Any:  # noqa: ANN401
    return await call(world.services, "run_list", token=token, params=params)


async def run(world: World, token: Secret, flow: str = "Log_Email", times: int = 1) -> None:
    for _ in range(times):
        world.clock.move(seconds=1)
        await call(world.services, "flow_invoke", token=token, route={"flow": flow}, body={})


async def test_a_user_sees_own_runs_newest_first(world: World, connected: Secret) -> None:
    await run(world, connected)
    await run(world, connected, "Always_Faults")

    body = json_of(await listed(world, connected))

    assert [entry["outcome"] for entry in body["runs"]] == ["flow_failed", "succeeded"]
    newest = body["runs"][0]
    assert newest["started_at"] == "2026-01-15T12:00:02.000Z"
    assert newest["finished_at"] == "2026-01-15T12:00:02.000Z"
    assert (newest["duration_ms"], newest["org_id"]) == (0, CONTOSO_ORG)
    assert newest["user_id"] == (await world.signed_in("alice")).user
    assert newest["flow_name"] == "Always_Faults"
    assert body["next"] is None


async def test_a_run_tells_metadata_and_nothing_of_the_mail(
    world: World, connected: Secret
) -> None:
    mail = {"subject": "canary", "sender_email": "canary@example.com"}
    await call(
        world.services,
        "flow_invoke",
        token=connected,
        route={"flow": "Log_Email"},
        body={"email": mail},
    )

    assert "canary" not in (await listed(world, connected)).get_body().decode()


async def test_a_run_under_way_has_no_end_yet(world: World, connected: Secret) -> None:
    world.runs.faults.plan("finish", errors.StorageFailedError, times=9)
    await run(world, connected)

    (entry,) = json_of(await listed(world, connected))["runs"]

    assert (entry["outcome"], entry["finished_at"], entry["duration_ms"]) == ("started", None, None)


async def test_pages_follow_one_another_without_gap_or_repetition(
    world: World, connected: Secret
) -> None:
    await run(world, connected, times=7)
    seen: list[str] = []
    params: dict[str, str] = {"limit": "3"}
    for _ in range(3):
        body = json_of(await listed(world, connected, **params))
        seen += [entry["run_id"] for entry in body["runs"]]
        params["after"] = body["next"] or ""

    assert len(seen) == len(set(seen)) == 7
    assert params["after"] == ""


async def test_a_user_sees_nobody_elses_runs(world: World, connected: Secret) -> None:
    await run(world, connected)
    for name in ("bob", "mallory", "dave"):
        assert json_of(await listed(world, await world.session_of(name)))["runs"] == []


async def test_an_administrator_sees_the_tenants_runs(world: World, connected: Secret) -> None:
    await run(world, connected)
    carol = await world.session_of("carol")

    assert json_of(await listed(world, carol))["runs"] == []
    assert len(json_of(await listed(world, carol, scope="tenant"))["runs"]) == 1


async def test_n04_nobody_else_does(world: World, connected: Secret) -> None:
    assert failure_of(await listed(world, connected, scope="tenant")) == (403, "not_admin")


async def test_an_administrator_of_another_tenant_sees_none_of_them(
    world: World, connected: Secret
) -> None:
    await run(world, connected)
    grace = await world.session_of("grace")

    assert json_of(await listed(world, grace, scope="tenant"))["runs"] == []


@pytest.mark.parametrize("limit", ["1", "50", "200"])
async def test_a_limit_is_a_number_up_to_two_hundred(
    world: World, connected: Secret, limit: str
) -> None:
    assert (await listed(world, connected, limit=limit)).status_code == 200


@pytest.mark.parametrize(
    "limit",
    ["0", "-1", "201", "1.0", "1e2", "x", " 5", "5 ", "+5", "\u0665", "\u00b2", "5,5", "0x10",
     "9" * 5_000, "9" * 1_000, "000000001999", "000000000000"],
)  # fmt: skip
async def test_a_limit_of_another_form_is_invalid(
    world: World, connected: Secret, limit: str
) -> None:
    assert failure_of(await listed(world, connected, limit=limit)) == (400, "invalid_request")


@pytest.mark.parametrize("scope", ["user", ""])
async def test_the_usual_scope_may_be_named(world: World, connected: Secret, scope: str) -> None:
    assert (await listed(world, connected, scope=scope)).status_code == 200


@pytest.mark.parametrize("scope", ["Tenant", "all", "tenant,user", "tenant ", "*"])
async def test_another_scope_is_invalid(world: World, connected: Secret, scope: str) -> None:
    assert failure_of(await listed(world, connected, scope=scope)) == (400, "invalid_request")


@pytest.mark.parametrize("after", ["x", "../..", "' or 1 eq 1", "AAAA", "\u00fc", "x" * 3_000])
async def test_a_place_to_continue_that_is_none_of_ours_is_invalid(
    world: World, connected: Secret, after: str
) -> None:
    assert failure_of(await listed(world, connected, after=after)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("failure", "answer"),
    [
        (errors.StorageFailedError, (502, "storage_failed")),
        (RuntimeError, (500, "internal")),
    ],
    ids=["storage", "crash"],
)
async def test_each_failure_has_its_own_code(
    world: World,
    connected: Secret,
    failure: Callable[[], FlowRunnerError],
    answer: tuple[int, str],
) -> None:
    world.runs.faults.plan("page", failure)

    assert failure_of(await listed(world, connected)) == answer
