"""N-01: for every operation of the contract, what a caller could try to get at by an id.

A new operation, or a new parameter of an old one, needs an entry here; `test_idor.py` says so.
"""

from collections.abc import Mapping
from typing import Final

from shared.model import base32
from tests.attacks.ids import (
    ABSENT_ID,
    BY_THE_SESSION,
    DELETION,
    FLOW,
    GUESSABLE_BY_NOBODY,
    INVALID,
    NO_CODE,
    NOT_FOUND,
    RECEIPT,
    administrator,
    asking_how_it_stands,
    changing_settings,
    code_of_nobody,
    coming_back,
    confirming,
    describing,
    fetching_the_receipt,
    flow_id,
    invoking,
    opening_lightning,
    org_in,
    reading_the_tenants_runs,
    revision,
    session,
    status_token,
    values,
)
from tests.attacks.matrix import Ask, Id, Operation
from tests.attacks.people import ABSENT_ORG, Whose

_SETTINGS_OTHERS: Final = {
    "body retention_days": "a number",
    "body allowed_orgs": "orgs that the tenant's users may connect: it only forbids",
    "body idle_grants": "one of two words",
    "body input_aliases": "names of Flows and inputs of the tenant's own orgs; it opens none",
    "body customer_key": "a key in a vault; whether it serves is for the vault's owner to say",
    "body changes": "of an answer that is sent back; nothing in it is looked at",
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
    "sso_sign_out": Operation(own=session, status=204, without_ids=BY_THE_SESSION),
    "salesforce_connect": Operation(
        own=lambda scene: Ask(token=scene.alice.session, body={}),
        status=201,
        others={
            "body login_host": "a host of Salesforce's, from a fixed list",
            "body return_to": "one of the registered addresses",
        },
        without_ids=BY_THE_SESSION,
    ),
    "salesforce_connections": Operation(own=session, status=200, without_ids=BY_THE_SESSION),
    "salesforce_start": Operation(
        own=lambda scene: Ask(query={"ticket": scene.alice.ticket}),
        status=302,
        ids=(
            Id(
                place="query",
                name="ticket",
                of=values(lambda person: person.ticket, code_of_nobody, NO_CODE),
                refusal=(400, "invalid_state"),
                differs={Whose.COLLEAGUE: (302, None), Whose.OTHER_TENANT: (302, None)},
                used_up=True,
                writes=True,
                why="no session is asked for; what comes of a ticket, its owner alone can complete",
            ),
        ),
    ),
    "salesforce_callback": Operation(
        own=coming_back,
        status=200,
        ids=(
            Id(
                place="query",
                name="state",
                of=values(lambda person: person.state, code_of_nobody, NO_CODE),
                refusal=(400, "invalid_state"),
                used_up=True,
                why=GUESSABLE_BY_NOBODY,
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
                of=values(lambda person: person.completion, code_of_nobody, NO_CODE),
                refusal=(400, "invalid_state"),
                differs={
                    Whose.COLLEAGUE: (403, "completion_not_yours"),
                    Whose.OTHER_TENANT: (403, "completion_not_yours"),
                },
                used_up=True,
                why="consent was handed over: the grant is revoked, and the caller told so; "
                + GUESSABLE_BY_NOBODY,
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
                refusal=NOT_FOUND,
            ),
        ),
    ),
    "flow_list": Operation(own=session, status=200, ids=(org_in("query"),)),
    "flow_describe": Operation(own=describing, status=200, ids=(FLOW, org_in("query"))),
    "flow_invoke": Operation(
        own=invoking,
        status=200,
        ids=(
            FLOW,
            org_in("body"),
            Id(
                place="header",
                name="Idempotency-Key",
                of=values(lambda person: person.key, "key-of-nobody", "k" * 129),
                refusal=(200, None),
                malformed=INVALID,
                writes=True,
                asked=invoking,
                why="keys are each user's own: another's is a new one, so the Flow runs",
            ),
        ),
        others={
            "body email": "fields of a mail; those that the Flow declares leave, and no others",
            "body inputs": "record ids among them; the org decides under the caller's own grant",
        },
    ),
    "lightning_session": Operation(
        own=opening_lightning,
        status=200,
        ids=(org_in("body"),),
        others={
            "body app_id": "an app of the caller's own org, which decides; it opens none elsewhere",
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
                malformed=INVALID,
            ),
            Id(
                place="query",
                name="user_id",
                of=values(lambda person: person.caller.user, f"u-{ABSENT_ID}", "u-x"),
                refusal=(200, None),
                malformed=INVALID,
                differs={Whose.COLLEAGUE: (200, None)},
                asked=reading_the_tenants_runs,
                why="an administrator sees the tenant's runs",
            ),
            Id(
                place="query",
                name="user_id",
                of=values(lambda person: person.caller.user, f"u-{ABSENT_ID}", "u-x"),
                refusal=INVALID,
                for_nobody=True,
            ),
            Id(
                place="query",
                name="flow_id",
                of=flow_id,
                refusal=(200, None),
                malformed=INVALID,
            ),
            Id(
                place="query",
                name="org_id",
                of=values(lambda person: person.org, ABSENT_ORG, "00D/../x"),
                refusal=(200, None),
                malformed=INVALID,
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
        own=changing_settings,
        status=200,
        ids=(
            Id(
                place="header",
                name="If-Match",
                of=revision,
                refusal=(412, "settings_changed"),
                malformed=INVALID,
                differs={Whose.COLLEAGUE: (200, None)},
                why="a revision is a hash of the settings, which colleagues share",
            ),
        ),
        others=_SETTINGS_OTHERS,
    ),
    "my_data": Operation(own=session, status=200, without_ids=BY_THE_SESSION),
    "deletion_request": Operation(
        own=lambda scene: Ask(token=scene.alice.session, body={"scope": "user"}),
        status=201,
        others={"body scope": "one of two words; `tenant` is for administrators (N-04)"},
        without_ids=BY_THE_SESSION,
    ),
    "deletion_confirm": Operation(
        own=confirming,
        status=202,
        ids=(
            DELETION,
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
        own=asking_how_it_stands,
        status=200,
        ids=(DELETION, status_token(lambda person: person.deletion.status_token.reveal())),
    ),
    "deletion_receipt": Operation(
        own=fetching_the_receipt,
        status=200,
        ids=(RECEIPT, status_token(lambda person: person.receipted.status_token.reveal())),
    ),
    "public_keys": Operation(own=lambda _: Ask(), status=200, without_ids="the same for everybody"),
    "openapi": Operation(own=lambda _: Ask(), status=200, without_ids="the same for everybody"),
    "readiness": Operation(
        own=administrator,
        status=200,
        without_ids="about the deployment, and the same for every administrator",
    ),
    "health": Operation(own=lambda _: Ask(), status=200, without_ids="the same for everybody"),
}
