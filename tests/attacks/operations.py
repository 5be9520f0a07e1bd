"""N-01: for every operation of the contract, what a caller could try to get at by an id.

A new operation, or a new parameter of an old one, needs an entry here; `test_idor.py` says so.
"""

from collections.abc import Callable, Mapping
from typing import Final

from shared.model import base32
from shared.tenant_settings import revision_of, settings_members
from tests.attacks.matrix import Ask, Id, Operation
from tests.attacks.people import ABSENT_ORG, Person, Scene, Whose, absent_code

_GUESSABLE_BY_NOBODY: Final = (
    "a one-time code is 256 random bits: who has somebody else's was given it, and spends it"
)
_BY_THE_SESSION: Final = "about the caller, whom the session alone names"
_ABSENT_ID: Final = "a" * 26
_NO_CODE: Final = "contoso.x"
_INVALID: Final = (400, "invalid_request")
_NOT_FOUND: Final = (404, "not_found")


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


def _absent_code(scene: Scene) -> str:
    return absent_code(scene.alice.caller.tenant)


def _absent_org_id(place: str) -> Id:
    """The org to work in, of the query or of the body."""
    return Id(
        place="query" if place == "query" else "body",
        name="org_id",
        of=values(lambda person: person.org, ABSENT_ORG, "00D/../x"),
        refusal=(409, "salesforce_not_connected"),
        malformed=_INVALID,
    )


_FLOW: Final = Id(
    place="path",
    name="flow",
    of=values(lambda person: person.flow, "No_Such_Flow", "../Log_Email"),
    refusal=_NOT_FOUND,
)
_DELETION: Final = Id(
    place="path",
    name="id",
    of=values(lambda person: person.deletion.deletion.id, f"d-{_ABSENT_ID}", "d-\u00fc/../x"),
    refusal=_NOT_FOUND,
)
_RECEIPT: Final = Id(
    place="path",
    name="id",
    of=values(lambda person: person.receipted.deletion.id, f"d-{_ABSENT_ID}", "d-\u00fc/../x"),
    refusal=_NOT_FOUND,
)


def _status_token(of_request: Callable[[Person], str]) -> Id:
    return Id(
        place="token",
        name="statusToken",
        of=values(of_request, _absent_code, _NO_CODE),
        refusal=_NOT_FOUND,
        malformed=(401, "not_authenticated"),
    )


def _describe(scene: Scene) -> Ask:
    return Ask(token=scene.alice.session, path={"flow": scene.alice.flow})


def _invoke(scene: Scene) -> Ask:
    return Ask(token=scene.alice.session, path={"flow": scene.alice.flow}, body={})


def _invoke_as_before(scene: Scene) -> Ask:
    return _invoke(scene).giving("header", "Idempotency-Key", scene.alice.key)


def _tenants_runs(scene: Scene) -> Ask:
    return Ask(token=scene.administrator, query={"scope": "tenant"})


def _callback(scene: Scene) -> Ask:
    alice = scene.alice
    return Ask(query={"state": alice.state, "code": alice.code}, header={"Cookie": alice.cookie})


def _confirm(scene: Scene) -> Ask:
    asked = scene.alice.deletion
    return Ask(
        token=scene.alice.session,
        path={"id": asked.deletion.id},
        body={"confirmation_code": asked.confirmation_code.reveal()},
    )


def _status(scene: Scene) -> Ask:
    asked = scene.alice.deletion
    return Ask(token=asked.status_token.reveal(), path={"id": asked.deletion.id})


def _receipt(scene: Scene) -> Ask:
    asked = scene.alice.receipted
    return Ask(token=asked.status_token.reveal(), path={"id": asked.deletion.id})


def _settings(scene: Scene) -> Ask:
    settings = scene.world.tenants.rows[scene.alice.caller.tenant].settings
    return Ask(
        token=scene.administrator,
        header={"If-Match": f'"{revision_of(settings)}"'},
        body=settings_members(settings),
    )


def _revision(scene: Scene, whose: Whose) -> str:
    if whose is Whose.MALFORMED:
        return "*"
    tenants = scene.world.tenants.rows
    is_ours = whose in (Whose.OWN, Whose.COLLEAGUE)
    if is_ours or whose is Whose.OTHER_TENANT:
        person = scene.people[whose]
        return f'"{revision_of(tenants[person.caller.tenant].settings)}"'
    return f'"{"0" * 64}"'


