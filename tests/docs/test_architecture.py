"""docs/architecture.md: the diagrams and tables are those of the code and of the templates."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import pytest

from functions.salesforce_oauth import COOKIE
from shared import network
from shared.crypto import key_vault, tenant_vault
from shared.identity import key_sets, on_behalf_of
from shared.model import CONFIRMATION_LIFETIME, DEFAULT_RETENTION_DAYS
from shared.salesforce import lightning, oauth, probe, token_endpoint, transport
from shared.storage import backups, tables
from shared.usecases import check_readiness, describe_flow, org_access
from shared.usecases.begin_connection import TICKET_LIFETIME
from shared.usecases.clean_up import ENDED_GRANT_LIFETIME, RECEIPT_LIFETIME
from shared.usecases.sign_in import SESSION_LIFETIME
from tests.docs.code_hosts import given_hosts, named_hosts
from tests.docs.listed_hosts import NEVER_CALLED, PLATFORM
from tests.docs.markdown import ROOT, blocks, text_of
from tests.docs.tables import code_spans, section
from tests.docs.tables import tables as tables_of
from tests.fakes.world import DEPENDENCIES
from tests.functions.test_registration import TIMERS

DOCUMENT: Final = text_of(ROOT / "docs" / "architecture.md")
DIAGRAMS: Final = [block.body for block in blocks(DOCUMENT) if block.info == "mermaid"]
FLOWCHARTS: Final = [diagram for diagram in DIAGRAMS if diagram.startswith("flowchart")]
SEQUENCES: Final = [diagram for diagram in DIAGRAMS if diagram.startswith("sequenceDiagram")]
CONTRACT: Final = json.loads(text_of(ROOT / "functions" / "openapi.json"))

ARROW: Final = re.compile(r"^\s*(\w+)\s+[<ox]?[-.=]{2,}[>ox]?\s*(?:\|(.*?)\|)?\s*(\w+)")
NODE: Final = re.compile(r"^\s*(\w+)[\[({]+\"(.+?)\"[\])}]+\s*$", re.MULTILINE)

# Of each kind of resource in the templates, the words by which the diagrams show it; None for what
# holds and carries no data of its own.
KINDS: Final[Mapping[str, str | None]] = {
    "Microsoft.Web/sites": "Function App",
    "Microsoft.Web/serverfarms": "Flex Consumption plan",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "User-assigned managed identity",
    "Microsoft.Storage/storageAccounts": "Data account",
    "Microsoft.KeyVault/vaults": "Key Vault",
    "Microsoft.OperationalInsights/workspaces": "Log Analytics workspace",
    "Microsoft.Insights/components": "Application Insights",
    "Microsoft.Insights/actionGroups": "Action group",
    "Microsoft.Insights/scheduledQueryRules": "Alert rules",
    "Microsoft.Insights/metricAlerts": "Alert rules",
    "Microsoft.Insights/activityLogAlerts": "Alert rules",
    "Microsoft.Insights/diagnosticSettings": "diagnostic settings",
    "Microsoft.Network/virtualNetworks": "Virtual network",
    "Microsoft.Network/networkSecurityGroups": "network security groups",
    "Microsoft.Network/natGateways": "NAT gateway",
    "Microsoft.Network/publicIPAddresses": "public IP address",
    "Microsoft.Network/privateEndpoints": None,  # an option, told of below the diagram
    "Microsoft.Network/privateDnsZones": None,
    "Microsoft.Authorization/roleAssignments": None,
    "Microsoft.Authorization/policyAssignments": None,
    "Microsoft.Authorization/locks": None,
    "Microsoft.Consumption/budgets": None,
    "Microsoft.Resources/resourceGroups": None,
}


def arrows(diagram: str) -> list[tuple[str, str, str]]:
    """From, label and to of each arrow of a flowchart, labelled or not."""
    found = (ARROW.match(line) for line in diagram.splitlines())
    return [(m[1], (m[2] or "").strip('" '), m[3]) for m in found if m]


def label_faults(label: str) -> list[str]:
    """What is missing in a label: protocol, identity, classes of data."""
    parts = [part.strip() for part in label.split("<br/>")]
    if len(parts) != 3 or not all(parts):
        return ["not three parts"]
    return [f"no class {code}" for code in parts[2].split() if code not in classes()]


def classes() -> set[str]:
    """The classes of data that the document explains."""
    (table,) = tables_of(section(DOCUMENT, "## Classes of data"))
    return {row["class"] for row in table}


def words(diagrams: list[str]) -> str:
    """All that diagrams say, without the breaks of lines."""
    return " ".join(diagrams).replace("<br/>.", ".").replace("<br/>", " ")


def resource_kinds() -> set[str]:
    """The kinds of resources that the templates make; a part of a resource counts as the whole."""
    found: set[str] = set()
    for path in (ROOT / "bicep").rglob("*.bicep"):
        kinds = re.findall(r"^resource \w+ '([\w.]+/\w+)[^']*'", text_of(path), re.MULTILINE)
        found |= set(kinds)
    return found


# --- the data flow ------------------------------------------------------------------------------


def test_there_are_two_flowcharts_and_five_sequences() -> None:
    assert (len(FLOWCHARTS), len(SEQUENCES)) == (2, 5)


def test_every_arrow_says_protocol_identity_and_classes_of_data() -> None:
    found = [arrow for diagram in FLOWCHARTS for arrow in arrows(diagram)]
    faults = {f"{a} to {b}": label_faults(label) for a, label, b in found}

    assert {name: fault for name, fault in faults.items() if fault} == {}
    assert len(found) > 30


def test_every_line_of_a_flowchart_with_an_arrow_is_read() -> None:
    lines = [line for diagram in FLOWCHARTS for line in diagram.splitlines() if "--" in line]

    assert [line for line in lines if not ARROW.match(line)] == []


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        ("  a --> b", ["not three parts"]),
        ('  a -->|"HTTPS<br/>nobody"| b', ["not three parts"]),
        ('  a -->|"HTTPS<br/><br/>C1"| b', ["not three parts"]),
        ('  a -.->|"HTTPS<br/>nobody<br/>C99"| b', ["no class C99"]),
        ('  a ---->|"HTTPS<br/>nobody<br/>C1 C12"| b', []),
    ],
)
def test_an_arrow_that_says_less_is_found(line: str, faults: list[str]) -> None:
    ((_, label, _),) = arrows(line)

    assert label_faults(label) == faults


def test_every_class_of_data_is_somewhere_in_the_flow() -> None:
    shown = {
        code
        for diagram in FLOWCHARTS
        for _, label, _ in arrows(diagram)
        for code in label.split("<br/>")[-1].split()
    }

    assert shown == classes()


def test_every_arrow_joins_two_things_that_are_named() -> None:
    for diagram in FLOWCHARTS:
        ends = {end for a, _, b in arrows(diagram) for end in (a, b)}

        assert ends == {node for node, _ in NODE.findall(diagram)}


@pytest.mark.parametrize("kind", sorted(resource_kinds()))
def test_every_kind_of_resource_is_in_a_diagram(kind: str) -> None:
    shown_as = KINDS[kind]

    assert shown_as is None or shown_as in words(FLOWCHARTS)


def test_the_diagrams_show_no_kind_of_resource_that_is_not_made() -> None:
    assert resource_kinds() == set(KINDS)


@pytest.mark.parametrize("account", ["Data account", "Backup account", "Host account"])
def test_each_of_the_three_accounts_is_there(account: str) -> None:
    assert account in words(FLOWCHARTS)


def test_every_host_that_is_called_is_in_the_data_flow() -> None:
    called = (named_hosts() | set(given_hosts().values())) - set(NEVER_CALLED)
    shown = words(FLOWCHARTS)

    assert [host for host in sorted(called) if host not in shown] == []
    assert PLATFORM in shown


def test_the_zones_of_trust_are_drawn() -> None:
    zones = re.findall(r'^\s*subgraph \w+\["(.+)"\]$', FLOWCHARTS[0], re.MULTILINE)

    assert zones == [
        "The user's device: not trusted",
        "One Azure region in the EU",
        "Virtual network, network security groups",
        "The customer's identity provider",
        "The customer's Salesforce",
        "Sentry EU, if set",
        "The customer's Azure, if set",
    ]


def period(value: timedelta) -> str:
    """As a person says it."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count, rest = divmod(int(value.total_seconds()), length)
        if count and not rest:
            return f"{count} {unit}{'s' * (count > 1)}"
    return f"{value.total_seconds():.0f} seconds"


