"""What the real host makes of an HTTP request before the Python worker sees it.

Rules are those of Kestrel (path), ASP.NET Core (query) and the Functions host (headers, body:
GrpcMessageConversionExtensions.ToRpcHttp).
"""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote

from azure.functions.meta import Datum
from starlette.requests import Request
from starlette.types import Scope

# The limit that the Functions documentation gives for a request to an HTTP trigger.
MAX_BODY_BYTES: Final = 104_857_600
# Kestrel's defaults: MaxRequestLineSize, MaxRequestHeadersTotalSize, MaxRequestHeaderCount.
MAX_REQUEST_LINE_BYTES: Final = 8 * 1024
MAX_HEADERS_BYTES: Final = 32 * 1024
MAX_HEADERS: Final = 100
# Kestrel's MinRequestBodyDataRate: what is slower, after a grace period, is cut off with 408.
MIN_BODY_BYTES_PER_SECOND: Final = 240.0
BODY_GRACE_SECONDS: Final = 5.0

_ESCAPES: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPES_BUT_SLASH: Final = re.compile(r"(?:%(?!2[Ff])[0-9A-Fa-f]{2})+")
_TO_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|[^!$&'()*+,\-./0-9:;=@A-Z_a-z~%]")


class RefusedRequestError(Exception):
    """The host answers this request itself, without asking the app."""

    def __init__(self, status: int) -> None:
        super().__init__(f"refused with {status}")
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRequest:
    """A request as the host hands it to the worker, its body aside."""

    method: str
    path: str  # decoded, without dot segments: what routes are matched against
    url: str  # absolute, its path escaped again
    headers: dict[str, str]  # names in lower case, repeated ones joined by a comma
    query: dict[str, str]  # repeated ones joined by a comma, empty ones left out

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Read an ASGI scope. Raises RefusedRequestError (400, 414, 431)."""
        _check_size(scope)
        headers = joined_headers(scope["headers"])
        path = decoded_path(scope["raw_path"])
        query = scope["query_string"].decode("ascii")
        url = f"{scope['scheme']}://{headers.get('host', '')}{escaped_path(path)}"
        return cls(
            method=scope["method"],
            path=path,
            url=f"{url}?{query}" if query else url,
            headers=headers,
            query=query_parameters(query),
        )

    def datum(self, parameters: dict[str, str], body: bytes) -> Datum:
        """In the form that azure.functions' own converter decodes into an HttpRequest."""
        return Datum(
            {
                "method": _text(self.method),
                "url": _text(self.url),
                "headers": _texts(self.headers),
                "query": _texts(self.query),
                "params": _texts(parameters),
                "body": Datum(body, "bytes"),
            },
            "http",
        )


def _check_size(scope: Scope) -> None:
    line = f"{scope['method']}  HTTP/1.1\r\n"
    if len(line) + len(scope["raw_path"]) + len(scope["query_string"]) > MAX_REQUEST_LINE_BYTES:
        raise RefusedRequestError(414)
    headers = scope["headers"]
    size = sum(len(name) + len(value) + len(": \r\n") for name, value in headers)
    if len(headers) > MAX_HEADERS or size > MAX_HEADERS_BYTES:
        raise RefusedRequestError(431)


def _text(value: str) -> Datum:
    return Datum(value, "string")


def _texts(values: dict[str, str]) -> dict[str, Datum]:
    return {name: _text(value) for name, value in values.items()}


def decoded_path(raw: bytes) -> str:
    """Percent-decode as Kestrel does: `%2F` and what is no UTF-8 stay, dot segments go.

    Raises RefusedRequestError (400) for a NUL and for what is no absolute path.
    """
    path = _ESCAPES_BUT_SLASH.sub(_decode, raw.decode("ascii"))
    if not path.startswith("/") or "\0" in path:
        raise RefusedRequestError(400)
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def escaped_path(path: str) -> str:
    """As ASP.NET Core's PathString writes it: what is escaped already stays as it is."""
    return _TO_ESCAPE.sub(lambda found: quote(found.group(), safe=""), path)


def query_parameters(query: str) -> dict[str, str]:
    """Names are compared without case, the first spelling counts; empty values do not arrive."""
    names: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = (_ESCAPES.sub(_decode, part) for part in _halves(pair))
            key = names.setdefault(name.upper(), name)
            values.setdefault(key, []).append(value)
    joined = {name: _joined(parts) for name, parts in values.items()}
    return {name: value for name, value in joined.items() if value}


def _halves(pair: str) -> tuple[str, str, str]:
    return pair.replace("+", " ").partition("=")


def joined_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Raises RefusedRequestError (400) for a value that is no UTF-8, as Kestrel does."""
    values: dict[str, list[str]] = {}
    try:
        for name, value in raw:
            values.setdefault(name.decode("ascii").lower(), []).append(value.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise RefusedRequestError(400) from exc
    return {name: _joined(parts) for name, parts in values.items()}


def _joined(values: list[str]) -> str:
    return ",".join(value for value in values if value)


def _decode(escapes: re.Match[str]) -> str:
    """UTF-8 of a run of escapes; octets that are none stay escaped, as they were written."""
    run = escapes.group()
    octets = bytes.fromhex(run.replace("%", ""))
    text, position = "", 0
    while position < len(octets):
        try:
            return text + octets[position:].decode("utf-8")
        except UnicodeDecodeError as error:
            bad, good = position + error.start, position + error.end
            text += octets[position:bad].decode("utf-8") + run[3 * bad : 3 * good]
            position = good
    return text


async def read_body(
    request: Request, headers: dict[str, str], *, grace_seconds: float = BODY_GRACE_SECONDS
) -> bytes:
    """The body, where the host passes one on.

    Without Content-Length the worker gets no body at all: the host does not bind chunked
    requests (Azure/azure-functions-host#7930). Raises RefusedRequestError (413 above the limit,
    408 when it comes too slowly) and starlette's ClientDisconnect.
    """
    length = int(headers.get("content-length", "0"))
    if length > MAX_BODY_BYTES:
        raise RefusedRequestError(413)
    if length == 0:
        return b""
    body = bytearray()
    begun = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(grace_seconds) as limit:
            async for chunk in request.stream():
                body += chunk
                earned = len(body) / MIN_BODY_BYTES_PER_SECOND
                limit.reschedule(begun + grace_seconds + earned)
    except TimeoutError as exc:
        raise RefusedRequestError(408) from exc
    return bytes(body)
