"""The way out: one fixed address for every call of the app; private endpoints as an option."""

import re
from collections.abc import Iterator
from typing import Final

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.rules import Must, Rule, home, items_of, step
from tools.infra.policies.site import SITE
from tools.infra.policies.storage import ACCOUNT
from tools.infra.values import Call, Literal, Object, Value, is_literal

NETWORK: Final = "Microsoft.Network/virtualNetworks"
GATEWAY: Final = "Microsoft.Network/natGateways"
ADDRESS: Final = "Microsoft.Network/publicIPAddresses"
ENDPOINT: Final = "Microsoft.Network/privateEndpoints"
ZONE_GROUP: Final = "Microsoft.Network/privateEndpoints/privateDnsZoneGroups"

DELEGATION: Final = "Microsoft.App/environments"
_SMALLEST: Final = 27
_SERVICES: Final = ("Microsoft.KeyVault", "Microsoft.Storage")

_ENDPOINTS: Final = {
    ("stflrhost", "blob"): "privatelink.blob.",
    ("stflrback", "blob"): "privatelink.blob.",
    ("stflrdata", "table"): "privatelink.table.",
    ("kv-flr-", "vault"): "privatelink.vaultcore.azure.net",
}
"""What is reached, by which of its services; and the zone that answers for it."""


def egress(deployment: Deployment) -> Iterator[Finding]:
    """F4, F21: calls to Salesforce come from one address, which customers admit by name."""
    for site in deployment.created(SITE):
        subnet = _subnet_of(deployment, site)
        if subnet is None:
            at = site.where("properties.virtualNetworkSubnetId")
            yield Finding(at, "egress-subnet", "the app is in no subnet of ours")
            continue
        yield from _gateway(deployment, subnet)
        yield from _subnet(subnet)


def _subnet_of(deployment: Deployment, site: Deployed) -> Object | None:
    """The properties of the subnet that `virtualNetworkSubnetId` names."""
    match site.get("properties.virtualNetworkSubnetId"):
        case Call(function="resourceId", arguments=(_, network, Literal(value=str(wanted)))):
            pass
        case _:
            return None
    for one in deployment.created(NETWORK):
        subnets = one.get("properties.subnets")
        for subnet in items_of(subnets):
            if one.get("name") == network and is_literal(step(subnet, "name"), wanted):
                inside = step(subnet, "properties")
                return inside if isinstance(inside, Object) else None
    return None


def _gateway(deployment: Deployment, subnet: Object) -> Iterator[Finding]:
    gateway = deployment.target(step(subnet, "natGateway", "id"))
    if gateway is None or gateway.type != GATEWAY:
        message = "the app's subnet has no NAT gateway: its address would change"
        yield Finding(subnet.at, "egress-gateway", message)
        return
    targets = [
        deployment.target(step(one, "id"))
        for one in items_of(gateway.get("properties.publicIpAddresses"))
    ]
    if len(targets) != 1 or targets[0] is None or targets[0].type != ADDRESS:
        message = "the gateway has to have one public address of ours"
        yield Finding(gateway.at, "egress-address", message)
        return
    path = "properties.publicIPAllocationMethod"
    yield from Must("egress-address", path, ("Static",)).findings(targets[0])
    yield from Must("egress-address", "sku.name", ("Standard",)).findings(targets[0])


def _subnet(subnet: Object) -> Iterator[Finding]:
    """Flex Consumption: this delegation, a /27 or larger.
    https://learn.microsoft.com/azure/azure-functions/flex-consumption-how-to
    """
    delegations = [
        step(one, "properties", "serviceName") for one in items_of(subnet.get("delegations"))
    ]
    if len(delegations) != 1 or not is_literal(delegations[0], DELEGATION):
        message = f"the app's subnet has to be delegated to {DELEGATION}"
        yield Finding(subnet.at, "subnet-delegation", message)
    prefix = subnet.get("addressPrefix")
    size = _size(prefix)
    if size is None or size > _SMALLEST:
        at = prefix.at if prefix is not None else subnet.at
        yield Finding(at, "subnet-size", f"{prefix} is smaller than a /{_SMALLEST}")
    services = [step(one, "service") for one in items_of(subnet.get("serviceEndpoints"))]
    for wanted in _SERVICES:
        if not any(is_literal(one, wanted) for one in services):
            message = f"{wanted}: its firewall would not know the app by its subnet"
            yield Finding(subnet.at, "subnet-service-endpoint", message)


def _size(prefix: Value | None) -> int | None:
    """The size behind the slash; the addresses before it may be a parameter's."""
    found = re.search(r"/([0-9]{1,2})'?$", str(prefix))
    return int(found[1]) if found is not None else None


def private_endpoints(deployment: Deployment) -> Iterator[Finding]:
    """F20: with the option on, vault and accounts are reached by name inside the network."""
    found: dict[tuple[str, str], Deployed] = {}
    for endpoint in deployment.created(ENDPOINT):
        for one in items_of(endpoint.get("properties.privateLinkServiceConnections")):
            target = deployment.target(step(one, "properties", "privateLinkServiceId"))
            groups = items_of(step(one, "properties", "groupIds"))
            for group in groups:
                start = _start(target)
                found[(start, str(group).strip("'"))] = endpoint
    for wanted, zone in _ENDPOINTS.items():
        if wanted not in found:
            message = f"none for the {wanted[1]} service of {wanted[0]}"
            at = home(deployment, ENDPOINT)
            yield Finding(at, "private-endpoint-missing", message)
        elif not _zone(deployment, found[wanted]).startswith(zone):
            message = f"{wanted[0]} is not answered for by {zone}"
            yield Finding(found[wanted].at, "private-endpoint-zone", message)


def _start(target: Deployed | None) -> str:
    if target is None or target.type not in {ACCOUNT, "Microsoft.KeyVault/vaults"}:
        return ""
    return target.name.partition("${")[0]


def _zone(deployment: Deployment, endpoint: Deployed) -> str:
    """The name of the zone that the endpoint's address is registered in."""
    for group in deployment.created(ZONE_GROUP):
        if deployment.target(group.get("parent")) is endpoint:
            for one in items_of(group.get("properties.privateDnsZoneConfigs")):
                zone = deployment.target(step(one, "properties", "privateDnsZoneId"))
                return zone.name if zone else ""
    return ""


RULES: Final[tuple[Rule, ...]] = (egress, private_endpoints)
