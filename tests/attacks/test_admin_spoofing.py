"""N-04: an administrator is who the identity provider says is one, and nobody else.

Whatever a caller puts into headers, query, body or the session itself: 403 `not_admin`, or for a
session that was altered 401; and nothing has changed.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from functions.routes import contract
from shared.secret import Secret
from tests.attacks.matrix import Ask, answer_of
from tests.attacks.operations import TABLE
from tests.attacks.people import Scene, set_scene
from tests.attacks.stores import changes, contents

NOT_ADMIN: Final = (403, "not_admin")

FOR_ADMINISTRATORS: Final[Mapping[str, Callable[[Scene], Ask]]] = {
    "run_list": lambda _: Ask(query={"scope": "tenant"}),
    "run_export": lambda _: Ask(),
    "readiness": lambda _: Ask(),
    "tenant_settings_change": TABLE["tenant_settings_change"].own,
    "deletion_request": lambda _: Ask(body={"scope": "tenant"}),
}
"""Each operation that only an administrator may do, asked for as one would."""


def principal(*roles: str) -> str:
    """What App Service's own sign-in would put before us, if it were on; anybody can write it."""
    claims = [{"typ": "roles", "val": role} for role in roles]
    document = {"auth_typ": "aad", "claims": claims, "role_typ": "roles", "userRoles": roles}
    return base64.b64encode(json.dumps(document).encode()).decode()


HEADERS: Final = {
    "nothing": {},
    "principal": {"X-MS-CLIENT-PRINCIPAL": principal("FlowRunner.Admin", "admin")},
    "principal-id": {"X-MS-CLIENT-PRINCIPAL-ID": "0d6f3b1e-5c27-4a98-b3e4-000000000003"},
    "principal-name": {"X-MS-CLIENT-PRINCIPAL-NAME": "admin@contoso.example.com"},
    "function-key": {"x-functions-key": "master"},
    "roles": {"Roles": "FlowRunner.Admin", "X-User-Roles": "FlowRunner.Admin", "wids": "*"},
    "forwarded": {"X-Forwarded-User": "carol", "Forwarded": "for=127.0.0.1;by=admin"},
    "method": {"X-HTTP-Method-Override": "GET", "X-Original-URL": "/admin/host/keys"},
    "origin": {"Origin": "https://addin.example.com"},
    "cookie": {"Cookie": "admin=true; roles=FlowRunner.Admin"},
}
QUERIES: Final = {
    "a-key-of-the-host": {"code": "canary"},
    "roles": {"roles": "FlowRunner.Admin", "is_admin": "true", "admin": "1"},
    "somebody": {"user": "carol", "clientId": "default", "session": "carol"},
}


@pytest.fixture
async def scene() -> Scene:
    return await set_scene()


def test_N04_every_operation_that_can_be_refused_so_is_here() -> None:
    documented = {
        described["operationId"]
        for methods in contract()["paths"].values()
        for described in methods.values()
        if "not_admin" in described["responses"].get("403", {}).get("description", "")
    }

    assert documented - {"deletion_confirm"} == set(FOR_ADMINISTRATORS)


@pytest.mark.parametrize("name", FOR_ADMINISTRATORS)
async def test_N04_an_administrator_may(scene: Scene, name: str) -> None:
    ask = FOR_ADMINISTRATORS[name](scene).giving("token", "", scene.administrator.reveal())

    assert (await ask.sent(scene.world.services, name)).status_code in (200, 201)


@pytest.mark.parametrize("name", FOR_ADMINISTRATORS)
@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS.keys())
async def test_N04_no_header_makes_an_administrator(
    scene: Scene, name: str, headers: Mapping[str, str]
) -> None:
    await _is_refused(scene, name, headers=headers)


@pytest.mark.parametrize("name", FOR_ADMINISTRATORS)
@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
async def test_N04_nothing_in_the_query_makes_an_administrator(
    scene: Scene, name: str, query: Mapping[str, str]
) -> None:
    await _is_refused(scene, name, query=query)


