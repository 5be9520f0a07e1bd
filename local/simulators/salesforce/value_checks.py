"""Whether a JSON value fits a Flow variable. Nothing is converted: a string is not a number."""

import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Final

from local.simulators.salesforce.errors import RestError
from local.simulators.salesforce.ids import is_id
from local.simulators.salesforce.variables import (
    ID_TYPES,
    MAX_ELEMENTS,
    NUMBERS,
    TEXT_TYPES,
    WHOLE_NUMBERS,
    Json,
    Variable,
)

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATETIME: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{1,6})?(Z|[+-]\d{2}:?\d{2})"
)
_TIME: Final = re.compile(r"\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z?")


def check(variable: Variable, value: Json) -> None:
    """Raises `RestError` unless the value fits; null fits every variable."""
    if value is None:
        return
    if not variable.collection:
        _check_one(variable, value)
        return
    if not isinstance(value, list):
        raise _wrong_type(variable, "a list")
    if len(value) > MAX_ELEMENTS:
        raise RestError(
            "INVALID_INPUT",
            f"The input {variable.name} takes at most {MAX_ELEMENTS} elements.",
            fields=(variable.name,),
        )
    for element in value:
        _check_one(variable, element)


def _check_one(variable: Variable, value: Json) -> None:
    if variable.type == "SOBJECT":
        _check_record(variable, value)
    elif variable.type in WHOLE_NUMBERS:
        _check_whole_number(variable, value)
    elif not _CHECKS[variable.type](value):
        raise _wrong_type(variable, variable.type)


def _check_whole_number(variable: Variable, value: Json) -> None:
    bits = WHOLE_NUMBERS[variable.type]
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(variable, variable.type)
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise _wrong_type(variable, f"{variable.type} of {bits} bits")


def _check_record(variable: Variable, value: Json) -> None:
    """A record must say what it is: `{"attributes": {"type": "Case"}, ...}`."""
    if not isinstance(value, dict):
        raise _wrong_type(variable, "SOBJECT")
    attributes = value.get("attributes")
    named = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(named, str):
        raise RestError(
            "INVALID_INPUT",
            f"The record in {variable.name} must have attributes with a type.",
            fields=(variable.name,),
        )
    if named != variable.sobject_type:
        raise _wrong_type(variable, f"a record of {variable.sobject_type}")


def _wrong_type(variable: Variable, wanted: str) -> RestError:
    return RestError(
        "INVALID_TYPE",
        f"The value of {variable.name} must be {wanted}.",
        fields=(variable.name,),
    )


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_id(value: Json) -> bool:
    return isinstance(value, str) and is_id(value)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_date(value: Json) -> bool:
    return _parses(value, _DATE, date.fromisoformat)


def _is_datetime(value: Json) -> bool:
    return _parses(value, _DATETIME, datetime.fromisoformat)


def _is_time(value: Json) -> bool:
    return _parses(value, _TIME, time.fromisoformat)


def _parses(value: Json, shape: re.Pattern[str], parse: Callable[[str], object]) -> bool:
    """Python reads more forms of ISO 8601 than Salesforce: the shape is checked first."""
    if not isinstance(value, str) or not shape.fullmatch(value):
        return False
    try:
        parse(value)
    except ValueError:
        return False
    return True


_CHECKS: Final[dict[str, Callable[[Json], bool]]] = {
    **dict.fromkeys(TEXT_TYPES, _is_text),
    **dict.fromkeys(ID_TYPES, _is_id),
    **dict.fromkeys(NUMBERS, _is_number),
    "BOOLEAN": lambda value: isinstance(value, bool),
    "DATE": _is_date,
    "DATETIME": _is_datetime,
    "TIME": _is_time,
    "APEX": lambda value: isinstance(value, dict),
}
