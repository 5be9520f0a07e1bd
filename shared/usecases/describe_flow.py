"""What a Flow takes and gives, and which fields of a mail would leave the mailbox for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from shared.cache import TimedCache
from shared.model import Caller, FlowDescription, FlowName, OrgId, TenantId, TenantSettings, UserId
from shared.ports import SalesforceFlows, TenantStore
from shared.telemetry.events import event
from shared.usecases.org_access import OrgAccess

_CACHE_SECONDS: Final = 60.0
_CACHE_SIZE: Final = 2_000
_SETTINGS_SECONDS: Final = 5.0
_MOST_VARIABLES: Final = 500
_MOST_CHARACTERS: Final = 64_000

type _Key = tuple[TenantId, UserId, OrgId, FlowName]


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeFlow:
    """Descriptions are kept for a minute, per user: what one may see, another may not.

    That the tenant has no names of its own for a Flow's inputs is remembered for five seconds. If
    it has some, they are read anew each time: an instance that remembers one that an administrator
    has taken away would send what the user was not shown.
    """

    tenants: TenantStore
    access: OrgAccess
    flows: SalesforceFlows
    _known: TimedCache[_Key, FlowDescription] = field(
        default_factory=lambda: TimedCache(size=_CACHE_SIZE, seconds=_CACHE_SECONDS)
    )
    _settings: TimedCache[TenantId, TenantSettings] = field(
        default_factory=lambda: TimedCache(size=_CACHE_SIZE, seconds=_SETTINGS_SECONDS)
    )

    async def __call__(self, caller: Caller, org: OrgId | None, flow: FlowName) -> FlowDescription:
        """Read from the org. Raises NotFoundError, NotConnectedError, OrgAmbiguousError."""
        chosen = await self.access.choose(caller, org)
        self.forget(caller, chosen, flow)  # who asks to see it gets it as it is now
        self._settings.forget(caller.tenant)
        description = await self.known(caller, chosen, flow)
        event("flow_described", tenant=caller.tenant, user=caller.user)
        return description

    async def known(self, caller: Caller, org: OrgId, flow: FlowName) -> FlowDescription:
        """The same, from the org at most a minute old."""
        is_new = not self.remembers(caller, org, flow)
        description = await self._known.get(
            (caller.tenant, caller.user, org, flow),
            lambda: self.access.call(caller, org, lambda access: self.flows.describe(access, flow)),
        )
        if is_new and not _is_small(description):
            self.forget(caller, org, flow)
        aliases = await self._aliases(caller.tenant, flow)
        return replace(description, input_aliases=aliases) if aliases else description

    def remembers(self, caller: Caller, org: OrgId, flow: FlowName) -> bool:
        """Whether `known` would answer without asking the org."""
        return self._known.peek((caller.tenant, caller.user, org, flow)) is not None

    def forget(self, caller: Caller, org: OrgId, flow: FlowName) -> None:
        """The org did not agree with the description: read it again."""
        self._known.forget((caller.tenant, caller.user, org, flow))

    async def _aliases(self, tenant: TenantId, flow: FlowName) -> Mapping[str, str]:
        remembered = self._settings.peek(tenant)
        if remembered is None:
            settings = await self._settings.get(tenant, lambda: self._read(tenant))
        elif remembered.aliases_for(flow):
            settings = await self._read(tenant)
        else:
            settings = remembered
        return settings.aliases_for(flow)

    async def _read(self, tenant: TenantId) -> TenantSettings:
        """Those of a tenant that is being deleted are the ones that everybody begins with."""
        row = await self.tenants.load(tenant)
        return TenantSettings() if row is None else row.settings


def _is_small(flow: FlowDescription) -> bool:
    """Whether it may be kept: an org's answers do not decide how much memory an instance has."""
    variables = (*flow.inputs, *flow.outputs)
    texts = sum(len(variable.name) + len(variable.description or "") for variable in variables)
    return len(variables) <= _MOST_VARIABLES and texts <= _MOST_CHARACTERS
