"""Against accidents: locks, a budget, and an `existing` that means something."""

from collections.abc import Iterator
from typing import Final

from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.rules import Must, Rule, home, items_of, step, title
from tools.infra.values import Object, Parameter, is_literal

LOCK: Final = "Microsoft.Authorization/locks"
BUDGET: Final = "Microsoft.Consumption/budgets"

_LOCKED: Final = ("stflrdata", "stflrback", "kv-flr-", "pip-flowrunner-")

_OPTIONS: Final = {
    "Microsoft.Authorization/policyAssignments": "assignLocationPolicy",
    "Microsoft.Insights/activityLogAlerts": "serviceHealthAlert",
    "Microsoft.Network/privateDnsZones": "privateEndpoints",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "privateEndpoints",
    "Microsoft.Network/privateEndpoints": "privateEndpoints",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": "privateEndpoints",
}
"""What is there on a condition, and the one parameter that it is."""
_TOLD: Final = (
    ("timeGrain", "Monthly"),
    ("notifications.spent80.threshold", 80),
    ("notifications.expected100.threshold", 100),
)
_ON: Final = ("assignLocationPolicy", "serviceHealthAlert")


def locks(deployment: Deployment) -> Iterator[Finding]:
    """F4, F11, F13: data, backups, keys and the admitted address do not vanish by a slip."""
    held: set[str] = set()
    for lock in deployment.created(LOCK):
        target = deployment.target(lock.get("scope"))
        start = target.name.partition("${")[0] if target else ""
        if start not in _LOCKED:
            yield Finding(lock.at, "lock-unknown", f"of {start or 'no resource of ours'}")
        yield from Must("lock-level", "properties.level", ("CanNotDelete",)).findings(lock)
        names = [one.name for one in lock.conditions if isinstance(one, Parameter)]
        if names != ["lockResources"] or len(lock.conditions) != 1:
            message = f"the lock of {start} has to depend on lockResources alone"
            yield Finding(lock.at, "lock-condition", message)
        held.add(start)
    for start in _LOCKED:
        if start not in held:
            yield Finding(home(deployment, LOCK), "lock-missing", start)
    param = deployment.root.params.get("lockResources")
    if param is not None and not is_literal(param.default, wanted=True):
        yield Finding(param.at, "lock-condition", "locks are on unless somebody asks otherwise")


def budget(deployment: Deployment) -> Iterator[Finding]:
    """Somebody is told of cost that runs away."""
    budgets = list(deployment.created(BUDGET))
    if not budgets:
        yield Finding(home(deployment, LOCK), "budget-missing", "there is no budget")
    for one in budgets:
        notifications = one.get("properties.notifications")
        entries = notifications.entries if isinstance(notifications, Object) else {}
        if not entries:
            yield Finding(one.at, "budget-silent", "nobody is told")
        for name, entry in entries.items():
            told = [str(who) for who in items_of(step(entry.value, "contactEmails"))]
            if told != ["alertEmail"] or not is_literal(step(entry.value, "enabled"), wanted=True):
                message = f"{name} has to be on, and to tell alertEmail"
                yield Finding(entry.key_at, "budget-silent", message)
        for path, wanted in _TOLD:
            yield from Must("budget-silent", f"properties.{path}", (wanted,)).findings(one)
        if str(one.get("properties.amount")) != "monthlyBudget":
            at = one.where("properties.amount")
            yield Finding(at, "budget-amount", "the amount is the parameter monthlyBudget")


def conditions(deployment: Deployment) -> Iterator[Finding]:
    """F20, F21: nothing that a promise rests on hangs on an option, but for the options' own."""
    for one in deployment.created(*{resource.type for resource in deployment.resources}):
        if one.type == LOCK:
            continue  # `locks` looks at these
        wanted = _OPTIONS.get(one.type)
        given = [str(condition) for condition in one.conditions]
        if given != ([wanted] if wanted else []):
            message = f"{title(one)} is there if {' and '.join(given) or 'ever'}"
            yield Finding(one.at, "condition", message)
    for name in _ON:
        param = deployment.root.params.get(name)
        if param is not None and not is_literal(param.default, wanted=True):
            yield Finding(param.at, "condition", f"{name} is on unless somebody asks otherwise")


def existing(deployment: Deployment) -> Iterator[Finding]:
    """What a template calls `existing` is made by the same deployment, under that very name."""
    for one in deployment.resources:
        if one.existing and not any(
            deployment.is_the_same(other, one) for other in deployment.created(one.type)
        ):
            message = f"no {title(one)} is made here"
            yield Finding(one.where("name"), "existing-unknown", message)


RULES: Final[tuple[Rule, ...]] = (locks, budget, conditions, existing)
