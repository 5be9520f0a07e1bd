"""S-07 and S-08: a session reaches its own user's things, and no token of Salesforce's at all."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import azure.functions as func
import pytest

from functions.routes import contract
from tests.attacks.matrix import Ask, answer_of
from tests.attacks.operations import TABLE
from tests.attacks.people import Scene, Whose, set_scene
from tests.attacks.stores import changes, contents, of_person
from tests.functions.host import call

_TOKEN: Final = re.compile(r"(access|refresh)-token-\d+")
"""Every token that the fake org issues looks like this, and nothing else does."""

_WITH_A_SESSION: Final = [
    described["operationId"]
    for methods in contract()["paths"].values()
    for described in methods.values()
    if described["security"] == [{"session": []}]
]


@pytest.fixture
async def scene() -> Scene:
    return await set_scene()


def dressed_as(ask: Ask, scene: Scene, whose: Whose) -> Ask:
    """The request with another person's ids wherever a careless server might look."""
    person = scene.people[whose]
    tenant, user = person.caller.tenant, person.caller.user
    for name in ("tenant_id", "tenant", "tid", "user_id", "user", "oid", "sub", "session"):
        if name == "user_id" and "user_id" in ask.query:
            continue
        ask = ask.giving("query", name, tenant if name.startswith("t") else user)
    for name, value in {
        "X-Tenant-Id": tenant,
        "X-User-Id": user,
        "X-MS-CLIENT-PRINCIPAL-ID": user,
        "X-Forwarded-User": user,
        "X-Session": person.session.reveal(),
        "Proxy-Authorization": f"Bearer {person.session.reveal()}",
        "Cookie": f"session={person.session.reveal()}; tenant={tenant}",
    }.items():
        ask = ask.giving("header", name, value)
    return ask


def text_of(response: func.HttpResponse) -> str:
    return response.get_body().decode() + json.dumps(dict(response.headers))


@pytest.mark.parametrize("whose", [Whose.COLLEAGUE, Whose.OTHER_TENANT])
@pytest.mark.parametrize("name", [name for name in _WITH_A_SESSION if name != "run_list"])
async def test_S07_ids_of_another_beside_the_session_change_nothing(
    scene: Scene, name: str, whose: Whose
) -> None:
    before = contents(scene.world)
    ask = dressed_as(TABLE[name].own(scene), scene, whose)

    response = await ask.sent(scene.world.services, name)

    after = contents(scene.world)
    person = scene.people[whose]
    assert answer_of(response) == (TABLE[name].status, None)
    assert of_person(person, changes(before, after), before, after) == set()
    if name != "run_export":  # an administrator's, of the whole tenant
        for mark in (person.caller.user, person.org, person.flow, person.deletion.deletion.id):
            assert mark not in text_of(response)
    if whose is Whose.OTHER_TENANT:
        assert person.caller.user not in text_of(response)
        assert person.caller.tenant not in text_of(response)


@pytest.mark.parametrize("whose", [Whose.COLLEAGUE, Whose.OTHER_TENANT])
async def test_S07_of_the_runs_only_ones_own_are_listed(scene: Scene, whose: Whose) -> None:
    """There `user_id` is a parameter, and refused to who is no administrator."""
    ask = dressed_as(TABLE["run_list"].own(scene), scene, whose)
    named = await ask.sent(scene.world.services, "run_list")
    query = {name: value for name, value in ask.query.items() if name != "user_id"}
    response = await Ask(token=ask.token, query=query, header=ask.header).sent(
        scene.world.services, "run_list"
    )

    assert answer_of(named) == (400, "invalid_request")
    runs = json.loads(response.get_body())["runs"]
    assert {run["user_id"] for run in runs} == {scene.alice.caller.user}


@pytest.mark.parametrize("name", ["tenant_id", "user_id", "session", "provider_id"])
async def test_S07_a_body_with_an_id_that_is_not_asked_for_is_refused(
    scene: Scene, name: str
) -> None:
    for operation in _WITH_A_SESSION:
        ask = TABLE[operation].own(scene)
        if ask.body is None:
            continue
        before = contents(scene.world)

        response = await ask.giving("body", name, scene.mallory.caller.user).sent(
            scene.world.services, operation
        )

        assert answer_of(response) == (400, "invalid_request"), operation
        assert changes(before, contents(scene.world)) == set()


async def test_S07_two_sessions_are_none(scene: Scene) -> None:
    """Whichever of the two a server would take, the other is somebody's."""
    both = f"{scene.alice.session.reveal()}, Bearer {scene.mallory.session.reveal()}"
    for name in _WITH_A_SESSION:
        ask = Ask(token=both)
        response = await ask.sent(scene.world.services, name)
        assert answer_of(response) == (401, "not_authenticated"), name


@pytest.mark.parametrize("name", TABLE)
async def test_S08_no_answer_holds_a_token_of_salesforces(scene: Scene, name: str) -> None:
    """One's own, and each that somebody else's or nobody's id gets."""
    operation = TABLE[name]
    asks = [
        (given.asked or operation.own)(scene).giving(
            given.place, given.name, given.of(scene, whose)
        )
        for given in operation.ids
        for whose in Whose
    ]
    answers = [await ask.sent(scene.world.services, name) for ask in [operation.own(scene), *asks]]

    assert [found for one in answers if (found := _TOKEN.search(text_of(one)))] == []


async def test_S08_the_org_did_issue_tokens_and_the_search_knows_them(scene: Scene) -> None:
    world, alice = scene.world, scene.alice
    row = await world.connections.load(alice.caller.tenant, alice.caller.user, alice.org)
    assert row is not None
    grant = await world.grants.open(row.place, row.sealed_grant)

    assert _TOKEN.fullmatch(grant.access_token.reveal())
    assert _TOKEN.fullmatch(grant.refresh_token.reveal())


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize(
    "path",
    [
        "v1/salesforce/token",
        "v1/salesforce/connections/00D5g00000CONTOEA5",
        "v1/salesforce/connections/00D5g00000CONTOEA5/token",
        "v1/me/token",
        "v1/me/data/tokens",
        "v1/sso/session",
        "v1/services/oauth2/token",
    ],
)
async def test_S08_no_guess_of_a_path_is_a_token_broker(
    scene: Scene, method: str, path: str
) -> None:
    response = await call(
        scene.world.services,
        "unmatched",
        method=method,
        token=scene.alice.session,
        route={"path": path},
    )

    assert answer_of(response) in ((404, "not_found"), (405, "method_not_allowed"))
    assert not _TOKEN.search(text_of(response))


def _members(schema: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        for part in schema.values():
            yield from _members(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _members(part)


def test_S08_the_contract_promises_no_token_but_our_own() -> None:
    answers = [
        described["responses"]
        for methods in contract()["paths"].values()
        for described in methods.values()
    ]
    promised = {name for name in _members([answers, contract()["components"]]) if "token" in name}

    assert promised == {"session_token", "token_type", "status_token"}
