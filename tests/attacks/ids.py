"""The ids of the IDOR matrix: how one asks for one's own, and which value each kind of id has."""

from collections.abc import Callable
from typing import Final

from shared.tenant_settings import revision_of, settings_members
from tests.attacks.matrix import Ask, Id, Place
from tests.attacks.people import ABSENT_ORG, Person, Scene, Whose, absent_code

GUESSABLE_BY_NOBODY: Final = (
    "a one-time code is 256 random bits: who has somebody else's was given it, and spends it"
)
BY_THE_SESSION: Final = "about the caller, whom the session alone names"
ABSENT_ID: Final = "a" * 26
NO_CODE: Final = "contoso.x"
INVALID: Final = (400, "invalid_request")
NOT_FOUND: Final = (404, "not_found")


def values(
    own: Callable[[Person], str], absent: str | Callable[[Scene], str], malformed: str
) -> Callable[[Scene, Whose], str]:
    """Which value each kind of id has: of the three people, of nobody, and of no form."""

    def of(scene: Scene, whose: Whose) -> str:
        if whose in scene.people:
            return own(scene.people[whose])
        if whose is Whose.MALFORMED:
            return malformed
        return absent if isinstance(absent, str) else absent(scene)

    return of


def session(scene: Scene) -> Ask:
    return Ask(token=scene.alice.session)


def administrator(scene: Scene) -> Ask:
    return Ask(token=scene.administrator)


def code_of_nobody(scene: Scene) -> str:
    return absent_code(scene.alice.caller.tenant)


def org_in(place: Place) -> Id:
    """The org to work in, of the query or of the body."""
    return Id(
        place=place,
        name="org_id",
        of=values(lambda person: person.org, ABSENT_ORG, "00D/../x"),
        refusal=(409, "salesforce_not_connected"),
        malformed=INVALID,
    )


FLOW: Final = Id(
    place="path",
    name="flow",
    of=values(lambda person: person.flow, "No_Such_Flow", "../Log_Email"),
    refusal=NOT_FOUND,
)
DELETION: Final = Id(
    place="path",
    name="id",
    of=values(lambda person: person.deletion.deletion.id, f"d-{ABSENT_ID}", "d-\u00fc/../x"),
    refusal=NOT_FOUND,
)
RECEIPT: Final = Id(
    place="path",
    name="id",
    of=values(lambda person: person.receipted.deletion.id, f"d-{ABSENT_ID}", "d-\u00fc/../x"),
    refusal=NOT_FOUND,
)


def status_token(of_request: Callable[[Person], str]) -> Id:
    return Id(
        place="token",
        name="statusToken",
        of=values(of_request, code_of_nobody, NO_CODE),
        refusal=NOT_FOUND,
        malformed=(401, "not_authenticated"),
    )


def describing(scene: Scene) -> Ask:
    return Ask(token=scene.alice.session, path={"flow": scene.alice.flow})


def invoking(scene: Scene) -> Ask:
    return Ask(token=scene.alice.session, path={"flow": scene.alice.flow}, body={})


def opening_lightning(scene: Scene) -> Ask:
    return Ask(token=scene.alice.session, body={"app_id": "1Us5g000000wXyZCAU"})


def reading_the_tenants_runs(scene: Scene) -> Ask:
    return Ask(token=scene.administrator, query={"scope": "tenant"})


def coming_back(scene: Scene) -> Ask:
    alice = scene.alice
    return Ask(query={"state": alice.state, "code": alice.code}, header={"Cookie": alice.cookie})


def confirming(scene: Scene) -> Ask:
    asked = scene.alice.deletion
    return Ask(
        token=scene.alice.session,
        path={"id": asked.deletion.id},
        body={"confirmation_code": asked.confirmation_code.reveal()},
    )


def asking_how_it_stands(scene: Scene) -> Ask:
    asked = scene.alice.deletion
    return Ask(token=asked.status_token.reveal(), path={"id": asked.deletion.id})


def fetching_the_receipt(scene: Scene) -> Ask:
    asked = scene.alice.receipted
    return Ask(token=asked.status_token.reveal(), path={"id": asked.deletion.id})


def changing_settings(scene: Scene) -> Ask:
    settings = scene.world.tenants.rows[scene.alice.caller.tenant].settings
    return Ask(
        token=scene.administrator,
        header={"If-Match": f'"{revision_of(settings)}"'},
        body=settings_members(settings),
    )


def revision(scene: Scene, whose: Whose) -> str:
    if whose is Whose.MALFORMED:
        return "*"
    tenants = scene.world.tenants.rows
    is_ours = whose in (Whose.OWN, Whose.COLLEAGUE)
    if is_ours or whose is Whose.OTHER_TENANT:
        person = scene.people[whose]
        return f'"{revision_of(tenants[person.caller.tenant].settings)}"'
    return f'"{"0" * 64}"'


def flow_id(scene: Scene, whose: Whose) -> str:
    if whose in scene.people:
        user = scene.people[whose].caller.user
        return next(run.flow_id for run in scene.world.runs.rows.values() if run.user == user)
    return "f-" + ("x" if whose is Whose.MALFORMED else ABSENT_ID)
