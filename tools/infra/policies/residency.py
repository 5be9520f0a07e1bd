"""Everything stays in one EU region."""

from collections.abc import Iterator, Sequence
from typing import Final

from shared.settings import EU_REGIONS
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.rules import Rule, home, title
from tools.infra.values import Array, Literal, Parameter, is_literal, literals

_GLOBAL: Final = frozenset(
    {
        "Microsoft.Insights/actionGroups",
        "Microsoft.Insights/activityLogAlerts",
        "Microsoft.Insights/metricAlerts",
        "Microsoft.Network/privateDnsZones",
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
    }
)
"""Types that Azure has in no region; none of them holds data."""

_REDUNDANCY: Final = frozenset({"Standard_LRS", "Standard_ZRS"})

_REGION_NAMES: Final = """
    asia asiapacific australia australiacentral australiacentral2 australiaeast australiasoutheast
    austriaeast belgiumcentral brazil brazilsouth brazilsoutheast canadacentral canadaeast
    centralindia centralus chilecentral denmarkeast eastasia eastus eastus2 europe france
    francecentral francesouth germany germanynorth germanywestcentral indonesiacentral israelcentral
    italynorth japan japaneast japanwest jioindiawest koreacentral koreasouth malaysiawest
    mexicocentral newzealandnorth northcentralus northeurope norwayeast norwaywest polandcentral
    qatarcentral southafricanorth southafricawest southcentralus southeastasia southindia
    spaincentral swedencentral swedensouth switzerlandnorth switzerlandwest uaecentral uaenorth
    uksouth ukwest unitedstates westcentralus westeurope westindia westus westus2 westus3
    """
_REGIONS: Final = frozenset(_REGION_NAMES.split())


_ALLOWED_LOCATIONS: Final = "e56962a6-4747-49cd-b67b-bf8b01975c4c"
"""The built-in policy of that name.
https://learn.microsoft.com/azure/governance/policy/samples/built-in-policies"""


def region_list(deployment: Deployment) -> Iterator[Finding]:
    """F21: whoever deploys can name the regions that the service itself starts in, and no other."""
    location = deployment.root.params.get("location")
    at = location.at if location else home(deployment)
    allowed: Sequence[object] = (location.allowed if location else None) or ()
    if sorted(map(str, allowed)) != sorted(EU_REGIONS):
        message = f"@allowed of location has to be {', '.join(EU_REGIONS)}"
        yield Finding(at, "region-list", message)


def region_literal(deployment: Deployment) -> Iterator[Finding]:
    """F21: no region is written anywhere but in that list."""
    for path in deployment.folder.reached(deployment.root.path):
        for value in deployment.folder.templates[path].values():
            for one in literals(value):
                plain = str(one.value).lower().replace(" ", "")
                if isinstance(one.value, str) and plain in _REGIONS:
                    message = f"{one}: only the parameter `location` names a region"
                    yield Finding(one.at, "region-literal", message)


def location(deployment: Deployment) -> Iterator[Finding]:
    """F21, E1: every resource is where the parameter says; "global" where Azure has no regions."""
    for resource in deployment.created(*{one.type for one in deployment.resources}):
        for value in resource.outcomes("location"):
            if value is None or (isinstance(value, Parameter) and value.name == "location"):
                continue
            if is_literal(value, "global") and resource.type in _GLOBAL:
                continue
            message = f"{title(resource)} is in {value}, not where the parameter `location` says"
            yield Finding(resource.where("location"), "location", message)


def storage_redundancy(deployment: Deployment) -> Iterator[Finding]:
    """F11: copies within the region, over its zones or in one of them; never in a second region."""
    for account in deployment.created("Microsoft.Storage/storageAccounts"):
        for sku in account.outcomes("sku.name"):
            match sku:
                case Literal(value=only):
                    possible: Sequence[object] = (only,)
                case Parameter(name=name):
                    possible = deployment.root.params[name].allowed or ("anything",)
                case _:
                    possible = ("anything",)
            if not set(possible) <= _REDUNDANCY:
                message = f"{title(account)} may be {', '.join(map(str, possible))}"
                yield Finding(account.where("sku.name"), "storage-redundancy", message)


def redundancy_list(deployment: Deployment) -> Iterator[Finding]:
    """F11: no parameter on the way of the redundancy offers copies in a second region."""
    for path in deployment.folder.reached(deployment.root.path):
        for param in deployment.folder.templates[path].params.values():
            offered = {str(one) for one in param.allowed or () if "RS" in str(one)}
            if not offered <= _REDUNDANCY:
                message = f"{param.name} offers {', '.join(sorted(offered - _REDUNDANCY))}"
                yield Finding(param.at, "storage-redundancy", message)


def workspace_replication(deployment: Deployment) -> Iterator[Finding]:
    """F21: logs are not copied to a second region."""
    for workspace in deployment.created("Microsoft.OperationalInsights/workspaces"):
        if workspace.get("properties.replication") is not None:
            at = workspace.where("properties.replication")
            yield Finding(at, "workspace-replication", "a replica is in another region")


def region_policy(deployment: Deployment) -> Iterator[Finding]:
    """F21: in a subscription of ours Azure itself refuses resources of other regions."""
    if deployment.root.scope != "subscription":
        return  # a customer's own group: the policies there are the customer's
    for policy in deployment.created("Microsoft.Authorization/policyAssignments"):
        definition = str(policy.get("properties.policyDefinitionId"))
        allowed = policy.get("properties.parameters.listOfAllowedLocations.value")
        mode = policy.get("properties.enforcementMode")
        only_here = isinstance(allowed, Array) and str(allowed) == "[location]"
        if _ALLOWED_LOCATIONS in definition and only_here and is_literal(mode, "Default"):
            return
        message = "it has to be the built-in one, enforced, for the region of the deployment alone"
        yield Finding(policy.at, "region-policy", message)
        return
    message = "no policy keeps other regions' resources out of the group"
    yield Finding(home(deployment), "region-policy", message)


RULES: Final[tuple[Rule, ...]] = (
    region_list,
    region_literal,
    location,
    storage_redundancy,
    redundancy_list,
    workspace_replication,
    region_policy,
)
