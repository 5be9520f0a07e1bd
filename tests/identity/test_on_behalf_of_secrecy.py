"""On behalf of: what msal keeps of anybody, and what is ever said of Entra ID's words."""

import asyncio
import gc
import json
import logging
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msal
import pytest

from local import scene
from local.simulators.azure_tokens import AzureTokens
from shared.errors import FlowRunnerError, IdentityProviderFailedError, InteractionRequiredError
from shared.network import Network
from shared.secret import Secret
from shared.telemetry.events import quiet_libraries
from tests.identity.entra_upstream import GRANTED, Made, entra_answering, person, user_token
from tests.identity.tokens import USER
from tests.simulators.serving import Served
from tests.upstream import Answer, Upstream, answering

ROOT: Final = Path(__file__).parents[2]
CANARY: Final = "canary-b7e1"
COOKIE: Final = "cookie-5c20"


async def test_a_success_leaves_no_token_in_memory(
    entra: tuple[Served, Network], make: Made
) -> None:
    """msal's own caches are walked object by object: tokens of users are nowhere in them."""
    served, network = entra
    on_behalf_of = make(network)
    for number in range(3):
        await on_behalf_of.confirm(person(number), user_token(served, oid=USER[:-1] + str(number)))

    assert list(tokens_in(on_behalf_of)) == []


async def test_the_walk_finds_what_msal_would_keep_by_itself(
    entra: tuple[Served, Network], azure: AzureTokens
) -> None:
    """So that the tests here can fail: the same call with msal's usual cache."""
    served, network = entra
    session = network.requests_session()
    app = await asyncio.to_thread(
        msal.ConfidentialClientApplication,
        scene.ENTRA_API_CLIENT_ID,
        client_credential={
            "client_assertion": lambda: azure.issue("api://AzureADTokenExchange"),
        },
        authority=f"https://{scene.ENTRA_HOST}/{scene.ENTRA_TENANT}",
        http_client=session,
    )
    await asyncio.to_thread(
        app.acquire_token_on_behalf_of,
        user_token(served, tid=scene.ENTRA_TENANT).reveal(),
        scopes=["https://graph.microsoft.com/User.Read"],
    )
    session.close()

    assert len(list(tokens_in(app))) >= 3  # access, refresh and identity token


def saying_canaries(status: int, **members: Any) -> Answer:  # noqa: ANN401 - any JSON value
    """An answer that says the canary wherever there is room for it, and sets a cookie."""
    body = {
        "access_token": f"{CANARY}-access",
        "refresh_token": f"{CANARY}-refresh",
        "error_description": f"AADSTS50000: {CANARY}",
        "correlation_id": CANARY,
        **members,
    }
    headers = {"Set-Cookie": f"esctx={COOKIE}; Path=/; Secure"}
    return answering(json.dumps(body).encode(), status=status, headers=headers)


ANSWERS: Final = [
    pytest.param(saying_canaries(200, token_type="Bearer", expires_in=3_599), id="granted"),
    pytest.param(saying_canaries(400, error="invalid_grant", access_token=None), id="refused"),
    pytest.param(
        saying_canaries(400, error="interaction_required", access_token=None, claims=CANARY),
        id="challenged",
    ),
    pytest.param(saying_canaries(429, error=CANARY, access_token=None), id="too-many"),
    pytest.param(saying_canaries(503, error=CANARY, access_token=None), id="unavailable"),
    pytest.param(answering(CANARY.encode()), id="no-json"),
    pytest.param(answering(CANARY.encode(), status=502, content_type="text/html"), id="a-page"),
]


async def outcome(make: Made, misbehaving: Upstream, answer: Answer) -> FlowRunnerError | None:
    """How it ends for somebody whose token is a canary, too."""
    misbehaving.answer = entra_answering(answer)
    try:
        await make(misbehaving.network).confirm(person(), Secret(f"{CANARY}-assertion"))
    except FlowRunnerError as exc:
        return exc
    return None


