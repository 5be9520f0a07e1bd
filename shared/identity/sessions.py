"""Our own session tokens: HS256, fifteen minutes, signed with a secret from Key Vault.

A session names its user, tenant, provider and epochs; it opens nothing by itself, for the epochs
are compared on every request. The provider needs no such comparison: a tenant's id begins with its
provider, so a session in which the two disagree is refused here, and the row cannot say otherwise.

The secret rotates while the service serves. Sessions of the newest and of the previous version are
both accepted. An instance may know the versions of ten minutes ago, so a new version does not sign
at once, but when all have read it: fifteen minutes after it appeared (ten, and five for clocks),
or was last changed in the vault, for it may have been enabled then.
Until then the previous one signs, and fifteen minutes later its last session is over. So:

- nobody notices a rotation, if the one before is 30 minutes old (35, if clocks differ by five);
- a version is accepted nowhere any more ten minutes after the second newer one appeared, whatever
  becomes of those two, or after it was disabled in the vault; one with an end in the vault, from
  that moment on.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Protocol

import jwt
from jwt.algorithms import HMACAlgorithm

from shared.cache import TimedCache
from shared.errors import (
    InvalidRequestError,
    KeyVaultFailedError,
    NotAuthenticatedError,
    SessionExpiredError,
)
from shared.identity.signatures import require_signature
from shared.identity.unverified_token import read
from shared.model import Caller, Provider, SessionClaims, TenantId, UserId
from shared.ports import Clock
from shared.secret import Secret, SecretVersion

LIFETIME: Final = timedelta(minutes=15)
SKEW: Final = timedelta(minutes=5)
"""By how much the clocks of two instances may differ: as much as is allowed the providers' clocks.

A session's age is counted from its signing, by the clock of whoever reads it: one that is five
minutes fast ends it after ten minutes, one that is five minutes slow after twenty, and none later.
"""
SETTLED: Final = timedelta(minutes=15)
"""After this time every instance knows a version of the secret: see above."""
SIGNING_SECRET: Final = "session-signing-key"  # noqa: S105 - its name in Key Vault
_TYPE: Final = "flowrunner-session+jwt"
_AUDIENCE: Final = "flowrunner"
_CLAIMS: Final = frozenset(
    {"iss", "aud", "sub", "ten", "prv", "adm", "ept", "epu", "iat", "exp", "jti"}
)
_TENANTS_OF: Final[Mapping[Provider, str]] = {"microsoft": "ms-", "google": "g-"}
_MOST_SESSIONS: Final = 10_000
_LEAST_KEY_CHARACTERS: Final = 32
_LEAST_DIFFERENT_CHARACTERS: Final = 8
_YEAR_10000: Final = 253_402_300_800  # in Unix seconds; datetime ends before it
_LARGEST_EPOCH: Final = 1 << 63


class SigningSecrets(Protocol):
    async def newest_two(self, name: str) -> Sequence[SecretVersion]: ...

    async def newest_two_by_now(self, name: str) -> Sequence[SecretVersion]:
        """The same, read again, unless that was done a moment ago."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verified:
    """What a session says, and the version of the secret that signed it."""

    by: SecretVersion
    claims: SessionClaims


