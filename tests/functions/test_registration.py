"""What the Functions host checks when it indexes the app, checked before it is deployed (X-10)."""

import importlib
import inspect
import pkgutil
import typing
from typing import Final

import azure.functions as func
import pytest

import functions
from functions.routes import contract
from tests.fakes import World
from tests.functions.host import CATCH_ALLS, call, failure_of, registered

ROUTES: Final = {
    # design: function -> methods and path, and who may call it
    "sso_exchange": ("POST", "/v1/sso/exchange", "identity provider token"),
    "sso_sign_out": ("DELETE", "/v1/sso/session", "session"),
    "salesforce_connect": ("POST", "/v1/salesforce/connections", "session"),
    "salesforce_start": ("GET", "/v1/salesforce/start", "ticket"),
    "salesforce_callback": ("GET", "/v1/salesforce/callback", "state"),
    "salesforce_complete": ("POST", "/v1/salesforce/connections/complete", "session"),
    "salesforce_connections": ("GET", "/v1/salesforce/connections", "session"),
    "salesforce_disconnect": ("DELETE", "/v1/salesforce/connections/{org_id}", "session"),
    "flow_list": ("GET", "/v1/flows", "session"),
    "flow_describe": ("GET", "/v1/flows/{flow}", "session"),
    "flow_invoke": ("POST", "/v1/flows/{flow}/runs", "session"),
    "lightning_session": ("POST", "/v1/lightning/session", "session"),
    "run_list": ("GET", "/v1/runs", "session"),
    "run_export": ("GET", "/v1/runs/export", "admin"),
    "my_data": ("GET", "/v1/me/data", "session"),
    "tenant_settings": ("GET", "/v1/tenant/settings", "session"),
    # The table's one row: the host knows a function for each method.
    "tenant_settings_change": ("PUT", "/v1/tenant/settings", "admin"),
    "deletion_request": ("POST", "/v1/deletion-requests", "session"),
    "deletion_confirm": ("POST", "/v1/deletion-requests/{id}/confirm", "session"),
    "deletion_status": ("GET", "/v1/deletion-requests/{id}", "status token"),
    "deletion_receipt": ("GET", "/v1/deletion-requests/{id}/receipt", "status token"),
    "public_keys": ("GET", "/v1/keys", "anyone"),
    "openapi": ("GET", "/v1/openapi.json", "anyone"),
    "health": ("GET", "/v1/health", "anyone"),
    "readiness": ("GET", "/v1/ready", "admin"),
}
"""The contract's table of routes, for those that exist."""

TIMERS: Final = {
    "backup": "0 15 2 * * *",
    "deletion_worker": "0 * * * * *",
    "keep_alive": "0 41 */6 * * *",
    "key_rotation": "0 37 * * * *",
    "retention_cleanup": "0 7 * * * *",
    "revocation_worker": "0 */5 * * * *",
}
"""Every timer, and when it is due (six fields, seconds first)."""

SECURITY: Final[dict[str, list[dict[str, list[str]]]]] = {
    "identity provider token": [{"identityProvider": []}],
    "session": [{"session": []}],
    "admin": [{"session": []}],
    "status token": [{"statusToken": []}],
    "ticket": [],
    "state": [],
    "anyone": [],
}
STRANGERS: Final = {name for name, (_, _, who) in ROUTES.items() if SECURITY[who] == []}
"""Functions that may answer who brings no token; each has a test of what it answers."""


def is_http(function: func.Function) -> bool:
    return function.is_http_function()


def test_no_blueprint_is_forgotten() -> None:
    modules = [
        importlib.import_module(f"functions.{module.name}")
        for module in pkgutil.iter_modules(functions.__path__)
    ]
    assert {m.blueprint for m in modules if hasattr(m, "blueprint")} == set(functions.ALL)
    assert len(functions.ALL) == len(set(functions.ALL))


def test_no_two_functions_share_a_name(world: World) -> None:
    names = [f.get_function_name() for f in functions.create_app(world.services).get_functions()]

    assert len(names) == len({str(name).lower() for name in names})


def test_the_worker_can_bind_every_function(world: World) -> None:
    for name, function in registered(world.services).items():
        handler = function.get_user_function()
        bound = {binding.name for binding in function.get_bindings() if binding.name != "$return"}
        assert set(inspect.signature(handler).parameters) == bound, name
        assert inspect.iscoroutinefunction(handler), name
        assert handler.__name__ == name
        hints = typing.get_type_hints(handler)  # raises if a type is imported for checking only
        assert hints["return"] is (func.HttpResponse if is_http(function) else type(None)), name
        if is_http(function):
            assert hints["req"] is func.HttpRequest, name


