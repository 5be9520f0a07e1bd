"""On behalf of: the real msal, against the Entra simulator and against servers that misbehave."""

import asyncio
import base64
import json
from contextlib import closing
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qs

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from functions.boundary import _headers_of
from local import scene
from shared.errors import (
    IdentityProviderFailedError,
    InteractionRequiredError,
    NotAuthenticatedError,
)
from shared.model import Identity
from shared.network import Network
from shared.secret import Secret
from tests.identity.entra_upstream import (
    GRANTED,
    Made,
    by_user,
    entra_answering,
    person,
    user_token,
)
from tests.identity.tokens import OTHER_TENANT, TENANT, USER
from tests.simulators.serving import Served
from tests.upstream import (
    Answer,
    Upstream,
    answering,
    answering_json,
    dropping,
    page,
    redirecting,
    upstream,
)

CHALLENGE: Final = (
    '{"access_token":{"polids":{"essential":true,'
    '"values":["9ab03e19-ed42-4168-b6b7-7001fb3e933a"]}},  "Ü":"\\u00e9"}'
)
IDENTITY: Final = Identity(provider="microsoft", directory=TENANT, subject=USER, is_admin=False)


# --- against the simulator -----------------------------------------------------------------------


async def test_a_user_in_good_standing_is_confirmed(
    entra: tuple[Served, Network], make: Made
) -> None:
    served, network = entra
    on_behalf_of = make(network)

    await on_behalf_of.confirm(IDENTITY, user_token(served))
    await on_behalf_of.confirm(IDENTITY, user_token(served))

    calls = served.control_get("/_sim/entra/ledger")["calls"]
    assert calls["POST /{tenant}/oauth2/v2.0/token"] == 2  # asked each time, never from memory


async def test_many_users_at_once_are_confirmed(entra: tuple[Served, Network], make: Made) -> None:
    served, network = entra
    on_behalf_of = make(network)
    users = [f"8e4d1a72-95c3-4f0b-b6d8-{number:012d}" for number in range(20)]

    await asyncio.gather(
        *(
            on_behalf_of.confirm(replace(IDENTITY, subject=oid), user_token(served, oid=oid))
            for oid in users
        )
    )


async def test_a_challenge_reaches_the_caller_byte_for_byte(
    entra: tuple[Served, Network], make: Made
) -> None:
    served, network = entra
    order = {"error": "interaction_required", "suberror": "basic_action", "claims": CHALLENGE}
    served.control_post("/_sim/entra/obo", {**order, "error_codes": [50_079]})

    with pytest.raises(InteractionRequiredError) as wanted:
        await make(network).confirm(IDENTITY, user_token(served))

    assert wanted.value.encoded_claims is not None
    assert base64.b64decode(wanted.value.encoded_claims, validate=True) == CHALLENGE.encode()
    assert wanted.value.members() == {"claims": wanted.value.encoded_claims}


@pytest.mark.parametrize("challenge", ["x" * 6_000, "\u20ac" * 2_000], ids=["ascii", "utf-8"])
async def test_the_longest_challenge_that_a_header_has_room_for_reaches_the_caller(
    misbehaving: Upstream, make: Made, challenge: str
) -> None:
    order = {"error": "interaction_required", "claims": challenge}
    misbehaving.answer = entra_answering(answering_json(order, status=400))

    with pytest.raises(InteractionRequiredError) as wanted:
        await make(misbehaving.network).confirm(IDENTITY, Secret("alice"))

    assert base64.b64decode(wanted.value.encoded_claims or "") == challenge.encode()
    (header,) = _headers_of(wanted.value).items()
    assert len(": ".join(header)) <= 8_190, "what aiohttp reads of a line, and nginx passes on"


async def test_the_user_who_met_the_challenge_is_confirmed_at_once(
    entra: tuple[Served, Network], make: Made
) -> None:
    """msal by itself would replay the refusal of an identical request for a minute."""
    served, network = entra
    on_behalf_of, token = make(network), user_token(served)
    served.control_post("/_sim/entra/obo", {"error": "interaction_required", "claims": CHALLENGE})
    with pytest.raises(InteractionRequiredError):
        await on_behalf_of.confirm(IDENTITY, token)

    await on_behalf_of.confirm(IDENTITY, token)


