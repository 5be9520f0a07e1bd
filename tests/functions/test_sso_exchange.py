"""Signing in and out, from request to response, with fakes behind the ports."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from shared import errors
from shared.errors import FlowRunnerError
from shared.model import TenantStatus
from tests.fakes import CONTOSO_ORG, World
from tests.fakes.identity import CONTOSO_DIRECTORY
from tests.functions.host import call, failure_of, json_of
from tests.settings import settings

MICROSOFT: Final = {"provider": "microsoft"}


async def exchange(world: World, token: str = "alice", body: object = None) -> Any:  # noqa: ANN401
    return await call(
        world.services, "sso_exchange", token=token, body=MICROSOFT if body is None else body
    )


async def test_a_microsoft_user_gets_a_session(world: World) -> None:
    response = await exchange(world)
    body = json_of(response)

    assert response.status_code == 200
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 900
    assert body["user"] == {"id": body["user"]["id"], "provider": "microsoft", "is_admin": False}
    assert body["tenant"] == {"id": f"ms-{CONTOSO_DIRECTORY}", "region": "westeurope"}
    assert body["salesforce"] == {"connected": False, "connections": []}


async def test_the_session_opens_the_other_routes(world: World) -> None:
    token = json_of(await exchange(world))["session_token"]

    assert (await call(world.services, "salesforce_connections", token=token)).status_code == 200


async def test_a_google_user_gets_a_session(world: World) -> None:
    body = json_of(await exchange(world, "dave", {"provider": "google"}))

    assert body["user"]["provider"] == "google"
    assert body["tenant"]["id"].startswith("g-")
    assert "fabrikam" not in str(body)


async def test_an_administrator_is_told_so(world: World) -> None:
    assert json_of(await exchange(world, "carol"))["user"]["is_admin"] is True


async def test_what_is_connected_is_told_with_its_health(world: World) -> None:
    await world.connect(await world.signed_in("alice"))

    assert json_of(await exchange(world))["salesforce"] == {
        "connected": True,
        "connections": [{"org_id": CONTOSO_ORG, "health": "active"}],
    }


async def test_the_answer_names_nobody(world: World) -> None:
    """No subject, no directory beyond the tenant's own id, no token that came in."""
    shown = str(json_of(await exchange(world)))

    assert world.verifier.people["alice"].subject not in shown
    assert "alice" not in shown


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no-provider"),
        pytest.param({"provider": None}, id="null"),
        pytest.param({"provider": "Microsoft"}, id="another-case"),
        pytest.param({"provider": "apple"}, id="another-provider"),
        pytest.param({"provider": ["microsoft"]}, id="a-list"),
        pytest.param({"provider": "microsoft", "is_admin": True}, id="n04-a-member-of-ones-own"),
        pytest.param({"provider": "microsoft", "tenant": "x"}, id="n04-a-tenant-of-ones-own"),
    ],
)
async def test_a_body_of_another_shape_is_invalid(world: World, body: object) -> None:
    assert failure_of(await exchange(world, body=body)) == (400, "invalid_request")


async def test_a_body_that_takes_long_to_read_is_not_read_for_nobody(world: World) -> None:
    """This body is read before anybody is known: 256 KiB of it would take 50 ms of an instance."""
    padded = {"provider": "microsoft" + " " * 1_024}

    assert failure_of(await exchange(world, body=padded)) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("token", "provider"),
    [
        pytest.param("eve", "microsoft", id="nobody-we-know"),
        pytest.param("dave", "microsoft", id="googles-token-as-microsofts"),
        pytest.param("alice", "google", id="microsofts-token-as-googles"),
    ],
)
async def test_a_token_that_does_not_verify_signs_nobody_in(
    world: World, token: str, provider: str
) -> None:
    response = await exchange(world, token, {"provider": provider})

    assert failure_of(response) == (401, "not_authenticated")
    assert world.tenants.rows == {}
    assert world.users.rows == {}


@pytest.mark.parametrize(
    ("plan", "answer"),
    [
        (("verifier", "verify", errors.NotAuthenticatedError), (401, "not_authenticated")),
        (
            ("verifier", "verify", errors.PersonalAccountError),
            (403, "personal_account_not_supported"),
        ),
        (
            ("verifier", "verify", errors.GuestNotAllowedError),
            (403, "guest_not_allowed"),
        ),
        (
            ("verifier", "verify", errors.IdentityProviderFailedError),
            (502, "identity_provider_failed"),
        ),
        (("entra", "confirm", errors.NotAuthenticatedError), (401, "not_authenticated")),
        (
            ("entra", "confirm", lambda: errors.InteractionRequiredError(None)),
            (401, "interaction_required"),
        ),
        (
            ("entra", "confirm", errors.IdentityProviderFailedError),
            (502, "identity_provider_failed"),
        ),
        (("tenants", "load", errors.StorageFailedError), (502, "storage_failed")),
        (("users", "create", errors.StorageFailedError), (502, "storage_failed")),
        (("key_wrapper", "wrap", errors.KeyVaultFailedError), (502, "key_vault_failed")),
        (("key_wrapper", "unwrap", errors.KeyVaultFailedError), (502, "key_vault_failed")),
        (("users", "load", RuntimeError), (500, "internal")),
    ],
    ids=lambda value: "-".join(map(str, value[:2])) if isinstance(value, tuple) else None,
)
async def test_each_failure_has_its_own_code(
    world: World, plan: tuple[str, str, Callable[[], FlowRunnerError]], answer: tuple[int, str]
) -> None:
    where, method, failure = plan
    getattr(world, where).faults.plan(method, failure)

    assert failure_of(await exchange(world)) == answer


