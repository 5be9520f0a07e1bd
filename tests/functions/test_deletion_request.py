"""Being forgotten, over HTTP: request, confirm, status, receipt; and the worker that does it."""

from typing import Any

import azure.functions as func
import pytest

from shared.errors import StorageFailedError
from shared.secret import Secret
from tests.fakes import World
from tests.functions.host import call, failure_of, json_of, registered


async def ask(world: World, session: Secret, scope: str = "user") -> dict[str, Any]:
    response = await call(world.services, "deletion_request", token=session, body={"scope": scope})
    assert response.status_code == 201
    asked: dict[str, Any] = json_of(response)
    return asked


async def confirm(
    world: World, session: Secret, asked: dict[str, Any], code: str | None = None
) -> func.HttpResponse:
    return await call(
        world.services,
        "deletion_confirm",
        token=session,
        route={"id": asked["id"]},
        body={"confirmation_code": code or asked["confirmation_code"]},
    )


async def look(world: World, asked: dict[str, Any], what: str = "status") -> func.HttpResponse:
    return await call(
        world.services, f"deletion_{what}", token=asked["status_token"], route={"id": asked["id"]}
    )


async def run_timer(world: World, name: str, *, past_due: bool = False) -> None:
    """As the host does when the timer is due."""

    handler = registered(world.services)[name].get_user_function()
    assert await handler(_Timer(is_past_due=past_due)) is None


class _Timer(func.TimerRequest):
    def __init__(self, *, is_past_due: bool) -> None:
        self._is_past_due = is_past_due

    @property
    def past_due(self) -> bool:
        return self._is_past_due


async def work_until_done(world: World, asked: dict[str, Any]) -> None:
    for _ in range(10):
        await run_timer(world, "deletion_worker")
        if json_of(await look(world, asked))["state"] == "receipted":
            return
        world.clock.move(seconds=10)
    pytest.fail("it does not come to an end")


async def test_a_request_tells_what_its_owner_needs(world: World, alice: Secret) -> None:
    asked = await ask(world, alice)

    assert (asked["scope"], asked["state"], asked["due_at"]) == ("user", "requested", None)
    assert asked["expires_in"] == 3600
    base = world.settings.public_base_url
    assert asked["status_url"] == f"{base}/v1/deletion-requests/{asked['id']}"
    assert json_of(await look(world, asked))["steps"] == asked["steps"]


async def test_from_the_confirmation_to_the_receipt(world: World, connected: Secret) -> None:
    asked = await ask(world, connected)

    answer = await confirm(world, connected, asked)

    assert answer.status_code == 202
    assert json_of(answer)["due_at"] == "2026-01-16T12:00:00.000Z"
    assert failure_of(await call(world.services, "run_list", token=connected))[0] == 401
    assert failure_of(await look(world, asked, "receipt")) == (404, "not_found")

    await work_until_done(world, asked)

    seen = json_of(await look(world, asked))
    assert [step["state"] for step in seen["steps"]] == [
        "requested", "confirmed", "fenced", "revoked", "deleted", "shredded", "verified",
        "receipted",
    ]  # fmt: skip
    assert seen["revocations"] == {"revoked": 1, "not_confirmed": 0}
    receipt = await look(world, asked, "receipt")
    assert receipt.mimetype == "application/jose"
    assert receipt.get_body().count(b".") == 2
    assert receipt.headers["Cache-Control"] == "no-store"


async def test_an_ordinary_user_does_not_ask_for_the_tenant(world: World, alice: Secret) -> None:
    response = await call(world.services, "deletion_request", token=alice, body={"scope": "tenant"})

    assert failure_of(response) == (403, "not_admin")


async def test_an_administrator_does(world: World) -> None:
    carol = await world.session_of("carol")
    asked = await ask(world, carol, "tenant")

    assert (await confirm(world, carol, asked)).status_code == 202
    await work_until_done(world, asked)

    assert world.tenants.rows == {}


@pytest.mark.parametrize(
    "body",
    [b"", {}, {"scope": None}, {"scope": "all"}, {"scope": "user", "user_id": "u-x"}, [], "user"],
    ids=["nothing", "empty", "null", "a-word", "an-id", "a-list", "a-text"],
)
async def test_another_body_asks_for_nothing(world: World, alice: Secret, body: object) -> None:
    response = await call(
        world.services,
        "deletion_request",
        token=alice,
        body=body,
        headers={"Content-Type": "application/json"},
    )

    assert failure_of(response) == (400, "invalid_request")
    assert world.deletions.rows == {}


async def test_a_wrong_code_and_an_old_session_are_told_alike(world: World, alice: Secret) -> None:
    asked = await ask(world, alice)
    wrong = await confirm(world, alice, asked, "aaaaaaaaaaaaaaaa")
    world.clock.move(minutes=6)
    old = await confirm(world, alice, asked)

    assert failure_of(wrong) == failure_of(old) == (403, "confirmation_required")


@pytest.mark.parametrize("what", ["status", "receipt"])
async def test_a_session_is_no_status_token(world: World, alice: Secret, what: str) -> None:
    asked = await ask(world, alice)

    response = await call(
        world.services, f"deletion_{what}", token=alice, route={"id": asked["id"]}
    )

    assert failure_of(response) == (401, "not_authenticated")


@pytest.mark.parametrize("what", ["status", "receipt"])
@pytest.mark.parametrize("identifier", ["", "d-x", "../tenants", "d-" + "a" * 26, "x" * 2_000])
async def test_n01_an_id_that_is_not_the_tokens_is_not_found(
    world: World, alice: Secret, identifier: str, what: str
) -> None:
    asked = await ask(world, alice)

    response = await look(world, asked | {"id": identifier}, what)

    assert failure_of(response) == (404, "not_found")


async def test_of_two_requests_for_the_same_data_one_is_confirmed(world: World) -> None:
    carol = await world.session_of("carol")
    whole, own = await ask(world, carol, "tenant"), await ask(world, carol)
    another = await world.sign_in("carol")
    world.gates.faults.plan("close", StorageFailedError)
    world.tenants.faults.plan("begin_deletion", StorageFailedError)
    assert (await confirm(world, carol, whole)).status_code == 202

    second = await confirm(world, another.session, own)

    assert failure_of(second) == (409, "deletion_in_progress")


async def test_while_it_is_carried_out_a_sign_in_is_refused(world: World, alice: Secret) -> None:
    asked = await ask(world, alice)
    await confirm(world, alice, asked)

    response = await call(
        world.services, "sso_exchange", token="alice", body={"provider": "microsoft"}
    )

    assert failure_of(response) == (409, "deletion_in_progress")


# --- the timers ----------------------------------------------------------------------------------


async def test_a_timer_that_fails_is_an_alarm_and_not_the_end_of_the_host(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.deletions.faults.plan("open_ones", StorageFailedError)
    world.tenants.faults.plan("ids", lambda: RuntimeError("token=00Dxx!sekret"))

    await run_timer(world, "deletion_worker")
    await run_timer(world, "retention_cleanup")

    told = [r.getMessage() for r in caplog.records if '"crashed"' in r.getMessage()]
    assert [('"deletion_worker"' in line, '"retention_cleanup"' in line) for line in told] == [
        (True, False),
        (False, True),
    ]
    assert "sekret" not in caplog.text


async def test_the_clean_up_is_told_whether_it_is_late(
    world: World, alice: Secret, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flowrunner")

    await run_timer(world, "retention_cleanup", past_due=True)

    (line,) = [r.getMessage() for r in caplog.records if '"retention_cleanup"' in r.getMessage()]
    assert '"late": true' in line
