"""The checker of schemas can fail: each keyword refuses what it should."""

from typing import Any

import pytest

from tests.functions.json_schema import faults

DOCUMENT: dict[str, Any] = {"defs": {"Id": {"type": "string", "pattern": "^[a-z]+$"}}}
REF = {"$ref": "#/defs/Id"}


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        ({"type": "object"}, [{}, {"a": 1}], [[], "x", None, 1]),
        ({"type": ["string", "null"]}, ["x", None], [1, True, []]),
        ({"type": "integer"}, [1, -1], [1.0, True, "1"]),
        ({"type": "number"}, [1, 1.5], [True, "1"]),
        ({"type": "boolean"}, [True, False], [0, 1, "true"]),
        ({"enum": ["a", None, 1]}, ["a", None, 1], ["b", True, 0]),
        ({"const": "a"}, ["a"], ["b", None]),
        ({"pattern": "^a+$"}, ["aa", 7], ["ab", ""]),
        ({"minLength": 1, "maxLength": 2}, ["a", "ab", 7], ["", "abc"]),
        ({"minimum": 1, "maximum": 3}, [1, 3, "x"], [0, 4, 3.5]),
        ({"maxProperties": 1}, [{}, {"a": 1}, []], [{"a": 1, "b": 2}]),
        ({"format": "date-time"}, ["2026-01-15T12:00:00Z", 7], ["2026-01-15", "now"]),
        ({"format": "uri"}, ["https://x.example.com/a?b=c"], ["/a", "x y", "https://x/\n"]),
        ({"items": REF}, [[], ["a"], "x"], [["A"], [1]]),
        ({"required": ["a"]}, [{"a": 1}, [], "x"], [{}, {"b": 1}]),
        ({"properties": {"a": REF}}, [{"a": "x"}, {}, {"b": 1}], [{"a": 1}]),
        (
            {"properties": {"a": REF}, "additionalProperties": False},
            [{"a": "x"}, {}],
            [{"b": 1}, {"a": "x", "b": 1}],
        ),
        ({"allOf": [REF, {"minLength": 2}]}, ["ab"], ["a", "AB", 1]),
        ({"oneOf": [REF, {"type": "null"}]}, ["a", None], ["A", 1]),
        ({"oneOf": [REF, {"type": "string"}]}, ["A"], ["a", 1]),
        (REF, ["a"], ["A", 1]),
    ],
    ids=str,
)
def test_a_keyword_takes_what_fits_and_nothing_else(
    schema: dict[str, Any], fits: list[Any], does_not: list[Any]
) -> None:
    assert [value for value in fits if faults(value, schema, DOCUMENT)] == []
    assert [value for value in does_not if not faults(value, schema, DOCUMENT)] == []


def test_a_fault_says_where() -> None:
    schema = {"properties": {"a": {"items": REF}}}

    assert faults({"a": ["x", "Y"]}, schema, DOCUMENT) == ["$.a[1]: breaks the pattern"]


@pytest.mark.parametrize(
    "schema",
    [
        {"propertyNames": {}},
        {"anyOf": []},
        {"format": "email"},
        {"$ref": "#/defs/Id", "type": "string"},
    ],
    ids=str,
)
def test_what_is_not_understood_is_an_error_and_not_ignored(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"understood|beside"):
        faults("x", schema, DOCUMENT)


def test_a_reference_into_nothing_is_an_error() -> None:
    with pytest.raises(KeyError):
        faults("x", {"$ref": "#/defs/None"}, DOCUMENT)
