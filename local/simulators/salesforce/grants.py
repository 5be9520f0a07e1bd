"""Codes, grants and tokens: what is alive, what ends it, and what its ending takes along.

A state machine without HTTP. The rules are those of partner apps since May 2026
(https://developer.salesforce.com/docs/platform/isvforce/guide/secure-code-ac-eca.md): PKCE for
every code; a refresh token is spent by its use, and using a spent one ends the whole grant; a
refresh token idle for 30 days ends too; and a user holds at most five grants of one app.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from local.simulators.salesforce import tokens
from local.simulators.salesforce.errors import expired_token, token_refusal
from local.simulators.salesforce.grant import (
    AccessToken,
    Ending,
    Grant,
    Issued,
    Owner,
    RefreshToken,
)
from local.simulators.salesforce.pkce import check_verifier

CODE_LIFETIME: Final = 15 * 60.0
ACCESS_TOKEN_LIFETIME: Final = 2 * 3600.0
IDLE_LIMIT: Final = 30 * 24 * 3600.0
GRANTS_PER_USER: Final = 5


@dataclass(eq=False, kw_only=True)
class _Code:
    grant: Grant
    host: str
    redirect_uri: str
    challenge: str
    expires_at: float
    spent: bool = False


class Grants:
    """Every grant of the app. `clock` gives Unix seconds."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._grants: list[Grant] = []
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, RefreshToken] = {}
        self._access: dict[str, AccessToken] = {}
        self.code_redemptions = 0
        self.redemptions = 0
        self.replays = 0
        self.revocations = 0

    def approve(
        self, owner: Owner, *, scopes: frozenset[str], host: str, redirect_uri: str, challenge: str
    ) -> str:
        """The user said yes: a code, good for 15 minutes, once. The oldest grant beyond five
        ends silently."""
        living = [grant for grant in self._of(owner) if grant.ended is None]
        for oldest in living[: max(0, len(living) - GRANTS_PER_USER + 1)]:
            oldest.ended = Ending.EVICTED
        grant = Grant(owner=owner, scopes=scopes, refreshed_at=self._clock())
        self._grants.append(grant)
        code = tokens.new_code()
        self._codes[code] = _Code(
            grant=grant,
            host=host,
            redirect_uri=redirect_uri,
            challenge=challenge,
            expires_at=self._clock() + CODE_LIFETIME,
        )
        return code

    def redeem_code(self, code: str, *, host: str, redirect_uri: str, verifier: str) -> Issued:
        """Trade a code for tokens. Any attempt spends it, a failed one too. Raises `OAuthError`."""
        held = self._codes.get(code)
        if held is None:
            raise token_refusal("invalid_grant", "invalid authorization code")
        if held.spent or held.grant.ended or self._clock() >= held.expires_at:
            raise token_refusal("invalid_grant", "expired authorization code")
        held.spent = True
        if held.host != host:
            raise token_refusal("invalid_grant", "request not supported on this domain")
        if not redirect_uri:
            raise token_refusal("redirect_uri_missing", "redirect_uri must match configuration")
        if redirect_uri != held.redirect_uri:
            raise token_refusal("redirect_uri_mismatch", "redirect_uri must match configuration")
        check_verifier(verifier, held.challenge)
        self.code_redemptions += 1
        held.grant.redeemed = True
        held.grant.refreshed_at = self._clock()
        offline = "refresh_token" in held.grant.scopes
        return self._issue(held.grant, self._next_refresh_token(held.grant) if offline else None)

    def begin_refresh(self, token: str) -> Grant:
        """Take the refresh token into process; `finish_refresh` must follow. Raises `OAuthError`.

        A second request meanwhile is refused without harm. A rotated-out token is a replay, and
        ends the grant.
        """
        held = self._refresh.get(token)
        if held is None:
            raise expired_token()
        grant = held.grant
        if token != grant.refresh_token:
            self.replays += 1
            grant.replays += 1
            grant.ended = grant.ended or Ending.REPLAYED
        self._end_if_idle(grant)
        if grant.ended:
            raise expired_token()
        if grant.in_process:
            raise token_refusal("invalid_grant", "token request is already being processed")
        grant.in_process = True
        return grant

    def finish_refresh(self, grant: Grant, *, rotate: bool) -> Issued:
        """Issue what was asked for, unless the grant ended meanwhile. Raises `OAuthError`."""
        grant.in_process = False
        if grant.ended:
            raise expired_token()
        self.redemptions += 1
        grant.redemptions += 1
        grant.refreshed_at = self._clock()
        return self._issue(grant, self._next_refresh_token(grant) if rotate else None)

    def refresh_token(self, token: str) -> RefreshToken | None:
        """What this refresh token is or was part of, dead or alive."""
        return self._refresh.get(token)

    def live_refresh_token(self, token: str) -> RefreshToken | None:
        held = self._refresh.get(token)
        if held is None or token != held.grant.refresh_token:
            return None
        self._end_if_idle(held.grant)
        return None if held.grant.ended else held

    def live_access_token(self, token: str) -> AccessToken | None:
        held = self._access.get(token)
        if held is None or held.grant.ended or self._clock() >= held.expires_at:
            return None
        return held

    def revoke(self, token: str) -> bool:
        """Revoke a living token; False for any other. A refresh token takes its access tokens
        along; an access token leaves the refresh token alive."""
        if access := self.live_access_token(token):
            access.expires_at = self._clock()
        elif refresh := self.live_refresh_token(token):
            refresh.grant.ended = Ending.REVOKED
        else:
            return False
        self.revocations += 1
        return True

    def withdraw(self, owner: Owner) -> int:
        """End every grant of this user; how many there were."""
        living = [grant for grant in self._of(owner) if grant.ended is None]
        for grant in living:
            grant.ended = Ending.WITHDRAWN
        return len(living)

    def expire_access_tokens(self, owner: Owner) -> int:
        """End every access token of this user, and no refresh token; how many there were."""
        living = [
            token
            for token in self._access.values()
            if token.grant.owner == owner and self.live_access_token(token.value)
        ]
        for token in living:
            token.expires_at = self._clock()
        return len(living)

    def all(self) -> list[Grant]:
        """Every grant that ever was, the oldest first."""
        for grant in self._grants:
            self._end_if_idle(grant)
        return list(self._grants)

    def _of(self, owner: Owner) -> Iterator[Grant]:
        return (grant for grant in self._grants if grant.owner == owner)

    def _end_if_idle(self, grant: Grant) -> None:
        if grant.refresh_token and self._clock() - grant.refreshed_at > IDLE_LIMIT:
            grant.ended = grant.ended or Ending.IDLE

    def _next_refresh_token(self, grant: Grant) -> str:
        grant.generation += 1
        grant.refresh_token = tokens.new_refresh_token()
        self._refresh[grant.refresh_token] = RefreshToken(grant=grant, generation=grant.generation)
        return grant.refresh_token

    def _issue(self, grant: Grant, refresh_token: str | None) -> Issued:
        now = self._clock()
        access = AccessToken(
            value=tokens.new_access_token(grant.owner.org_id),
            grant=grant,
            generation=grant.generation,
            issued_at=now,
            expires_at=now + ACCESS_TOKEN_LIFETIME,
        )
        self._access[access.value] = access
        return Issued(access, refresh_token)
