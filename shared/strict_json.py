"""JSON as RFC 8259 means it, and as an attacker does not: no duplicate keys, no NaN, no abyss."""

import json
import math
import re
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 32
_STRING_OR_BRACKET: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{}]', re.DOTALL)


def loads(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:  # noqa: ANN401 - any JSON value
    """Parse UTF-8 JSON. Raises ValueError for everything that is not plainly right.

    The depth is counted before parsing: the standard parser recurses, and a deep text would end
    in a RecursionError somewhere else. Duplicate keys are refused, because two readers of one
    text (a signature check and a policy, say) may otherwise see two different values.
    """
    text = data.decode("utf-8")
    _check_depth(text, max_depth)
    return _DECODER.decode(text)


def _check_depth(text: str, max_depth: int) -> None:
    """Count the brackets outside strings. A string without an end is nowhere valid, and ends this:
    to look for its end from each quote in it anew would take a square of its length."""
    if text.count("[") + text.count("{") <= max_depth:
        return
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        match found.group():
            case "[" | "{":
                depth += 1
                if depth > max_depth:
                    raise ValueError
            case "]" | "}":
                depth -= 1
            case '"':
                raise ValueError
            case _:
                pass


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
