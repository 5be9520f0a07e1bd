"""The tenant's settings, from request to response, with fakes behind the ports."""

from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest

from functions.routes import contract
from shared import errors
from shared.errors import FlowRunnerError
from shared.model import TenantSettings, TenantStatus
from shared.secret import Secret
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, FakeFlow, World, variable
from tests.functions.host import call, failure_of, json_of
from tests.functions.json_schema import faults

KEY = "https://contoso-keys.vault.azure.net/keys/flowrunner"
DEFAULT: dict[str, Any] = {
    "retention_days": 365,
    "allowed_orgs": [],
    "idle_grants": "lapse",
    "input_aliases": {},
    "customer_key": None,
}


@pytest.fixture
async def carol(world: World) -> Secret:
    """The session token of an administrator."""
    world.key_wrapper.add_customer_key(KEY)
    return await world.session_of("carol")


async def read(world: World, token: Secret) -> func.HttpResponse:
    return await call(world.services, "tenant_settings", token=token)


async def put(
    world: World, token: Secret, body: object, *, if_match: str | None
) -> func.HttpResponse:
    headers = {} if if_match is None else {"If-Match": if_match}
    return await call(
        world.services, "tenant_settings_change", token=token, headers=headers, body=body
    )


async def change(world: World, token: Secret, **changes: Any) -> func.HttpResponse:  # noqa: ANN401
    """What the settings page does: read, then write what was read with a change."""
    seen = await read(world, token)
    document = {name: value for name, value in json_of(seen).items() if name != "changes"}
    return await put(world, token, document | changes, if_match=seen.headers["ETag"])


def stored(world: World) -> TenantSettings:
    (tenant,) = world.tenants.rows.values()
    return tenant.settings


# --- reading ---------------------------------------------------------------------------------


async def test_an_administrator_sees_everything(world: World, carol: Secret) -> None:
    response = await read(world, carol)

    assert response.status_code == 200
    assert json_of(response) == DEFAULT | {"changes": []}
    assert len(response.headers["ETag"]) == 66
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_user_sees_neither_the_key_nor_who_changed_what(
    world: World, carol: Secret, alice: Secret
) -> None:
    await change(world, carol, retention_days=30, customer_key=KEY)

    seen = json_of(await read(world, alice))

    assert seen == {
        "retention_days": 30,
        "allowed_orgs": [],
        "idle_grants": "lapse",
        "input_aliases": {},
    }


# --- changing --------------------------------------------------------------------------------


async def test_an_administrator_changes_all_of_it(world: World, carol: Secret) -> None:
    wanted = {
        "retention_days": 30,
        "allowed_orgs": [CONTOSO_ORG],
        "idle_grants": "keep_alive",
        "input_aliases": {"Log_Email": {"mailTitle": "subject"}},
        "customer_key": KEY,
    }

    response = await change(world, carol, **wanted)

    body = json_of(response)
    assert response.status_code == 200
    assert {name: body[name] for name in wanted} == wanted
    user = (await world.signed_in("carol")).user
    assert body["changes"] == [
        {"changed_at": "2026-01-15T12:00:00.000Z", "changed_by": user, "changed": list(wanted)}
    ]
    again = await read(world, carol)
    assert json_of(again) == body
    assert again.headers["ETag"] == response.headers["ETag"]


async def test_an_answer_may_be_sent_back_with_a_change(world: World, carol: Secret) -> None:
    """As a client does that knows nothing of `changes`; the contract's schema takes it, too."""
    first = await change(world, carol, retention_days=30)
    document = json_of(first) | {"retention_days": 31}
    assert len(document["changes"]) == 1
    schema = {"$ref": "#/components/schemas/TenantSettings"}
    assert faults(document, schema, contract()) == []
    world.clock.move(seconds=1)

    second = await put(world, carol, document, if_match=first.headers["ETag"])

    assert second.status_code == 200
    assert stored(world).retention_days == 31
    assert json_of(second)["changes"][-1] == document["changes"][0]
    assert len(world.tenants.changes) == 2


@pytest.mark.parametrize(
    "changes",
    [
        None,
        "x",
        {"retention_days": 1},
        [{"changed_at": "2020-01-01T00:00:00Z", "changed_by": "u-mallory", "changed": ["x"]}],
    ],
)
async def test_changes_that_are_sent_write_no_history(
    world: World, carol: Secret, changes: object
) -> None:
    seen = await read(world, carol)

    response = await put(
        world, carol, DEFAULT | {"changes": changes}, if_match=seen.headers["ETag"]
    )

    assert response.status_code == 200
    assert json_of(response) == json_of(seen) == DEFAULT | {"changes": []}
    assert world.tenants.changes == {}