@pytest.mark.parametrize(
    ("order", "failure"),
    [
        ({"error": "interaction_required"}, InteractionRequiredError),
        ({"error": "login_required"}, InteractionRequiredError),
        ({"error": "consent_required"}, InteractionRequiredError),
        ({"error": "invalid_grant", "suberror": "consent_required"}, InteractionRequiredError),
        ({"error": "invalid_grant", "suberror": "basic_action"}, InteractionRequiredError),
        ({"error": "invalid_grant", "suberror": "additional_action"}, InteractionRequiredError),
        ({"error": "invalid_grant", "suberror": "message_only"}, InteractionRequiredError),
        ({"error": "invalid_grant", "claims": CHALLENGE}, InteractionRequiredError),
        ({"error": "invalid_grant"}, NotAuthenticatedError),
        ({"error": "invalid_grant", "suberror": "bad_token"}, NotAuthenticatedError),
        ({"error": "invalid_grant", "error_codes": [50_057]}, NotAuthenticatedError),
        ({"error": "invalid_client"}, IdentityProviderFailedError),
        ({"error": "unauthorized_client"}, IdentityProviderFailedError),
        ({"error": "invalid_request"}, IdentityProviderFailedError),
        ({"error": "invalid_scope"}, IdentityProviderFailedError),
        ({"error": "temporarily_unavailable"}, IdentityProviderFailedError),
        ({"error": "something_new"}, IdentityProviderFailedError),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
async def test_each_refusal_has_its_own_failure(
    entra: tuple[Served, Network], make: Made, order: dict[str, Any], failure: type[Exception]
) -> None:
    served, network = entra
    served.control_post("/_sim/entra/obo", order)

    with pytest.raises(failure) as failed:
        await make(network).confirm(IDENTITY, user_token(served))

    assert type(failed.value) is failure
    if isinstance(failed.value, InteractionRequiredError) and "claims" not in order:
        assert failed.value.members() == {"claims": None}


async def test_a_token_of_another_tenant_is_not_confirmed(
    entra: tuple[Served, Network], make: Made
) -> None:
    served, network = entra
    foreign = user_token(served, tid=OTHER_TENANT)

    with pytest.raises(NotAuthenticatedError):
        await make(network).confirm(IDENTITY, foreign)


# --- against a server that answers what a test tells it to ---------------------------------------


async def test_what_goes_out_is_the_documented_request_and_no_secret(
    misbehaving: Upstream, make: Made
) -> None:
    misbehaving.answer = entra_answering(answering_json(GRANTED))
    await make(misbehaving.network).confirm(IDENTITY, Secret("the-users-token"))

    sent = misbehaving.received[-1]
    form = {name: value[0] for name, value in parse_qs(sent.body.decode()).items()}
    assert (sent.method, sent.path) == ("POST", f"/{TENANT}/oauth2/v2.0/token")
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert form["requested_token_use"] == "on_behalf_of"
    assert form["assertion"] == "the-users-token"
    assert form["client_id"] == scene.ENTRA_API_CLIENT_ID
    assert form["client_assertion_type"].endswith("jwt-bearer")
    assert "https://graph.microsoft.com/User.Read" in form["scope"].split()
    assert json.loads(form["claims"]) == {"access_token": {"xms_cc": {"values": ["cp1"]}}}
    assert "client_secret" not in form


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(answering(status=503), id="unavailable"),
        pytest.param(answering(status=429, headers={"Retry-After": "3600"}), id="too-many"),
        pytest.param(answering(status=500), id="server-error"),
        pytest.param(answering_json({"error": "invalid_grant"}, status=400), id="refused"),
        pytest.param(answering_json({"error": ["a", 1]}, status=400), id="an-error-list"),
        pytest.param(answering_json({"error": "a\r\nb: c"}, status=400), id="line-breaks"),
        pytest.param(answering_json({"error": "\u20ac"}, status=400), id="beyond-latin-1"),
    ],
)
async def test_one_users_trouble_does_not_answer_for_another(
    misbehaving: Upstream, make: Made, trouble: Answer
) -> None:
    """msal by itself keeps a 429 or 5xx for everybody in the process, up to an hour."""
    misbehaving.answer = entra_answering(by_user(alice=trouble, bob=answering_json(GRANTED)))
    on_behalf_of = make(misbehaving.network)
    with pytest.raises((IdentityProviderFailedError, NotAuthenticatedError)):
        await on_behalf_of.confirm(person(1), Secret("alice"))

    await on_behalf_of.confirm(person(2), Secret("bob"))

    misbehaving.answer = entra_answering(answering_json(GRANTED))
    make.clock.move(minutes=5)
    await on_behalf_of.confirm(person(1), Secret("alice"))


