"""JSON as RFC 8259 means it, and as an attacker does not: no duplicate keys, no NaN, no abyss."""

import json
import math
import re
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32
MOST_CONTAINERS: Final = 10_000
"""Objects and lists in one text: each costs more than its few bytes, in time and in memory."""

# A string without an end takes all the rest, at once: to look for its end from each quote in it
# anew would take a square of its length. The parser refuses it.
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NO_BRACKETS: Final = re.compile(r"[^\[\]{}]+")


def loads(
    data: bytes, *, max_depth: int = MAX_DEPTH, most_containers: int = MOST_CONTAINERS
) -> Any:  # noqa: ANN401 - any JSON value
    """Parse UTF-8 JSON. Raises ValueError for everything that is not plainly right.

    The depth is counted before parsing: the standard parser recurses, and a deep text would end
    in a RecursionError somewhere else. Duplicate keys are refused, because two readers of one
    text (a signature check and a policy, say) may otherwise see two different values.
    """
    text = data.decode("utf-8")
    _check_brackets(text, max_depth, most_containers)
    return _DECODER.decode(text)


def _check_brackets(text: str, max_depth: int, most_containers: int) -> None:
    """Count those outside strings, unless there are too few of them altogether to matter."""
    if text.count("[") + text.count("{") <= max_depth:
        return
    outside = _STRING.sub("", text)
    if outside.count("[") + outside.count("{") > most_containers:
        raise ValueError
    depth = 0
    for bracket in _NO_BRACKETS.sub("", outside):
        depth += 1 if bracket in "[{" else -1
        if depth > max_depth:
            raise ValueError


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _finite(text: str) -> float:
    """Python reads 1e400 as infinity, which could not be written as JSON again."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _no_constant(_: str) -> NoReturn:
    """NaN, Infinity and -Infinity are no JSON, though Python's parser takes them."""
    raise ValueError


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite
)
