"""The one place where signatures of tokens are verified: those of the providers, and our own."""

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from shared.errors import NotAuthenticatedError
from shared.identity.unverified_token import UnverifiedJws


def require_signature(jws: UnverifiedJws, key: RSAPublicKey | bytes) -> None:
    """The key signed exactly this, with the algorithm that the reader was told to expect.

    PyJWT checks the signature alone: it takes tokens without `exp`, and lists of audiences, so
    the claims are for the callers to check. Raises NotAuthenticatedError.
    """
    try:
        jwt.PyJWS().decode(jws.text, key=key, algorithms=[jws.algorithm])
    except jwt.PyJWTError:
        raise NotAuthenticatedError from None
