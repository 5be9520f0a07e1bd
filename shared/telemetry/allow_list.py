"""What may be said about the service: the names of events, and the fields that they may carry.

This file is the privacy record of logs and telemetry. mypy refuses other names and fields, and
`checked` refuses them again at run time, together with texts that do not look like their field:
deny-lists leak (Sentry's own scrubber let 7 of 10 canaries through), so this is an allow-list.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypedDict, get_args, get_origin, get_type_hints

from shared.telemetry.losses import count

type Value = str | int | float | bool
Severity = Literal["info", "warning", "error"]

EventName = Literal[
    # requests
    "answered",
    "refused",
    "crashed",
    # who
    "signed_in",
    "signed_out",
    "tenant_created",
    "tenant_status_changed",
    "signing_keys_fetched",
    # Salesforce
    "connect_started",
    "connect_failed",
    "connected",
    "disconnected",
    "grant_refreshed",
    "grant_ended",
    "grant_lost",
    "grant_journalled",
    "answer_lost",
    "revocation_failed",
    "revocations",
    "flows_listed",
    "flow_described",
    "flow_run",
    "lightning_opened",
    # stores and keys
    "row_unreadable",
    "seal_broken",
    "key_created",
    "key_rotated",
    "key_destroyed",
    "values_resealed",
    "data_key_retired",
    "data_key_destroyed",
    "key_unavailable",
    # timers
    "retention_cleanup",
    "keep_alive",
    "backup",
    "deletion_requested",
    "deletion_confirmed",
    "deletion_step",
    "deletion_done",
    "deletion_overdue",
    # operations
    "started",
    "settings_changed",
    "exported",
    "dependency_failed",
    "dependency_recovered",
    "clock_wrong",
    "library_warning",
    "telemetry_lost",
]

EVENT_NAMES: Final[frozenset[str]] = frozenset(get_args(EventName))

WARNINGS: Final[frozenset[EventName]] = frozenset(
    {
        "connect_failed",
        "dependency_failed",
        "answer_lost",
        "grant_journalled",
        "grant_lost",
        "key_unavailable",
        "library_warning",
        "revocation_failed",
        "row_unreadable",
        "telemetry_lost",
    }
)
"""Events of a higher severity than "info"; `alarm` raises any event to "error"."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a text must look like, whole, in ASCII. No shape has room for a space of free text."""

    pattern: str
    longest: int = 200

    def fits(self, text: str) -> bool:
        return (
            len(text) <= self.longest
            and re.fullmatch(self.pattern, text, re.ASCII) is not None
            and not _MARKS.search(text)
        )


# What betrays an address, a Salesforce session, a JWT or a URL, should a pattern ever be widened.
_MARKS: Final = re.compile(r"[@!\s\x00-\x1f\x7f]|eyJ|(?i:https?(?::|%3a))")

_NAME = r"(?:[A-Za-z_]\w*|<[a-z]+>)(?:\.(?:[A-Za-z_]\w*|<[a-z]+>))*"
_GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

# Words of letters, each with one digit at most: codes of ours pass, hex and base32 do not.
WORD: Final = Shape(r"[a-z]+[0-9]?(?:_[a-z]+[0-9]?)*", 64)
PYTHON_NAME: Final = Shape(_NAME, 120)
PLACES: Final = Shape(rf"{_NAME}:{_NAME}:\d+(?:,{_NAME}:{_NAME}:\d+){{0,7}}", 640)
INCIDENT: Final = Shape(r"[0-9a-f-]{8,36}")
TENANT: Final = Shape(rf"ms-{_GUID}|g-[a-z2-7]{{26}}")
USER: Final = Shape(r"u-[a-z2-7]{26}")
_LARGEST: Final = 2**53  # beyond it a number is no measurement, and JSON readers disagree about it


class Fields(TypedDict, total=False):
    """Every field an event may carry. A new one is a privacy decision: say why it is no personal
    data, or this module does not even import (scenario V-08).
    """

    attempt: Annotated[int, "a count of our own tries"]
    cause: Annotated[str, PYTHON_NAME, "the name of an exception class: source code, not data"]
    code: Annotated[str, WORD, "a public error code, fixed in shared/errors.py"]
    count: Annotated[int, "a number of rows or calls, of nobody in particular"]
    deleted: Annotated[int, "a number of rows, of nobody in particular"]
    dependency: Annotated[str, WORD, "one of our counterparties or libraries, fixed in source"]
    duration_ms: Annotated[float, "a time we took"]
    failed: Annotated[int, "a number of rows or calls, of nobody in particular"]
    function: Annotated[str, WORD, "the registered name of one of our functions"]
    health: Annotated[str, WORD, "a state of a connection, one of nine fixed words"]
    incident: Annotated[str, INCIDENT, "random, made for this answer, stored nowhere else"]
    late: Annotated[bool, "whether a timer was past due"]
    outcome: Annotated[str, WORD, "a fixed word for how it ended"]
    provider: Annotated[str, WORD, "microsoft or google"]
    status: Annotated[int, "an HTTP status"]
    step: Annotated[str, WORD, "a step of one of our procedures, fixed in source"]
    tenant: Annotated[str, TENANT, "an organisation, by its directory id or the hash of a domain"]
    user: Annotated[str, USER, "an HMAC under the tenant's key: a pseudonym, void once that goes"]
    where: Annotated[str, PLACES, "modules, functions and lines of our own source code"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One field: a text of this shape (None: a number), and why it is no personal data."""

    shape: Shape | None
    reason: str


def _rule(name: str, hint: object) -> Rule:
    kind, *rest = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    match rest:
        case [Shape() as shape, str(reason)] if reason and kind is str:
            return Rule(shape, reason)
        case [str(reason)] if reason and kind in (int, float, bool):
            return Rule(None, reason)
        case _:
            raise TypeError(f"the field {name} does not say what it is and why it may be logged")


RULES: Final[Mapping[str, Rule]] = {
    name: _rule(name, hint) for name, hint in get_type_hints(Fields, include_extras=True).items()
}


def checked(fields: Mapping[str, object]) -> dict[str, Value]:
    """What may be said of these fields.

    Unlisted fields and wrong types are left out, texts of another shape read "withheld"; each is
    counted. Numbers pass; NaN, infinities and giants do not.
    """
    clean: dict[str, Value] = {}
    for name, value in fields.items():
        rule = RULES.get(name)
        if rule is None:
            count("unknown_field")
        elif rule.shape is not None and isinstance(value, str):
            clean[name] = fitting(value, rule.shape)
        elif rule.shape is None and isinstance(value, (int, float)) and abs(value) <= _LARGEST:
            clean[name] = _plain(value)
        else:
            count("wrong_type")
    return clean


def fitting(text: str, shape: Shape) -> str:
    """The text, where it has this shape, else "withheld"."""
    plain = str.__str__(text)  # of a StrEnum the value; and no subclass gets a say of its own
    if shape.fits(plain):
        return plain
    count("withheld")
    return "withheld"


def _plain(value: float) -> Value:
    """The number without its class: an HTTPStatus is an int that prints as a sentence."""
    if isinstance(value, bool):
        return value
    return int(value) if isinstance(value, int) else float(value)
