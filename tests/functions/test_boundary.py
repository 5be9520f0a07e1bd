"""The boundary: each failure becomes its status and code, and nothing else gets out."""

import base64
import json
import logging
import re
from collections.abc import Callable
from typing import Any, Final

import azure.functions as func
import pytest

from functions import boundary
from functions.boundary import STATUS, guarded, status_of
from shared import errors
from shared.errors import FlowRunnerError
from shared.secret import Secret
from tests.fakes import World
from tests.functions.host import call, failure_of, json_of

SECURITY_HEADERS: Final = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
AUTHORIZE: Final = "https://login.microsoftonline.com/common/oauth2/authorize"
CHALLENGE: Final = '{"access_token":{"polids":{"essential":true,"values":["9ab0 ü"]}}}'

# --- the tree of errors --------------------------------------------------------------------------

_LINE: Final = re.compile(r"^ {4}([│ ├└─]*)(\w+Error)\s*(\d{3})?\s*([a-z_]+)?$", re.MULTILINE)


def drawn_tree() -> dict[str, tuple[str | None, int | None, str | None]]:
    """Each error in the docstring of `shared.errors`: its parent, status and code.

    A status is drawn once, at the top of its branch or where it changes.
    """
    found: dict[str, tuple[str | None, int | None, str | None]] = {}
    above: list[tuple[str, int | None]] = []
    for drawing, name, status, code in _LINE.findall(errors.__doc__ or ""):
        depth = len(drawing) // 4
        del above[depth:]
        parent, inherited = above[-1] if above else (None, None)
        chosen = int(status) if status else inherited
        found[name] = (parent, chosen, code or None)
        above.append((name, chosen))
    return found


def every_error() -> dict[str, type[FlowRunnerError]]:
    return {
        kind.__name__: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, FlowRunnerError)
    }


def test_the_drawn_tree_is_the_tree() -> None:
    drawn = {name: parent for name, (parent, _, _) in drawn_tree().items()}
    real = {
        name: None if kind is FlowRunnerError else kind.__bases__[0].__name__
        for name, kind in every_error().items()
    }

    assert drawn == real


@pytest.mark.parametrize("name", sorted(every_error().keys() - {"FlowRunnerError"}))
def test_every_error_has_the_status_and_the_code_that_are_drawn(name: str) -> None:
    kind = every_error()[name]
    _, status, code = drawn_tree()[name]

    assert status_of(kind) == status
    assert getattr(kind, "code", None) == code


def test_a_code_belongs_to_one_kind_of_failure() -> None:
    """Two kinds share one only where one is a special case of the other."""
    kinds = [kind for kind in every_error().values() if hasattr(kind, "code")]
    for one in kinds:
        for other in kinds:
            if one.code == other.code:
                assert issubclass(one, other) or issubclass(other, one)


def test_a_kind_without_a_status_is_a_bug_that_is_noticed() -> None:
    class StrayError(FlowRunnerError):
        code = "stray"

    with pytest.raises(StopIteration):
        status_of(StrayError)
    assert all(400 <= status < 600 for status in STATUS.values())


# --- problem documents ---------------------------------------------------------------------------


def failing_with(world: World, failure: Callable[[], Exception]) -> Callable[..., Any]:
    """A function of ours whose handler fails so."""

    @guarded(world.services)
    async def broken(req: func.HttpRequest) -> func.HttpResponse:
        raise failure()

    return broken


def request(**headers: str) -> func.HttpRequest:
    return func.HttpRequest(method="GET", url="/", headers=headers, body=b"")


EXAMPLES: Final[dict[str, Callable[[], FlowRunnerError]]] = {
    "InvalidInputError": lambda: errors.InvalidInputError("age", "INTEGER"),
    "UndeclaredInputError": lambda: errors.UndeclaredInputError("age"),
    "InteractionRequiredError": lambda: errors.InteractionRequiredError(CHALLENGE),
    "MethodNotAllowedError": lambda: errors.MethodNotAllowedError(["GET", "POST"]),
    "DuplicateRunError": lambda: errors.DuplicateRunError("r-1", "succeeded"),
    "OtherRegionError": lambda: errors.OtherRegionError("https://ne.example.com/api"),
    "FlowFailedError": lambda: errors.FlowFailedError([{"statusCode": "X", "message": "y"}], "r-1"),
    "TooManyRequestsError": lambda: errors.TooManyRequestsError(7),
    "SalesforceLimitError": lambda: errors.SalesforceLimitError(60),
}


