"""What customers were promised, as rules over a deployment. Each names the promises that it keeps,
by their numbers in docs/promises.md.
"""

from typing import Final

from tools.infra.policies import (
    alert_limits,
    alerts,
    entry,
    guard,
    monitoring,
    network,
    residency,
    roles,
    scopes,
    secrets,
    settings,
    site,
    storage,
    subnets,
    vault,
)
from tools.infra.policies.rules import Rule

RULES: Final[tuple[Rule, ...]] = (
    *entry.RULES,
    *residency.RULES,
    *scopes.RULES,
    *storage.RULES,
    *vault.RULES,
    *monitoring.RULES,
    *site.RULES,
    *settings.RULES,
    *network.RULES,
    *subnets.RULES,
    *roles.RULES,
    *guard.RULES,
    *alerts.RULES,
    *alert_limits.RULES,
    *secrets.RULES,
)
