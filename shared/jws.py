"""Signatures as others verify them: JSON Web Signatures with ES256 (RFC 7515, RFC 7518 3.4).

Here is what gets signed, and how it is written down; the signing itself is `ports.Signer`'s. The
third party's side of it is `tools/verify_receipt.py`, which shares no line with this file.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Final

from shared.errors import Json

RECEIPT_TYP: Final = "flowrunner-deletion-receipt+jws"
EXPORT_TYP: Final = "flowrunner-run-export+jws"
SIGNATURE_BYTES: Final = 64
"""r and s, 32 bytes each, big endian."""

_COORDINATE_BYTES: Final = 32


def canonical_json(value: Json) -> bytes:
    """One text for one value: members sorted, no spaces, ASCII. ValueError for NaN and the like."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def public_jwk(x: bytes, y: bytes) -> dict[str, str]:
    """A P-256 public key as the service publishes it (RFC 7517, RFC 7518 6.2).

    Its `kid` is its own thumbprint, so that a saved key set can be checked against itself.
    Raises ValueError for coordinates of another curve.
    """
    key = {"kty": "EC", "crv": "P-256", "x": _coordinate(x), "y": _coordinate(y)}
    return {**key, "kid": _thumbprint(key), "alg": "ES256", "use": "sig"}


def _coordinate(number: bytes) -> str:
    """Always of full length: leading zeros belong to it (RFC 7518, 6.2.1.2)."""
    if len(number) > _COORDINATE_BYTES:
        raise ValueError("no coordinate of P-256")
    return _base64url(number.rjust(_COORDINATE_BYTES, b"\0"))


def _thumbprint(required_members: Mapping[str, str]) -> str:
    """RFC 7638: of exactly the members that make the key, in canonical form."""
    return _base64url(hashlib.sha256(canonical_json(required_members)).digest())


class CompactJws:
    """A payload with its signature in one text: `header.payload.signature` (RFC 7515, 7.1)."""

    def __init__(self, payload: bytes, *, typ: str, kid: str) -> None:
        header = {"alg": "ES256", "kid": kid, "typ": typ}
        self._signing_input = f"{_base64url(canonical_json(header))}.{_base64url(payload)}"

    def digest(self) -> bytes:
        """What to sign."""
        return hashlib.sha256(self._signing_input.encode("ascii")).digest()

    def signed(self, signature: bytes) -> str:
        return f"{self._signing_input}.{_base64url(signature)}"


class DetachedJws:
    """The signature of bytes that travel beside it: `header..signature` (RFC 7797).

    The payload enters as it is (`b64` is false), piece by piece, and is not kept.
    """

    def __init__(self, *, typ: str, kid: str) -> None:
        header: Json = {"alg": "ES256", "b64": False, "crit": ["b64"], "kid": kid, "typ": typ}
        self._header = _base64url(canonical_json(header))
        self._hash = hashlib.sha256(f"{self._header}.".encode("ascii"))

    def update(self, piece: bytes) -> None:
        """The next piece of the payload."""
        self._hash.update(piece)

    def digest(self) -> bytes:
        """What to sign, after the last piece."""
        return self._hash.digest()

    def signed(self, signature: bytes) -> str:
        return f"{self._header}..{_base64url(signature)}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
