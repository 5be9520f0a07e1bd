"""Claims that any provider's token must carry, checked with the exactness they deserve."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.errors import NotAuthenticatedError
from shared.identity.signatures import require_signature
from shared.identity.unverified_token import UnverifiedToken

SKEW_SECONDS: Final = 300
_LONGEST_LIFE_SECONDS: Final = 28 * 3_600  # Entra's longest, with continuous access evaluation


def verified_claims(token: UnverifiedToken, key: RSAPublicKey) -> Mapping[str, Any]:
    """The claims, once the signature has verified. Raises NotAuthenticatedError."""
    require_signature(token, key)
    return token.unverified_claims


def require_current(claims: Mapping[str, Any], now: datetime) -> None:
    """`exp` and `iat` are there, whole numbers, and say that now is inside a sane lifetime.

    Five minutes of skew are allowed for. Raises NotAuthenticatedError.
    """
    at = int(now.timestamp())
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    not_before = _time(claims, "nbf") if "nbf" in claims else issued
    in_time = not_before - SKEW_SECONDS <= at < expires + SKEW_SECONDS
    if not in_time or issued - SKEW_SECONDS > at or expires - issued > _LONGEST_LIFE_SECONDS:
        raise NotAuthenticatedError


def text_claim(claims: Mapping[str, Any], name: str) -> str:
    """A claim that must be a text with something in it. Raises NotAuthenticatedError."""
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise NotAuthenticatedError
    return value


def _time(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 40:
        raise NotAuthenticatedError
    return value
