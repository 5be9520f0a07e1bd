"""A tenant's settings as the text of one column."""

import json
from typing import Any

from shared.model import DEFAULT_RETENTION_DAYS, OrgId, TenantSettings


def settings_text(settings: TenantSettings) -> str:
    """JSON; what `settings_from` reads."""
    return json.dumps(
        {
            "retention_days": settings.retention_days,
            "allowed_orgs": settings.allowed_orgs,
            "idle_grants": settings.idle_grants,
            "input_aliases": {flow: dict(names) for flow, names in settings.input_aliases.items()},
            "customer_key": settings.customer_key,
        },
        sort_keys=True,
    )


def settings_from(text: str) -> TenantSettings:
    """What is not there has its default: rows live longer than releases.

    Raises KeyError, TypeError, ValueError or InvalidRequestError for what is no such text.
    """
    found: dict[str, Any] = json.loads(text)
    days = found.get("retention_days", DEFAULT_RETENTION_DAYS)
    if type(days) is not int or days < 1:
        raise ValueError("retention_days")
    if found.get("idle_grants", "lapse") not in ("lapse", "keep_alive"):
        raise ValueError("idle_grants")
    return TenantSettings(
        retention_days=days,
        allowed_orgs=tuple(OrgId.parse(org) for org in found.get("allowed_orgs", ())),
        idle_grants=found.get("idle_grants", "lapse"),
        input_aliases={
            str(flow): {str(name): str(field) for name, field in names.items()}
            for flow, names in found.get("input_aliases", {}).items()
        },
        customer_key=found.get("customer_key"),
    )
