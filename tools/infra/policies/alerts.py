"""What operators are told of: every promised alert, about an event that there is, to somebody."""

from collections.abc import Iterator
from typing import Final

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.monitoring import WORKSPACE
from tools.infra.policies.queries import events_in, faults
from tools.infra.policies.rules import Must, Rule, home, items_of, step, title
from tools.infra.values import Literal, Value

GROUP: Final = "Microsoft.Insights/actionGroups"
QUERY_RULE: Final = "Microsoft.Insights/scheduledQueryRules"
METRIC_ALERT: Final = "Microsoft.Insights/metricAlerts"
ACTIVITY_ALERT: Final = "Microsoft.Insights/activityLogAlerts"
_ALERTS: Final = (QUERY_RULE, METRIC_ALERT, ACTIVITY_ALERT)

_EVENTS: Final = {
    "backup-failed": "backup",
    "backup-silent": "backup",
    "clock-wrong": "clock_wrong",
    "crashed": "crashed",
    "dependency-failed": "dependency_failed",
    "deletion-overdue": "deletion_overdue",
    "grant-lost": "grant_lost",
    "key-unavailable": "key_unavailable",
    "retention-silent": "retention_cleanup",
    "seal-broken": "seal_broken",
    "telemetry-lost": "telemetry_lost",
}
"""Alerts over our own events, and the event of each."""

_METRICS: Final = {
    "vault-refused": ("Microsoft.KeyVault/vaults", "403"),
    "vault-throttled": ("Microsoft.KeyVault/vaults", "429"),
    "tables-busy": ("Microsoft.Storage/storageAccounts/tableServices", "ServerBusyError"),
}
"""Alerts over what the platform counts, where, and one of the values counted."""


def present(deployment: Deployment) -> Iterator[Finding]:
    """F7, F11, F14, F17: none of the promised alerts is missing or off."""
    found = {_short(one): one for one in deployment.created(*_ALERTS)}
    for name in (*_EVENTS, *_METRICS, "service-health"):
        if name not in found:
            yield Finding(home(deployment, *_ALERTS), "alert-missing", name)
    for one in found.values():
        yield from Must("alert-off", "properties.enabled", (True,)).findings(one)


def _short(alert: Deployed) -> str:
    """`alert-flowrunner-clock-wrong-${token}` is clock-wrong."""
    return alert.name.partition("${")[0].removeprefix("alert-flowrunner-").removesuffix("-")


def events(deployment: Deployment) -> Iterator[Finding]:
    """F10: a query names events that the service has, its own among them, where they arrive."""
    for alert in deployment.created(QUERY_RULE):
        asked: set[str] = set()
        for condition in items_of(alert.get("properties.criteria.allOf")):
            query = step(condition, "query")
            if not isinstance(query, Literal):
                yield Finding(alert.at, "alert-event", "the query is not known before deployment")
                continue
            asked |= events_in(str(query.value))
            for fault in faults(str(query.value)):
                yield Finding(query.at, "alert-event", fault)
        wanted = _EVENTS.get(_short(alert))
        if wanted is not None and wanted not in asked:
            yield Finding(alert.at, "alert-event", f"{_short(alert)} does not ask for {wanted}")
        yield from _scope(deployment, alert, WORKSPACE)


def metrics(deployment: Deployment) -> Iterator[Finding]:
    """F13, F17: refused and throttled calls are counted at the vault, busy ones at the tables."""
    for alert in deployment.created(METRIC_ALERT):
        known = _METRICS.get(_short(alert))
        if known is None:
            continue
        kind, counted = known
        yield from _scope(deployment, alert, kind)
        criteria = alert.get("properties.criteria")
        if f"'{counted}'" not in str(criteria):
            at = alert.where("properties.criteria")
            yield Finding(at, "alert-metric", f"{_short(alert)} does not count {counted}")


def _scope(deployment: Deployment, alert: Deployed, kind: str) -> Iterator[Finding]:
    targets = [deployment.target(one) for one in items_of(alert.get("properties.scopes"))]
    if [one.type if one else None for one in targets] != [kind]:
        at = alert.where("properties.scopes")
        yield Finding(at, "alert-scope", f"{_short(alert)} looks elsewhere than at the {kind}")


def told(deployment: Deployment) -> Iterator[Finding]:
    """F17: each alert goes to the action group, and the group to the address that was given."""
    for alert in deployment.created(*_ALERTS):
        targets = [deployment.target(one) for one in _groups(alert)]
        if not any(one is not None and one.type == GROUP for one in targets):
            at = alert.where("properties.actions")
            yield Finding(at, "alert-untold", f"{title(alert)} has no action group")
    for group in deployment.created(GROUP):
        yield from Must("alert-untold", "properties.enabled", (True,)).findings(group)
        receivers = items_of(group.get("properties.emailReceivers"))
        if "alertEmail" not in {str(step(one, "emailAddress")) for one in receivers}:
            at = group.where("properties.emailReceivers")
            yield Finding(at, "alert-untold", "the group does not write to alertEmail")


def _groups(alert: Deployed) -> Iterator[Value | None]:
    """The three types spell their actions in three ways."""
    yield from items_of(alert.get("properties.actions.actionGroups"))
    for one in (
        *items_of(alert.get("properties.actions")),
        *items_of(alert.get("properties.actions.actionGroups")),
    ):
        yield step(one, "actionGroupId")


RULES: Final[tuple[Rule, ...]] = (present, events, metrics, told)
