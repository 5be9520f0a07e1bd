"""Our own session tokens: HS256, fifteen minutes, signed with a secret from Key Vault.

The newest and the previous version of the secret are both accepted, so the secret rotates while
the service serves. A session names its user, tenant, provider and epochs; it opens nothing by
itself, for the epochs are compared on every request.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import jwt

from shared.errors import (
    InvalidRequestError,
    KeyVaultFailedError,
    NotAuthenticatedError,
    SessionExpiredError,
)
from shared.identity.unverified_token import read
from shared.model import Caller, Provider, SessionClaims, TenantId, UserId
from shared.ports import Clock
from shared.secret import Secret

LIFETIME: Final = timedelta(minutes=15)
SIGNING_SECRET: Final = "session-signing-key"  # noqa: S105 - its name in Key Vault
_TYPE: Final = "flowrunner-session+jwt"
_AUDIENCE: Final = "flowrunner"
_LEAST_KEY_CHARACTERS: Final = 32


class SigningSecrets(Protocol):
    async def newest_two(self, name: str) -> Mapping[str, Secret]: ...

    async def newest_two_by_now(self, name: str) -> Mapping[str, Secret]:
        """The same, read again, unless that was done a moment ago."""
        ...


class SignedSessions:
    """Satisfies `ports.Sessions`."""

    def __init__(self, *, secrets: SigningSecrets, clock: Clock) -> None:
        self._secrets, self._clock = secrets, clock

    async def issue(self, claims: SessionClaims) -> Secret:
        versions = await self._secrets.newest_two(SIGNING_SECRET)
        kid, key = next(iter(versions.items()))
        _require_strong(key)
        caller = claims.caller
        payload = {
            "iss": _AUDIENCE,
            "aud": _AUDIENCE,
            "sub": caller.user,
            "ten": caller.tenant,
            "prv": caller.provider,
            "adm": caller.is_admin,
            "ept": claims.tenant_epoch,
            "epu": claims.user_epoch,
            "iat": int(caller.signed_in_at.timestamp()),
            "exp": int(claims.expires_at.timestamp()),
        }
        headers = {"kid": kid, "typ": _TYPE}
        return Secret(jwt.encode(payload, key.reveal(), algorithm="HS256", headers=headers))

    async def read(self, unverified_token: Secret) -> SessionClaims:
        token = read(unverified_token.reveal(), algorithm="HS256", types=(_TYPE,))
        versions = await self._secrets.newest_two(SIGNING_SECRET)
        if token.unverified_kid not in versions:  # another instance may have seen a rotation first
            versions = await self._secrets.newest_two_by_now(SIGNING_SECRET)
        key = versions.get(token.unverified_kid)
        if key is None:
            raise NotAuthenticatedError
        _require_strong(key)
        try:
            jwt.PyJWS().decode(token.text, key=key.reveal(), algorithms=["HS256"])
        except jwt.PyJWTError:
            raise NotAuthenticatedError from None
        claims = _session_claims(token.unverified_claims)
        now = self._clock()
        if not claims.caller.signed_in_at <= now + timedelta(minutes=1):
            raise NotAuthenticatedError
        if now >= claims.expires_at or now >= claims.caller.signed_in_at + LIFETIME:
            raise SessionExpiredError
        return claims


def _require_strong(key: Secret) -> None:
    """HS256 wants a key of 256 bits or more (RFC 7518, 3.2). Raises KeyVaultFailedError."""
    if len(key.reveal()) < _LEAST_KEY_CHARACTERS:
        raise KeyVaultFailedError


def _session_claims(payload: Mapping[str, Any]) -> SessionClaims:
    """Raises NotAuthenticatedError unless every claim is there, in its own type."""
    try:
        if payload["iss"] != _AUDIENCE or payload["aud"] != _AUDIENCE:
            raise NotAuthenticatedError
        provider: Provider = "google" if payload["prv"] == "google" else "microsoft"
        caller = Caller(
            tenant=TenantId.parse(payload["ten"]),
            user=UserId(payload["sub"]),
            provider=provider,
            is_admin=payload["adm"] is True,
            signed_in_at=datetime.fromtimestamp(int(payload["iat"]), tz=UTC),
        )
        return SessionClaims(
            caller=caller,
            tenant_epoch=int(payload["ept"]),
            user_epoch=int(payload["epu"]),
            expires_at=datetime.fromtimestamp(int(payload["exp"]), tz=UTC),
        )
    except (KeyError, TypeError, ValueError, OverflowError, InvalidRequestError):
        raise NotAuthenticatedError from None
