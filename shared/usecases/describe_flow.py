"""What a Flow takes and gives, and which fields of a mail would leave the mailbox for it."""

from dataclasses import dataclass, field, replace
from typing import Final

from shared.cache import TimedCache
from shared.model import Caller, FlowDescription, FlowName, OrgId, TenantId, UserId
from shared.ports import SalesforceFlows, TenantStore
from shared.usecases.org_access import OrgAccess

_CACHE_SECONDS: Final = 60.0
_CACHE_SIZE: Final = 2_000

type _Key = tuple[TenantId, UserId, OrgId, FlowName]


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeFlow:
    """Descriptions are kept for a minute, per user: what one may see, another may not.

    The tenant's own names for inputs are read anew each time: an instance that remembers one that
    an administrator has taken away would send what the user was not shown.
    """

    tenants: TenantStore
    access: OrgAccess
    flows: SalesforceFlows
    _known: TimedCache[_Key, FlowDescription] = field(
        default_factory=lambda: TimedCache(size=_CACHE_SIZE, seconds=_CACHE_SECONDS)
    )

    async def __call__(self, caller: Caller, org: OrgId | None, flow: FlowName) -> FlowDescription:
        """Read from the org. Raises NotFoundError, NotConnectedError, OrgAmbiguousError."""
        chosen = await self.access.choose(caller, org)
        self.forget(caller, chosen, flow)  # who asks to see it gets it as it is now
        return await self.known(caller, chosen, flow)

    async def known(self, caller: Caller, org: OrgId, flow: FlowName) -> FlowDescription:
        """The same, from the org at most a minute old."""
        description = await self._known.get(
            (caller.tenant, caller.user, org, flow),
            lambda: self.access.call(caller, org, lambda access: self.flows.describe(access, flow)),
        )
        tenant = await self.tenants.load(caller.tenant)
        if tenant is None:
            return description
        return replace(description, input_aliases=tenant.settings.aliases_for(flow))

    def forget(self, caller: Caller, org: OrgId, flow: FlowName) -> None:
        """The org did not agree with the description: read it again."""
        self._known.forget((caller.tenant, caller.user, org, flow))
