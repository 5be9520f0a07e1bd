"""JSON Schema as far as the contract uses it, and not a keyword further.

Strict on purpose: a keyword that is not understood here is an error, not an annotation. Follows
https://json-schema.org/draft/2020-12, the dialect of OpenAPI 3.1.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

type Schema = Mapping[str, Any]

_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_ANNOTATIONS: Final = frozenset({"description", "default", "title", "examples"})
_OF_MEMBERS: Final = frozenset({"properties", "required", "additionalProperties"})
_OF_PARTS: Final = frozenset({"allOf", "oneOf", "items"})
_ABSOLUTE_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+")
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def faults(value: Any, schema: Schema, document: Schema, place: str = "$") -> list[str]:  # noqa: ANN401
    """Where and how a value does not fit, one line each; none: it fits."""
    return list(_faults(value, schema, document, place))


def resolved(schema: Schema, document: Schema) -> Schema:
    """The schema that a `$ref` inside the document stands for. Raises KeyError if none."""
    while "$ref" in schema:
        if set(schema) - _ANNOTATIONS != {"$ref"}:
            raise ValueError(f"{schema['$ref']}: keywords beside a $ref")
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _faults(value: Any, schema: Schema, document: Schema, place: str) -> Iterator[str]:  # noqa: ANN401
    schema = resolved(schema, document)
    for keyword, said in schema.items():
        if keyword in _ANNOTATIONS or keyword in _OF_MEMBERS:
            continue
        if keyword in _OF_PARTS:
            yield from _part_faults(value, keyword, said, document, place)
        elif keyword not in _CHECKS:
            raise ValueError(f"{place}: the keyword {keyword} is not understood")
        elif fault := _CHECKS[keyword](value, said):
            yield f"{place}: {fault}"
    if isinstance(value, dict):
        yield from _member_faults(value, schema, document, place)


def _part_faults(
    value: Any,  # noqa: ANN401
    keyword: str,
    said: Any,  # noqa: ANN401
    document: Schema,
    place: str,
) -> Iterator[str]:
    match keyword:
        case "allOf":
            for part in said:
                yield from _faults(value, part, document, place)
        case "oneOf":
            fitting = [part for part in said if not faults(value, part, document, place)]
            if len(fitting) != 1:
                yield f"{place}: fits {len(fitting)} of oneOf"
        case "items" if isinstance(value, list):
            for number, item in enumerate(value):
                yield from _faults(item, said, document, f"{place}[{number}]")


def _member_faults(
    value: Mapping[str, Any], schema: Schema, document: Schema, place: str
) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{place}.{name}: missing"
    for name, item in value.items():
        if name in properties:
            yield from _faults(item, properties[name], document, f"{place}.{name}")
        elif schema.get("additionalProperties", True) is False:
            yield f"{place}.{name}: not in the schema"


def _is_of_type(value: Any, said: Any) -> str:  # noqa: ANN401
    names = [said] if isinstance(said, str) else said
    return "" if any(_TYPES[name](value) for name in names) else f"is not {' or '.join(names)}"


def _is_one_of(value: Any, said: Any) -> str:  # noqa: ANN401
    same = (item for item in said if item == value and type(item) is type(value))
    return "" if any(True for _ in same) else "is none of enum"


def _is_text(test: Callable[[str, Any], bool], fault: str) -> Callable[[Any, Any], str]:
    """A rule about texts; other values are no concern of it."""
    return lambda value, said: fault if isinstance(value, str) and not test(value, said) else ""


def _is_number(test: Callable[[float, Any], bool], fault: str) -> Callable[[Any, Any], str]:
    return lambda value, said: fault if _TYPES["number"](value) and not test(value, said) else ""


def _has_format(text: str, said: str) -> bool:
    match said:
        case "date-time":
            return _DATE_TIME.fullmatch(text) is not None and bool(datetime.fromisoformat(text))
        case "uri":
            return _ABSOLUTE_URI.fullmatch(text) is not None
        case _:
            raise ValueError(f"the format {said} is not understood")


_CHECKS: Final[Mapping[str, Callable[[Any, Any], str]]] = {
    "type": _is_of_type,
    "enum": _is_one_of,
    "const": lambda value, said: _is_one_of(value, [said]),
    "pattern": _is_text(lambda text, said: re.search(said, text) is not None, "breaks the pattern"),
    "minLength": _is_text(lambda text, said: len(text) >= said, "is too short"),
    "maxLength": _is_text(lambda text, said: len(text) <= said, "is too long"),
    "format": _is_text(_has_format, "breaks the format"),
    "minimum": _is_number(lambda number, said: number >= said, "is too small"),
    "maximum": _is_number(lambda number, said: number <= said, "is too large"),
    "maxProperties": lambda value, said: (
        "has too many members" if isinstance(value, dict) and len(value) > said else ""
    ),
}
KEYWORDS: Final = frozenset(_CHECKS) | _ANNOTATIONS | _OF_MEMBERS | _OF_PARTS | {"$ref"}
"""Every keyword that is understood."""