def _flow_id(scene: Scene, whose: Whose) -> str:
    if whose in scene.people:
        user = scene.people[whose].caller.user
        return next(run.flow_id for run in scene.world.runs.rows.values() if run.user == user)
    return "f-" + ("x" if whose is Whose.MALFORMED else _ABSENT_ID)


_SETTINGS_OTHERS: Final = {
    "body retention_days": "a number",
    "body allowed_orgs": "orgs that the tenant's users may connect: it only forbids",
    "body idle_grants": "one of two words",
    "body input_aliases": "names of Flows and inputs of the tenant's own orgs; it opens none",
    "body customer_key": "a key in a vault; whether it serves is for the vault's owner to say",
}
_RUN_LIST_OTHERS: Final = {
    "query scope": "one of two words; `tenant` is for administrators (N-04)",
    "query limit": "a number",
    "query from": "a time",
    "query to": "a time",
    "query outcome": "one of a few words",
}

TABLE: Final[Mapping[str, Operation]] = {
    "sso_exchange": Operation(
        own=lambda scene: Ask(token=scene.alice.name, body={"provider": "microsoft"}),
        status=200,
        others={"body provider": "one of two words"},
        without_ids="the identity provider's token says who it is, and proves it",
    ),
    "sso_sign_out": Operation(own=session, status=204, without_ids=_BY_THE_SESSION),
    "salesforce_connect": Operation(
        own=lambda scene: Ask(token=scene.alice.session, body={}),
        status=201,
        others={
            "body login_host": "a host of Salesforce's, from a fixed list",
            "body return_to": "one of the registered addresses",
        },
        without_ids=_BY_THE_SESSION,
    ),
    "salesforce_connections": Operation(own=session, status=200, without_ids=_BY_THE_SESSION),
    "salesforce_start": Operation(
        own=lambda scene: Ask(query={"ticket": scene.alice.ticket}),
        status=302,
        ids=(
            Id(
                place="query",
                name="ticket",
                of=values(lambda person: person.ticket, _absent_code, _NO_CODE),
                refusal=(400, "invalid_state"),
                differs={Whose.COLLEAGUE: (302, None), Whose.OTHER_TENANT: (302, None)},
                used_up=True,
                writes=True,
                why="no session is asked for; what comes of a ticket, its owner alone can complete",
            ),
        ),
    ),
    "salesforce_callback": Operation(
        own=_callback,
        status=200,
        ids=(
            Id(
                place="query",
                name="state",
                of=values(lambda person: person.state, _absent_code, _NO_CODE),
                refusal=(400, "invalid_state"),
                used_up=True,
                why=_GUESSABLE_BY_NOBODY,
            ),
            Id(
                place="query",
                name="code",
                of=values(lambda person: person.code, "code-0", "code\u00fc"),
                refusal=(400, "invalid_state"),
                used_up=True,
                why="the state is spent, whatever code comes with it (RFC 6749, 4.1.2)",
            ),
        ),
        others={
            "query error": "a word of Salesforce's; any means no",
            "query error_description": "not read",
        },
    ),
    "salesforce_complete": Operation(
        own=lambda scene: Ask(
            token=scene.alice.session, body={"completion": scene.alice.completion}
        ),
        status=200,
        ids=(
            Id(
                place="body",
                name="completion",
                of=values(lambda person: person.completion, _absent_code, _NO_CODE),
                refusal=(400, "invalid_state"),
                differs={
                    Whose.COLLEAGUE: (403, "completion_not_yours"),
                    Whose.OTHER_TENANT: (403, "completion_not_yours"),
                },
                used_up=True,
                why="consent was handed over: the grant is revoked, and the caller told so; "
                + _GUESSABLE_BY_NOBODY,
            ),
        ),
    ),
    "salesforce_disconnect": Operation(
        own=lambda scene: Ask(token=scene.alice.session, path={"org_id": scene.alice.org}),
        status=204,
        ids=(
            Id(
                place="path",
                name="org_id",
                of=values(lambda person: person.org, ABSENT_ORG, "00D/../x"),
                refusal=_NOT_FOUND,
            ),
        ),
    ),
    "flow_list": Operation(own=session, status=200, ids=(_absent_org_id("query"),)),
    "flow_describe": Operation(own=_describe, status=200, ids=(_FLOW, _absent_org_id("query"))),
    "flow_invoke": Operation(
        own=_invoke,
        status=200,
        ids=(
            _FLOW,
            _absent_org_id("body"),
            Id(
                place="header",
                name="Idempotency-Key",
                of=values(lambda person: person.key, "key-of-nobody", "k" * 129),
                refusal=(200, None),
                malformed=_INVALID,
                writes=True,
                asked=_invoke,
                why="keys are each user's own: another's is a new one, so the Flow runs",
            ),
        ),
        others={
            "body email": "fields of a mail; those that the Flow declares leave, and no others",
            "body inputs": "record ids among them; the org decides under the caller's own grant",
        },
    ),
    "run_list": Operation(
        own=session,
        status=200,
        ids=(
            Id(
                place="query",
                name="after",
                of=values(
                    lambda person: person.place, lambda scene: scene.absent_place, "' or 1 eq 1"
                ),
                refusal=(200, None),
                malformed=_INVALID,
            ),
            Id(
                place="query",
                name="user_id",
                of=values(lambda person: person.caller.user, f"u-{_ABSENT_ID}", "u-x"),
                refusal=(200, None),
                malformed=_INVALID,
                differs={Whose.COLLEAGUE: (200, None)},
                asked=_tenants_runs,
                why="an administrator sees the tenant's runs",
            ),
            Id(
                place="query",
                name="user_id",
                of=values(lambda person: person.caller.user, f"u-{_ABSENT_ID}", "u-x"),
                refusal=_INVALID,
                for_nobody=True,
            ),
            Id(
                place="query",
                name="flow_id",
                of=_flow_id,
                refusal=(200, None),
                malformed=_INVALID,
            ),
            Id(
                place="query",
                name="org_id",
                of=values(lambda person: person.org, ABSENT_ORG, "00D/../x"),
                refusal=(200, None),
                malformed=_INVALID,
            ),
        ),
        others=_RUN_LIST_OTHERS,
    ),
    "run_export": Operation(
        own=administrator,
        status=200,
        others={
            "query from": "a time",
            "query to": "a time",
            "header Accept": "a media type",
            "header Accept-Encoding": "an encoding",
        },
        without_ids="of the caller's tenant, which the session alone names",
    ),
    "tenant_settings": Operation(
        own=session, status=200, without_ids="of the tenant that the session alone names"
    ),
    "tenant_settings_change": Operation(
        own=_settings,
        status=200,
        ids=(
            Id(
                place="header",
                name="If-Match",
                of=_revision,
                refusal=(412, "settings_changed"),
                malformed=_INVALID,
                differs={Whose.COLLEAGUE: (200, None)},
                why="a revision is a hash of the settings, which colleagues share",
            ),
        ),
        others=_SETTINGS_OTHERS,
    ),
    "my_data": Operation(own=session, status=200, without_ids=_BY_THE_SESSION),
    "deletion_request": Operation(
        own=lambda scene: Ask(token=scene.alice.session, body={"scope": "user"}),
        status=201,
        others={"body scope": "one of two words; `tenant` is for administrators (N-04)"},
        without_ids=_BY_THE_SESSION,
    ),
    "deletion_confirm": Operation(
        own=_confirm,
        status=202,
        ids=(
            _DELETION,
            Id(
                place="body",
                name="confirmation_code",
                of=values(
                    lambda person: person.deletion.confirmation_code.reveal(),
                    base32(b"0123456789"),
                    "\u00fc",
                ),
                refusal=(403, "confirmation_required"),
            ),
        ),
    ),
    "deletion_status": Operation(
        own=_status,
        status=200,
        ids=(_DELETION, _status_token(lambda person: person.deletion.status_token.reveal())),
    ),
    "deletion_receipt": Operation(
        own=_receipt,
        status=200,
        ids=(_RECEIPT, _status_token(lambda person: person.receipted.status_token.reveal())),
    ),
    "public_keys": Operation(own=lambda _: Ask(), status=200, without_ids="the same for everybody"),
    "openapi": Operation(own=lambda _: Ask(), status=200, without_ids="the same for everybody"),
    "health": Operation(own=lambda _: Ask(), status=200, without_ids="the same for everybody"),
}
