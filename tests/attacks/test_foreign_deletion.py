"""N-02: nobody is forgotten because somebody else wanted it.

Ids of another tenant are put wherever a deletion takes something: path, body, header, status token,
receipt; and a confirmation is used again. The answer is a refusal, and nothing has changed.
"""

from typing import Final

import pytest

from shared.model import DeletionScope, DeletionState
from shared.secret import Secret
from shared.usecases.request_deletion import DeletionAsked
from tests.attacks.matrix import Ask, answer_of
from tests.attacks.people import Scene, set_scene
from tests.attacks.stores import changes, contents, of_person
from tests.functions.host import json_of

NOT_FOUND: Final = (404, "not_found")
NOT_ADMIN: Final = (403, "not_admin")


@pytest.fixture
async def scene() -> Scene:
    return await set_scene()


@pytest.fixture
async def grace(scene: Scene) -> Secret:
    """The session of an administrator of another tenant, of a Google Workspace."""
    return await scene.world.session_of("grace")


@pytest.fixture
async def of_contoso(scene: Scene) -> DeletionAsked:
    """Contoso's administrator has asked for the deletion of the whole tenant."""
    caller = await scene.world.signed_in("carol")
    return await scene.world.services.request_deletion(caller, DeletionScope.TENANT)


def confirming(session: Secret, asked: DeletionAsked) -> Ask:
    """With the right id and the right code: all of it was stolen, but for the session."""
    return Ask(
        token=session,
        path={"id": asked.deletion.id},
        body={"confirmation_code": asked.confirmation_code.reveal()},
    )


async def test_N02_another_tenants_administrator_cannot_confirm_with_everything_stolen(
    scene: Scene, grace: Secret, of_contoso: DeletionAsked
) -> None:
    before = contents(scene.world)

    response = await confirming(grace, of_contoso).sent(scene.world.services, "deletion_confirm")

    assert answer_of(response) == NOT_FOUND
    assert changes(before, contents(scene.world)) == set()


@pytest.mark.parametrize("who", ["colleague", "administrator", "elsewhere"])
async def test_N02_nobody_else_confirms_a_users_deletion(scene: Scene, who: str) -> None:
    """Not even an administrator: who asked is who confirms."""
    session = {
        "colleague": scene.bob.session,
        "administrator": scene.administrator,
        "elsewhere": scene.mallory.session,
    }[who]
    before = contents(scene.world)

    asked = confirming(session, scene.alice.deletion)
    response = await asked.sent(scene.world.services, "deletion_confirm")

    assert answer_of(response) == NOT_FOUND
    assert changes(before, contents(scene.world)) == set()


@pytest.mark.parametrize("name", ["tenant", "tenant_id", "user", "user_id", "subject", "id"])
async def test_N02_a_body_that_names_somebody_is_refused(
    scene: Scene, grace: Secret, name: str
) -> None:
    before = contents(scene.world)
    body: dict[str, object] = {"scope": "tenant", name: scene.alice.caller.tenant}

    response = await Ask(token=grace, body=body).sent(scene.world.services, "deletion_request")

    assert answer_of(response) == (400, "invalid_request")
    assert changes(before, contents(scene.world)) == set()


@pytest.mark.parametrize(
    "header",
    [
        "X-Tenant-Id",
        "X-MS-Tenant-Id",
        "X-MS-CLIENT-PRINCIPAL-ID",
        "X-MS-TOKEN-AAD-ID-TOKEN",
        "X-Forwarded-User",
        "X-Original-URL",
        "Cookie",
    ],
)
async def test_N02_a_header_that_names_another_tenant_deletes_ones_own_alone(
    scene: Scene, grace: Secret, header: str
) -> None:
    own = (await scene.world.signed_in("grace")).tenant
    before = contents(scene.world)
    ask = Ask(
        token=grace,
        query={"tenant_id": scene.alice.caller.tenant, "user_id": scene.alice.caller.user},
        header={header: f"tenant={scene.alice.caller.tenant}"},
        body={"scope": "tenant"},
    )

    response = await ask.sent(scene.world.services, "deletion_request")

    assert answer_of(response) == (201, None)
    (made,) = changes(before, contents(scene.world))
    assert made == f"deletions.rows[{(own, json_of(response)['id'])}]"


