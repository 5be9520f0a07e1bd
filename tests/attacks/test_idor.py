"""N-01: no id of somebody else's opens, tells or changes anything.

Generated from the contract: each operation, each id that it takes, and each person's id in turn.
For what is not one's own the answer is that for what does not exist, to the byte but for the
incident; the same calls are made to find that out, in the same order; and nothing is written.
"""

import copy
from typing import Any, Final

import pytest

from functions.routes import contract
from tests.attacks.matrix import Ask, Id, Operation, answer_of, gaps, told
from tests.attacks.operations import TABLE
from tests.attacks.people import Scene, Whose, set_scene
from tests.attacks.stores import changes, contents, counted, of_person

FOREIGN: Final = (Whose.COLLEAGUE, Whose.OTHER_TENANT, Whose.MALFORMED)


def ask_for(scene: Scene, operation: Operation, given: Id, whose: Whose) -> Ask:
    asked = (given.asked or operation.own)(scene)
    return asked.giving(given.place, given.name, given.of(scene, whose))


CASES: Final = [
    pytest.param(name, given, whose, id=f"{name}-{number}-{given.name}-{whose}")
    for name, operation in TABLE.items()
    for number, given in enumerate(operation.ids)
    for whose in FOREIGN
]


def test_N01_every_operation_and_every_parameter_has_its_place_in_the_table() -> None:
    assert gaps(contract(), TABLE) == []


def document_with(path: str, method: str, described: dict[str, Any]) -> dict[str, Any]:
    document = copy.deepcopy(contract())
    document["paths"].setdefault(path, {})[method] = described
    return document


def test_N01_a_new_route_without_an_entry_is_found() -> None:
    described = {"operationId": "run_read", "security": [{"session": []}], "responses": {}}
    document = document_with("/v1/runs/{run_id}", "get", described)

    assert gaps(document, TABLE) == ["GET /v1/runs/{run_id}: run_read has no entry"]


@pytest.mark.parametrize("place", ["path", "query", "header", "cookie"])
def test_N01_a_new_parameter_without_an_entry_is_found(place: str) -> None:
    described = copy.deepcopy(contract()["paths"]["/v1/runs"]["get"])
    described["parameters"].append({"in": place, "name": "team_id", "schema": {"type": "string"}})

    found = gaps(document_with("/v1/runs", "get", described), TABLE)

    assert found == [f"run_list: {place} team_id has no entry"]


def test_N01_a_new_member_of_a_body_without_an_entry_is_found() -> None:
    described = copy.deepcopy(contract()["paths"]["/v1/deletion-requests"]["post"])
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    schema["properties"]["user_id"] = {"type": "string"}

    found = gaps(document_with("/v1/deletion-requests", "post", described), TABLE)

    assert found == ["deletion_request: body user_id has no entry"]


def test_N01_a_new_kind_of_token_without_an_entry_is_found() -> None:
    described = {**contract()["paths"]["/v1/runs"]["get"], "security": [{"shareToken": []}]}

    found = gaps(document_with("/v1/runs", "get", described), TABLE)

    assert found == ["run_list: token shareToken has no entry"]


def test_N01_an_entry_for_what_is_not_there_is_found() -> None:
    document = copy.deepcopy(contract())
    del document["paths"]["/v1/flows/{flow}"]

    assert gaps(document, TABLE) == ["flow_describe: no such operation"]


@pytest.mark.parametrize("name", TABLE)
async def test_N01_ones_own_is_answered(name: str) -> None:
    """Else every refusal below could have another reason."""
    scene = await set_scene()
    operation = TABLE[name]

    response = await operation.own(scene).sent(scene.world.services, name)

    assert answer_of(response) == (operation.status, None)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        pytest.param(name, given, id=f"{name}-{number}-{given.name}")
        for name, operation in TABLE.items()
        for number, given in enumerate(operation.ids)
    ],
)
async def test_N01_each_id_is_read(name: str, given: Id) -> None:
    """With one's own id the answer is another than with one that nobody has."""
    scene = await set_scene()
    refused = await ask_for(scene, TABLE[name], given, Whose.ABSENT).sent(
        scene.world.services, name
    )
    if given.used_up:
        scene = await set_scene()
    answered = await ask_for(scene, TABLE[name], given, Whose.OWN).sent(scene.world.services, name)

    assert answer_of(refused) == given.refusal
    if given.for_nobody:
        assert answer_of(answered) == given.refusal
    elif given.name == "after":  # a place is a moment: what follows it is the same for everybody
        assert answer_of(answered) == (200, None)
    else:
        assert told(answered)[0] != told(refused)[0]


