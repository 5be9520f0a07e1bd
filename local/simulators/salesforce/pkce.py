"""Proof Key for Code Exchange, S256 only (RFC 7636)."""

import base64
import hashlib
import hmac
import re
from typing import Final

from local.simulators.salesforce.errors import token_refusal

_SHORTEST_VERIFIER: Final = 43  # section 4.1; jsforce sends 171 characters, and is accepted
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def is_challenge(text: str) -> bool:
    """Whether this can be a SHA-256 digest in unpadded base64url."""
    return _CHALLENGE.fullmatch(text) is not None


def challenge_of(verifier: str) -> str:
    """The S256 code challenge (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def check_verifier(verifier: str, challenge: str) -> None:
    """Raises `OAuthError`. `invalid code verifier` is quoted from production
    (https://github.com/forcedotcom/SalesforceMobileSDK-Android/issues/2642)."""
    if not verifier:
        raise token_refusal("invalid_grant", "missing required code verifier")
    matches = hmac.compare_digest(challenge_of(verifier), challenge)
    if len(verifier) < _SHORTEST_VERIFIER or not matches:
        raise token_refusal("invalid_grant", "invalid code verifier")
