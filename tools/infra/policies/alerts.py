"""What operators are told of: every promised alert, about an event that there is, to somebody."""

from collections.abc import Iterator
from typing import Final

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.monitoring import WORKSPACE
from tools.infra.policies.queries import SILENCES, events_in, faults, well_formed
from tools.infra.policies.rules import Must, Rule, home, items_of, step, title
from tools.infra.values import Literal, Value

METRICS: Final = ("tables-busy", "vault-refused", "vault-throttled")
"""Alerts over what the platform counts: see policies/alert_limits.py."""

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


def present(deployment: Deployment) -> Iterator[Finding]:
    """F7, F11, F14, F17: none of the promised alerts is missing or off."""
    found = {short(one): one for one in deployment.created(*_ALERTS)}
    for name in (*_EVENTS, *METRICS, "service-health"):
        if name not in found:
            yield Finding(home(deployment, *_ALERTS), "alert-missing", name)
    for one in found.values():
        yield from Must("alert-off", "properties.enabled", (True,)).findings(one)


def short(alert: Deployed) -> str:
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
        wanted = _EVENTS.get(short(alert))
        if wanted is not None and wanted not in asked:
            yield Finding(alert.at, "alert-event", f"{short(alert)} does not ask for {wanted}")
        yield from _asked(alert)
        yield from looks_at(deployment, alert, WORKSPACE)


def _asked(alert: Deployed) -> Iterator[Finding]:
    """F17: one query, of a form that is known to be understood and to mean what it says."""
    name = short(alert)
    conditions = items_of(alert.get("properties.criteria.allOf"))
    queries = [step(one, "query") for one in conditions]
    if len(queries) != 1 or not well_formed(str(queries[0]).strip("'"), SILENCES.get(name)):
        at = alert.where("properties.criteria")
        yield Finding(at, "alert-query", f"{name} asks in no form that is known here")


def looks_at(deployment: Deployment, alert: Deployed, kind: str) -> Iterator[Finding]:
    """Whether the alert's one scope is the resource of this type."""
    targets = [deployment.target(one) for one in items_of(alert.get("properties.scopes"))]
    if [one.type if one else None for one in targets] != [kind]:
        at = alert.where("properties.scopes")
        yield Finding(at, "alert-scope", f"{short(alert)} looks elsewhere than at the {kind}")


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
        if [str(step(one, "emailAddress")) for one in receivers] != ["alertEmail"]:
            at = group.where("properties.emailReceivers")
            yield Finding(at, "alert-untold", "the group does not write to alertEmail alone")


def _groups(alert: Deployed) -> Iterator[Value | None]:
    """The three types spell their actions in three ways."""
    yield from items_of(alert.get("properties.actions.actionGroups"))
    for one in (
        *items_of(alert.get("properties.actions")),
        *items_of(alert.get("properties.actions.actionGroups")),
    ):
        yield step(one, "actionGroupId")


RULES: Final[tuple[Rule, ...]] = (present, events, told)
