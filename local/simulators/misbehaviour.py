"""The ways in which a call goes wrong, one function each."""

import asyncio
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

_BLOCK: Final = bytes(1024 * 1024)
_GZIP: Final = zlib.MAX_WBITS | 16  # zlib's way of asking for the gzip container
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, zero seconds
_WITHOUT_BODY: Final = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}

_PAGE: Final = """<!DOCTYPE html>
<html><head><title>Down for maintenance</title></head>
<body><h1>We are down for maintenance</h1><p>Please try again later.</p></body></html>
"""


@dataclass(slots=True, kw_only=True)
class Fault:
    """One kind of misbehaviour for the next `times` calls whose path starts with `match`."""

    target: str  # the simulator's name
    match: str
    kind: str  # a key of KINDS
    value: float  # status code, seconds or bytes, by kind; 0 where the kind takes none
    times: int
    headers: Mapping[str, str] = field(default_factory=dict)  # of a `status` answer


async def _status(_request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """An answer that says nothing but its status."""
    code = int(fault.value)
    headers = CIMultiDict({"Content-Type": "application/json"})
    headers.update(fault.headers)
    return web.Response(status=code, headers=headers, body=None if code in _WITHOUT_BODY else b"{}")


async def _html(_request: web.Request, _handler: Handler, _fault: Fault) -> web.StreamResponse:
    """200 and a page for people, as proxies and maintenance windows answer."""
    return web.Response(text=_PAGE, content_type="text/html")


async def _delay(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    """Handled late, then answered as ever."""
    await asyncio.sleep(fault.value)
    return await handler(request)


async def _reset_before(
    request: web.Request, _handler: Handler, _fault: Fault
) -> web.StreamResponse:
    """The request never arrived."""
    return _cut(request)


async def _reset_after(request: web.Request, handler: Handler, _fault: Fault) -> web.StreamResponse:
    """The request was carried out, and its answer is lost."""
    await _answer(request, handler)
    return _cut(request)


async def _drip(request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
    """The real answer: its head at once, then one byte of its body every `value` seconds."""
    answer = await _answer(request, handler)
    if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes | None):
        raise TypeError("only an answer that is complete in memory can be dripped")
    body = answer.body or b""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(body)
    await response.prepare(request)
    for position in range(len(body)):
        await asyncio.sleep(fault.value)
        await response.write(body[position : position + 1])
    await response.write_eof()
    return response


async def _gzip_bomb(request: web.Request, _handler: Handler, fault: Fault) -> web.StreamResponse:
    """A small answer that grows to `value` zero bytes when it is decompressed."""
    response = web.StreamResponse(
        headers={"Content-Encoding": "gzip", "Content-Type": "application/json"}
    )
    response.enable_chunked_encoding()
    await response.prepare(request)
    compressor = zlib.compressobj(wbits=_GZIP)
    left = int(fault.value)
    while left > 0:
        block = _BLOCK[:left]
        left -= len(block)
        await response.write(compressor.compress(block))
        await asyncio.sleep(0)  # others are served meanwhile
    await response.write(compressor.flush())
    await response.write_eof()
    return response


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the simulator answers; an error that it raises is an answer, too."""
    try:
        return await handler(request)
    except web.HTTPException as answer:
        return answer


def _cut(request: web.Request) -> web.Response:
    """Cut the connection with a TCP reset. What is returned then reaches nobody."""
    if request.transport is not None:
        connection: socket.socket = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        request.transport.abort()
    return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)


Misbehaviour = Callable[[web.Request, Handler, Fault], Awaitable[web.StreamResponse]]

KINDS: Final[Mapping[str, Misbehaviour]] = {
    "status": _status,
    "html": _html,
    "delay": _delay,
    "reset_before": _reset_before,
    "reset_after": _reset_after,
    "drip": _drip,
    "gzip_bomb": _gzip_bomb,
}
