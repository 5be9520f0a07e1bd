"""Small encodings that several values share."""

import base64


def base32(data: bytes) -> str:
    """Base32 in lower case without padding: safe in row keys and host names alike (RFC 4648)."""
    return base64.b32encode(data).decode().rstrip("=").lower()
