"""The body of an export while it is produced: held once, and compressed on its way in."""

import io
import zlib
from typing import Final

_GZIP: Final = 16 + zlib.MAX_WBITS  # a gzip frame (RFC 1952) instead of zlib's own


class ExportBody:
    """What `azure.functions` answers it wants whole, so this is all that is kept of an export:
    the compressed bytes, where the client reads gzip."""

    def __init__(self, *, gzip: bool) -> None:
        self._held = io.BytesIO()
        self._compressor = zlib.compressobj(wbits=_GZIP) if gzip else None

    def write(self, piece: bytes) -> None:
        self._held.write(piece if self._compressor is None else self._compressor.compress(piece))

    def finished(self) -> bytes:
        """All of it, as it is sent; there is no more to come."""
        if self._compressor is not None:
            self._held.write(self._compressor.flush())
        return self._held.getvalue()
