"""local/host.py answers as Microsoft's own Python worker does, call by call.

The same functions are called through `FunctionsHost` and through azure-functions-runtime, and
status, headers, cookies and body are compared. Routing is the host's affair and not the worker's:
both sides let local/host_routes.py pick the function.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.local.exchange import Answer, Call, HttpCall, TimerCall, run_in_host
from tests.local.worker import PROBE_APP, load_app, run_in_worker

FORM = "application/x-www-form-urlencoded"
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="field"\r\n\r\nvalue\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n\x00\xff\r\n'
    b"--x--\r\n"
)


def _post(target: str, body: bytes, content_type: str = "application/octet-stream") -> HttpCall:
    return HttpCall(
        method="POST", target=target, body=body, headers=(("Content-Type", content_type),)
    )


def _get(target: str) -> HttpCall:
    return HttpCall(target=target)


# What is asked, and the status that both must answer.
CALLS: Mapping[str, tuple[Call, int]] = {
    "a GET arrives with method and address": (_get("/api/echo"), 200),
    "the address keeps its scheme": (HttpCall(target="/api/echo", scheme="https"), 200),
    "a PUT arrives as PUT": (HttpCall(method="PUT", target="/api/echo"), 200),
    "a DELETE arrives with its body": (
        HttpCall(method="DELETE", target="/api/echo", body=b"why"),
        200,
    ),
    "a HEAD arrives as HEAD": (HttpCall(method="HEAD", target="/api/no-content"), 204),
    "a route parameter arrives": (_get("/api/echo/alice"), 200),
    "an encoded route parameter arrives decoded": (_get("/api/echo/a%20b%C3%AB"), 200),
    "an encoded slash stays encoded": (_get("/api/echo/a%2Fb"), 200),
    "an absent optional parameter is left out": (_get("/api/echo/"), 200),
    "constrained parameters arrive as text": (_get("/api/echo-sync/007/abc"), 200),
    "a catch-all takes the rest": (_get("/api/rest/a/b/c.txt"), 200),
    "a catch-all may be empty": (_get("/api/rest"), 200),
    "a query arrives decoded": (_get("/api/echo?a=1&b=%C3%AB+x%2By"), 200),
    "a repeated query value is joined by commas": (_get("/api/echo?a=1&a=2&a=3"), 200),
    "an empty query value is left out": (_get("/api/echo?a=&b"), 200),
    "header names are lower-cased": (
        HttpCall(target="/api/echo", headers=(("X-Mixed-Case", "Kept As It Is"),)),
        200,
    ),
    "a repeated header is joined by commas": (
        HttpCall(target="/api/echo", headers=(("X-Probe", "1"), ("x-probe", "2"))),
        200,
    ),
    "headers are found without case": (
        HttpCall(target="/api/header", headers=(("X-pRoBe", "1"),)),
        200,
    ),
    "a header in UTF-8 arrives": (HttpCall(target="/api/echo", headers=(("X-P", "Zoë"),)), 200),
    "a Cookie header arrives as it is": (
        HttpCall(target="/api/echo", headers=(("Cookie", "a=1; b=2"),)),
        200,
    ),
    "a JSON body is read": (_post("/api/json", b'{"a": [1, "Zo\xc3\xab"]}'), 200),
    "a JSON body in another encoding fails": (_post("/api/json", "Zoë".encode("utf-16")), 500),
    "an empty body is no JSON": (_post("/api/json", b""), 500),
    "broken JSON fails": (_post("/api/json", b'{"a":'), 500),
    "a binary body arrives whole": (_post("/api/echo", bytes(range(256))), 200),
    "an empty body is empty": (_post("/api/digest", b""), 200),
    "a body of 256 KiB arrives whole": (_post("/api/digest", b"\x00\xff" * 131072), 200),
    "an answer of 256 KiB arrives whole": (_get("/api/large"), 200),
    "a form is read": (_post("/api/form", b"a=1&a=2&b=%C3%AB+x", FORM), 200),
    "a multipart form is read": (
        _post("/api/form", MULTIPART, "multipart/form-data; boundary=x"),
        200,
    ),
    "a sync handler gets the same": (_post("/api/echo-sync/-1/Abc?q=1", b"x"), 200),
    "a status is kept": (_get("/api/status/418"), 418),
    "an unusual status is kept": (_get("/api/status/599"), 599),
    "a status may be an enum": (_get("/api/status-of-enum"), 409),
    "a 204 still gets a Content-Type": (_get("/api/no-content"), 204),
    "a 302 keeps its Location": (_get("/api/redirect/302"), 302),
    "a 303 keeps its Location": (_get("/api/redirect/303"), 303),
    "several cookies keep their attributes": (_get("/api/cookies"), 200),
    "a cookie with an old date fails": (_get("/api/cookie-worse/old-date"), 500),
    "a cookie with an unreadable Max-Age fails": (_get("/api/cookie-worse/max-age"), 500),
    "an unknown SameSite is dropped": (_get("/api/cookie-worse/same-site"), 200),
    "a Set-Cookie that cannot be read is dropped": (_get("/api/cookie-worse/garbage"), 200),
    "a repeated response header collapses to one": (_get("/api/headers-twice"), 200),
    "text is plain text in UTF-8": (_get("/api/content-type/default"), 200),
    "a text type gets a charset": (_get("/api/content-type/html"), 200),
    "another type gets no charset": (_get("/api/content-type/problem"), 200),
    "a charset encodes the body": (_get("/api/content-type/latin-1"), 200),
    "a Content-Type header wins over the mimetype": (_get("/api/content-type/header"), 200),
    "text beyond ASCII is sent in UTF-8": (_get("/api/content-type/unicode"), 200),
    "a missing body is empty": (_get("/api/content-type/none"), 200),
    "a str result is plain text": (_get("/api/text"), 200),
    "None is a failure, not 204": (_get("/api/none"), 500),
    "a dict is a failure": (_get("/api/dict"), 500),
    "bytes are a failure": (_get("/api/bytes"), 500),
    "an exception is told to nobody": (_get("/api/fails"), 500),
    "an exception in a sync handler is told to nobody": (_get("/api/fails-sync"), 500),
    "the context names the function": (_get("/api/context"), 200),
    "the context is told in a thread too": (_get("/api/context-sync"), 200),
    "a path without a function is not found": (_get("/api/nothing"), 404),
    "a timer runs": (TimerCall(function="tick"), 202),
    "a timer is told that it is past due": (TimerCall(function="tick", past_due=True), 202),
    "a sync timer runs": (TimerCall(function="tick_sync", past_due=True), 202),
    "a timer may fail": (TimerCall(function="tick_fails"), 202),
    "timers saw the same": (_get("/api/seen-by-timers"), 200),
}

type Answers = Mapping[str, tuple[Answer, Answer]]


@pytest.fixture(scope="module")
def answers() -> Answers:
    """Of the worker and of the host, by the name of the call. One app object for each side."""
    calls = [call for call, _ in CALLS.values()]
    workers = run_in_worker(PROBE_APP, calls)
    hosts = asyncio.run(run_in_host(load_app(PROBE_APP), calls))
    return dict(zip(CALLS, zip(workers, hosts, strict=True), strict=True))


@pytest.mark.parametrize("name", CALLS)
def test_the_host_answers_as_the_worker_does(name: str, answers: Answers) -> None:
    in_worker, in_host = answers[name]

    assert in_host == in_worker
    assert in_worker.status == CALLS[name][1]


def test_a_difference_in_any_part_of_an_answer_is_seen(answers: Answers) -> None:
    answer, _ = answers["several cookies keep their attributes"]
    first, *others = answer.cookies
    looser = replace(first, attributes={**first.attributes, "samesite": "none"})

    assert answer != replace(answer, status=201)
    assert answer != replace(answer, headers={**answer.headers, "x-more": ""})
    assert answer != replace(answer, body=b"")
    assert answer != replace(answer, cookies=(looser, *others))


def test_a_host_prefixed_cookie_gets_a_domain_that_browsers_refuse(answers: Answers) -> None:
    """Azure/azure-functions-python-worker#1902: why the service sets no `__Host-` cookie."""
    in_worker, _ = answers["several cookies keep their attributes"]

    assert in_worker.cookies[0].name == "__Host-probe"
    assert in_worker.cookies[0].attributes["domain"] == ""


def test_an_app_that_the_worker_refuses_fails_with_its_words() -> None:
    with pytest.raises(AssertionError, match="Could not find top level function app instances"):
        run_in_worker(PROBE_APP.parent / "no_app", [])