@pytest.mark.parametrize(
    ("code", "periods"),
    [
        ("C2", [SESSION_LIFETIME]),
        ("C4", [timedelta(seconds=describe_flow._CACHE_SECONDS)]),
        ("C5", [ENDED_GRANT_LIFETIME]),
        ("C6", [TICKET_LIFETIME, CONFIRMATION_LIFETIME]),
        ("C8", [timedelta(days=DEFAULT_RETENTION_DAYS)]),
        ("C9", [timedelta(seconds=tenant_vault._CACHE_SECONDS)]),
    ],
)
def test_each_class_is_kept_as_long_as_the_code_keeps_it(
    code: str, periods: list[timedelta]
) -> None:
    (table,) = tables_of(section(DOCUMENT, "## Classes of data"))
    (told,) = [row["how long"] for row in table if row["class"] == code]

    assert [period(value) for value in periods if period(value) not in told] == []


def test_the_longest_and_the_shortest_periods_are_those_of_the_code() -> None:
    (table,) = tables_of(section(DOCUMENT, "## Classes of data"))
    rows = {row["class"]: row for row in table}
    opened = timedelta(seconds=org_access._CACHE_SECONDS)
    logs = re.search(r"param logDays int = (\d+)", text_of(ROOT / "bicep/modules/monitoring.bicep"))

    assert f"stay in memory for {period(opened)} at most" in rows["C5"]["how it is protected"]
    assert rows["C11"]["how long"] == f"{RECEIPT_LIFETIME.days // 365} years"
    assert logs is not None
    assert rows["C10"]["how long"].startswith(f"{logs[1]} days by the templates")


