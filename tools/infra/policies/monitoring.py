"""Telemetry: 30 days on every table, no writing by key, audit logs of what holds data."""

from collections.abc import Iterator
from typing import Final

from shared.model.schema import LOG_DAYS
from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.rules import Must, Rule, each_must, home, title
from tools.infra.values import Array, Object, is_literal

WORKSPACE: Final = "Microsoft.OperationalInsights/workspaces"
LOG_TABLE: Final = "Microsoft.OperationalInsights/workspaces/tables"
COMPONENT: Final = "Microsoft.Insights/components"
DIAGNOSTICS: Final = "Microsoft.Insights/diagnosticSettings"

APPLICATION_TABLES: Final = (
    "AppAvailabilityResults",
    "AppBrowserTimings",
    "AppDependencies",
    "AppEvents",
    "AppExceptions",
    "AppMetrics",
    "AppPageViews",
    "AppPerformanceCounters",
    "AppRequests",
    "AppSystemEvents",
    "AppTraces",
)
"""Each keeps 90 days unless it is told otherwise itself.
https://learn.microsoft.com/azure/azure-monitor/logs/data-retention-configure"""

_AUDITED: Final = {
    "Microsoft.KeyVault/vaults": {"audit", "allLogs"},
    "Microsoft.Storage/storageAccounts/blobServices": {"allLogs"},
    "Microsoft.Storage/storageAccounts/tableServices": {"allLogs"},
    "Microsoft.Web/sites": {"FunctionAppLogs"},
}


def retention(deployment: Deployment) -> Iterator[Finding]:
    """F10: 30 days, on the workspace and on each of the eleven tables that do not follow it."""
    yield from each_must(
        deployment,
        WORKSPACE,
        Must("workspace-retention", "properties.retentionInDays", (LOG_DAYS,)),
        Must("workspace-cap", "properties.workspaceCapping", (None,)),
        Must("workspace-local-auth", "properties.features.disableLocalAuth", (True,)),
        Must("workspace-purge", "properties.features.immediatePurgeDataOn30Days", (True,)),
    )
    yield from each_must(
        deployment,
        LOG_TABLE,
        Must("table-plan", "properties.plan", ("Analytics",)),
        Must("table-retention", "properties.retentionInDays", (LOG_DAYS,)),
        Must("table-retention", "properties.totalRetentionInDays", (LOG_DAYS,)),
    )
    found = {one.name for one in deployment.created(LOG_TABLE)}
    for name in APPLICATION_TABLES:
        if name not in found:
            message = f"{name} would keep 90 days"
            yield Finding(home(deployment, LOG_TABLE, WORKSPACE), "table-retention", message)


def component(deployment: Deployment) -> Iterator[Finding]:
    """F10, F13: telemetry is written with an identity, into the workspace that forgets."""
    yield from each_must(
        deployment,
        COMPONENT,
        Must("insights-local-auth", "properties.DisableLocalAuth", (True,)),
        Must("insights-ip-masking", "properties.DisableIpMasking", (False, None)),
        Must("insights-sampling", "properties.SamplingPercentage", (None,)),
        Must("insights-ingestion", "properties.IngestionMode", ("LogAnalytics",)),
    )
    for one in deployment.created(COMPONENT):
        workspace = deployment.target(one.get("properties.WorkspaceResourceId"))
        if workspace is None or workspace.type != WORKSPACE:
            at = one.where("properties.WorkspaceResourceId")
            yield Finding(at, "insights-workspace", f"{title(one)} has no workspace of ours")
    for kind in (WORKSPACE, COMPONENT):
        if not any(deployment.created(kind)):
            yield Finding(home(deployment, WORKSPACE, COMPONENT), "monitoring-missing", kind)


def diagnostics(deployment: Deployment) -> Iterator[Finding]:
    """F15, F16, F17: who used the vault and the tables, and when, can be told afterwards."""
    settings = list(deployment.created(DIAGNOSTICS))
    for kind, categories in _AUDITED.items():
        for resource in deployment.created(kind):
            mine = [one for one in settings if deployment.target(one.get("scope")) is resource]
            if not any(_logs(deployment, one) & categories for one in mine):
                message = f"{title(resource)} does not log {' or '.join(sorted(categories))}"
                yield Finding(resource.at, "diagnostics-missing", message)
    for one in settings:
        yield from _table(deployment, one)


def _table(deployment: Deployment, setting: Deployed) -> Iterator[Finding]:
    """The vault's into the table of its own, which the runbooks query."""
    scope = deployment.target(setting.get("scope"))
    if scope is not None and scope.type == "Microsoft.KeyVault/vaults":
        path = "properties.logAnalyticsDestinationType"
        yield from Must("diagnostics-table", path, ("Dedicated",)).findings(setting)


def _logs(deployment: Deployment, setting: Deployed) -> set[str]:
    """The categories that go to our workspace."""
    workspace = deployment.target(setting.get("properties.workspaceId"))
    logs = setting.get("properties.logs")
    if workspace is None or workspace.type != WORKSPACE or not isinstance(logs, Array):
        return set()
    return {
        str(log.get("categoryGroup") or log.get("category")).strip("'")
        for log in logs.items
        if isinstance(log, Object) and is_literal(log.get("enabled"), wanted=True)
    }


RULES: Final[tuple[Rule, ...]] = (retention, component, diagnostics)
