"""What customers were promised, as rules over a deployment. Each names the promises that it keeps,
by their numbers in docs/promises.md.
"""

from typing import Final

from tools.infra.policies import (
    alerts,
    entry,
    guard,
    monitoring,
    network,
    residency,
    roles,
    secrets,
    settings,
    site,
    storage,
    vault,
)
from tools.infra.policies.rules import Rule

RULES: Final[tuple[Rule, ...]] = (
    *entry.RULES,
    *residency.RULES,
    *storage.RULES,
    *vault.RULES,
    *monitoring.RULES,
    *site.RULES,
    *settings.RULES,
    *network.RULES,
    *roles.RULES,
    *guard.RULES,
    *alerts.RULES,
    *secrets.RULES,
)
