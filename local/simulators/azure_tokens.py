"""Access tokens of the operator's own directory: what a managed identity gets, what Azure accepts.

One `AzureTokens` is made for all simulators, so that what the identity endpoint issues is what
Key Vault verifies. Claims follow Microsoft's reference of v1.0 access tokens
(https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference).
"""

import secrets
from collections.abc import Callable
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from local import scene

ISSUER: Final = f"https://sts.windows.net/{scene.KEY_VAULT_TENANT}/"
IDENTITY_OBJECT_ID: Final = "3f9a1c77-0d52-4e86-9b1e-5c20d8f7a614"  # the service's own identity
IDENTITY_CLIENT_ID: Final = "a84d2e60-7b3f-4c19-8e5a-61f0c9d2b735"

_SKEW: Final = 300  # Entra dates a token five minutes back
_LIFE: Final = 24 * 3600  # a managed identity's token lives a day
_LEEWAY: Final = 300


class AzureTokens:
    """Issues and verifies RS256 tokens of one directory. `clock` gives Unix seconds."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._kid = secrets.token_urlsafe(20)

    def public_key(self) -> rsa.RSAPublicKey:
        """Verifies every token that `issue` ever gave."""
        return self._key.public_key()

    def issue(self, resource: str) -> str:
        """A token of the service's managed identity for `resource`, which becomes its `aud`."""
        issued = int(self._clock()) - _SKEW
        claims: dict[str, object] = {
            "aud": resource,
            "iss": ISSUER,
            "iat": issued,
            "nbf": issued,
            "exp": issued + _SKEW + _LIFE,
            "appid": IDENTITY_CLIENT_ID,
            "appidacr": "2",
            "idp": ISSUER,
            "idtyp": "app",
            "oid": IDENTITY_OBJECT_ID,
            "sub": IDENTITY_OBJECT_ID,
            "tid": scene.KEY_VAULT_TENANT,
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._kid})

    def verify(self, token: str, resource: str) -> dict[str, object]:
        """The claims of a token issued here for `resource`; `ValueError` for any other.

        A trailing slash does not tell two resources apart, as in Azure. Times are compared
        with this object's clock, with five minutes of leeway.
        """
        audience = resource.rstrip("/")
        try:
            claims: dict[str, object] = jwt.decode(
                token,
                self.public_key(),
                algorithms=["RS256"],
                audience=[audience, audience + "/"],
                issuer=ISSUER,
                options={
                    "require": ["aud", "iss", "iat", "nbf", "exp", "oid"],
                    "verify_exp": False,  # below, by our own clock
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidTokenError as exc:
            raise ValueError(f"not a token of this directory for {resource}: {exc}") from exc
        now = self._clock()
        begins, ends = claims["nbf"], claims["exp"]
        if not isinstance(begins, int) or not isinstance(ends, int):
            raise ValueError("nbf and exp must be numbers")  # noqa: TRY004 - one error for callers
        if not begins - _LEEWAY <= now < ends + _LEEWAY:
            raise ValueError("the token is not valid at this time")
        return claims
