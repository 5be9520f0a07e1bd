"""Who is behind a request: a session token in, a caller out, on every request."""

from dataclasses import dataclass

from shared.errors import NotAuthenticatedError, SessionExpiredError
from shared.limits import RateLimit
from shared.model import Caller, TenantId, UserId
from shared.ports import Sessions, Standings
from shared.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticate:
    """A signature proves who; the standing proves that the session has not been ended since."""

    sessions: Sessions
    standings: Standings
    user_limit: RateLimit[tuple[TenantId, UserId]]
    tenant_limit: RateLimit[TenantId]

    async def __call__(self, unverified_session: Secret) -> Caller:
        """Raises NotAuthenticatedError, SessionExpiredError, TooManyRequestsError."""
        claims = await self.sessions.read(unverified_session)
        caller = claims.caller
        standing = await self.standings.of(caller.tenant, caller.user)
        if standing is None:
            raise NotAuthenticatedError
        still_holds = (
            standing.tenant_is_active
            and standing.tenant_epoch == claims.tenant_epoch
            and standing.user_epoch == claims.user_epoch
        )
        if not still_holds:
            raise SessionExpiredError
        # Only now: a session that was ended must not use up its user's share.
        self.user_limit.take((caller.tenant, caller.user))
        self.tenant_limit.take(caller.tenant)
        return caller
