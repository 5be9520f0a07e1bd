"""Each subnet: nobody comes in who has no business there, and nothing goes out another way."""

from collections.abc import Iterator, Mapping
from typing import Final

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.network import ADDRESS, ENDPOINT, GATEWAY, NETWORK
from tools.infra.policies.rules import Must, Rule, each_must, items_of, step, title
from tools.infra.values import Object, Value, is_literal

SECURITY_GROUP: Final = "Microsoft.Network/networkSecurityGroups"
ZONE: Final = "Microsoft.Network/privateDnsZones"
LINK: Final = "Microsoft.Network/privateDnsZones/virtualNetworkLinks"

_DENY_ALL: Final = "300 Deny Inbound * from * * to * *"
_RULES: Final = {
    "app": ["200 Deny Outbound Tcp from * * to * ['22', '3389', '5985', '5986']"],
    "endpoints": ["200 Allow Inbound Tcp from {app} {operators} * to * 443", _DENY_ALL],
    "operators": [_DENY_ALL],
}
"""By subnet: priority, access, direction, protocol, sources with ports, targets with ports."""


def subnets(deployment: Deployment) -> Iterator[Finding]:
    """F20: the subnets have exactly their rules; without a gateway there is no way out."""
    for network in deployment.created(NETWORK):
        found = _subnets(network)
        if found.keys() != _RULES.keys():
            message = f"the subnets are {', '.join(_RULES)}, not {', '.join(found)}"
            yield Finding(network.at, "subnets", message)
        addresses = dict.fromkeys(_RULES, "nowhere")
        addresses |= {name: str(step(one, "addressPrefix")) for name, one in found.items()}
        for name in found.keys() & _RULES.keys():
            wanted = [rule.format_map(addresses) for rule in _RULES[name]]
            yield from _subnet(deployment, name, found[name], wanted)


def _subnets(network: Deployed) -> Mapping[str, Object]:
    """The properties of each subnet, by its name."""
    inside = {
        str(step(one, "name")).strip("'"): step(one, "properties")
        for one in items_of(network.get("properties.subnets"))
    }
    return {name: one for name, one in inside.items() if isinstance(one, Object)}


def _subnet(
    deployment: Deployment, name: str, subnet: Object, wanted: list[str]
) -> Iterator[Finding]:
    if not is_literal(subnet.get("defaultOutboundAccess"), wanted=False):
        yield Finding(subnet.at, "subnet-outbound", f"{name} has a way out of Azure's own")
    policies = subnet.get("privateEndpointNetworkPolicies")
    if name == "endpoints" and not is_literal(policies, "Enabled"):
        message = "its rules do not apply to private endpoints"
        yield Finding(subnet.at, "endpoint-policies", message)
    group = deployment.target(step(subnet, "networkSecurityGroup", "id"))
    if group is None or group.type != SECURITY_GROUP:
        yield Finding(subnet.at, "subnet-security-group", f"the subnet {name} has no rules")
        return
    given = sorted(
        _spelt(step(rule, "properties")) for rule in items_of(group.get("properties.securityRules"))
    )
    if given != wanted:
        at = group.where("properties.securityRules")
        message = f"the rules of {name} are {given}, not {wanted}"
        yield Finding(at, "security-rules", message)


def _spelt(rule: Value | None) -> str:
    """A rule as _RULES spells it."""
    first = " ".join(_plain(step(rule, one)) for one in ("priority", "access", "direction"))
    ends = [
        f"{_ends(rule, f'{end}Address', 'Prefix', 'Prefixes')} "
        f"{_ends(rule, f'{end}Port', 'Range', 'Ranges')}"
        for end in ("source", "destination")
    ]
    groups = [name for name in _GROUPS if step(rule, name) is not None]
    protocol = _plain(step(rule, "protocol"))
    return " ".join([first, protocol, "from", ends[0], "to", ends[1], *groups])


_GROUPS: Final = ("destinationApplicationSecurityGroups", "sourceApplicationSecurityGroups")


def _ends(rule: Value | None, start: str, one: str, many: str) -> str:
    several = step(rule, f"{start}{many}")
    if several is None:
        return _plain(step(rule, f"{start}{one}"))
    if one == "Range":
        return str(several)
    return " ".join(map(str, items_of(several)))


def _plain(value: Value | None) -> str:
    return str(value).strip("'")


def one_way_out(deployment: Deployment) -> Iterator[Finding]:
    """F4: the one address is a plain one of the region, and there is no other."""
    yield from each_must(
        deployment,
        GATEWAY,
        Must("egress-address", "properties.publicIpPrefixes", (None,)),
        Must("egress-address", "properties.publicIpPrefixesV6", (None,)),
        Must("egress-address", "properties.publicIpAddressesV6", (None,)),
    )
    yield from each_must(
        deployment,
        ADDRESS,
        Must("egress-address", "properties.publicIPAddressVersion", ("IPv4",)),
        Must("egress-address", "sku.tier", ("Regional",)),
    )


def endpoints(deployment: Deployment) -> Iterator[Finding]:
    """F20: private endpoints stand in their own subnet, and our network alone asks their zones."""
    for endpoint in deployment.created(ENDPOINT):
        subnet = str(endpoint.get("properties.subnet.id"))
        if not subnet.endswith(", 'endpoints')"):
            at = endpoint.where("properties.subnet")
            yield Finding(at, "endpoint-subnet", f"{title(endpoint)} is in {subnet}")
    linked: set[str] = set()
    for link in deployment.created(LINK):
        network = deployment.target(link.get("properties.virtualNetwork.id"))
        if network is None or network.type != NETWORK:
            yield Finding(link.at, "zone-link", f"{title(link)} is of no network of ours")
        yield from Must("zone-link", "properties.registrationEnabled", (False,)).findings(link)
        zone = deployment.target(link.get("parent"))
        linked.add(zone.name if zone else "")
    for zone in deployment.created(ZONE):
        if zone.name not in linked:
            yield Finding(zone.at, "zone-link", f"our network does not ask {zone.name}")


RULES: Final[tuple[Rule, ...]] = (subnets, one_way_out, endpoints)