async def test_a_change_by_somebody_who_was_deleted_names_nobody(
    world: World, carol: Secret
) -> None:
    await change(world, carol, retention_days=30)
    ((key, row),) = world.tenants.changes.items()
    object.__setattr__(world.tenants.changes[key], "changed_by", "")

    (seen,) = json_of(await read(world, carol))["changes"]

    assert row.changed_by == ""
    assert seen["changed_by"] is None


async def test_an_etag_serves_one_change(world: World, carol: Secret) -> None:
    etag = (await read(world, carol)).headers["ETag"]
    first = await put(world, carol, DEFAULT | {"retention_days": 30}, if_match=etag)

    second = await put(world, carol, DEFAULT | {"retention_days": 31}, if_match=etag)

    assert failure_of(second) == (412, "settings_changed")
    assert stored(world).retention_days == 30
    third = await put(
        world, carol, DEFAULT | {"retention_days": 31}, if_match=first.headers["ETag"]
    )
    assert json_of(third)["retention_days"] == 31


async def test_the_first_etag_is_good_again_when_the_settings_are_as_they_were(
    world: World, carol: Secret
) -> None:
    """It is of the content: who has read this content knows what they change."""
    etag = (await read(world, carol)).headers["ETag"]
    await change(world, carol, retention_days=30)
    await change(world, carol, retention_days=365)

    assert (await read(world, carol)).headers["ETag"] == etag
    assert (await put(world, carol, DEFAULT, if_match=etag)).status_code == 200


@pytest.mark.parametrize("if_match", [None, "", " "])
async def test_a_change_without_a_condition_is_refused(
    world: World, carol: Secret, if_match: str | None
) -> None:
    response = await put(world, carol, DEFAULT | {"retention_days": 30}, if_match=if_match)

    assert failure_of(response) == (428, "if_match_required")
    assert stored(world) == TenantSettings()


@pytest.mark.parametrize(
    "form",
    ["*", "{bare}", '"{bare}', '{bare}"', "'{bare}'", '"{bare}","x"', '"x", "{bare}"',
     '*, "{bare}"', 'w/"{bare}"', '"{bare}" x', '"a b"', '"\u00e4"', '"""', '"{bare}",'],
)  # fmt: skip
async def test_a_condition_of_another_form_is_invalid(
    world: World, carol: Secret, form: str
) -> None:
    """`*` and lists would change what nobody has read."""
    etag = (await read(world, carol)).headers["ETag"]
    if_match = form.replace("{bare}", etag.strip('"'))

    response = await put(world, carol, DEFAULT | {"retention_days": 30}, if_match=if_match)

    assert failure_of(response) == (400, "invalid_request")
    assert stored(world) == TenantSettings()


@pytest.mark.parametrize("form", ['W/"{bare}"', '""', '"{bare}0"', '"x"', 'W/""', '"{upper}"'])
async def test_a_condition_that_does_not_hold_changes_nothing(
    world: World, carol: Secret, form: str
) -> None:
    """A weak tag never holds here (RFC 9110, 13.1.1)."""
    bare = (await read(world, carol)).headers["ETag"].strip('"')
    if_match = form.replace("{bare}", bare).replace("{upper}", bare.upper())

    response = await put(world, carol, DEFAULT | {"retention_days": 30}, if_match=if_match)

    assert failure_of(response) == (412, "settings_changed")
    assert stored(world) == TenantSettings()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing"),
        pytest.param([], id="a-list"),
        pytest.param({"retention_days": 30}, id="one-member"),
        pytest.param(DEFAULT | {"is_admin": True}, id="an-unknown-member"),
        pytest.param(DEFAULT | {"retention_days": True}, id="a-truth-for-a-number"),
        pytest.param(DEFAULT | {"retention_days": 3_651}, id="too-many-days"),
        pytest.param(DEFAULT | {"allowed_orgs": ["00D"]}, id="no-org"),
        pytest.param(DEFAULT | {"customer_key": "https://evil.example.com/keys/k"}, id="no-key"),
        pytest.param(b'{"retention_days": 1, "retention_days": 2}', id="a-member-twice"),
        pytest.param(b"not json", id="no-json"),
    ],
)
async def test_another_document_is_invalid(world: World, carol: Secret, body: object) -> None:
    etag = (await read(world, carol)).headers["ETag"]
    headers = {"If-Match": etag, "Content-Type": "application/json"}

    response = await call(
        world.services, "tenant_settings_change", token=carol, headers=headers, body=body
    )

    assert failure_of(response) == (400, "invalid_request")
    assert stored(world) == TenantSettings()