class SignedSessions:
    """Satisfies `ports.Sessions`."""

    def __init__(self, *, secrets: SigningSecrets, clock: Clock) -> None:
        self._secrets, self._clock = secrets, clock
        self._verified: TimedCache[bytes, _Verified] = TimedCache(
            size=_MOST_SESSIONS, seconds=LIFETIME.total_seconds()
        )

    async def issue(self, claims: SessionClaims) -> Secret:
        """No two sessions are the same text, not even of one user in one second (S-01)."""
        version = await self._signing_version()
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
            "jti": secrets.token_urlsafe(16),
        }
        key = _strong(version.secret)
        headers = {"kid": version.id, "typ": _TYPE}
        return Secret(jwt.encode(payload, key, algorithm="HS256", headers=headers))

    async def read(self, unverified_token: Secret) -> SessionClaims:
        """A text that was verified is known again by its hash, as long as the version of the secret
        that signed it is the same and accepted: its signature says nothing new."""
        digest = sha256(unverified_token.reveal().encode("utf-8", "surrogatepass")).digest()
        verified = self._verified.peek(digest)
        if verified is None or verified.by != await self._version(verified.by.id):
            verified = await self._verify(unverified_token)
            self._verified.put(digest, verified)
        claims, now = verified.claims, self._clock()
        if claims.caller.signed_in_at > now + SKEW:
            raise NotAuthenticatedError
        if now >= claims.expires_at:
            raise SessionExpiredError
        return claims

    async def _verify(self, unverified_token: Secret) -> _Verified:
        token = read(unverified_token.reveal(), algorithm="HS256", types=(_TYPE,))
        version = await self._version(token.unverified_kid)
        if version is None:
            raise NotAuthenticatedError
        require_signature(token, _strong(version.secret).encode())
        return _Verified(by=version, claims=_session_claims(token.unverified_claims))

    async def _signing_version(self) -> SecretVersion:
        """The newest that everybody knows by now; else the one that most may know."""
        usable = self._usable(await self._secrets.newest_two(SIGNING_SECRET))
        if not usable:
            usable = self._usable(await self._secrets.newest_two_by_now(SIGNING_SECRET))
        if not usable:
            raise KeyVaultFailedError
        settled_at = self._clock() - SETTLED
        longest_offered = min(reversed(usable), key=lambda one: one.offered_since)
        return next((one for one in usable if one.offered_since <= settled_at), longest_offered)

    async def _version(self, unverified_id: str) -> SecretVersion | None:
        """Read again if it is not known: another instance may have seen a new version first."""
        for ask in (self._secrets.newest_two, self._secrets.newest_two_by_now):
            for version in self._usable(await ask(SIGNING_SECRET)):
                if version.id == unverified_id:
                    return version
        return None

    def _usable(self, versions: Sequence[SecretVersion]) -> Sequence[SecretVersion]:
        now = self._clock()
        return [version for version in versions if version.is_usable(now)]


def _strong(key: Secret) -> str:
    """HS256 wants a key of 256 bits or more (RFC 7518, 3.2). Raises KeyVaultFailedError.

    Blanks and one character over and over are no key, nor is what PyJWT takes for a public one
    (PEM, SSH, JWK): it would refuse it when signing, and call every session forged when verifying.
    """
    text = key.reveal()
    visible = text.strip()
    if len(visible) < _LEAST_KEY_CHARACTERS or len(set(visible)) < _LEAST_DIFFERENT_CHARACTERS:
        raise KeyVaultFailedError
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(text)
    except jwt.InvalidKeyError:
        raise KeyVaultFailedError from None
    return text


def _session_claims(payload: Mapping[str, Any]) -> SessionClaims:
    """Exactly the claims that we write, each of its own type. Raises NotAuthenticatedError.

    So a session of an earlier or a later form is none (S-03): its owner signs in again, unseen.
    """
    if set(payload) != _CLAIMS:
        raise NotAuthenticatedError
    try:
        tenant, user = TenantId.parse(payload["ten"]), UserId.parse(payload["sub"])
    except (TypeError, InvalidRequestError):
        raise NotAuthenticatedError from None
    provider = _provider(payload["prv"])
    signed_in, expires = _whole(payload, "iat", _YEAR_10000), _whole(payload, "exp", _YEAR_10000)
    is_ours = (
        payload["iss"] == _AUDIENCE
        and payload["aud"] == _AUDIENCE
        and tenant.startswith(_TENANTS_OF[provider])
        and isinstance(payload["adm"], bool)
        and isinstance(payload["jti"], str)
        and 0 < expires - signed_in <= LIFETIME.total_seconds()
    )
    if not is_ours:
        raise NotAuthenticatedError
    caller = Caller(
        tenant=tenant,
        user=user,
        provider=provider,
        is_admin=payload["adm"],
        signed_in_at=datetime.fromtimestamp(signed_in, tz=UTC),
    )
    return SessionClaims(
        caller=caller,
        tenant_epoch=_whole(payload, "ept", _LARGEST_EPOCH),
        user_epoch=_whole(payload, "epu", _LARGEST_EPOCH),
        expires_at=datetime.fromtimestamp(expires, tz=UTC),
    )


def _provider(value: object) -> Provider:
    match value:
        case "microsoft" | "google":
            return value
        case _:
            raise NotAuthenticatedError


def _whole(payload: Mapping[str, Any], name: str, end: int) -> int:
    """A whole number from 0 to below `end`: no text, no fraction, no truth value."""
    value = payload[name]
    if type(value) is not int or not 0 <= value < end:
        raise NotAuthenticatedError
    return value
