"""N-04 and N-01 on the tenant's settings: nobody writes them who is no administrator there."""

import base64
import json
from typing import Any, Final

import pytest

from shared.model import TenantSettings
from tests.fakes import World
from tests.fakes.identity import CONTOSO_DIRECTORY, FABRIKAM_DIRECTORY, microsoft_user
from tests.functions.host import call, failure_of

DOCUMENT: Final[dict[str, Any]] = {
    "retention_days": 1,
    "allowed_orgs": [],
    "idle_grants": "lapse",
    "input_aliases": {"Log_Email": {"mine": "sender_email"}},
    "customer_key": None,
}
PRINCIPAL: Final = base64.b64encode(
    json.dumps(
        {
            "auth_typ": "aad",
            "claims": [{"typ": "roles", "val": "FlowRunner.Admin"}],
            "role_typ": "roles",
        }
    ).encode()
).decode()


@pytest.fixture
def world() -> World:
    return World()


async def etag(world: World, name: str) -> str:
    seen = await call(world.services, "tenant_settings", token=await world.session_of(name))
    return str(seen.headers["ETag"])


def unchanged(world: World) -> bool:
    return world.tenants.changes == {} and all(
        tenant.settings == TenantSettings() for tenant in world.tenants.rows.values()
    )


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="a-user"),
        pytest.param({"X-MS-CLIENT-PRINCIPAL": PRINCIPAL}, id="a-principal-of-easy-auth"),
        pytest.param({"X-MS-CLIENT-PRINCIPAL-NAME": "carol@contoso.com"}, id="a-principals-name"),
        pytest.param({"x-functions-key": "master"}, id="a-key-of-the-host"),
        pytest.param({"roles": "FlowRunner.Admin", "wids": "62e90394"}, id="claims-as-headers"),
        pytest.param({"X-Original-URL": "/api/v1/health"}, id="another-address"),
        pytest.param({"X-HTTP-Method-Override": "GET"}, id="another-method"),
        pytest.param({"Cookie": "is_admin=true"}, id="a-cookie"),
    ],
)
@pytest.mark.parametrize("params", [{}, {"code": "master", "is_admin": "true"}], ids=["", "query"])
async def test_N04_no_header_and_no_key_makes_a_user_an_administrator(
    world: World, headers: dict[str, str], params: dict[str, str]
) -> None:
    response = await call(
        world.services,
        "tenant_settings_change",
        token=await world.session_of("alice"),
        headers={"If-Match": await etag(world, "alice"), **headers},
        params=params,
        body=DOCUMENT,
    )

    assert failure_of(response) == (403, "not_admin")
    assert unchanged(world)


@pytest.mark.parametrize(
    "claim", [{"roles": ["FlowRunner.Admin"]}, {"is_admin": True}, {"user": {"is_admin": True}}]
)
async def test_N04_no_claim_in_the_body_does(world: World, claim: dict[str, Any]) -> None:
    response = await call(
        world.services,
        "tenant_settings_change",
        token=await world.session_of("alice"),
        headers={"If-Match": await etag(world, "alice")},
        body=DOCUMENT | claim,
    )

    assert failure_of(response) == (400, "invalid_request")
    assert unchanged(world)


async def test_N04_a_session_that_its_owner_has_edited_opens_nothing(world: World) -> None:
    head, payload, signature = (await world.session_of("alice")).reveal().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    promoted = {name: True if value is False else value for name, value in claims.items()}
    assert promoted != claims  # the claim that says so is there, and was turned
    forged = base64.urlsafe_b64encode(json.dumps(promoted).encode()).decode().rstrip("=")

    response = await call(
        world.services,
        "tenant_settings_change",
        token=f"{head}.{forged}.{signature}",
        headers={"If-Match": await etag(world, "alice")},
        body=DOCUMENT,
    )

    assert failure_of(response) == (401, "not_authenticated")
    assert unchanged(world)


async def test_N04_a_guest_who_is_administrator_at_home_is_none_here(world: World) -> None:
    """The same person with two tokens: each tenant gives its own roles."""
    world.verifier.people["at-home"] = microsoft_user(7, FABRIKAM_DIRECTORY, is_admin=True)
    world.verifier.people["as-a-guest"] = microsoft_user(7, CONTOSO_DIRECTORY)
    host = await world.signed_in("carol")
    home = await world.signed_in("at-home")

    as_guest = await call(
        world.services,
        "tenant_settings_change",
        token=await world.session_of("as-a-guest"),
        headers={"If-Match": await etag(world, "as-a-guest")},
        body=DOCUMENT,
    )
    at_home = await call(
        world.services,
        "tenant_settings_change",
        token=await world.session_of("at-home"),
        headers={"If-Match": await etag(world, "at-home")},
        body=DOCUMENT,
    )

    assert failure_of(as_guest) == (403, "not_admin")
    assert at_home.status_code == 200
    assert world.tenants.rows[host.tenant].settings == TenantSettings()
    assert world.tenants.rows[home.tenant].settings.retention_days == 1


@pytest.mark.parametrize("name", ["tenant", "tenant_id", "tid", "scope", "id"])
async def test_N01_no_parameter_leads_to_another_tenants_settings(world: World, name: str) -> None:
    host = await world.signed_in("carol")
    grace = await world.signed_in("grace")
    before = await etag(world, "grace")

    response = await call(
        world.services,
        "tenant_settings_change",
        token=await world.session_of("grace"),
        headers={"If-Match": before, "X-Tenant": host.tenant},
        params={name: host.tenant},
        route={name: host.tenant},
        body=DOCUMENT,
    )

    assert response.status_code == 200
    assert world.tenants.rows[grace.tenant].settings.retention_days == 1
    assert world.tenants.rows[host.tenant].settings == TenantSettings()


async def test_N04_a_user_does_not_see_whose_key_wraps_or_who_changed_what(world: World) -> None:
    world.key_wrapper.add_customer_key("https://canary-keys.vault.azure.net/keys/canary")
    changed = await call(
        world.services,
        "tenant_settings_change",
        token=await world.session_of("carol"),
        headers={"If-Match": await etag(world, "carol")},
        body=DOCUMENT | {"customer_key": "https://canary-keys.vault.azure.net/keys/canary"},
    )
    assert changed.status_code == 200

    seen = await call(world.services, "tenant_settings", token=await world.session_of("alice"))

    text = seen.get_body().decode()
    assert "canary" not in text
    assert (await world.signed_in("carol")).user not in text
