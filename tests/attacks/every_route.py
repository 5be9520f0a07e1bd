"""What every route that wants a session answers to one that does not hold."""

import base64
import json
from dataclasses import replace
from typing import Any, Final

from functions.routes import contract
from shared.secret import Secret
from tests.attacks.matrix import Answer, answer_of
from tests.attacks.operations import TABLE
from tests.attacks.people import Scene
from tests.attacks.stores import changes, contents
from tests.fakes import World

WITH_A_SESSION: Final = [
    described["operationId"]
    for methods in contract()["paths"].values()
    for described in methods.values()
    if described["security"] == [{"session": []}]
]
EXPIRED: Final = (401, "session_expired")
REFUSED: Final = (401, "not_authenticated")


async def answers_of_every_route(
    world: World, scene: Scene, session: Secret | str
) -> set[tuple[str, Answer]]:
    """What each answers to this session, asked for alice's own things; and nothing is written."""
    before = contents(world)
    found = set()
    for name in WITH_A_SESSION:
        ask = replace(TABLE[name].own(scene), token=session)
        found.add((name, answer_of(await ask.sent(world.services, name))))
    assert changes(before, contents(world)) == set()
    return found


def every_route(answer: Answer) -> set[tuple[str, Answer]]:
    assert len(WITH_A_SESSION) >= 15
    return {(name, answer) for name in WITH_A_SESSION}


def claims_of(session: Secret) -> dict[str, Any]:
    """What it says, unverified."""
    return _part_of(session, 1)


def head_of(session: Secret) -> dict[str, Any]:
    return _part_of(session, 0)


def _part_of(session: Secret, number: int) -> dict[str, Any]:
    part = session.reveal().split(".")[number]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found
