"""HTTP/1.1 by hand, over plain TCP: requests that no proper client would send."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from local.stack_info import StackInfo

_SECONDS: Final = 30.0
_CHUNK: Final = 65_536
_END_OF_HEAD: Final = b"\r\n\r\n"


class Raw(NamedTuple):
    """An answer: its status, its head as it came, and as much of its body as came with it."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """Its only value; empty if there is none."""
        lines = [line.partition(b":") for line in self.head.split(b"\r\n")[1:]]
        values = [value for key, _, value in lines if key.lower() == name.lower().encode()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0].strip().decode() if values else ""


@contextmanager
def connected(info: StackInfo) -> Iterator[socket.socket]:
    address = urlsplit(info.service)
    with socket.create_connection((str(address.hostname), address.port or 0), _SECONDS) as opened:
        opened.settimeout(_SECONDS)
        yield opened


def head(path: str | bytes, headers: Mapping[str, str | bytes], *, method: str = "POST") -> bytes:
    """The first bytes of a request, with the path and the values exactly as they are given."""
    lines = [b"%b %b HTTP/1.1" % (method.encode(), _bytes(path)), b"Host: 127.0.0.1"]
    lines += [b"%b: %b" % (name.encode(), _bytes(value)) for name, value in headers.items()]
    return b"\r\n".join(lines) + _END_OF_HEAD


def exchange(info: StackInfo, request: bytes) -> Raw:
    """Send it all, and read one answer."""
    with connected(info) as connection:
        connection.sendall(request)
        return answer(connection)


def answer(connection: socket.socket) -> Raw:
    """The next answer of the connection. Raises OSError when there comes none."""
    received = b""
    while _END_OF_HEAD not in received:
        received += _more(connection)
    start, _, body = received.partition(_END_OF_HEAD)
    status = int(start.split(b" ", 2)[1])
    found = Raw(status, start, b"")
    length = int(found.header("Content-Length") or "0")
    while len(body) < length:
        body += _more(connection)
    return found._replace(body=body)


def _more(connection: socket.socket) -> bytes:
    piece = connection.recv(_CHUNK)
    if not piece:
        raise ConnectionResetError("closed without an answer")
    return piece


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
