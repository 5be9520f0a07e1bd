"""End every session of a user, on every instance."""

from dataclasses import dataclass

from shared.model import Caller
from shared.ports import Standings, UserStore
from shared.telemetry.events import event


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOut:
    """Moves the user's epoch on; other instances notice within the delay of `Standings`."""

    users: UserStore
    standings: Standings

    async def __call__(self, caller: Caller) -> None:
        await self.users.end_sessions(caller.tenant, caller.user)
        self.standings.forget(caller.tenant, caller.user)
        event("signed_out", tenant=caller.tenant, user=caller.user)