# --- the sequences ------------------------------------------------------------------------------


def test_every_route_that_a_sequence_names_is_in_the_contract_or_marked_as_not_built() -> None:
    for sequence in SEQUENCES:
        routes = set(re.findall(r"/v1/[\w/{}-]+", sequence))
        missing = routes - set(CONTRACT["paths"])

        assert not missing or "NOT BUILT YET" in sequence


def test_lightning_out_is_called_not_built_exactly_as_long_as_it_is() -> None:
    is_built = any("lightning" in path for path in CONTRACT["paths"])
    headings = re.findall(r"^## (Lightning Out.*)$", DOCUMENT, re.MULTILINE)

    assert headings == ["Lightning Out (screen Flows)" + ("" if is_built else ": not built yet")]
    assert ("NOT BUILT YET" in " ".join(SEQUENCES)) is not is_built


def test_the_cookie_of_the_dance_is_named_as_it_is() -> None:
    assert f"cookie {COOKIE} " in words(SEQUENCES)


# --- hosts and boundaries -----------------------------------------------------------------------

(HOSTS,) = tables_of(section(DOCUMENT, "## Every host that is called"))


def deadline(what: str) -> str:
    """The deadline of the row for one use."""
    (cell,) = [row["deadline of a call"] for row in HOSTS if row["for"].startswith(what)]
    return cell


def test_the_table_of_hosts_has_every_host_and_no_other() -> None:
    listed = {name for row in HOSTS for name in code_spans(row["host"])}
    called = (named_hosts() | set(given_hosts().values())) - set(NEVER_CALLED)

    assert listed == called | {PLATFORM}


def seconds(value: float | None) -> str:
    return f"{value:.0f} s"


def size(value: int) -> str:
    is_whole = value % 1024**2 == 0
    return f"{value // 1024**2} MiB" if is_whole else f"{value // 1024} KiB"