@pytest.mark.parametrize(
    "name", sorted(name for name, kind in every_error().items() if hasattr(kind, "code"))
)
async def test_every_failure_becomes_a_problem_document(world: World, name: str) -> None:
    kind = every_error()[name]
    example = EXAMPLES.get(name, kind)()
    response = await failing_with(world, lambda: example)(request())
    body = json_of(response)

    assert failure_of(response) == (status_of(kind), example.code)
    assert body["title"] == status_of(kind).phrase
    assert body.keys() == {"type", "title", "status", "code", "incident"} | example.members().keys()
    assert {key: body[key] for key in example.members()} == json.loads(
        json.dumps(example.members())
    )
    if example.retry_after is None:
        assert "Retry-After" not in response.headers
    else:
        assert response.headers["Retry-After"] == str(example.retry_after)


def test_a_member_never_stands_in_for_the_documents_own() -> None:
    class ImpostorError(errors.NotFoundError):
        def members(self) -> dict[str, Any]:
            return {"code": "ok", "status": 200, "incident": "x", "type": "y", "title": "z"}

    body = json.loads(boundary.problem(ImpostorError(), "incident-1").get_body())

    assert body == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "not_found",
        "incident": "incident-1",
    }


async def test_a_wrong_method_names_the_right_ones(world: World) -> None:
    failing = failing_with(world, lambda: errors.MethodNotAllowedError(["GET", "POST"]))

    assert (await failing(request())).headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("failure", "challenge"),
    [
        (errors.NotAuthenticatedError, "Bearer"),
        (errors.SessionExpiredError, 'Bearer error="invalid_token"'),
        (
            lambda: errors.InteractionRequiredError(None),
            f'Bearer realm="", authorization_uri="{AUTHORIZE}"',
        ),
    ],
    ids=["not-authenticated", "expired", "interaction-without-claims"],
)
async def test_a_401_says_how_to_authenticate(
    world: World, failure: Callable[[], Exception], challenge: str
) -> None:
    response = await failing_with(world, failure)(request())

    assert response.headers["WWW-Authenticate"] == challenge


async def test_a_claims_challenge_arrives_byte_for_byte_in_header_and_body(world: World) -> None:
    world.entra.faults.plan("confirm", lambda: errors.InteractionRequiredError(CHALLENGE))
    response = await call(
        world.services, "sso_exchange", token="alice", body={"provider": "microsoft"}
    )

    assert failure_of(response) == (401, "interaction_required")
    told = response.headers["WWW-Authenticate"]
    match = re.fullmatch(
        r'Bearer realm="", authorization_uri="([^"]+)", error="insufficient_claims", '
        r'claims="([A-Za-z0-9+/=]+)"',
        told,
    )
    assert match is not None, told
    assert match[1] == AUTHORIZE
    assert base64.b64decode(match[2], validate=True) == CHALLENGE.encode()
    assert json_of(response)["claims"] == match[2]


# --- what was not expected -----------------------------------------------------------------------


class CanaryError(RuntimeError):
    """Quotes a token in its text, its arguments, its notes and its cause."""


def canary() -> Exception:
    failure = CanaryError("canary-text", {"token": "canary-argument"})
    failure.add_note("canary-note")
    failure.__cause__ = ValueError("canary-cause")
    return failure


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "".join(f"{record.getMessage()}{record.__dict__}" for record in caplog.records)


async def test_an_unexpected_failure_leaks_neither_to_the_caller_nor_to_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        response = await failing_with(world, canary)(request())

    assert failure_of(response) == (500, "internal")
    assert json_of(response).keys() == {"type", "title", "status", "code", "incident"}
    assert "canary" not in response.get_body().decode() + str(dict(response.headers))
    assert "canary" not in logged(caplog)


async def test_the_log_says_where_by_the_incident_that_the_caller_was_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        response = await failing_with(world, canary)(request())
    lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "flowrunner"]

    (told,) = (line for line in lines if line["event"] == "crashed")
    assert told["incident"] == json_of(response)["incident"]
    assert told["function"] == "broken"
    assert told["cause"] == "ValueError"


