"""What the host makes of a request: local/host_request.py."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from local import host_request
from local.host_request import (
    MAX_BODY_BYTES,
    HostRequest,
    RefusedRequestError,
    decoded_path,
    escaped_path,
    joined_headers,
    query_parameters,
    read_body,
)
from tests.local.exchange import HttpCall


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/api/a%20b", "/api/a b"),
        (b"/api/%C3%AB", "/api/ë"),
        (b"/api/a%2fb%2Fc", "/api/a%2fb%2Fc"),
        (b"/api/a+b", "/api/a+b"),
        (b"/api/%ff%41", "/api/%ffA"),
        (b"/api/%C3", "/api/%C3"),
        (b"/api/%zz%4", "/api/%zz%4"),
        (b"/api/%252e%252e", "/api/%2e%2e"),
        (b"/api/x/%2e%2e/y", "/api/y"),
        (b"/api/./x/..", "/api/"),
        (b"/../../x", "/x"),
        (b"/..", "/"),
        (b"/api/...", "/api/..."),
    ],
)
def test_a_path_is_decoded_as_kestrel_does(raw: bytes, path: str) -> None:
    assert decoded_path(raw) == path


@pytest.mark.parametrize("raw", [b"/a%00b", b"*", b"example.com:443", b""])
def test_a_path_that_kestrel_refuses_is_refused(raw: bytes) -> None:
    with pytest.raises(RefusedRequestError) as refused:
        decoded_path(raw)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("path", "escaped"),
    [
        ("/api/a b", "/api/a%20b"),
        ("/api/ë?#", "/api/%C3%AB%3F%23"),
        ("/api/a%2Fb", "/api/a%2Fb"),
        ("/api/100%", "/api/100%25"),
        ("/!$&'()*+,-.;=:@_~", "/!$&'()*+,-.;=:@_~"),
    ],
)
def test_a_path_is_escaped_again_for_the_functions_address(path: str, escaped: str) -> None:
    assert escaped_path(path) == escaped


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&A=2&a=3", {"a": "1,2,3"}),
        ("a=&b&c=1", {"c": "1"}),
        ("a=&a=1&a=", {"a": "1"}),
        ("&&a=1&&", {"a": "1"}),
        ("a=b=c", {"a": "b=c"}),
        ("a+b=c+d%2B", {"a b": "c d+"}),
        ("a=%ff", {"a": "%ff"}),
        ("a=%C3%AB;b=1", {"a": "ë;b=1"}),
        ("a%5B0%5D=1", {"a[0]": "1"}),
        ("=1", {"": "1"}),
    ],
)
def test_a_query_is_read_as_asp_net_core_does(query: str, parameters: dict[str, str]) -> None:
    assert query_parameters(query) == parameters


def test_headers_are_lower_cased_and_joined() -> None:
    raw = [(b"X-A", b"1"), (b"x-a", b""), (b"X-a", b"2"), (b"B", b""), (b"c", "ë".encode())]

    assert joined_headers(raw) == {"x-a": "1,2", "b": "", "c": "ë"}


def test_a_header_that_is_no_utf_8_is_refused() -> None:
    with pytest.raises(RefusedRequestError) as refused:
        joined_headers([(b"x-a", b"\xff")])
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (HttpCall(target="/api/" + "x" * 8160), 200),
        (HttpCall(target="/api/" + "x" * 8200), 414),
        (HttpCall(target="/api/x?" + "x" * 8200), 414),
        (HttpCall(target="/api/x", headers=(("X-A", "x" * 32_600),)), 200),
        (HttpCall(target="/api/x", headers=(("X-A", "x" * 32_800),)), 431),
        (HttpCall(target="/api/x", headers=(("X-A", "1"),) * 99), 200),
        (HttpCall(target="/api/x", headers=(("X-A", "1"),) * 100), 431),
    ],
)
def test_a_request_that_is_too_large_for_kestrel_is_refused(call: HttpCall, status: int) -> None:
    try:
        HostRequest.of(call.scope())
        answered = 200
    except RefusedRequestError as refused:
        answered = refused.status
    assert answered == status


def request_of(*messages: Message) -> Request:
    """A request whose body comes in these messages, and then not at all."""
    waiting = list(messages)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    return Request(HttpCall(target="/").scope(), receive)


def part(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_without_content_length_does_not_reach_the_function() -> None:
    request = request_of(part(b"chunked", more=False))

    assert await read_body(request, {"transfer-encoding": "chunked"}) == b""


async def test_a_body_above_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(RefusedRequestError) as refused:
        await read_body(request_of(), {"content-length": str(MAX_BODY_BYTES + 1)})
    assert refused.value.status == 413


async def test_a_body_that_stops_coming_is_cut_off() -> None:
    with pytest.raises(RefusedRequestError) as refused:
        await read_body(
            request_of(part(b"ab", more=True)), {"content-length": "3"}, grace_seconds=0.02
        )
    assert refused.value.status == 408


async def test_a_body_that_comes_fast_enough_may_take_longer_than_the_grace() -> None:
    sent = [part(b"x" * 240, more=True), part(b"x" * 240, more=True), part(b"x" * 240, more=False)]

    async def receive() -> Message:
        await asyncio.sleep(0.05)
        return sent.pop(0)

    request = Request(HttpCall(target="/").scope(), receive)

    body = await read_body(request, {"content-length": "720"}, grace_seconds=0.08)
    assert len(body) == 720
    assert host_request.MIN_BODY_BYTES_PER_SECOND == 240


async def test_a_client_that_goes_away_is_noticed() -> None:
    with pytest.raises(ClientDisconnect):
        await read_body(
            request_of(part(b"ab", more=True), {"type": "http.disconnect"}),
            {"content-length": "3"},
        )
