"""The types of Flow variables, and which JSON values fit them. Pure rules.

Types are Salesforce's words in upper case (Actions Developer Guide; `Invocable.Action`). A value
is checked before anything is sent; the failure names the input and the wanted type, never the
value.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Final

from shared.errors import InvalidInputError, InvalidRequestError, Json, UndeclaredInputError
from shared.model import FlowDescription, FlowVariable

TEXT_TYPES: Final = frozenset(
    {
        "STRING",
        "TEXTAREA",
        "PICKLIST",
        "MULTIPICKLIST",
        "ID",
        "REFERENCE",
        "EMAIL",
        "PHONE",
        "URL",
    }
)
_LARGEST_WHOLE: Final = 2**63
IDS: Final = frozenset({"ID", "REFERENCE"})
_WHOLE_NUMBERS: Final[Mapping[str, int]] = {"INTEGER": 2**31, "INT": 2**31, "LONG": _LARGEST_WHOLE}
"""Each with its bound: an Integer of Apex has 32 bits, a Long 64."""
_NUMBERS: Final = frozenset({"DOUBLE", "DECIMAL", "CURRENCY", "PERCENT"})
_RECORDS: Final = frozenset({"SOBJECT", "APEX"})

MOST_INPUTS: Final = 64
LARGEST_INPUT_BYTES: Final = 32 * 1024
_MOST_ITEMS: Final = 2_000
_ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)
_DATETIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME: Final = re.compile(r"\d\d:\d\d:\d\d(?:\.\d{1,3})?Z?", re.ASCII)


def check_inputs(flow: FlowDescription, inputs: Mapping[str, Json]) -> dict[str, Json]:
    """The caller's inputs, each declared by the Flow and of its type.

    A record gets the `attributes.type` that Salesforce asks for, where the caller left it out.
    Raises UndeclaredInputError, InvalidInputError, InvalidRequestError.
    """
    if len(inputs) > MOST_INPUTS:
        raise InvalidRequestError
    declared = {variable.name: variable for variable in flow.inputs}
    checked: dict[str, Json] = {}
    for name, value in inputs.items():
        variable = declared.get(name)
        if variable is None:
            raise UndeclaredInputError(name)
        if len(json.dumps(value).encode()) > LARGEST_INPUT_BYTES:
            raise InvalidRequestError
        if value is not None:
            checked[name] = fitting(value, variable)
    return checked


def fitting(value: Json, variable: FlowVariable) -> Json:
    """The value as it is sent. Raises InvalidInputError."""
    if not variable.is_collection:
        return _fitting_one(value, variable)
    if not isinstance(value, list) or len(value) > _MOST_ITEMS:
        raise InvalidInputError(variable.name, f"list of {variable.type}")
    return [_fitting_one(item, variable) for item in value]


def _fitting_one(value: Json, variable: FlowVariable) -> Json:
    if variable.type in _RECORDS:
        return _record(value, variable)
    if not _check_for(variable.type)(value):
        raise InvalidInputError(variable.name, variable.type)
    return value


def _check_for(kind: str) -> Callable[[Json], bool]:
    """The rule for a type. One that Salesforce adds later takes any text, number or truth."""
    if kind in IDS:
        return lambda value: isinstance(value, str) and bool(_ID.fullmatch(value))
    if kind in TEXT_TYPES:
        return lambda value: isinstance(value, str)
    if kind in _WHOLE_NUMBERS:
        return lambda value: _is_whole(value, _WHOLE_NUMBERS[kind])
    if kind in _NUMBERS:
        return _is_number
    rules: Mapping[str, Callable[[Json], bool]] = {
        "BOOLEAN": lambda value: isinstance(value, bool),
        "DATE": lambda value: _is_time(value, _DATE, date.fromisoformat),
        "DATETIME": is_datetime,
        "TIME": lambda value: _is_time(value, _TIME, time.fromisoformat),
    }
    return rules.get(kind, lambda value: isinstance(value, (str, bool)) or _is_number(value))


def _is_whole(value: Json, bound: int = _LARGEST_WHOLE) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -bound <= value < bound


def _is_number(value: Json) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return _is_whole(value) if isinstance(value, int) else math.isfinite(value)


def is_datetime(value: Json) -> bool:
    """Whether this is a time of RFC 3339, in the capital letters that it recommends."""
    return _is_time(value, _DATETIME, datetime.fromisoformat)


def _is_time(value: Json, form: re.Pattern[str], parse: Callable[[str], object]) -> bool:
    """RFC 3339 by its letters, and a day that exists."""
    if not isinstance(value, str) or not form.fullmatch(value):
        return False
    try:
        parse(value)
    except ValueError:
        return False
    return True


def _record(value: Json, variable: FlowVariable) -> Json:
    """An sObject or Apex value: an object; an sObject says its type in `attributes`."""
    wanted = variable.record_type or variable.type
    if not isinstance(value, dict):
        raise InvalidInputError(variable.name, wanted)
    if variable.type != "SOBJECT" or variable.record_type is None:
        return value
    attributes = value.get("attributes", {"type": variable.record_type})
    if not isinstance(attributes, dict) or attributes.get("type") != variable.record_type:
        raise InvalidInputError(variable.name, wanted)
    return {**value, "attributes": attributes}