GARBAGE: Final = [
    pytest.param(answering(status=503), id="unavailable"),
    pytest.param(answering(status=500), id="server-error"),
    pytest.param(answering(status=404), id="not-found"),
    pytest.param(page(), id="a-page"),
    pytest.param(page(503), id="a-page-of-maintenance"),
    pytest.param(answering(b""), id="nothing"),
    pytest.param(answering(b"{"), id="broken-json"),
    pytest.param(answering(b"[]"), id="a-list"),
    pytest.param(answering(b"null"), id="null"),
    pytest.param(answering(b'"text"'), id="a-text"),
    pytest.param(answering(b"1"), id="a-number"),
    pytest.param(answering(b"{}"), id="an-empty-object"),
    pytest.param(answering_json({"error": ["invalid_grant"]}, status=400), id="an-error-list"),
    pytest.param(answering_json({"error": {"a": 1}}, status=400), id="an-error-object"),
    pytest.param(answering_json({"access_token": "x", "id_token": "x"}), id="a-bad-id-token"),
    pytest.param(
        answering(b'{"error": "interaction_required", "claims": "\\ud800"}', status=400),
        id="half-a-surrogate-pair",
    ),
    pytest.param(
        answering_json({"error": "interaction_required", "claims": "x" * 6_001}, status=400),
        id="a-challenge-that-fits-in-no-header",
    ),
    pytest.param(
        answering_json({"error": "interaction_required", "claims": "\u20ac" * 2_001}, status=400),
        id="a-challenge-of-fewer-characters-that-does-not-fit-either",
    ),
    pytest.param(redirecting("https://evil.example.com/token"), id="a-redirect"),
    pytest.param(answering(b"x" * 7_000_000), id="too-much"),
    pytest.param(dropping, id="dropped"),
]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_an_answer_that_cannot_be_read_is_the_providers_failure(
    misbehaving: Upstream, make: Made, garbage: Answer
) -> None:
    misbehaving.answer = entra_answering(garbage)

    with pytest.raises(IdentityProviderFailedError):
        await make(misbehaving.network).confirm(IDENTITY, Secret("alice"))

    assert {request.host for request in misbehaving.received} == {scene.ENTRA_HOST}


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_metadata_that_cannot_be_read_is_the_providers_failure_for_now(
    misbehaving: Upstream, make: Made, garbage: Answer
) -> None:
    """And it is not remembered: the next sign-in asks again."""
    misbehaving.answer = entra_answering(answering_json(GRANTED), metadata=garbage)
    on_behalf_of = make(misbehaving.network)
    with pytest.raises(IdentityProviderFailedError):
        await on_behalf_of.confirm(person(1), Secret("alice"))

    misbehaving.answer = entra_answering(answering_json(GRANTED))
    await on_behalf_of.confirm(person(2), Secret("bob"))


async def test_a_provider_that_cannot_be_reached_is_the_providers_failure(make: Made) -> None:
    async with upstream("elsewhere.example.com") as server:
        with pytest.raises(IdentityProviderFailedError):
            await make(server.network).confirm(IDENTITY, Secret("alice"))


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(CredentialUnavailableError("canary"), id="no-identity-endpoint"),
        pytest.param(ClientAuthenticationError("canary"), id="refused"),
        pytest.param(ServiceRequestError("canary"), id="not-reached"),
    ],
)
async def test_a_managed_identity_that_gets_no_token_is_the_providers_failure(
    misbehaving: Upstream, failure: Exception
) -> None:
    """Without it there is no client assertion; that is Azure's trouble, and no crash of ours."""
    misbehaving.answer = entra_answering(answering_json(GRANTED))

    def fail() -> str:
        raise failure

    with closing(Made(fail)) as make, pytest.raises(IdentityProviderFailedError):
        await make(misbehaving.network).confirm(IDENTITY, Secret("alice"))
