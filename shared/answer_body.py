"""The body of an answer while it arrives: inflated if it was sent so, and never too much of it."""

import zlib
from typing import Final

CHUNK_BYTES: Final = 65_536


class UnreadableBodyError(Exception):
    """Too large, not to be inflated, or not the whole of it."""


class Body:
    """Collects at most `max_bytes`, counted as they are once inflated.

    A few hundred kilobytes can stand for gigabytes, so the inflating stops where the limit is.
    After the end of what was compressed nothing may follow, not even a second gzip member: RFC 1952
    allows it, but no server we call sends one, and readers disagree about what it means. `encoding`
    is the Content-Encoding; raises UnreadableBodyError if it is one that we do not ask for.
    """

    def __init__(self, encoding: str, *, max_bytes: int) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("identity", "gzip", "deflate"):
            raise UnreadableBodyError
        # 32 + MAX_WBITS: zlib and gzip headers are both recognised (RFC 1950, RFC 1952).
        is_packed = encoding != "identity"
        self._inflate = zlib.decompressobj(32 + zlib.MAX_WBITS) if is_packed else None
        self._max_bytes = max_bytes
        self._body = bytearray()

    def add(self, chunk: bytes) -> None:
        """The next piece. Raises UnreadableBodyError."""
        if self._inflate is None:
            self._body += chunk
        else:
            try:
                room = self._max_bytes - len(self._body) + 1
                self._body += self._inflate.decompress(chunk, room)
            except zlib.error as exc:
                raise UnreadableBodyError from exc
            if self._inflate.unused_data:
                raise UnreadableBodyError
        if len(self._body) > self._max_bytes:
            raise UnreadableBodyError

    def whole(self) -> bytes:
        """All of it, after the last piece. Raises UnreadableBodyError if it was cut short."""
        if self._inflate is not None and not self._inflate.eof:
            raise UnreadableBodyError
        return bytes(self._body)
