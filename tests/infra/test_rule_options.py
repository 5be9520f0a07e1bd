"""What PSRule and Bicep's linter are told: the promised regions, and why a rule is left out."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import pytest
import yaml

from shared.settings import EU_REGIONS

ROOT: Final = Path(__file__).parent.parent.parent
PSRULE: Final = (ROOT / "ps-rule.yaml").read_text(encoding="utf-8")
LINTER: Final = (ROOT / "bicepconfig.json").read_text(encoding="utf-8")

NEVER_LEFT_OUT: Final = (
    "Azure.Resource.AllowedRegions",
    "Azure.Deployment.",
    "Azure.Storage.MinTLS",
    "Azure.Storage.SecureTransfer",
    "Azure.Storage.BlobPublicAccess",
    "Azure.Storage.Firewall",
    "Azure.Storage.UseReplication",
    "Azure.KeyVault.RBAC",
    "Azure.KeyVault.PurgeProtect",
    "Azure.KeyVault.Firewall",
    "Azure.KeyVault.Logs",
    "Azure.AppInsights.",
    "Azure.AppService.MinTLS",
    "Azure.AppService.UseHTTPS",
    "Azure.AppService.ManagedIdentity",
)
ERRORS: Final = (
    "no-hardcoded-location",
    "no-loc-expr-outside-params",
    "explicit-values-for-loc-params",
    "no-hardcoded-env-urls",
    "no-unused-params",
    "no-unused-vars",
    "no-unused-existing-resources",
    "no-unnecessary-dependson",
    "outputs-should-not-contain-secrets",
    "secure-parameter-default",
    "secure-params-in-nested-deploy",
    "secure-secrets-in-params",
    "use-secure-value-for-secure-inputs",
    "use-stable-resource-identifiers",
)


def regions(text: str) -> Sequence[str]:
    options = cast("Mapping[str, Mapping[str, Sequence[str]]]", yaml.safe_load(text))
    return options["configuration"]["AZURE_RESOURCE_ALLOWED_LOCATIONS"]


def left_out(text: str) -> Sequence[str]:
    options = cast("Mapping[str, Mapping[str, Sequence[str]]]", yaml.safe_load(text))
    return options["rule"]["exclude"]


def left_out_without_a_reason(text: str) -> Sequence[str]:
    """A reason is a comment above; rules that follow one another may share it."""
    excluded = text.partition("\n  exclude:\n")[2].splitlines()
    bare: list[str] = []
    said = False
    for line in excluded:
        said = (said and line.startswith("    - ")) or bool(re.match(r" +# [A-Za-z]", line))
        if line.startswith("    - ") and not said:
            bare.append(line)
    return bare


def levels(text: str) -> Mapping[str, str]:
    rules = cast("Mapping[str, Mapping[str, str]]", json.loads(text)["analyzers"]["core"]["rules"])
    return {name: rule["level"] for name, rule in rules.items()}


def test_psrule_admits_the_regions_that_the_service_starts_in() -> None:
    assert sorted(regions(PSRULE)) == sorted(EU_REGIONS)
    assert sorted(regions(PSRULE.replace("- italynorth", "- uksouth"))) != sorted(EU_REGIONS)


def test_no_rule_about_what_was_promised_is_left_out() -> None:
    worse = f"{PSRULE}    - Azure.KeyVault.RBAC\n"

    assert [rule for rule in left_out(PSRULE) if rule.startswith(NEVER_LEFT_OUT)] == []
    assert [rule for rule in left_out(worse) if rule.startswith(NEVER_LEFT_OUT)] != []


def test_each_rule_that_is_left_out_says_why() -> None:
    assert left_out_without_a_reason(PSRULE) == []
    assert len(left_out(PSRULE)) == len(set(left_out(PSRULE)))


@pytest.mark.parametrize("rule", ["AppService.AlwaysOn", "Log.Replication", "Storage.SoftDelete"])
def test_a_rule_that_is_left_out_in_silence_is_found(rule: str) -> None:
    line = f"    - Azure.{rule}\n"
    silent = PSRULE.replace(line, f"\n{line}")

    assert left_out_without_a_reason(silent) != []


def test_no_more_is_configured_than_regions_and_the_name_of_the_token() -> None:
    options = yaml.safe_load(PSRULE)

    assert set(options) == {"configuration", "rule"}
    assert options["configuration"]["AZURE_DEPLOYMENT_NONSENSITIVE_PARAMETER_NAMES"] == ["token"]
    assert set(options["configuration"]) == {
        "AZURE_RESOURCE_ALLOWED_LOCATIONS",
        "AZURE_DEPLOYMENT_NONSENSITIVE_PARAMETER_NAMES",
    }


def test_the_linter_stops_at_what_is_unsafe_unused_or_out_of_place() -> None:
    assert {rule: levels(LINTER).get(rule) for rule in ERRORS} == dict.fromkeys(ERRORS, "error")


def test_the_linter_only_leaves_versions_of_apis_to_people() -> None:
    """They are chosen and tested; a newer one is no reason for a build to fail one morning."""
    off = {rule for rule, level in levels(LINTER).items() if level != "error"}

    assert off == {"use-recent-api-versions"}
