"""P-03, P-04, P-06, P-08: requests to run a Flow that are meant to break what reads them. Over
HTTP; of each it is said who refuses it: the app, whose answers carry a code and an incident, or the
host in front of it, which here is the local stand-in for Azure's and answers without a body.
Nothing of any of them reaches the org."""

import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from local.stack_info import StackInfo
from tests.attacks.flow_callers import FlowCaller, flow, texts, told
from tests.attacks.raw_http import Raw, exchange, head

pytestmark = pytest.mark.stack

PATH: Final = "/api/v1/flows/Log_Email/runs"
INVALID: Final = (400, "invalid_request")
BY_THE_HOST: Final = (400, "")
MOST_INPUTS: Final = 64
LARGEST_INPUT: Final = 32 * 1024
"""Bytes of its JSON."""
DEEPEST: Final = 32


@pytest.fixture
def caller(stack: StackInfo) -> Iterator[FlowCaller]:
    """Whose Flow takes 65 texts."""
    with FlowCaller.connected(stack) as connected:
        names = [f"input{number}" for number in range(MOST_INPUTS)]
        connected.put(flow("Log_Email", *texts("subject", *names)))
        yield connected


def posted(caller: FlowCaller, body: bytes = b"{}", **headers: str | bytes) -> Raw:
    return posted_to(caller, PATH, body, headers)


