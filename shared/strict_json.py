"""JSON as RFC 8259 means it, and as an attacker does not: no duplicate keys, no NaN, no abyss."""

import json
import math
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32


def loads(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:  # noqa: ANN401 - any JSON value
    """Parse UTF-8 JSON. Raises ValueError for everything that is not plainly right.

    The depth is counted before parsing: the standard parser recurses, and a deep text would end
    in a RecursionError somewhere else. Duplicate keys are refused, because two readers of one
    text (a signature check and a policy, say) may otherwise see two different values.
    """
    text = data.decode("utf-8")
    _check_depth(text, max_depth)
    return json.loads(
        text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite
    )


def _check_depth(text: str, max_depth: int) -> None:
    depth = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            if depth > max_depth:
                raise ValueError
        elif char in "]}":
            depth -= 1


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
