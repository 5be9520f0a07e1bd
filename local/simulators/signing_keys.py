"""Signing keys of an identity provider: published, rolled over, and misused on demand.

A key set publishes the current key and, after a roll-over, the one before it. `next` is the key
that the coming roll-over publishes; `unknown` is never published. Entra ID and Google share this.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_UNKNOWN: Final = -1  # the generation that is never published
_VALID_FROM: Final = datetime(2025, 1, 1, tzinfo=UTC)
_VALID_UNTIL: Final = datetime(2045, 1, 1, tzinfo=UTC)


def base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unsigned_integer(value: int) -> str:
    """A number as JWK writes it: big-endian, no leading zero octet (RFC 7518, section 2)."""
    return base64url(value.to_bytes((value.bit_length() + 7) // 8))


class SigningKey:
    """An RSA-2048 key with its self-signed certificate."""

    def __init__(self, owner: str) -> None:
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, owner)])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_VALID_FROM)
            .not_valid_after(_VALID_UNTIL)
            .sign(self.private, hashes.SHA256())
        )
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        self.x5c = base64.b64encode(der).decode("ascii")
        self.thumbprint = hashlib.sha1(der).digest()  # noqa: S324 - x5t is SHA-1, RFC 7517, 4.8
        self.x5t = base64url(self.thumbprint)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    def public_members(self) -> dict[str, str]:
        """The members `kty`, `n` and `e` of the key's JWK (RFC 7518, section 6.3.1)."""
        numbers = self.private.public_key().public_numbers()
        return {"kty": "RSA", "n": unsigned_integer(numbers.n), "e": unsigned_integer(numbers.e)}

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """A compact JWS over exactly this header and these claims.

        The signature is RS256, or empty where `alg` reads "none" in any spelling. Raises
        `ValueError` for another algorithm: a token that claims it would not be signed so.
        """
        signing_input = ".".join(
            base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)
        )
        algorithm = header.get("alg", "")
        if isinstance(algorithm, str) and algorithm.casefold() == "none":
            return signing_input + "."
        if algorithm not in ("RS256", ""):
            raise ValueError(f"alg {algorithm!r}: only RS256 and none are signed here")
        signature = self.private.sign(
            signing_input.encode("ascii"), padding.PKCS1v15(), hashes.SHA256()
        )
        return f"{signing_input}.{base64url(signature)}"


@cache
def _key(owner: str, generation: int) -> SigningKey:  # noqa: ARG001 - the key of the cache
    """Kept for the life of the process: RSA generation is slow, and a reset must not make the
    keys that a client has cached unknown."""
    return SigningKey(owner)


class KeySet:
    """The keys of `owner`, which is also the name on their certificates."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self.reset()

    def reset(self) -> None:
        """As after start: the first key is current and alone."""
        self._generation = 0
        self._oldest = 0
        self.extra: list[object] = []  # raw members that are served beside the real keys

    def rotate(self, *, remove_previous: bool = False) -> None:
        """Publish the next key and make it current. The key before it stays published until the
        following roll-over, or goes at once; older ones go."""
        self._generation += 1
        self._oldest = self._generation if remove_previous else self._generation - 1

    def published(self) -> list[SigningKey]:
        """Newest first."""
        return [
            _key(self._owner, generation)
            for generation in range(self._generation, self._oldest - 1, -1)
        ]

    def named(self, name: str) -> SigningKey:
        """The key called `current`, `next` or `unknown`; `ValueError` for any other name."""
        generations = {
            "current": self._generation,
            "next": self._generation + 1,
            "unknown": _UNKNOWN,
        }
        if name not in generations:
            raise ValueError(f"key must be one of {', '.join(generations)}")
        return _key(self._owner, generations[name])


def overridden(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with members replaced, and removed where the override is null."""
    return {name: value for name, value in {**base, **overrides}.items() if value is not None}
