"""Flows of every kind that a builder may declare, and what a call of each has to send: by the way
in which they were made up, not by the rules of the service."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from hypothesis import strategies as st

from shared.email_vocabulary import VOCABULARY

type Json = Any  # any JSON value

MAIL: Final[Mapping[str, Json]] = {
    "sender_email": "canary-sender@example.com",
    "sender_name": "Canary Sender",
    "recipient_emails": ["canary-to-1@example.com", "canary-to-2@example.com"],
    "cc_emails": ["canary-cc@example.com", "canary-cc-2@example.com"],
    "subject": "canary subject",
    "message_id": "<canary-message@example.com>",
    "thread_id": "canary-thread",
    "sent_at": "2026-01-15T11:59:00Z",
    "source": "outlook",
}
UNKNOWN_MAIL: Final = {"bcc_emails": ["canary-bcc@example.com"], "body": "canary body"}
"""What no Flow can ask for. It is sent along every time."""

PLAIN, NAMESPACED, ALIASED = "Log_Email", "acme__Log_Email", "Log_Email_In_German"
ALIASES: Final = {"betreff": "subject", "absender": "sender_email", "kopie_an": "cc_emails"}
"""The tenant's own names, for `ALIASED` alone: for all others they are names like any other."""

_PREFIXES: Final = ("", "flr", "email", "flremail")
_LOOK_ALIKE: Final = (
    *("subjects", "mySubject", "sender", "emailemailsubject", "flrflrsubject", "emailflrsubject"),
    *("body", "flr", "email", "Bcc", "bccEmails", "toAddress", "sourceOf", "recordId", "amount"),
)  # fmt: skip
_TEXT_TYPES: Final = ("STRING", "TEXTAREA", "EMAIL", "PHONE", "URL", "PICKLIST", "MULTIPICKLIST")

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_whole = st.integers(-(2**31), 2**31 - 1)
_number = st.floats(allow_nan=False, allow_infinity=False) | _whole
_record = st.builds(lambda name: {"attributes": {"type": "Contact"}, "LastName": name}, name=_text)
_GOOD: Final[Mapping[str, st.SearchStrategy[Json]]] = {
    **dict.fromkeys(_TEXT_TYPES, _text),
    "ID": st.just("0015g00000AbCdE"),
    "INTEGER": _whole,
    "LONG": st.integers(-(2**63), 2**63 - 1),
    "DOUBLE": _number,
    "CURRENCY": _number,
    "BOOLEAN": st.booleans(),
    "DATE": st.dates(date(1000, 1, 1)).map(date.isoformat),
    "DATETIME": st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - the bound is naive by contract
        lambda at: at.isoformat(timespec="milliseconds")
    ),
    "TIME": st.times().map(lambda at: time.isoformat(at, timespec="seconds")),
    "SOBJECT": _record,
}
_NO_TEXT: Final = sorted(_GOOD.keys() - {*_TEXT_TYPES, "DATETIME"})
"""Whatever it is called, such an input gets nothing of a mail."""
_BAD: Final[Mapping[str, tuple[Json, ...]]] = {
    **dict.fromkeys((*_TEXT_TYPES, "ID"), (7, True, {"canary": 1})),
    **dict.fromkeys(("INTEGER", "LONG"), ("7", 7.5, True, 2**64)),
    **dict.fromkeys(("DOUBLE", "CURRENCY"), ("7.5", True, 10**400)),
    "BOOLEAN": (1, "true"),
    "DATE": ("2026-02-30", "canary", 20260115),
    "DATETIME": ("2026-01-15", "2026-01-15 11:59:00Z", 0),
    "TIME": ("25:00:00", "noon"),
    "SOBJECT": ("canary", {"attributes": {"type": "Lead"}}, {"attributes": "Contact"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """An input variable. `field` is what it asks for of a mail, in the Flow where it stands."""

    name: str
    type: str
    is_collection: bool
    field: str | None

    def spec(self) -> dict[str, Json]:
        """In the words of the simulator's control surface."""
        record = {"sobject_type": "Contact"} if self.type == "SOBJECT" else {}
        return {
            "name": self.name,
            "type": self.type,
            "collection": self.is_collection,
            **record,
        }

    def from_mail(self) -> Json:
        """What the mail of these tests says to it."""
        value = MAIL[self.field or ""]
        if self.is_collection:
            return value if isinstance(value, list) else [value]
        return ";".join(value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A Flow, and a call of it. `offender` is the input for which it has to be refused."""

    flow: str
    declared: tuple[Declared, ...]
    inputs: Mapping[str, Json]
    offender: str | None
    code: str

    @property
    def promised(self) -> list[str]:
        """The fields of the mail that leave, in the order of the vocabulary."""
        wanted = {one.field for one in self.declared}
        return [field for field in VOCABULARY if field in wanted]

    def sent(self) -> dict[str, Json]:
        """What the org has to receive, no more and no less."""
        mail = {one.name: one.from_mail() for one in self.declared if one.field is not None}
        return mail | {name: value for name, value in self.inputs.items() if value is not None}


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    flow = draw(st.sampled_from((PLAIN, NAMESPACED, ALIASED)))
    variables = st.lists(_variables(flow), max_size=8, unique_by=lambda one: one.name.lower())
    declared = tuple(draw(variables))
    given = draw(st.sets(st.sampled_from(declared))) if declared else set()
    inputs: dict[str, Json] = {
        one.name: draw(_value(one)) for one in sorted(given, key=declared.index)
    }
    offender: str | None
    match draw(st.sampled_from(("declared", "undeclared", "mistyped"))):
        case "undeclared":
            name = draw(_undeclared(declared))
            inputs = {name: "canary", **inputs} if draw(st.booleans()) else {**inputs, name: ""}
            offender, code = name, "undeclared_input"
        case "mistyped" if declared:
            one = draw(st.sampled_from(declared))
            inputs[one.name] = draw(_mistyped(one))
            offender, code = one.name, "invalid_input"
        case _:
            offender, code = None, ""
    return Attempt(flow=flow, declared=declared, inputs=inputs, offender=offender, code=code)


@st.composite
def _variables(draw: st.DrawFn, flow: str) -> Declared:
    """By a name of the vocabulary or the tenant's, in some spelling; or by one that is none."""
    kind = draw(st.sampled_from(("text", "text", "time", "other")))
    field, plain = draw(st.sampled_from(_names_in(flow)))
    name = plain if plain in _LOOK_ALIKE else _spelled(draw, plain)
    if field == "sent_at" and kind == "time":
        of_type = "DATETIME"
    elif kind == "other" and field is None:
        of_type = draw(st.sampled_from(sorted(_GOOD)))
    elif kind == "other":
        of_type, field = draw(st.sampled_from(_NO_TEXT)), None
    else:
        of_type = draw(st.sampled_from(_TEXT_TYPES))
    return Declared(name=name, type=of_type, is_collection=draw(st.booleans()), field=field)


def _names_in(flow: str) -> list[tuple[str | None, str]]:
    published = [(field, name) for field, one in VOCABULARY.items() for name in one.input_names]
    aliases = [(field if flow == ALIASED else None, name) for name, field in ALIASES.items()]
    return [*published, *aliases, *((None, name) for name in _LOOK_ALIKE)]


def _spelled(draw: st.DrawFn, plain: str) -> str:
    """With a prefix, underscores and capitals somewhere, as an API name may have them."""
    letters = draw(st.sampled_from(_PREFIXES)) + plain.replace("_", "")
    breaks = draw(st.integers(0, 2 ** (len(letters) - 1) - 1)) << 1  # none before the first
    capitals = draw(st.integers(0, 2 ** len(letters) - 1))
    return "".join(
        "_" * (breaks >> at & 1) + (letter.upper() if capitals >> at & 1 else letter)
        for at, letter in enumerate(letters)
    )


def _value(of: Declared) -> st.SearchStrategy[Json]:
    one = _GOOD[of.type]
    return st.none() | (st.lists(one, max_size=3) if of.is_collection else one)


def _mistyped(of: Declared) -> st.SearchStrategy[Json]:
    """Of another type; or one for many, or many for one."""
    bad = st.sampled_from(_BAD[of.type])
    good = _GOOD[of.type]
    if of.is_collection:
        return (
            bad
            | good
            | st.lists(good, max_size=2).flatmap(lambda some: bad.map(lambda b: [*some, b]))
        )
    return bad | st.lists(good, max_size=2)


def _undeclared(declared: tuple[Declared, ...]) -> st.SearchStrategy[str]:
    """A name that is nearly one of these, one that only a mail has, or anything."""
    names = {one.name for one in declared}
    near = [name.swapcase() for name in names] + [f"{name} " for name in names]
    every = st.sampled_from([*near, *MAIL, *_LOOK_ALIKE, "", "attributes", "inputs"]) | _text
    return every.filter(lambda name: name not in names)
