"""The address with which a pane opens the user's org for screen Flows (Lightning Out), once."""

from dataclasses import dataclass

from shared.model import Caller, LightningAppId, OrgId
from shared.ports import SalesforceSessions
from shared.secret import Secret
from shared.telemetry.events import event
from shared.usecases.org_access import OrgAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLightning:
    access: OrgAccess
    sessions: SalesforceSessions

    async def __call__(self, caller: Caller, org: OrgId | None, app: LightningAppId) -> Secret:
        """Asked for anew each time, and kept nowhere: whoever opens it first is the user.

        Raises NotConnectedError, OrgAmbiguousError, OrgNotAllowedError, and what
        `SalesforceSessions.open` raises.
        """
        chosen = await self.access.choose(caller, org)
        address = await self.access.call(
            caller, chosen, lambda access: self.sessions.open(access, app)
        )
        event("lightning_opened", tenant=caller.tenant, user=caller.user)
        return address
