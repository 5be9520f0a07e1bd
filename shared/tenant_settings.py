"""A tenant's settings as JSON: as they are stored, as the contract shows them, as an administrator
sends them. What is stored is forgiven what older releases left out; what is sent is not."""

import hashlib
import json
import re
from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

from shared.email_vocabulary import VOCABULARY, could_be_one_input
from shared.errors import InvalidRequestError, Json
from shared.model import DEFAULT_RETENTION_DAYS, FlowName, OrgId, TenantSettings
from shared.vault_hosts import is_vault_key

MEMBERS: Final = (
    "retention_days",
    "allowed_orgs",
    "idle_grants",
    "input_aliases",
    "customer_key",
)
"""Each is a field of `TenantSettings`, and each must be sent."""

_MOST_RETENTION_DAYS: Final = 3_650
_MOST_ORGS: Final = 100
_MOST_FLOWS: Final = 200
_MOST_ALIASES: Final = 20
_LONGEST_TEXT: Final = 24_000
"""Characters of the whole. A property of a table row holds 32,768 UTF-16 code units
(https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model),
and the text is ASCII."""
_ALIAS: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}", re.ASCII)


def settings_members(settings: TenantSettings) -> dict[str, Json]:
    """The settings as the contract's schema `TenantSettings`."""
    return {
        "retention_days": settings.retention_days,
        "allowed_orgs": list(settings.allowed_orgs),
        "idle_grants": settings.idle_grants,
        "input_aliases": {flow: dict(names) for flow, names in settings.input_aliases.items()},
        "customer_key": settings.customer_key,
    }


def settings_text(settings: TenantSettings) -> str:
    """The canonical text, in ASCII; what `settings_from` reads."""
    return json.dumps(settings_members(settings), sort_keys=True)


def revision_of(settings: TenantSettings) -> str:
    """Which settings these are: the same content has the same revision, on every instance.

    Not the row's own etag: that moves as well when sessions are ended or a step of a deletion is
    written, and would refuse an administrator who has read exactly what still holds.
    """
    return hashlib.sha256(settings_text(settings).encode("ascii")).hexdigest()


def settings_from(text: str) -> TenantSettings:
    """What was stored. What is not there has its default: rows live longer than releases.

    Raises KeyError, TypeError, ValueError or InvalidRequestError for what is no such text.
    """
    found = _object(json.loads(text))
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
            str(flow): {str(name): str(field) for name, field in _object(names).items()}
            for flow, names in _object(found.get("input_aliases", {})).items()
        },
        customer_key=found.get("customer_key"),
    )


def _object(value: object) -> dict[str, Any]:
    """Raises TypeError for what is no object of JSON."""
    if not isinstance(value, dict):
        raise TypeError
    return value


def settings_sent(document: Mapping[str, Any]) -> TenantSettings:
    """What an administrator wants, the whole of it. Raises InvalidRequestError."""
    if set(document) != set(MEMBERS):
        raise InvalidRequestError
    idle_grants = document["idle_grants"]
    if idle_grants not in ("lapse", "keep_alive"):
        raise InvalidRequestError
    settings = TenantSettings(
        retention_days=_retention_days(document["retention_days"]),
        allowed_orgs=_allowed_orgs(document["allowed_orgs"]),
        idle_grants=idle_grants,
        input_aliases=_input_aliases(document["input_aliases"]),
        customer_key=_customer_key(document["customer_key"]),
    )
    if len(settings_text(settings)) > _LONGEST_TEXT:
        raise InvalidRequestError
    return settings


def _retention_days(value: object) -> int:
    if type(value) is not int or not 1 <= value <= _MOST_RETENTION_DAYS:  # True is an int, too
        raise InvalidRequestError
    return value


def _allowed_orgs(value: object) -> tuple[OrgId, ...]:
    if not isinstance(value, list) or len(value) > _MOST_ORGS:
        raise InvalidRequestError
    orgs = tuple(OrgId.parse(_text(org)) for org in value)
    if len(set(orgs)) != len(orgs):  # the two forms of an id are one org
        raise InvalidRequestError
    return orgs


def _input_aliases(value: object) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict) or len(value) > _MOST_FLOWS:
        raise InvalidRequestError
    if len({flow.lower() for flow in value}) != len(value):  # API names know no case
        raise InvalidRequestError
    return {FlowName.parse(flow): _aliases(names) for flow, names in value.items()}


def _aliases(value: object) -> dict[str, str]:
    """The names of one Flow. No input may be meant by two of them."""
    if not isinstance(value, dict) or len(value) > _MOST_ALIASES:
        raise InvalidRequestError
    for alias, field in value.items():
        if not _ALIAS.fullmatch(alias) or _text(field) not in VOCABULARY:
            raise InvalidRequestError
    if any(could_be_one_input(one, other) for one, other in combinations(value, 2)):
        raise InvalidRequestError
    return dict(value)


def _customer_key(value: object) -> str | None:
    if value is not None and not is_vault_key(_text(value)):
        raise InvalidRequestError
    return None if value is None else str(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InvalidRequestError
    return value