@pytest.mark.parametrize("answer", ANSWERS)
async def test_nothing_of_a_call_is_left_in_anything_that_is_kept(
    make: Made, misbehaving: Upstream, answer: Answer
) -> None:
    """Token cache, HTTP cache, session, cookies, threads: all that can be reached is walked."""
    misbehaving.answer = entra_answering(answer)
    on_behalf_of = make(misbehaving.network)
    for _ in range(2):
        try:
            await on_behalf_of.confirm(person(), Secret(f"{CANARY}-assertion"))
        except FlowRunnerError:
            make.clock.move(minutes=5)
    app = next(iter(on_behalf_of._apps.values()))

    for root in (app, app.token_cache, app.http_client, on_behalf_of):
        assert [text for text in texts_in(root) if CANARY in text] == []
    assert [
        text for text in texts_in(on_behalf_of._client._session.cookies) if COOKIE in text
    ] == []
    sent = [request for request in misbehaving.received if request.method == "POST"]
    assert len(sent) == 2
    assert all(CANARY.encode() in request.body for request in sent)
    assert all("Cookie" not in request.headers for request in misbehaving.received)


@pytest.mark.parametrize("answer", ANSWERS)
async def test_what_entra_says_in_words_reaches_neither_a_log_nor_the_caller(
    make: Made, misbehaving: Upstream, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    quiet_libraries()
    caplog.set_level(logging.DEBUG)
    listening = logging.getLogger("flowrunner")
    listening.addHandler(caplog.handler)
    try:
        failure = await outcome(make, misbehaving, answer)
    finally:
        listening.removeHandler(caplog.handler)

    assert CANARY not in caplog.text
    assert "AADSTS" not in caplog.text
    if failure is not None:
        told = dict(failure.members())
        claims = told.pop("claims", None)
        assert CANARY not in f"{failure} {failure!r} {failure.args} {told}"
        assert (claims is not None) == isinstance(failure, InteractionRequiredError)


@pytest.mark.parametrize("code", [50_079, 53_003, 65_001, 50_173, 7_000_222, 50_105])
async def test_codes_and_descriptions_decide_nothing(
    make: Made, misbehaving: Upstream, code: int
) -> None:
    """Microsoft documents them for people: the same error is the same failure, whatever they say.

    The last answer has a code that would want the user, if anybody branched on it.
    """
    words = {"error_description": f"AADSTS{code}: …", "error_codes": [code], "access_token": None}

    failure = await outcome(make, misbehaving, saying_canaries(400, error="invalid_scope", **words))

    assert type(failure) is IdentityProviderFailedError


def test_no_deployed_line_reads_entras_codes_or_descriptions() -> None:
    reading = [
        path.name
        for folder in ("shared", "functions")
        for path in (ROOT / folder).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "AADSTS" in line or "error_codes" in line
    ]
    on_behalf_of = (ROOT / "shared/identity/on_behalf_of.py").read_text(encoding="utf-8")

    assert reading == []
    assert "error_description" not in on_behalf_of


def test_a_grant_is_what_the_walk_looks_for() -> None:
    assert list(tokens_in([GRANTED])) == [GRANTED["access_token"]]


# --- the walk ------------------------------------------------------------------------------------


_ELSEWHERE: Final = (types.ModuleType, type, logging.Logger, logging.Handler)
"""Not the object's own: everybody's."""


def tokens_in(root: object) -> Iterator[str]:
    """Every text that looks like a token, anywhere in what hangs on an object."""
    for text in texts_in(root):
        if "eyJ" in text or text.startswith("0.A"):
            yield text


def texts_in(root: object) -> Iterator[str]:
    """Every text that can be reached from an object by the garbage collector's references."""
    seen: set[int] = set()
    left: list[object] = [root]
    while left:
        found = left.pop()
        if id(found) in seen or isinstance(found, _ELSEWHERE):
            continue
        seen.add(id(found))
        if isinstance(found, str):
            yield found
        elif isinstance(found, (bytes, bytearray)):
            yield found.decode("latin-1")
        elif isinstance(found, types.FunctionType):
            left += [found.__closure__, found.__defaults__, found.__dict__]
        else:
            left += gc.get_referents(found)
