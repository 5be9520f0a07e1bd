"""The history of runs, from request to response, with fakes behind the ports."""

from collections.abc import Callable
from typing import Any

import pytest

from shared import errors
from shared.errors import FlowRunnerError
from shared.secret import Secret
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, World
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


# --- filters -----------------------------------------------------------------------------------


async def outcomes(world: World, token: Secret, **params: str) -> list[str]:
    return [entry["outcome"] for entry in json_of(await listed(world, token, **params))["runs"]]


async def test_runs_are_filtered_by_what_the_query_says(world: World, connected: Secret) -> None:
    await run(world, connected)
    await run(world, connected, "Always_Faults")
    (newest, oldest) = json_of(await listed(world, connected))["runs"]

    assert await outcomes(world, connected, outcome="flow_failed") == ["flow_failed"]
    assert await outcomes(world, connected, outcome="waiting") == []
    assert await outcomes(world, connected, flow_id=oldest["flow_id"]) == ["succeeded"]
    assert await outcomes(world, connected, org_id=CONTOSO_ORG[:15]) == ["flow_failed", "succeeded"]
    assert await outcomes(world, connected, org_id=FABRIKAM_ORG) == []
    assert await outcomes(world, connected, **{"from": newest["started_at"]}) == ["flow_failed"]
    assert await outcomes(world, connected, to=newest["started_at"]) == ["succeeded"]
    assert await outcomes(world, connected, outcome="succeeded", flow_id=newest["flow_id"]) == []


async def test_a_run_that_never_told_its_end_is_found_as_it_is_told(
    world: World, connected: Secret
) -> None:
    world.runs.faults.plan("finish", errors.StorageFailedError, times=9)
    await run(world, connected)
    assert await outcomes(world, connected, outcome="started") == ["started"]

    world.clock.move(minutes=5)
    later = await world.session_of("alice")

    assert await outcomes(world, later, outcome="started") == []
    assert await outcomes(world, later, outcome="outcome_unknown") == ["outcome_unknown"]


async def test_an_administrator_names_a_user_of_the_tenant(world: World, connected: Secret) -> None:
    await run(world, connected)
    carol = await world.session_of("carol")
    alice = (await world.signed_in("alice")).user
    bob = (await world.signed_in("bob")).user

    assert await outcomes(world, carol, scope="tenant", user_id=alice) == ["succeeded"]
    assert await outcomes(world, carol, scope="tenant", user_id=bob) == []
    for token, params in ((carol, {}), (carol, {"scope": "user"}), (connected, {})):
        response = await listed(world, token, user_id=alice, **params)
        assert failure_of(response) == (400, "invalid_request")
    refused = await listed(world, connected, scope="tenant", user_id=alice)
    assert failure_of(refused) == (403, "not_admin")


async def test_a_short_page_has_a_next_one(world: World, connected: Secret) -> None:
    await run(world, connected)
    await run(world, connected, "Always_Faults", times=3)
    world.runs.looks_at = 2

    first = json_of(await listed(world, connected, outcome="succeeded"))
    second = json_of(await listed(world, connected, outcome="succeeded", after=first["next"]))

    assert first["runs"] == []
    assert [entry["outcome"] for entry in second["runs"]] == ["succeeded"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("outcome", text) for text in ("Started", "started ", "running", "*", "' or 1 eq 1")),
        *(("flow_id", text) for text in ("Log_Email", "f-", f"f-{'A' * 26}", f"f-{'a' * 27}",
                                         f"f-{'a' * 26}\n", f"f-{'a' * 25}'")),
        *(("org_id", text) for text in ("00D", "00D5g00000CONTOEA4", "*", f"{CONTOSO_ORG}\n")),
        *(("user_id", text) for text in ("me", "u-", f"u-{'a' * 27}", f"u-{'1' * 26}", "' or '")),
        *(("from", text) for text in ("yesterday", "2026-01-15", "2026-01-15T12:00:00", "5")),
        *(("to", text) for text in ("2026-13-01T00:00:00Z", "2026-01-15T12:00:00 01:00",
                                    "x" * 3_000)),
    ],
)  # fmt: skip
async def test_a_filter_of_another_form_is_invalid(world: World, name: str, text: str) -> None:
    carol = await world.session_of("carol")

    response = await listed(world, carol, scope="tenant", **{name: text})

    assert failure_of(response) == (400, "invalid_request")


async def test_a_period_that_ends_before_it_begins_is_invalid(
    world: World, connected: Secret
) -> None:
    params = {"from": "2026-01-15T12:00:01Z", "to": "2026-01-15T12:00:00Z"}

    assert failure_of(await listed(world, connected, **params)) == (400, "invalid_request")


async def test_an_empty_filter_filters_nothing(world: World, connected: Secret) -> None:
    await run(world, connected)
    empty = dict.fromkeys(("from", "to", "outcome", "flow_id", "org_id", "user_id"), "")

    assert await outcomes(world, connected, **empty) == ["succeeded"]
