"""Scenario X-14 over the real templates, item by item, read off what a deployment comes to."""

import ipaddress
import json
from itertools import combinations
from typing import Final

import pytest

from shared.model.schema import LOG_DAYS, TABLES
from shared.settings import EU_REGIONS
from tests.infra.mutants.mutant import BICEP
from tools.infra.checks import ROOTS, check
from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.folder import load
from tools.infra.policies.monitoring import APPLICATION_TABLES
from tools.infra.policies.settings import PLATFORM, SERVICE
from tools.infra.values import Array, Object

ACCOUNTS: Final = ("Microsoft.Storage/storageAccounts",)


@pytest.fixture(scope="module", params=ROOTS)
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Ours, and a customer's own."""
    return Deployment(load(BICEP), str(request.param))


def said(resources: list[Deployed], path: str) -> set[str]:
    """Everything that these resources say at the path, as Bicep spells it."""
    assert resources
    return {str(value) for one in resources for value in one.outcomes(path)}


def of(deployment: Deployment, *kinds: str) -> list[Deployed]:
    return list(deployment.created(*kinds))


def test_the_templates_have_no_finding() -> None:
    report = check(BICEP)

    assert [str(finding) for finding in report.findings] == []
    assert report.files >= 16
    assert report.resources >= 70


def test_https_only(deployment: Deployment) -> None:
    assert said(of(deployment, "Microsoft.Web/sites"), "properties.httpsOnly") == {"true"}
    assert said(of(deployment, *ACCOUNTS), "properties.supportsHttpsTrafficOnly") == {"true"}


def test_tls_1_2_at_least(deployment: Deployment) -> None:
    sites = of(deployment, "Microsoft.Web/sites")

    assert said(of(deployment, *ACCOUNTS), "properties.minimumTlsVersion") == {"'TLS1_2'"}
    for path in ("minTlsVersion", "scmMinTlsVersion"):
        assert said(sites, f"properties.siteConfig.{path}") <= {"'1.2'", "'1.3'"}


def test_roles_instead_of_access_policies(deployment: Deployment) -> None:
    vaults = of(deployment, "Microsoft.KeyVault/vaults")

    assert said(vaults, "properties.enableRbacAuthorization") == {"true"}
    assert said(vaults, "properties.accessPolicies") == {"None"}


def test_purge_protection(deployment: Deployment) -> None:
    vaults = of(deployment, "Microsoft.KeyVault/vaults")

    assert said(vaults, "properties.enablePurgeProtection") == {"true"}


def test_eu_regions_only_and_those_of_the_service(deployment: Deployment) -> None:
    allowed = deployment.root.params["location"].allowed
    assert allowed is not None

    assert sorted(map(str, allowed)) == sorted(EU_REGIONS)
    everything = of(deployment, *{one.type for one in deployment.resources})
    assert said(everything, "location") == {"location", "'global'", "None"}


def test_no_shared_keys(deployment: Deployment) -> None:
    accounts = of(deployment, *ACCOUNTS)

    assert len(accounts) == 3
    assert said(accounts, "properties.allowSharedKeyAccess") == {"false"}
    for path in sorted(deployment.folder.reached(deployment.root.path)):
        text = (BICEP / path).read_text(encoding="utf-8")
        assert "listKeys" not in text, path
        assert "AccountKey" not in text, path


def test_a_fixed_address_for_what_the_app_calls(deployment: Deployment) -> None:
    (address,) = of(deployment, "Microsoft.Network/publicIPAddresses")
    (gateway,) = of(deployment, "Microsoft.Network/natGateways")
    (network,) = of(deployment, "Microsoft.Network/virtualNetworks")

    assert said([address], "properties.publicIPAllocationMethod") == {"'Static'"}
    assert said([address], "sku.name") == {"'Standard'"}
    assert f"<{address.key}>.id" in str(gateway.get("properties.publicIpAddresses"))
    assert f"<{gateway.key}>.id" in str(network.get("properties.subnets"))
    (site,) = of(deployment, "Microsoft.Web/sites")
    assert str(site.get("properties.virtualNetworkSubnetId")).endswith(
        f", '{network.name}', 'app')"
    )


def test_the_subnets_lie_apart_within_the_network(deployment: Deployment) -> None:
    (network,) = of(deployment, "Microsoft.Network/virtualNetworks")
    space = network.get("properties.addressSpace.addressPrefixes")
    subnets = network.get("properties.subnets")
    assert isinstance(space, Array)
    assert isinstance(subnets, Array)
    (whole,) = (_addresses(one) for one in space.items)
    inside = []
    for subnet in subnets.items:
        assert isinstance(subnet, Object)
        properties = subnet.get("properties")
        assert isinstance(properties, Object)
        inside.append(_addresses(properties.get("addressPrefix")))

    assert len(inside) == 3
    assert all(whole.supernet_of(one) for one in inside)
    assert not any(one.overlaps(other) for one, other in combinations(inside, 2))


def _addresses(prefix: object) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(str(prefix).strip("'").replace("${networkPrefix}", "10.90.0"))


def test_thirty_days_of_telemetry_on_every_table(deployment: Deployment) -> None:
    tables = of(deployment, "Microsoft.OperationalInsights/workspaces/tables")
    workspaces = of(deployment, "Microsoft.OperationalInsights/workspaces")

    assert LOG_DAYS == 30
    assert sorted(one.name for one in tables) == sorted(APPLICATION_TABLES)
    assert len(APPLICATION_TABLES) == 11
    for path in ("retentionInDays", "totalRetentionInDays"):
        assert said(tables, f"properties.{path}") == {"30"}
    assert said(workspaces, "properties.retentionInDays") == {"30"}


def test_the_tables_are_those_of_the_data_inventory(deployment: Deployment) -> None:
    tables = of(deployment, "Microsoft.Storage/storageAccounts/tableServices/tables")

    assert sorted(one.name for one in tables) == sorted(TABLES)


def test_the_app_gets_the_settings_of_the_sample(deployment: Deployment) -> None:
    sample = json.loads((BICEP.parent / "local.settings.sample.json").read_text(encoding="utf-8"))
    local = {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"}
    (config,) = of(deployment, "Microsoft.Web/sites/config")
    given = config.get("properties")
    assert isinstance(given, Object)

    assert set(sample["Values"]) - local == SERVICE
    assert set(given.entries) == SERVICE | PLATFORM


def test_both_ways_of_deploying_come_to_the_same_resources() -> None:
    """What main adds is the group and its policy."""
    folder = load(BICEP)
    ours, theirs = (
        {
            f"{one.type} {one.name}".replace("<stack/", "<")
            for one in Deployment(folder, root).resources
        }
        for root in ROOTS
    )

    assert ours - theirs == {
        "Microsoft.Authorization/policyAssignments flowrunner-region",
        "Microsoft.Resources/resourceGroups rg-flowrunner-${environmentName}",
    }
    assert theirs <= ours
