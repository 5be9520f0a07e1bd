"""Reading requests: what a stranger sends is refused, or comes out with the right type."""

import gzip
import json
from collections.abc import Mapping
from typing import Any, Final

import azure.functions as func
import pytest

from functions.requests import (
    LARGEST_BODY_BYTES,
    bearer_token,
    json_object,
    object_member,
    optional_text_member,
    query_text,
    text_member,
)
from shared.errors import (
    BodyTooLargeError,
    FlowRunnerError,
    InvalidRequestError,
    NotAuthenticatedError,
    UnsupportedMediaTypeError,
)
from shared.secret import Secret
from tests.fakes import World
from tests.functions.host import call, failure_of

JSON: Final = {"Content-Type": "application/json"}


def request(
    body: bytes = b"{}",
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> func.HttpRequest:
    return func.HttpRequest(
        method="POST",
        url="/",
        headers=dict(JSON if headers is None else headers),
        params=dict(params or {}),
        body=body,
    )


# --- the bearer token ----------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "BeArEr"])
def test_the_scheme_is_read_without_its_case(scheme: str) -> None:
    """RFC 9110, 11.1."""
    assert bearer_token(request(headers={"Authorization": f"{scheme} a.b.c"})) == Secret("a.b.c")


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="missing"),
        pytest.param("", id="empty"),
        pytest.param("Bearer", id="no-token"),
        pytest.param("Bearer ", id="an-empty-token"),
        pytest.param("Bearer  a.b.c", id="two-spaces"),
        pytest.param("Bearer\ta.b.c", id="a-tab"),
        pytest.param("Bearer a.b.c ", id="a-space-behind"),
        pytest.param("Bearer a b", id="two-words"),
        pytest.param("a.b.c", id="no-scheme"),
        pytest.param("Basic YTpi", id="basic"),
        pytest.param("Token a.b.c", id="another-scheme"),
        pytest.param("BearerX a.b.c", id="a-scheme-that-begins-so"),
        pytest.param("Bearer a.b.c,Bearer d.e.f", id="two-headers-joined"),
        pytest.param("Bearer a.b.c, Bearer d.e.f", id="two-headers-joined-with-a-space"),
        pytest.param("Basic YTpi,Bearer a.b.c", id="basic-and-bearer-joined"),
        pytest.param('Bearer "a.b.c"', id="quotes"),
        pytest.param("Bearer token=a.b.c,x=y", id="parameters"),
    ],
)
def test_an_authorization_of_any_other_form_is_none(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    with pytest.raises(NotAuthenticatedError):
        bearer_token(request(headers=headers))


def test_a_token_is_not_taken_from_anywhere_else() -> None:
    with pytest.raises(NotAuthenticatedError):
        bearer_token(
            request(
                headers={"X-Authorization": "Bearer a.b.c", "Cookie": "token=a.b.c"},
                params={"access_token": "a.b.c", "token": "a.b.c"},
            )
        )


# --- the body ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        " application/json ",
    ],
)
def test_json_is_read_by_its_media_type(media_type: str) -> None:
    assert json_object(request(b'{"a": 1}', {"Content-Type": media_type}), allowed=("a",)) == {
        "a": 1
    }


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="none"),
        pytest.param({"Content-Type": ""}, id="empty"),
        pytest.param({"Content-Type": "text/plain"}, id="text"),
        pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, id="a-form"),
        pytest.param({"Content-Type": "multipart/form-data; boundary=x"}, id="a-multipart-form"),
        pytest.param({"Content-Type": "application/jsonx"}, id="one-that-begins-so"),
        pytest.param({"Content-Type": "application/problem+json"}, id="another-json"),
        pytest.param({"Content-Type": "application/json,text/plain"}, id="two-joined"),
        pytest.param({**JSON, "Content-Encoding": "gzip"}, id="p04-gzip"),
        pytest.param({**JSON, "Content-Encoding": "GZIP"}, id="p04-gzip-in-capitals"),
        pytest.param({**JSON, "Content-Encoding": "br"}, id="p04-brotli"),
        pytest.param({**JSON, "Content-Encoding": "deflate, gzip"}, id="p04-two-encodings"),
        pytest.param({**JSON, "Content-Encoding": "identity,gzip"}, id="p04-identity-and-gzip"),
    ],
)
def test_any_other_media_type_or_encoding_is_unsupported(headers: dict[str, str]) -> None:
    """P-04: nothing is inflated for a stranger. A form would spare a browser the preflight."""
    with pytest.raises(UnsupportedMediaTypeError):
        json_object(request(gzip.compress(b"{}"), headers), allowed=())


def test_the_identity_is_no_encoding() -> None:
    assert json_object(request(b"{}", {**JSON, "Content-Encoding": "identity"}), allowed=()) == {}