@pytest.mark.parametrize(
    ("failure", "seconds"),
    [
        pytest.param(errors.IdentityProviderFailedError, "10", id="not-said"),
        pytest.param(lambda: errors.IdentityProviderFailedError(42), "42", id="as-entra-asked"),
    ],
)
async def test_a_provider_that_failed_says_when_to_come_back(
    world: World, failure: Callable[[], FlowRunnerError], seconds: str
) -> None:
    world.entra.faults.plan("confirm", failure)

    assert (await exchange(world)).headers["Retry-After"] == seconds


async def test_a_tenant_that_is_not_allowed_is_told_so_and_leaves_no_row() -> None:
    world = World(settings(allowed_tenants=frozenset({"g:fabrikam.example.com"})))

    assert failure_of(await exchange(world)) == (403, "tenant_not_allowed")
    assert world.tenants.rows == {}
    assert (await exchange(world, "dave", {"provider": "google"})).status_code == 200


async def test_a_tenant_that_was_disabled_is_told_so(world: World) -> None:
    caller = await world.signed_in("alice")
    world.tenants.change(caller.tenant, status=TenantStatus.DISABLED)

    assert failure_of(await exchange(world)) == (403, "tenant_not_allowed")


async def test_a_tenant_of_another_region_is_sent_there_and_leaves_no_row() -> None:
    there = ("northeurope", "https://ne.example.com/api")
    world = World(settings(tenant_regions={f"ms-{CONTOSO_DIRECTORY}": there}))

    response = await exchange(world)

    assert failure_of(response) == (421, "other_region")
    assert json_of(response)["base_url"] == "https://ne.example.com/api"
    assert world.tenants.rows == {}


async def test_without_the_setting_entra_is_not_asked_again() -> None:
    world = World(settings(entra_on_behalf_of=False))
    await exchange(world)

    assert world.entra.confirmed == []


async def test_more_than_ten_sign_ins_a_minute_are_too_many(world: World) -> None:
    """T-21: the same token, again and again; no second row, and an end to it."""
    answers = [await exchange(world) for _ in range(15)]
    refused = [answer for answer in answers if answer.status_code != 200]

    assert len(refused) == 5
    for answer in refused:
        assert failure_of(answer) == (429, "too_many_requests")
        assert 1 <= int(answer.headers["Retry-After"]) <= 6
    assert len(world.users.rows) == 1
    assert (await exchange(world, "bob")).status_code == 200


async def test_signing_out_ends_every_session_of_the_user_and_nobody_elses(world: World) -> None:
    phone, desk = await world.session_of("alice"), await world.session_of("alice")
    other = await world.session_of("bob")

    response = await call(world.services, "sso_sign_out", token=phone)

    assert (response.status_code, response.get_body()) == (204, b"")
    for token in (phone, desk):
        again = await call(world.services, "salesforce_connections", token=token)
        assert failure_of(again) == (401, "session_expired")
    assert (await call(world.services, "salesforce_connections", token=other)).status_code == 200


async def test_signing_out_twice_says_that_the_session_is_over(world: World) -> None:
    session = await world.session_of("alice")
    await call(world.services, "sso_sign_out", token=session)

    again = await call(world.services, "sso_sign_out", token=session)

    assert failure_of(again) == (401, "session_expired")


async def test_a_session_is_over_after_fifteen_minutes(world: World) -> None:
    session = await world.session_of("alice")
    world.clock.move(minutes=15)

    response = await call(world.services, "flow_list", token=session)

    assert failure_of(response) == (401, "session_expired")


@pytest.mark.parametrize(
    ("where", "method", "failure", "answer"),
    [
        ("users", "end_sessions", errors.StorageFailedError, (502, "storage_failed")),
        ("users", "load", errors.StorageFailedError, (502, "storage_failed")),
        ("tenants", "load", errors.StorageFailedError, (502, "storage_failed")),
    ],
)
async def test_a_sign_out_that_could_not_be_written_is_not_told_as_done(
    world: World,
    where: str,
    method: str,
    failure: Callable[[], FlowRunnerError],
    answer: tuple[int, str],
) -> None:
    session = await world.session_of("alice")
    getattr(world, where).faults.plan(method, failure)

    assert failure_of(await call(world.services, "sso_sign_out", token=session)) == answer