async def test_a_refusal_is_one_line_in_the_log_without_its_cause_in_words(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def failure() -> Exception:
        refused = errors.SalesforceFailedError()
        refused.__cause__ = CanaryError("canary-text")
        return refused

    with caplog.at_level(logging.DEBUG):
        response = await failing_with(world, failure)(request())
    lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "flowrunner"]

    assert lines == [
        {
            "event": "refused",
            "incident": json_of(response)["incident"],
            "function": "broken",
            "code": "salesforce_failed",
            "status": 502,
            "cause": "CanaryError",
        }
    ]
    assert "canary" not in logged(caplog)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(lambda: errors.UndeclaredInputError("\ud800"), id="in-a-name"),
        pytest.param(
            lambda: errors.FlowFailedError([{"statusCode": "X", "message": "\ud800"}]),
            id="in-salesforces-words",
        ),
    ],
)
async def test_text_that_is_no_unicode_does_not_break_the_last_line_of_defence(
    world: World, failure: Callable[[], Exception]
) -> None:
    """JSON can spell half a surrogate pair; UTF-8 cannot. No exception may leave the boundary."""
    response = await failing_with(world, failure)(request())

    assert failure_of(response)[0] in (400, 422, 500)


async def test_an_answer_of_text_that_is_no_unicode_is_an_answer(world: World) -> None:
    @guarded(world.services)
    async def answering(req: func.HttpRequest) -> func.HttpResponse:
        return boundary.json_response({"outputs": {"text": "\ud800 and ünïcode"}})

    response = await answering(request())

    assert response.status_code == 200
    assert json_of(response)["outputs"]["text"].endswith("and ünïcode")


# --- headers on every answer ---------------------------------------------------------------------


async def answers(world: World) -> dict[str, func.HttpResponse]:
    """One answer of each kind."""
    services, found = world.services, {}
    session = await world.session_of("alice")
    exchange: dict[str, Any] = {"token": "alice", "body": {"provider": "microsoft"}}
    found["200"] = await call(services, "health")
    found["204"] = await call(services, "sso_sign_out", token=await world.session_of("bob"))
    found["401"] = await call(services, "flow_list")
    found["404"] = await call(services, "unmatched", route={"path": "nowhere"})
    found["405"] = await call(services, "unmatched", method="PUT", route={"path": "v1/health"})
    found["409"] = await call(services, "flow_list", token=session)
    found["413"] = await call(
        services,
        "salesforce_complete",
        token=session,
        headers={"Content-Type": "application/json"},
        body=b" " * 300_000,
    )
    found["415"] = await call(services, "salesforce_complete", token=session, body=b"{}")
    found["page"] = await call(services, "salesforce_callback")
    ticket = await call(services, "salesforce_connect", token=session, body={})
    code = json_of(ticket)["connect_url"].partition("ticket=")[2]
    found["302"] = await call(services, "salesforce_start", params={"ticket": code})
    found["preflight"] = await call(services, "cors_preflight", route={"path": "v1/flows"})
    world.verifier.faults.plan("verify", canary)
    found["500"] = await call(services, "sso_exchange", **exchange)
    world.verifier.faults.plan("verify", errors.IdentityProviderFailedError)
    found["502"] = await call(services, "sso_exchange", **exchange)
    return found


async def test_x04_every_answer_carries_the_security_headers(world: World) -> None:
    seen = await answers(world)
    for kind, response in seen.items():
        for name, value in SECURITY_HEADERS.items():
            if (kind, name) != ("page", "Content-Security-Policy"):
                assert response.headers[name] == value, (kind, name)
        assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-Id"]), kind
        assert response.headers["Vary"] == "Origin", kind

    statuses = {kind: response.status_code for kind, response in seen.items()}
    assert statuses.pop("page") == 400
    assert statuses.pop("preflight") == 204
    assert statuses == {kind: int(kind) for kind in statuses}


async def test_no_two_answers_share_their_id(world: World) -> None:
    ids = [response.headers["X-Request-Id"] for response in (await answers(world)).values()]

    assert len(ids) == len(set(ids))


async def test_p06_the_id_of_a_request_is_ours_whatever_the_request_says(world: World) -> None:
    response = await call(
        world.services, "health", headers={"X-Request-Id": "canary", "traceparent": "canary"}
    )

    assert "canary" not in str(dict(response.headers))


async def test_a_session_that_is_over_is_told_from_one_that_never_was(
    world: World, alice: Secret
) -> None:
    await call(world.services, "sso_sign_out", token=alice)

    response = await call(world.services, "flow_list", token=alice)

    assert failure_of(response) == (401, "session_expired")