def test_p02_the_size_of_a_body_has_an_exact_limit() -> None:
    at_most = b'{"a": "' + b"x" * (LARGEST_BODY_BYTES - 9) + b'"}'
    assert len(at_most) == LARGEST_BODY_BYTES == 262_144
    json_object(request(at_most), allowed=("a",))

    with pytest.raises(BodyTooLargeError):
        json_object(request(at_most + b" "), allowed=("a",))


BOMBS: Final = {
    "nothing": b"",
    "null": b"null",
    "a-list": b"[]",
    "a-text": b'"x"',
    "a-number": b"1",
    "broken": b'{"a": ',
    "not-utf-8": b'{"a": "\xff"}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "a-byte-order-mark": b"\xef\xbb\xbf{}",
    "a-duplicate-key": b'{"a": 1, "a": 1}',
    "a-duplicate-key-inside": b'{"a": {"b": 1, "b": 2}}',
    "an-abyss-of-arrays": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "an-abyss-of-objects": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "one-level-too-deep": b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
    "five-thousand-digits": b'{"a": ' + b"9" * 5_000 + b"}",
    "not-a-number": b'{"a": NaN}',
    "infinity": b'{"a": Infinity}',
    "minus-infinity": b'{"a": -Infinity}',
    "beyond-a-double": b'{"a": 1e400}',
    "an-unknown-member": b'{"b": 1}',
    "a-member-in-another-case": b'{"A": 1}',
    "a-member-of-scripts": b'{"__proto__": {"a": 1}}',
    "two-values": b"{} {}",
}


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS.keys())
def test_p03_a_body_of_any_other_form_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        json_object(request(body), allowed=("a",))
    assert type(refused.value) is InvalidRequestError


def test_p03_the_deepest_body_that_is_allowed() -> None:
    nested = b'{"a":' + b"[" * 31 + b"]" * 31 + b"}"

    assert json_object(request(nested), allowed=("a",)) == json.loads(nested)


@pytest.mark.parametrize("body", BOMBS.values(), ids=BOMBS.keys())
@pytest.mark.parametrize(
    "name", ["sso_exchange", "salesforce_complete", "flow_invoke", "lightning_session"]
)
async def test_p03_over_the_wire_it_is_a_400_and_never_a_crash(
    world: World, name: str, body: bytes
) -> None:
    token = "alice" if name == "sso_exchange" else await world.session_of("alice")
    response = await call(
        world.services,
        name,
        token=token,
        headers=JSON,
        route={"flow": "Log_Email"},
        body=body,
    )

    is_too_large = name == "sso_exchange" and len(body) > 1_024
    refused = (413, "body_too_large") if is_too_large else (400, "invalid_request")
    assert failure_of(response) == refused


# --- members -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["x", "x" * 2_048, "ünïcode"])
def test_a_text_is_read(value: str) -> None:
    assert text_member({"a": value}, "a") == value
    assert optional_text_member({"a": value}, "a") == value


@pytest.mark.parametrize("value", ["", "x" * 2_049, 1, True, ["x"], {"x": "y"}])
def test_what_is_no_text_is_invalid(value: Any) -> None:  # noqa: ANN401 - any JSON value
    for read in (text_member, optional_text_member):
        with pytest.raises(InvalidRequestError):
            read({"a": value}, "a")


@pytest.mark.parametrize("body", [{}, {"a": None}], ids=["missing", "null"])
def test_a_missing_text_is_invalid_where_it_is_needed(body: dict[str, Any]) -> None:
    assert optional_text_member(body, "a") is None
    with pytest.raises(InvalidRequestError):
        text_member(body, "a")


def test_an_object_is_read_and_a_missing_one_is_empty() -> None:
    assert object_member({"a": {"b": 1}}, "a") == {"b": 1}
    assert object_member({}, "a") == {}
    assert object_member({"a": None}, "a") == {}


@pytest.mark.parametrize("value", [[], "x", 1, False, 0, ""])
def test_what_is_no_object_is_invalid(value: Any) -> None:  # noqa: ANN401 - any JSON value
    with pytest.raises(InvalidRequestError):
        object_member({"a": value}, "a")


@pytest.mark.parametrize(
    ("params", "read"),
    [({}, None), ({"q": ""}, None), ({"q": "x"}, "x"), ({"q": "x,y"}, "x,y"), ({"Q": "x"}, None)],
)
def test_a_parameter_is_read_or_missing(params: dict[str, str], read: str | None) -> None:
    assert query_text(request(params=params), "q") == read


def test_a_parameter_has_an_exact_limit() -> None:
    assert query_text(request(params={"q": "x" * 2_048}), "q") == "x" * 2_048
    with pytest.raises(InvalidRequestError):
        query_text(request(params={"q": "x" * 2_049}), "q")


def test_no_refusal_quotes_what_was_sent() -> None:
    for body in (b'{"canary": 1}', b"canary", b'{"a": "canary", "a": 1}'):
        with pytest.raises(FlowRunnerError) as refused:
            json_object(request(body), allowed=("a",))
        shown = repr(refused.value) + str(refused.value) + str(refused.value.members())
        assert "canary" not in shown
        assert refused.value.__cause__ is None
