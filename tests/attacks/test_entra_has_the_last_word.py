"""Over HTTP: what Entra ID wants of a user reaches the add-in as it was said; T-18, guests."""

import base64
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
import requests

from local.addin import AddIn
from local.stack_info import StackInfo

pytestmark = pytest.mark.stack

CHALLENGES: Final = [
    pytest.param(
        '{"access_token":{"polids":{"essential":true,'
        '"values":["9ab03e19-ed42-4168-b6b7-7001fb3e933a"]}}}',
        id="as-documented",
    ),
    pytest.param('{"a" : "b\\"c\\\\",\n\t"d":[1.0, 1e2 ,null]}  ', id="quotes-and-white-space"),
    pytest.param('{"name":"\\u00e9\\ud83d\\ude00 é 😀 Ü"}', id="escapes-and-what-they-stand-for"),
    pytest.param('{"a":"~~~???>>>","ab":"~~~???>>>","abc":"~~~???>>>"}', id="plus-and-slash"),
    pytest.param(json.dumps({"access_token": {"x": "Ab9?>~é" * 490}}), id="six-kilobytes"),
    pytest.param("not even JSON", id="not-even-json"),
]


@pytest.fixture
def pane(clean_stack: StackInfo) -> Iterator[AddIn]:
    with AddIn(clean_stack) as opened:
        yield opened


def token_of(pane: AddIn, **overrides: object) -> str:
    """A token of somebody of a tenant of their own: the stack is shared."""
    asked = {"tid": str(uuid.uuid4()), "oid": str(uuid.uuid4()), "overrides": overrides}
    token: str = pane.control("/_sim/entra/token", asked)["token"]
    return token


def exchange(pane: AddIn, token: str) -> requests.Response:
    return pane.send(
        "POST",
        "/sso/exchange",
        body={"provider": "microsoft"},
        headers={"Authorization": f"Bearer {token}"},
    )


def refused(pane: AddIn, order: Mapping[str, Any]) -> requests.Response:
    """The answer to somebody whom Entra ID refuses in this way, once."""
    pane.control("/_sim/entra/obo", order)
    return exchange(pane, token_of(pane))


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_a_claims_challenge_reaches_the_add_in_byte_for_byte(pane: AddIn, challenge: str) -> None:
    answer = refused(pane, {"error": "interaction_required", "claims": challenge})

    body, header = answer.json(), answer.headers["WWW-Authenticate"]
    quoted = re.fullmatch(
        r'Bearer realm="", authorization_uri="[^"]+", '
        r'error="insufficient_claims", claims="([^"]+)"',
        header,
    )
    assert (answer.status_code, body["code"]) == (401, "interaction_required")
    assert quoted is not None, header
    for encoded in (quoted[1], body["claims"]):
        assert base64.b64decode(encoded, validate=True) == challenge.encode()


def test_the_challenges_above_hold_what_they_are_there_for() -> None:
    texts = [str(parameter.values[0]) for parameter in CHALLENGES]
    encoded = "".join(base64.b64encode(text.encode()).decode() for text in texts)

    assert {"+", "/", "="} <= set(encoded)
    assert max(len(text) for text in texts) > 4_096


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(
            {"error": "invalid_grant", "suberror": "consent_required", "error_codes": [65_001]},
            id="as-a-suberror",
        ),
        pytest.param({"error": "consent_required", "error_codes": [65_001]}, id="as-an-error"),
    ],
)
def test_missing_consent_is_told_as_something_for_the_user_without_a_challenge(
    pane: AddIn, order: dict[str, Any]
) -> None:
    answer = refused(pane, order)

    body, header = answer.json(), answer.headers["WWW-Authenticate"]
    assert (answer.status_code, body["code"], body["claims"]) == (401, "interaction_required", None)
    assert header.startswith('Bearer realm="", authorization_uri="')
    assert "claims" not in header
    assert "insufficient_claims" not in header


@pytest.mark.parametrize(
    ("order", "answered"),
    [
        ({"error": "invalid_grant"}, (401, "not_authenticated")),
        ({"error": "temporarily_unavailable"}, (502, "identity_provider_failed")),
        ({"error": "invalid_client"}, (502, "identity_provider_failed")),
    ],
    ids=lambda value: value["error"] if isinstance(value, dict) else None,
)
def test_entras_own_words_and_codes_stay_inside(
    pane: AddIn, order: dict[str, Any], answered: tuple[int, str]
) -> None:
    answer = refused(pane, {**order, "error_codes": [53_003]})

    assert (answer.status_code, answer.json()["code"]) == answered
    said = answer.text + str(answer.headers)
    for word in ("AADSTS", "53003", "Trace ID", "correlation", order["error"]):
        assert word not in said


def test_who_is_told_to_wait_waits_alone(pane: AddIn) -> None:
    token = token_of(pane)
    pane.control("/_sim/entra/obo", {"error": "temporarily_unavailable"})
    told = exchange(pane, token)
    again = exchange(pane, token)

    for answer in (told, again):
        assert answer.json()["code"] == "identity_provider_failed"
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
    assert exchange(pane, token_of(pane)).status_code == 200
    calls = pane.control("/_sim/entra/ledger")["calls"]
    assert calls["POST /{tenant}/oauth2/v2.0/token"] == 2


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"acct": 1}, id="by-acct"),
        pytest.param(
            {"idp": "https://sts.windows.net/" + str(uuid.UUID(int=7)) + "/"}, id="by-idp"
        ),
        pytest.param({"acct": 1, "roles": ["FlowRunner.Admin"]}, id="with-the-app-role"),
    ],
)
def test_T18_a_guest_is_not_let_in_and_entra_is_not_even_asked(
    pane: AddIn, claims: dict[str, Any]
) -> None:
    answer = exchange(pane, token_of(pane, **claims))

    assert (answer.status_code, answer.json()["code"]) == (403, "guest_not_allowed")
    assert "session_token" not in answer.json()
    assert "POST /{tenant}/oauth2/v2.0/token" not in pane.control("/_sim/entra/ledger")["calls"]


def test_T18_a_member_is_let_in(pane: AddIn) -> None:
    assert exchange(pane, token_of(pane, acct=0)).status_code == 200
