"""When alerts fire: at the first row, soon, as loud as the matter is, and not muted."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.alerts import (
    ACTIVITY_ALERT,
    METRIC_ALERT,
    METRICS,
    QUERY_RULE,
    looks_at,
    short,
)
from tools.infra.policies.queries import SILENCES
from tools.infra.policies.rules import Must, Rule, items_of, step
from tools.infra.values import Literal, Value, is_literal

_LOUD: Final = ("deletion-overdue", "seal-broken", "vault-refused")
_MOST_SEVERE: Final = (0, 1)
_DURATION: Final = re.compile(r"P(?:(?P<days>\d+)D|T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?)")
_HOUR: Final = 60
_DAY: Final = 24 * _HOUR

_EVENT_TIMES: Final = (15, _HOUR, _HOUR)
"""Minutes: asked at least so often, over no less, and over no more."""
_SILENCE_TIMES: Final = (_HOUR, 2 * _DAY, 2 * _DAY)
"""Two days are the most that Azure looks back; a tenant has to have been there before."""
_METRIC_TIMES: Final = (5, 5, _HOUR)


@dataclass(frozen=True, slots=True)
class _Metric:
    """What is counted of which type, by which dimension, and the answers that count."""

    kind: str
    name: str
    aggregation: str
    dimension: str
    values: frozenset[str]


_VAULT_ANSWERS: Final = ("Microsoft.KeyVault/vaults", "ServiceApiResult", "Count", "StatusCode")
_COUNTED: Final[Mapping[str, _Metric]] = {
    "vault-refused": _Metric(*_VAULT_ANSWERS, frozenset({"403"})),
    "vault-throttled": _Metric(*_VAULT_ANSWERS, frozenset({"429"})),
    "tables-busy": _Metric(
        "Microsoft.Storage/storageAccounts/tableServices",
        "Transactions",
        "Total",
        "ResponseType",
        frozenset({"ClientAccountRequestThrottlingError", "ServerBusyError", "ServerTimeoutError"}),
    ),
}
"""Names of metrics and dimensions: https://learn.microsoft.com/azure/azure-monitor/reference/"""


def queries(deployment: Deployment) -> Iterator[Finding]:
    """F17: one row is enough; silence is asked about for as long as it lasts."""
    for alert in deployment.created(QUERY_RULE):
        silent = short(alert) in SILENCES
        yield from _times(alert, _SILENCE_TIMES if silent else _EVENT_TIMES)
        yield from Must("alert-muted", "properties.muteActionsDuration", (None,)).findings(alert)
        if silent:  # after two days of it, the app is no longer known to the query
            yield from Must("alert-taken-back", "properties.autoMitigate", (False,)).findings(alert)
        for condition in items_of(alert.get("properties.criteria.allOf")):
            periods = [
                step(condition, "failingPeriods", name)
                for name in ("numberOfEvaluationPeriods", "minFailingPeriodsToAlert")
            ]
            at_once = all(is_literal(one, 1) for one in periods)
            if not at_once or not _at_the_first(condition) or not _counts(condition, "Count"):
                at = alert.where("properties.criteria")
                yield Finding(at, "alert-threshold", f"{short(alert)} waits for more than a row")


def _at_the_first(condition: Value) -> bool:
    return is_literal(step(condition, "threshold"), 0) and is_literal(
        step(condition, "operator"), "GreaterThan"
    )


def _counts(condition: Value, aggregation: str) -> bool:
    return is_literal(step(condition, "timeAggregation"), aggregation)


def _times(alert: Deployed, times: tuple[int, int, int]) -> Iterator[Finding]:
    often, least, most = times
    every = _minutes(alert.get("properties.evaluationFrequency"))
    over = _minutes(alert.get("properties.windowSize"))
    if not 0 < every <= often or not max(every, least) <= over <= most:
        at = alert.where("properties.windowSize")
        message = f"{short(alert)} looks over {over} minutes, every {every}"
        yield Finding(at, "alert-window", message)


def _minutes(value: Value | None) -> int:
    """The length of PT15M or P2D; 0 of anything else."""
    found = _DURATION.fullmatch(str(value.value)) if isinstance(value, Literal) else None
    if found is None:
        return 0
    days, hours, minutes = (int(one or 0) for one in found.groups())
    return days * _DAY + hours * _HOUR + minutes


def severities(deployment: Deployment) -> Iterator[Finding]:
    """F7, F14, F20: what breaks a promise is told before anything else."""
    for alert in deployment.created(QUERY_RULE, METRIC_ALERT):
        if short(alert) in _LOUD:
            must = Must("alert-severity", "properties.severity", _MOST_SEVERE)
            yield from must.findings(alert)


def metrics(deployment: Deployment) -> Iterator[Finding]:
    """F13, F17: refused and throttled calls are counted at the vault, busy ones at the tables."""
    for alert in deployment.created(METRIC_ALERT):
        if short(alert) not in METRICS:
            continue
        wanted = _COUNTED[short(alert)]
        yield from looks_at(deployment, alert, wanted.kind)
        yield from _times(alert, _METRIC_TIMES)
        criteria = items_of(alert.get("properties.criteria.allOf"))
        if len(criteria) != 1 or not _is_counted(criteria[0], wanted):
            at = alert.where("properties.criteria")
            yield Finding(at, "alert-metric", f"{short(alert)} does not count {wanted}")


def _is_counted(criterion: Value, wanted: _Metric) -> bool:
    dimensions = items_of(step(criterion, "dimensions"))
    dimension = dimensions[0] if len(dimensions) == 1 else None
    values = [str(one).strip("'") for one in items_of(step(dimension, "values"))]
    return (
        _at_the_first(criterion)
        and _counts(criterion, wanted.aggregation)
        and is_literal(step(criterion, "metricNamespace"), wanted.kind)
        and is_literal(step(criterion, "metricName"), wanted.name)
        and is_literal(step(dimension, "name"), wanted.dimension)
        and is_literal(step(dimension, "operator"), "Include")
        and set(values) == wanted.values
    )


def service_health(deployment: Deployment) -> Iterator[Finding]:
    """F17: what Azure itself reports, of the whole subscription."""
    wanted = "[{ field: 'category', equals: 'ServiceHealth' }]"
    for alert in deployment.created(ACTIVITY_ALERT):
        if str(alert.get("properties.condition.allOf")) != wanted:
            at = alert.where("properties.condition")
            yield Finding(at, "alert-condition", f"{short(alert)} is not about {wanted}")
        if str(alert.get("properties.scopes")) != "[subscription().id]":
            at = alert.where("properties.scopes")
            yield Finding(at, "alert-scope", f"{short(alert)} is not of the whole subscription")


RULES: Final[tuple[Rule, ...]] = (queries, severities, metrics, service_health)
