"""Calls one function as the Functions host would, and holds its answer against the contract."""

import json
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

import azure.functions as func

from functions import create_app
from functions.routes import contract
from shared.secret import Secret
from shared.services import Services
from tests.functions.json_schema import faults

type Json = Any  # what json.loads answers: the test that reads it knows its shape

CATCH_ALLS: Final = frozenset({"cors_preflight", "unmatched"})
"""They answer for every path, so they are no operations of the contract."""

_PROBLEM: Final = "application/problem+json"
_apps: "WeakKeyDictionary[Services, dict[str, func.Function]]" = WeakKeyDictionary()


def registered(services: Services) -> Mapping[str, func.Function]:
    """Every function by its name, as the host would index it; names that collide are refused."""
    if services not in _apps:
        functions = create_app(services).get_functions()
        _apps[services] = {str(function.get_function_name()): function for function in functions}
        assert len(_apps[services]) == len(functions)
    return _apps[services]


async def call(
    services: Services,
    name: str,
    *,
    method: str | None = None,
    token: Secret | str | None = None,
    headers: Mapping[str, str] | None = None,
    route: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    body: object = b"",
) -> func.HttpResponse:
    """The function's answer. `body` is sent as it is if it is bytes, else as JSON.

    The answer must be one that the contract documents for this operation: its status, its media
    type, its schema, and for an error its code.
    """
    is_raw = isinstance(body, bytes)
    sent = {} if is_raw else {"Content-Type": "application/json"}
    if token is not None:
        sent["Authorization"] = f"Bearer {token.reveal() if isinstance(token, Secret) else token}"
    request = func.HttpRequest(
        method=method or _methods(services, name)[0],
        url="https://flowrunner.example.com/api/",
        headers={**sent, **(headers or {})},
        params=dict(params or {}),
        route_params=dict(route or {}),
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
    )
    handler = registered(services)[name].get_user_function()
    response = await handler(request)
    assert isinstance(response, func.HttpResponse)
    if name not in CATCH_ALLS:
        assert contract_faults(name, response) == []
    return response


def json_of(response: func.HttpResponse) -> Json:
    """The parsed body."""
    return json.loads(response.get_body())


def failure_of(response: func.HttpResponse) -> tuple[int, str]:
    """Status and code of a problem document (RFC 9457) of the documented shape."""
    body = json_of(response)
    assert response.mimetype == _PROBLEM
    assert body["type"] == "about:blank"
    assert body["status"] == response.status_code
    assert body["incident"] == response.headers["X-Request-Id"]
    return response.status_code, body["code"]


def operation(name: str) -> tuple[str, str, Mapping[str, Any]]:
    """Path, method and operation object of the contract."""
    (found,) = (
        (path, method.upper(), described)
        for path, methods in contract()["paths"].items()
        for method, described in methods.items()
        if described["operationId"] == name
    )
    return found


def contract_faults(name: str, response: func.HttpResponse) -> list[str]:
    """In what the answer is not one that the contract documents."""
    documented = operation(name)[2]["responses"].get(str(response.status_code))
    if documented is None:
        return [f"{name}: {response.status_code} is not documented: {response.get_body()!r}"]
    contents = documented.get("content")
    if contents is None:
        return ["a body that is not documented"] if response.get_body() else []
    if response.mimetype not in contents:
        return [f"{name}: {response.mimetype} is not documented"]
    if not response.mimetype.endswith(("/json", "+json")):
        return []
    found = faults(json_of(response), contents[response.mimetype]["schema"], contract())
    if response.mimetype == _PROBLEM:
        known = contract()["components"]["schemas"]["Problem"]["properties"]
        found += [f"{name}: {member}" for member in json_of(response) if member not in known]
    return found


def _methods(services: Services, name: str) -> list[str]:
    trigger = registered(services)[name].get_trigger()
    assert trigger is not None
    methods: list[str] = trigger.get_dict_repr()["methods"]
    return [str(getattr(method, "value", method)) for method in methods]