async def test_a_document_of_another_type_or_size_is_refused(world: World, carol: Secret) -> None:
    for headers, body, answer in (
        ({"Content-Type": "text/plain"}, b"{}", (415, "unsupported_media_type")),
        ({"Content-Type": "application/json"}, b" " * 300_000, (413, "body_too_large")),
    ):
        response = await call(
            world.services,
            "tenant_settings_change",
            token=carol,
            headers={"If-Match": '"x"', **headers},
            body=body,
        )
        assert failure_of(response) == answer


async def test_n04_a_user_changes_nothing(world: World, carol: Secret, alice: Secret) -> None:
    etag = (await read(world, alice)).headers["ETag"]

    response = await put(world, alice, DEFAULT | {"retention_days": 30}, if_match=etag)

    assert failure_of(response) == (403, "not_admin")
    assert stored(world) == TenantSettings()


async def test_a_tenant_that_is_being_deleted_settles_nothing(world: World, carol: Secret) -> None:
    etag = (await read(world, carol)).headers["ETag"]
    (tenant,) = world.tenants.rows
    world.tenants.change(tenant, status=TenantStatus.DELETING)

    response = await put(world, carol, DEFAULT | {"retention_days": 30}, if_match=etag)

    assert failure_of(response) == (409, "deletion_in_progress")


@pytest.mark.parametrize(
    ("where", "method", "failure", "answer"),
    [
        ("tenants", "change_settings", errors.StorageFailedError, (502, "storage_failed")),
        ("tenants", "settings_changes", errors.StorageFailedError, (502, "storage_failed")),
        ("key_wrapper", "wrap", errors.KeyVaultFailedError, (502, "key_vault_failed")),
        ("tenants", "change_settings", RuntimeError, (500, "internal")),
    ],
)
async def test_each_failure_has_its_own_code(
    world: World,
    carol: Secret,
    where: str,
    method: str,
    failure: Callable[[], FlowRunnerError],
    answer: tuple[int, str],
) -> None:
    etag = (await read(world, carol)).headers["ETag"]
    getattr(world, where).faults.plan(method, failure)

    response = await put(world, carol, DEFAULT | {"customer_key": KEY}, if_match=etag)

    assert failure_of(response) == answer


# --- what the settings do to the other functions ------------------------------------------------


@pytest.mark.parametrize("name", ["flow_list", "flow_describe", "flow_invoke"])
async def test_an_org_that_is_not_allowed_any_more_is_not_called(
    world: World, connected: Secret, carol: Secret, name: str
) -> None:
    await change(world, carol, allowed_orgs=[FABRIKAM_ORG])
    fresh = world.another_instance()

    response = await call(
        fresh.services, name, token=connected, route={"flow": "Log_Email"}, body={}
    )

    assert failure_of(response) == (403, "org_not_allowed")
    assert world.flows.received == []


async def test_a_parked_grant_for_it_is_not_completed(
    world: World, carol: Secret, alice: Secret
) -> None:
    completion = await world.consented(await world.signed_in("alice"))
    await change(world, carol, allowed_orgs=[FABRIKAM_ORG])

    response = await call(
        world.services,
        "salesforce_complete",
        token=alice,
        body={"completion": completion.reveal()},
    )

    assert failure_of(response) == (403, "org_not_allowed")


async def test_it_can_still_be_disconnected(world: World, connected: Secret, carol: Secret) -> None:
    await change(world, carol, allowed_orgs=[FABRIKAM_ORG])

    response = await call(
        world.another_instance().services,
        "salesforce_disconnect",
        token=connected,
        route={"org_id": CONTOSO_ORG},
    )

    assert response.status_code == 204
    assert world.connections.rows == {}


async def test_the_description_shows_what_an_alias_sends(
    world: World, connected: Secret, carol: Secret
) -> None:
    world.flows.put(FakeFlow(name="Titled", inputs=(variable("mailTitle"), variable("other"))))
    await change(world, carol, input_aliases={"Titled": {"mail_title": "subject"}})
    route = {"flow": "Titled"}

    shown = await call(world.services, "flow_describe", token=connected, route=route)
    mail = {"subject": "Hello", "sender_email": "canary@example.com"}
    await call(world.services, "flow_invoke", token=connected, route=route, body={"email": mail})

    assert json_of(shown)["email_fields"] == ["subject"]
    assert world.flows.received[-1].inputs == {"mailTitle": "Hello"}