def test_the_host_itself_asks_for_no_key(world: World) -> None:
    """Functions verify their callers themselves; a key of the host would be a second, shared one
    (style: keys are not identities)."""
    for name, function in registered(world.services).items():
        if is_http(function):
            assert trigger_of(function)["authLevel"] is func.AuthLevel.ANONYMOUS, name


def test_the_registered_routes_are_the_contracts(world: World) -> None:
    found = {
        name: (",".join(trigger_of(function)["methods"]), f"/{trigger_of(function)['route']}")
        for name, function in registered(world.services).items()
        if is_http(function) and name not in CATCH_ALLS
    }

    assert found == {name: (method, path) for name, (method, path, _) in ROUTES.items()}


def test_the_timers_are_those_and_due_when_they_should_be(world: World) -> None:
    found = {
        name: trigger_of(function)["schedule"]
        for name, function in registered(world.services).items()
        if not is_http(function)
    }

    assert found == TIMERS


def test_the_openapi_document_has_the_same_routes() -> None:
    found = {
        described["operationId"]: (method.upper(), path, described["security"])
        for path, methods in contract()["paths"].items()
        for method, described in methods.items()
    }

    assert found == {
        name: (method, path, SECURITY[who]) for name, (method, path, who) in ROUTES.items()
    }


def test_the_catch_alls_stand_behind_every_route(world: World) -> None:
    for name in CATCH_ALLS:
        assert trigger_of(registered(world.services)[name])["route"] == "{*path}"
    covered = {
        str(method)
        for name in CATCH_ALLS
        for method in trigger_of(registered(world.services)[name])["methods"]
    }
    assert covered == {"OPTIONS", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}


BODIES: Final = {
    "nothing": b"",
    "an-object": {},
    "a-provider": {"provider": "microsoft"},
    "an-abyss": b"[" * 100_000,
    "too-much": b" " * 300_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no-header"),
        pytest.param({"Authorization": ""}, id="an-empty-header"),
        pytest.param({"Authorization": "Bearer"}, id="no-token"),
        pytest.param({"Authorization": "Bearer not.a.token"}, id="no-token-of-ours"),
        pytest.param({"Authorization": "Basic YWxpY2U6eA=="}, id="basic"),
        pytest.param({"X-MS-CLIENT-PRINCIPAL": "eyJ1c2VySWQiOiJhbGljZSJ9"}, id="n04-a-principal"),
        pytest.param({"x-functions-key": "canary"}, id="n04-a-key-of-the-host"),
        pytest.param({"Cookie": "session=canary"}, id="a-cookie"),
        pytest.param({"Origin": "https://addin.example.com"}, id="our-own-origin"),
        pytest.param({"User-Agent": "HealthCheck/1.0"}, id="x08-a-health-probe"),
        pytest.param({"X-Forwarded-For": "127.0.0.1"}, id="from-this-machine"),
    ],
)
async def test_no_function_answers_a_stranger(
    world: World, headers: dict[str, str], body: object
) -> None:
    """Whatever else is wrong with the request: nothing about it is told to a stranger."""
    for name in ROUTES.keys() - STRANGERS:
        response = await call(
            world.services,
            name,
            headers=headers,
            route={"flow": "Log_Email", "org_id": "00D5g00000CONTOEA5"},
            params={"code": "canary", "scope": "tenant", "org_id": "x"},
            # The exchange learns from the body whose token it is; a good one changes nothing.
            body={"provider": "microsoft"} if name == "sso_exchange" else body,
        )
        assert failure_of(response) == (401, "not_authenticated"), name
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_a_session_signs_nobody_in_and_an_identity_token_opens_nothing(world: World) -> None:
    session = await world.session_of("alice")
    exchanged = await call(
        world.services, "sso_exchange", token=session, body={"provider": "microsoft"}
    )
    assert failure_of(exchanged) == (401, "not_authenticated")

    for name in ROUTES.keys() - STRANGERS - {"sso_exchange"}:
        response = await call(world.services, name, token="alice")
        assert failure_of(response) == (401, "not_authenticated"), name


def trigger_of(function: func.Function) -> dict[str, typing.Any]:
    trigger = function.get_trigger()
    assert trigger is not None
    told: dict[str, typing.Any] = trigger.get_dict_repr()
    if "methods" in told:
        told["methods"] = [str(getattr(m, "value", m)) for m in told["methods"]]
    return told
