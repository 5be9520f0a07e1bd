"""What a query over our own events asks for: does the service say such a thing at all?"""

import re
from collections.abc import Iterator
from typing import Final

from shared import errors
from shared.errors import FlowRunnerError
from shared.telemetry.allow_list import EVENT_NAMES, RULES

_EQUALS: Final = re.compile(r'([\w.]+)\s*(?:==|!=|=~|!~)\s*"([^"]*)"')
_AMONG: Final = re.compile(r"([\w.]+)\s+!?in~?\s*\(([^)]*)\)")
_QUOTED: Final = re.compile(r'"([^"]*)"')
_FIELD: Final = re.compile(r"\bProperties\.(\w+)")

CODES: Final = frozenset(
    one.code
    for one in vars(errors).values()
    if isinstance(one, type) and issubclass(one, FlowRunnerError) and hasattr(one, "code")
)


_EVENT_FORM: Final = re.compile(
    r'AppTraces \| where Message == "\w+"(?: and SeverityLevel >= 3| or Message == "\w+")?'
    r'(?: or \(Message == "\w+" and Properties\.code == "\w+"\))?'
)
_SILENCE_FORM: Final = (
    r"AppTraces \| where isnotempty\(Properties\.\w+\)"
    r" \| summarize Known = countif\(TimeGenerated < ago\({hours}h\)\),"
    r' Gone = countif\(Message == "key_destroyed"\),'
    r' Seen = countif\(Message == "{event}"{succeeded} and TimeGenerated > ago\({hours}h\)\)'
    r" by Tenant = tostring\(Properties\.\w+\)"
    r" \| where Known > 0 and Gone == 0 and Seen == 0"
)
SILENCES: Final = {
    "backup-silent": _SILENCE_FORM.format(
        hours=26,
        event="backup",
        succeeded=r" and isempty\(Properties\.outcome\) and SeverityLevel < 3",
    ),
    "retention-silent": _SILENCE_FORM.format(hours=3, event="retention_cleanup", succeeded=""),
}
"""Alerts that something did not happen: the form of each one's query, hours included."""


def well_formed(query: str, silence: str | None) -> bool:
    """Whether the query has the one form that is known to work: over AppTraces, events by `==`."""
    form = _EVENT_FORM if silence is None else re.compile(silence)
    return form.fullmatch(query) is not None


def events_in(query: str) -> frozenset[str]:
    """The events that the query asks for by name."""
    return frozenset(value for column, value in _compared(query) if column == "Message")


def faults(query: str) -> Iterator[str]:
    """What the query asks for and can never get: other events, fields, error codes."""
    compared = list(_compared(query))
    for column, value in compared:
        if column == "Message" and value not in EVENT_NAMES:
            yield f"no event is called {value}"
        if column == "Properties.code" and value not in CODES:
            yield f"no error has the code {value}"
    for field in _FIELD.findall(query):
        if field not in RULES:
            yield f"no event carries {field}"
    understood = {value for _, value in compared}
    for value in _QUOTED.findall(query):
        if value not in understood:
            yield f"what {value} is compared with is not understood here"


def _compared(query: str) -> Iterator[tuple[str, str]]:
    """Pairs of a column and a text that it is compared with."""
    yield from _EQUALS.findall(query)
    for column, texts in _AMONG.findall(query):
        yield from ((column, value) for value in _QUOTED.findall(texts))