@pytest.mark.parametrize(("name", "given", "whose"), CASES)
async def test_N01_anothers_id_is_answered_like_one_that_nobody_has(
    name: str, given: Id, whose: Whose
) -> None:
    scene = await set_scene()
    services = scene.world.services
    absent = ask_for(scene, TABLE[name], given, Whose.ABSENT)
    foreign = ask_for(scene, TABLE[name], given, whose)
    if not given.writes:  # what is remembered for a while is remembered from now on
        await absent.sent(services, name)

    reference = await absent.sent(services, name)
    answered = await foreign.sent(services, name)

    assert answer_of(reference) == given.refusal
    assert answer_of(answered) == given.answer(whose)
    if given.answer(whose) == given.refusal and whose not in given.differs:
        assert told(answered) == told(reference)


@pytest.mark.parametrize(("name", "given", "whose"), CASES)
async def test_N01_anothers_id_changes_nothing_that_is_theirs(
    name: str, given: Id, whose: Whose
) -> None:
    """And unless the answer says that something was done, nothing at all."""
    scene = await set_scene()
    before = contents(scene.world)

    response = await ask_for(scene, TABLE[name], given, whose).sent(scene.world.services, name)

    after = contents(scene.world)
    changed = changes(before, after)
    if given.used_up:
        changed = {place for place in changed if not place.startswith(("pending.", "login."))}
    for person in (scene.bob, scene.mallory):
        assert of_person(person, changed, before, after) == set()
    if response.status_code >= 400 or not given.writes:
        assert changed == set()


@pytest.mark.parametrize(
    ("name", "given", "whose"),
    [
        case
        for case in CASES
        for given, whose in [case.values[1:]]
        if isinstance(given, Id)
        and not given.used_up
        and whose is not Whose.MALFORMED
        and whose not in given.differs
    ],
)
async def test_N01_the_same_calls_find_out_whatever_is_not_ones_own(
    name: str, given: Id, whose: Whose
) -> None:
    """So what is there and what is not take the same time, as far as it is ours to say."""
    scene = await set_scene()
    absent = ask_for(scene, TABLE[name], given, Whose.ABSENT)
    foreign = ask_for(scene, TABLE[name], given, whose)
    calls = counted(scene.world)
    for ask in (absent, foreign):  # both once: what is remembered is no part of this
        await ask.sent(scene.world.services, name)
    made = []
    for ask in (absent, foreign):
        calls.clear()
        await ask.sent(scene.world.services, name)
        made.append(list(calls))

    assert made[0] == made[1]
    assert made[0] or given.for_nobody  # refused before anything is looked up


async def test_N01_the_comparison_sees_every_store() -> None:
    """In this scene each table holds something, so a change in any of them would be seen."""
    scene = await set_scene()
    found = {place.partition("[")[0] for place in contents(scene.world)}

    assert found >= {
        "tenants.rows",
        "tenants.flow_names",
        "tenant_keys.rows",
        "users.rows",
        "connections.rows",
        "pending.rows",
        "runs.rows",
        "runs.keys",
        "deletions.rows",
        "gates.users",
        "backups.files",
        "flows.received",
        "login.revocations",
    }


@pytest.mark.parametrize("whose", [Whose.COLLEAGUE, Whose.OTHER_TENANT, None])
async def test_N01_another_browsers_cookie_brings_nothing_home(whose: Whose | None) -> None:
    """The cookie is no parameter of the contract, and names a browser all the same."""
    scene = await set_scene()
    ask = TABLE["salesforce_callback"].own(scene)
    cookie = "" if whose is None else scene.people[whose].cookie
    before = contents(scene.world)

    response = await ask.giving("header", "Cookie", cookie).sent(
        scene.world.services, "salesforce_callback"
    )

    assert answer_of(response) == (400, "invalid_state")
    changed = changes(before, contents(scene.world))
    assert len(changed) == 1  # the state is spent
    assert all(place.startswith("pending.rows") for place in changed)