def posted_to(
    caller: FlowCaller, path: str | bytes, body: bytes, headers: Mapping[str, str | bytes]
) -> Raw:
    sent = {
        "Authorization": caller.authorization,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return exchange(caller._info, head(path, sent) + body)


def refusal(raw: Raw) -> tuple[int, str]:
    """Status and code; without a code where the app was not asked."""
    code = json.loads(raw.body)["code"] if raw.header("X-Request-Id") else ""
    return raw.status, code


# --- P-03: bodies --------------------------------------------------------------------------------


def inside(value: bytes) -> bytes:
    """As the value of an input, where any JSON may stand."""
    return b'{"inputs": {"subject": ' + value + b"}}"


BOMBS: Final = {
    "an-abyss-of-arrays": inside(b"[" * 100_000 + b"]" * 100_000),
    "an-abyss-that-is-not-closed": inside(b"[" * 100_000),
    "an-abyss-of-objects": b'{"inputs":' * 20_000 + b"{}" + b"}" * 20_000,
    "one-level-too-deep": inside(b"[" * (DEEPEST - 1) + b"]" * (DEEPEST - 1)),
    "five-thousand-digits": inside(b"9" * 5_000),
    "minus-and-five-thousand-digits": inside(b"-" + b"9" * 5_000),
    "an-exponent-of-five-thousand-digits": inside(b"1e" + b"9" * 5_000),
    "beyond-a-double": inside(b"1e400"),
    "not-a-number": inside(b"NaN"),
    "infinity": inside(b"Infinity"),
    "minus-infinity": inside(b"-Infinity"),
    "a-duplicate-member": b'{"inputs": {}, "inputs": {"subject": "x"}}',
    "a-duplicate-input": b'{"inputs": {"subject": "x", "subject": "y"}}',
    "a-duplicate-in-another-spelling": b'{"inputs": {"subject": "x", "\\u0073ubject": "y"}}',
    "a-duplicate-field-of-the-mail": b'{"email": {"subject": "x", "subject": "y"}}',
    "not-utf-8": inside(b'"\xff"'),
    "a-byte-order-mark": b"\xef\xbb\xbf{}",
    "utf-16": inside(b'"x"').decode().encode("utf-16"),
    "two-values": b"{}{}",
    "nothing": b"",
    "only-spaces": b" " * 1_000,
    "cut-off": b'{"inputs": {"subject": "x',
}
WRONG_TYPES: Final[Mapping[str, Any]] = {
    "null": None,
    "a-list": [],
    "a-text": "{}",
    "a-truth": True,
    "inputs-that-are-a-list": {"inputs": ["subject"]},
    "a-mail-that-is-a-text": {"email": "subject"},
    "a-subject-that-is-a-number": {"email": {"subject": 7}},
    "recipients-that-are-a-text": {"email": {"recipient_emails": "a@example.com"}},
    "an-org-that-is-a-number": {"org_id": 7},
    "an-org-that-is-an-object": {"org_id": {"$ne": ""}},
    "an-unknown-member": {"inputs": {}, "user_id": "u-x"},
}


def test_P03_every_json_bomb_is_refused_by_the_app_with_a_400(caller: FlowCaller) -> None:
    answers = {name: refusal(posted(caller, body)) for name, body in BOMBS.items()}

    assert answers == dict.fromkeys(BOMBS, INVALID)
    assert caller.news() == []
    assert caller.send("GET", "/runs").json()["runs"] == []


def test_P03_every_wrong_type_is_refused_by_the_app_with_a_400(caller: FlowCaller) -> None:
    answers = {
        name: refusal(posted(caller, json.dumps(body).encode()))
        for name, body in WRONG_TYPES.items()
    }

    assert answers == dict.fromkeys(WRONG_TYPES, INVALID)
    assert caller.news() == []


def test_P03_the_deepest_the_most_and_the_largest_that_are_allowed_pass_and_one_more_does_not(
    caller: FlowCaller,
) -> None:
    most = {f"input{number}": "x" for number in range(MOST_INPUTS)}
    largest = "x" * (LARGEST_INPUT - len('""'))
    deepest = b"[" * (DEEPEST - 2) + b"]" * (DEEPEST - 2)

    assert told(caller.invoke("Log_Email", inputs=most)) == (200, "")
    assert told(caller.invoke("Log_Email", inputs={"subject": largest})) == (200, "")
    # Deep enough to be read: it is refused by its type, and no more by its depth.
    assert refusal(posted(caller, inside(deepest))) == (400, "invalid_input")
    assert len(caller.news_of_runs()) == 2
    for inputs in ({**most, "subject": "x"}, {"subject": f"{largest}x"}):
        assert told(caller.invoke("Log_Email", inputs=inputs)) == INVALID
    assert caller.news_of_runs() == []


# --- P-04: compressed bodies ----------------------------------------------------------------------


def test_P04_a_compressed_body_is_refused_by_the_app_and_not_inflated(caller: FlowCaller) -> None:
    body = json.dumps({"email": {"subject": "x" * 200_000}}).encode()
    packed = gzip.compress(body)

    answers = {
        encoding: refusal(posted(caller, packed, Content_Encoding=encoding))
        for encoding in ("gzip", "x-gzip", "GZIP", "deflate", "br", "identity, gzip", "gzip, gzip")
    }

    assert set(answers.values()) == {(415, "unsupported_media_type")}, answers
    assert caller.news() == []


def test_P04_a_compressed_body_that_does_not_say_so_is_no_json(caller: FlowCaller) -> None:
    assert refusal(posted(caller, gzip.compress(b"{}"))) == INVALID


# --- P-06: headers -------------------------------------------------------------------------------

KEYS: Final[Mapping[str, tuple[bytes, tuple[int, str]]]] = {
    "nul": (b"k\0k", BY_THE_HOST),
    "carriage-return": (b"k\rk", BY_THE_HOST),
    "no-utf-8": (b"\xff", BY_THE_HOST),
    "utf-8": ("schlüssel".encode(), INVALID),
    "a-line-separator": ("k\u2028k".encode(), INVALID),
    "a-tab": (b"k\tk", INVALID),
    "delete": (b"k\x7f", INVALID),
    "empty": (b"", INVALID),
    "too-long": (b"k" * 129, INVALID),
}


def test_P06_an_idempotency_key_of_other_characters_is_refused(caller: FlowCaller) -> None:
    answers = {
        title: refusal(posted(caller, Idempotency_Key=key)) for title, (key, _) in KEYS.items()
    }

    assert answers == {title: refused for title, (_, refused) in KEYS.items()}
    assert caller.news() == []


def test_P06_a_key_with_a_line_end_is_another_header_and_comes_back_in_none(
    caller: FlowCaller,
) -> None:
    """The host splits it, as it must; what is left of it is a key, and is not shown again."""
    for inject in (b"k\r\nX-Evil: 1", b"k\r\n\r\nHTTP/1.1 200 OK"):
        answered = posted(caller, Idempotency_Key=inject)

        assert b"evil" not in answered.head.lower()
        assert answered.head.count(b"HTTP/1.1") == 1


def test_P06_the_id_of_a_request_is_never_the_callers(caller: FlowCaller) -> None:
    for given in ("a1", "0" * 32, "../x", "%0d%0aX-Evil:1", "a" * 4_000):
        answered = posted(caller, X_Request_Id=given, X_Correlation_Id=given, Traceparent=given)

        own = answered.header("X-Request-Id")
        assert answered.status == 200
        assert own != given
        assert len(own) == 32
        assert set(own) <= set("0123456789abcdef")
        (sent,) = (one["header_values"] for one in caller.news() if one["method"] == "POST")
        assert given not in sent.values()


def test_P06_an_address_to_return_to_with_a_line_end_is_refused(caller: FlowCaller) -> None:
    home = f"{caller._info.sidebar}/connected.html"
    for return_to in (f"{home}\r\nX-Evil: 1", f"{home}\0", f"{home}%0d%0aX-Evil:1", f"{home}ü"):
        body = {"return_to": return_to}
        answered = caller.send("POST", "/salesforce/connections", body=body)
        assert told(answered) == (400, "invalid_return_url")


# --- P-06, P-08: names of Flows ------------------------------------------------------------------

NOT_FOUND: Final = (404, "not_found")
NAMES: Final[Mapping[str, tuple[str, tuple[int, str]]]] = {
    "segments": ("../../sobjects/Account", NOT_FOUND),
    "escaped-slashes": ("..%2f..%2fsobjects", NOT_FOUND),
    "escaped-dots": ("%2e%2e%2fsobjects", NOT_FOUND),
    "twice-escaped": ("%252e%252e%252fsobjects", NOT_FOUND),
    "a-backslash": ("Log_Email%5c..", NOT_FOUND),
    "an-escaped-slash-behind": ("Log_Email%2fx", NOT_FOUND),
    "a-query": ("Log_Email%3fx=1", NOT_FOUND),
    "a-fragment": ("Log_Email%23x", NOT_FOUND),
    "a-parameter": ("Log_Email;x=1", NOT_FOUND),
    "a-percent-sign": ("Log_Email%25", NOT_FOUND),
    "a-space": ("Log_Email%20", NOT_FOUND),
    "a-quote": ("Log_Email'%20OR%20ApiName%20LIKE%20'", NOT_FOUND),
    "a-dot": ("Log_Email.json", NOT_FOUND),
    "a-line-end": ("Log_Email%0d%0aX-Evil:1", NOT_FOUND),
    "a-line-feed-behind": ("Log_Email%0a", NOT_FOUND),
    "nul": ("Log_Email%00", BY_THE_HOST),
    "german": ("Log%C3%9Fmail", NOT_FOUND),
    "full-width": ("%EF%BC%ACog_Email", NOT_FOUND),
    "other-digits": ("Log_Email%D9%A1", NOT_FOUND),
    "no-utf-8": ("Log_Email%ff", NOT_FOUND),
    "a-digit-first": ("1Log", NOT_FOUND),
    "an-underscore-first": ("_Log", NOT_FOUND),
    "too-long": ("A" * 129, NOT_FOUND),
    "of-eight-thousand": ("A" * 8_000, NOT_FOUND),
}


@pytest.mark.parametrize("method", ["POST", "GET"], ids=["invoke", "describe"])
def test_P08_a_name_that_cannot_be_a_flows_is_not_found_and_never_in_an_address(
    caller: FlowCaller, method: str
) -> None:
    """P-06 as well: line ends, NUL, other letters than those of ASCII. NUL the host refuses."""
    answers = {}
    for title, (name, _) in NAMES.items():
        path = f"/api/v1/flows/{name}" + ("/runs" if method == "POST" else "")
        body = b"{}" if method == "POST" else b""
        sent = {"Authorization": caller.authorization, "Content-Type": "application/json"}
        request = head(path, {**sent, "Content-Length": str(len(body))}, method=method) + body
        answered = exchange(caller._info, request)
        assert b"evil" not in answered.head.lower()
        answers[title] = refusal(answered)

    assert answers == {title: refused for title, (_, refused) in NAMES.items()}
    assert caller.news() == []


def test_P08_dots_that_lead_to_a_flow_of_ones_own_lead_to_no_more_than_that(
    caller: FlowCaller,
) -> None:
    """The host resolves them before it looks for a route: what is left is an ordinary name."""
    answered = posted_to(caller, "/api/v1/flows/x/%2e%2e/Log_Email/runs", b"{}", {})

    assert answered.status == 200
    assert [one["path"].rpartition("/")[2] for one in caller.news()] == ["Log_Email"] * 2
