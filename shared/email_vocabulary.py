"""What a mail can say to a Flow, and by which names a Flow asks for it. Pure rules.

A Flow receives only the inputs that it declares. A field of the mail leaves for Salesforce exactly
when a declared input carries one of the names below, or one that the tenant's administrators gave
to it for this Flow; compared without case and underscores, with or without the prefixes `flr` and
`email`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shared.errors import InvalidRequestError, Json
from shared.flow_values import IDS, TEXT_TYPES, is_datetime
from shared.model import FlowDescription, FlowVariable

type FieldKind = Literal["text", "texts", "time"]


@dataclass(frozen=True, slots=True)
class EmailField:
    """One thing that the add-in knows about a mail, and the input names that ask for it."""

    kind: FieldKind
    input_names: tuple[str, ...]


VOCABULARY: Final[Mapping[str, EmailField]] = {
    "sender_email": EmailField("text", ("senderemail", "fromaddress", "from")),
    "sender_name": EmailField("text", ("sendername", "fromname")),
    "recipient_emails": EmailField("texts", ("recipientemails", "toaddresses", "to")),
    "cc_emails": EmailField("texts", ("ccemails", "ccaddresses", "cc")),
    "subject": EmailField("text", ("subject",)),
    "message_id": EmailField("text", ("messageid", "internetmessageid")),
    "thread_id": EmailField("text", ("threadid", "conversationid")),
    "sent_at": EmailField("time", ("sentat", "messagedate")),
    "source": EmailField("text", ("source", "mailclient")),
}

SOURCES: Final = ("outlook", "gmail")
_FIELD_OF: Final = {
    name: field for field, entry in VOCABULARY.items() for name in entry.input_names
}
_NO_ALIASES: Final[Mapping[str, str]] = {}
_MOST_RECIPIENTS: Final = 500
_LONGEST_TEXT: Final = 32_768


def declared_fields(flow: FlowDescription) -> tuple[str, ...]:
    """Exactly the fields of a mail that would leave the mailbox for this Flow, and no others."""
    wanted = {field_for(variable, flow.input_aliases) for variable in flow.inputs}
    return tuple(field for field in VOCABULARY if field in wanted)


def field_for(variable: FlowVariable, aliases: Mapping[str, str] = _NO_ALIASES) -> str | None:
    """The field of the mail that an input asks for; None if it asks for none.

    An alias counts only where the published names say nothing about the input.
    """
    spellings = _spellings(variable.name)
    further = {_plain(alias): field for alias, field in aliases.items()}
    published = (_FIELD_OF[name] for name in spellings if name in _FIELD_OF)
    added = (further[name] for name in spellings if name in further)
    field = next(published, None) or next(added, None)
    if field is None or field not in VOCABULARY:
        return None
    takes_text = variable.type in TEXT_TYPES - IDS  # nothing of a mail is a record's id
    takes_time = VOCABULARY[field].kind == "time" and variable.type == "DATETIME"
    return field if takes_text or takes_time else None


def could_be_one_input(name: str, other: str) -> bool:
    """Whether two names are the same by the comparison above, so that an input may mean both."""
    return not set(_spellings(name)).isdisjoint(_spellings(other))


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _spellings(name: str) -> tuple[str, ...]:
    """As it is, and without the prefixes: the most exact first."""
    plain = _plain(name)
    without_flr = plain.removeprefix("flr")
    found = (plain, without_flr, plain.removeprefix("email"), without_flr.removeprefix("email"))
    return tuple(spelling for spelling in found if spelling)


def email_inputs(flow: FlowDescription, email: Mapping[str, Json]) -> dict[str, Json]:
    """The inputs of the Flow that the mail fills. Fields nobody asks for are dropped here."""
    filled: dict[str, Json] = {}
    for variable in flow.inputs:
        field = field_for(variable, flow.input_aliases)
        if field is not None and email.get(field) is not None:
            filled[variable.name] = _fitted(email[field], variable)
    return filled


def check_email(email: Mapping[str, Json]) -> None:
    """The fields of a mail as the add-in sent them. Raises InvalidRequestError.

    A field that no Flow asks for, or that is not in the vocabulary, is no error: it is dropped,
    silently and always.
    """
    for name, entry in VOCABULARY.items():
        value = email.get(name)
        if value is not None and not _has_kind(value, entry.kind):
            raise InvalidRequestError
    if email.get("source") not in (None, *SOURCES):
        raise InvalidRequestError


def _has_kind(value: Json, kind: FieldKind) -> bool:
    if kind == "time":
        return is_datetime(value)
    if kind == "text":
        return isinstance(value, str) and len(value) <= _LONGEST_TEXT
    return (
        isinstance(value, list)
        and len(value) <= _MOST_RECIPIENTS
        and all(isinstance(item, str) and len(item) <= _LONGEST_TEXT for item in value)
    )


def _fitted(value: Json, variable: FlowVariable) -> Json:
    """A list joined by `;` for a single input; a single value as a list for a collection."""
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    if is_list and not variable.is_collection:
        return ";".join(str(item) for item in value if item is not None)  # type: ignore[union-attr]
    if variable.is_collection and not is_list:
        return [value]
    return value