@pytest.mark.parametrize(
    ("what", "limits"),
    [
        ("Entra's signing keys", (seconds(key_sets._DEADLINE.total), size(key_sets._MAX_BYTES))),
        ("Google's signing keys", (seconds(key_sets._DEADLINE.total), size(key_sets._MAX_BYTES))),
        ("on-behalf-of", (seconds(on_behalf_of._DEADLINE_SECONDS), size(network.MAX_ANSWER_BYTES))),
        ("trade the code", (seconds(token_endpoint.SECONDS), size(token_endpoint._MAX_BYTES))),
        ("whether anybody is there", (seconds(probe._DEADLINE.total), "nothing read")),
        ("refresh", (seconds(token_endpoint.SECONDS), size(token_endpoint._MAX_BYTES))),
        ("revoke", (seconds(token_endpoint.SECONDS), size(oauth._MAX_BYTES))),
        ("list and describe", (seconds(transport.READ_SECONDS), size(network.MAX_ANSWER_BYTES))),
        ("open Lightning Out", (seconds(lightning._SECONDS), size(lightning._MAX_BYTES))),
        ("run a Flow", (seconds(transport.INVOKE_SECONDS), size(network.MAX_ANSWER_BYTES))),
        ("rows", (seconds(tables._DEADLINE_SECONDS), "no cap")),
        ("backups", (seconds(backups._SECONDS), size(backups._MAX_BYTES))),
        ("secrets", (seconds(key_vault._DEADLINE_SECONDS), "no cap")),
        ("events", (seconds(network.TOTAL_SECONDS), size(network.MAX_ANSWER_BYTES))),
        ("alarms", (seconds(network.TOTAL_SECONDS), size(network.MAX_ANSWER_BYTES))),
    ],
)
def test_deadlines_and_caps_are_those_of_the_code(what: str, limits: tuple[str, str]) -> None:
    assert deadline(what).replace(" with retries", "") == ", ".join(limits)


def test_readiness_takes_what_is_said() -> None:
    told = " ".join(section(DOCUMENT, "## Health and readiness").split())
    deadline, kept = check_readiness.DEADLINE_SECONDS, check_readiness.KEPT_SECONDS

    assert f"for {deadline:.0f} seconds at most" in told
    assert f"keeps what it found for {kept:.0f}:" in told
    assert set(code_spans(told)) >= set(DEPENDENCIES)


def test_connecting_takes_what_is_said() -> None:
    assert f"Connecting may take {seconds(network.CONNECT_SECONDS)} of that;" in DOCUMENT


def test_the_tls_floor_is_that_of_the_code_and_only_the_platform_has_none() -> None:
    floor = network.strict_tls().minimum_version.name.removeprefix("TLSv").replace("_", ".")
    without = [row["host"] for row in HOSTS if row["TLS floor"] != floor]

    assert [name for cell in without for name in code_spans(cell)] == [PLATFORM]


def test_the_version_of_salesforces_api_is_that_of_the_code() -> None:
    named = set(re.findall(r"\bREST (v\d+\.\d)", DOCUMENT))

    assert named == {transport.API_VERSION}


def test_each_boundary_and_each_host_names_tests_that_are_there() -> None:
    (boundaries,) = tables_of(section(DOCUMENT, "## Trust boundaries"))
    cells = [row["proved by"] for row in boundaries] + [row["checked in"] for row in HOSTS]

    assert [cell for cell in cells if not code_spans(cell)] == []
    named = [path for cell in cells for path in code_spans(cell)]
    assert [path for path in named if "def test_" not in text_of(ROOT / path)] == []


def test_every_timer_is_named_and_due_as_it_is_said() -> None:
    (rows,) = tables_of(section(DOCUMENT, "## Timers"))
    due = {
        "every minute": "0 * * * * *",
        "every 5 minutes": "0 */5 * * * *",
        "hourly, at :07": "0 7 * * * *",
        "hourly, at :37": "0 37 * * * *",
        "every 6 hours, at :41": "0 41 */6 * * *",
        "nightly, at 02:15": "0 15 2 * * *",
    }

    assert {code_spans(row["timer"])[0]: due[row["when (UTC)"]] for row in rows} == TIMERS