async def test_N02_a_request_of_ones_own_does_not_confirm_another(
    scene: Scene, grace: Secret, of_contoso: DeletionAsked
) -> None:
    """Each part that there is of one's own, with the rest of another's."""
    services = scene.world.services
    caller = await scene.world.signed_in("grace")
    mine = await services.request_deletion(caller, DeletionScope.TENANT)
    before = contents(scene.world)

    own_code = confirming(grace, mine).giving("path", "id", of_contoso.deletion.id)
    stolen_code = confirming(grace, of_contoso).giving("path", "id", mine.deletion.id)

    assert answer_of(await own_code.sent(services, "deletion_confirm")) == NOT_FOUND
    refused = await stolen_code.sent(services, "deletion_confirm")
    assert answer_of(refused) == (403, "confirmation_required")
    assert changes(before, contents(scene.world)) == set()


async def test_N02_a_confirmation_serves_once(scene: Scene) -> None:
    """Not a second time; not after the account was made anew; not as another request's code."""
    services, alice = scene.world.services, scene.alice
    asked = confirming(alice.session, alice.deletion)
    assert answer_of(await asked.sent(services, "deletion_confirm")) == (202, None)
    replayed = await asked.sent(services, "deletion_confirm")
    assert answer_of(replayed) == (401, "session_expired")

    while not await _is_receipted(scene):
        scene.world.clock.move(minutes=1)
    anew = await scene.world.sign_in("alice")
    again = await services.request_deletion(anew.caller, DeletionScope.USER)
    before = contents(scene.world)
    late = confirming(anew.session, alice.deletion)
    crossed = late.giving("path", "id", again.deletion.id)

    assert answer_of(await late.sent(services, "deletion_confirm")) == NOT_FOUND
    refused = await crossed.sent(services, "deletion_confirm")
    assert answer_of(refused) == (403, "confirmation_required")
    assert changes(before, contents(scene.world)) == set()


async def _is_receipted(scene: Scene) -> bool:
    await scene.world.services.work_off_deletions()
    alice = scene.alice
    row = scene.world.deletions.rows[alice.caller.tenant, alice.deletion.deletion.id]
    return row.state is DeletionState.RECEIPTED


@pytest.mark.parametrize("name", ["deletion_status", "deletion_receipt"])
async def test_N02_a_receipt_opens_nothing(scene: Scene, name: str) -> None:
    """It is public proof. Neither it nor the parts of it pass for a status token or a session."""
    services, world = scene.world.services, scene.world
    mallory = scene.mallory
    receipt = world.deletions.rows[mallory.caller.tenant, mallory.receipted.deletion.id].receipt
    assert receipt is not None
    for token in (receipt, receipt.replace(".", "~"), mallory.receipted.deletion.id):
        ask = Ask(token=token, path={"id": mallory.receipted.deletion.id})
        assert answer_of(await ask.sent(services, name)) == (401, "not_authenticated")
        session = await Ask(token=token).sent(services, "run_list")
        assert answer_of(session) == (401, "not_authenticated")


async def test_N02_deleting_a_tenant_touches_no_other(
    scene: Scene, of_contoso: DeletionAsked
) -> None:
    """The deletion that its own administrator confirmed, carried out to the end."""
    world = scene.world
    carol = await world.session_of("carol")
    before = contents(world)
    response = await confirming(carol, of_contoso).sent(world.services, "deletion_confirm")
    assert answer_of(response) == (202, None)
    for _ in range(5):
        await world.services.work_off_deletions()
        world.clock.move(minutes=1)

    after = contents(world)
    changed = changes(before, after)
    done = world.deletions.rows[scene.alice.caller.tenant, of_contoso.deletion.id]
    assert done.state is DeletionState.RECEIPTED
    assert of_person(scene.alice, changed, before, after) != set()
    assert of_person(scene.mallory, changed, before, after) == set()