async def _is_refused(
    scene: Scene,
    name: str,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> None:
    ask = FOR_ADMINISTRATORS[name](scene).giving("token", "", scene.alice.session.reveal())
    for given, value in (headers or {}).items():
        ask = ask.giving("header", given, value)
    for given, value in (query or {}).items():
        ask = ask.giving("query", given, value)
    before = contents(scene.world)

    response = await ask.sent(scene.world.services, name)

    assert answer_of(response) == NOT_ADMIN
    assert changes(before, contents(scene.world)) == set()


@pytest.mark.parametrize("member", ["roles", "is_admin", "admin", "wids"])
async def test_N04_nothing_in_the_body_makes_an_administrator(scene: Scene, member: str) -> None:
    for name in ("tenant_settings_change", "deletion_request"):
        ask = FOR_ADMINISTRATORS[name](scene).giving("token", "", scene.alice.session.reveal())
        ask = ask.giving("body", member, "FlowRunner.Admin")
        before = contents(scene.world)

        response = await ask.sent(scene.world.services, name)

        assert answer_of(response) == (400, "invalid_request")
        assert changes(before, contents(scene.world)) == set()


async def test_N04_a_body_at_sign_in_makes_no_administrator(scene: Scene) -> None:
    for member in ("roles", "is_admin", "user"):
        body: dict[str, object] = {"provider": "microsoft", member: ["FlowRunner.Admin"]}
        response = await Ask(token="alice", body=body).sent(scene.world.services, "sso_exchange")

        assert answer_of(response) == (400, "invalid_request")


@pytest.mark.parametrize("name", FOR_ADMINISTRATORS)
async def test_N04_a_session_made_an_administrators_is_none(scene: Scene, name: str) -> None:
    """Its claims altered, with the old signature, with none, and with no algorithm."""
    header, claims, signature = scene.alice.session.reveal().split(".")
    altered = _encoded(_as_administrator(_decoded(claims)))
    assert altered != claims
    unsigned = _encoded({**_decoded(header), "alg": "none"})
    for token in (
        f"{header}.{altered}.{signature}",
        f"{header}.{altered}.",
        f"{unsigned}.{altered}.",
        f"{unsigned}.{altered}.{signature}",
    ):
        ask = FOR_ADMINISTRATORS[name](scene).giving("token", "", token)
        response = await ask.sent(scene.world.services, name)
        assert answer_of(response) == (401, "not_authenticated")


def _as_administrator(claims: dict[str, Any]) -> dict[str, Any]:
    (flag,) = [name for name, value in claims.items() if value is False]
    return {**claims, flag: True}


def _decoded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def _encoded(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


@pytest.mark.parametrize("name", FOR_ADMINISTRATORS)
async def test_N04_an_administrator_elsewhere_is_none_here(scene: Scene, name: str) -> None:
    """What they may do is to their own tenant; nothing of this one is told or changed."""
    grace = await scene.world.session_of("grace")
    before = contents(scene.world)

    ask = FOR_ADMINISTRATORS[name](scene).giving("token", "", grace.reveal())
    response = await ask.sent(scene.world.services, name)

    ours = scene.alice.caller.tenant
    after = contents(scene.world)
    assert [place for place in changes(before, after) if ours in place] == []
    assert ours.encode() not in response.get_body()
    for person in scene.people.values():
        assert person.caller.user.encode() not in response.get_body()


async def test_N04_who_was_one_is_none_with_the_next_sign_in(scene: Scene) -> None:
    people = scene.world.verifier.people
    people["carol"] = people["bob"]
    session: Secret = await scene.world.session_of("carol")

    ask = FOR_ADMINISTRATORS["run_export"](scene).giving("token", "", session.reveal())

    assert answer_of(await ask.sent(scene.world.services, "run_export")) == NOT_ADMIN
