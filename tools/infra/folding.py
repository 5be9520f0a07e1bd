"""What Bicep's functions and operators come to where their operands are known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Final

from tools.infra.values import (
    Array,
    Call,
    Choice,
    Entry,
    Literal,
    Loop,
    Object,
    Operation,
    Position,
    Text,
    Value,
)


def text(parts: Sequence[str | Value], at: Position) -> Literal | Text:
    """An interpolation: literals in it become part of its text."""
    joined: list[str | Value] = []
    for part in _flat(parts):
        plain = _plain(part)
        if plain is not None and joined and isinstance(joined[-1], str):
            joined[-1] += plain
        else:
            joined.append(part if plain is None else plain)
    match joined:
        case []:
            return Literal("", at=at)
        case [str(only)]:
            return Literal(only, at=at)
        case _:
            return Text(tuple(joined), at=at)


def _flat(parts: Sequence[str | Value]) -> list[str | Value]:
    """Interpolations within interpolations, taken apart."""
    flat: list[str | Value] = []
    for part in parts:
        flat += _flat(part.parts) if isinstance(part, Text) else [part]
    return flat


def _plain(part: str | Value) -> str | None:
    match part:
        case str():
            return part
        case Literal(value=str() | int()):
            return str(part).strip("'") if not isinstance(part.value, str) else part.value
        case _:
            return None


def choice(condition: Value, then: Value, otherwise: Value, at: Position) -> Value:
    """A ternary; a known condition decides it."""
    match condition:
        case Literal(value=True):
            return then
        case Literal(value=False):
            return otherwise
        case _:
            return then if then == otherwise else Choice(condition, then, otherwise, at=at)


def operation(  # noqa: PLR0911 - one case for each rule
    operator: str, operands: tuple[Value, ...], at: Position
) -> Value:
    """An operator; those on known operands are carried out."""
    match operator, operands:
        case "!", (Literal(value=bool(truth)),):
            return Literal(not truth, at=at)
        case "==", (Literal() as left, Literal() as right):
            return Literal(left == right, at=at)
        case "!=", (Literal() as left, Literal() as right):
            return Literal(left != right, at=at)
        case "&&", (Literal(value=True), other) | (other, Literal(value=True)):
            return other
        case "||", (Literal(value=False), other) | (other, Literal(value=False)):
            return other
        case "&&", (Literal(value=False), _) | (_, Literal(value=False)):
            return Literal(value=False, at=at)
        case "||", (Literal(value=True), _) | (_, Literal(value=True)):
            return Literal(value=True, at=at)
        case "??", (Literal(value=None), other):
            return other
        case "??", (Literal() as known, _):
            return known
        case _:
            return Operation(operator, operands, at=at)


def call(function: str, arguments: tuple[Value, ...], at: Position) -> Value:
    """A built-in function; a choice among its arguments is taken out of it."""
    if function not in _FOLDED:
        return Call(function, arguments, at=at)
    for number, argument in enumerate(arguments):
        if isinstance(argument, Choice):
            before, after = arguments[:number], arguments[number + 1 :]
            then = call(function, (*before, argument.then, *after), at)
            otherwise = call(function, (*before, argument.otherwise, *after), at)
            return choice(argument.condition, then, otherwise, at)
    folded = _FOLDED[function](arguments, at)
    return Call(function, arguments, at=at) if folded is None else folded


def _concat(arguments: tuple[Value, ...], at: Position) -> Value | None:
    arrays = [argument for argument in arguments if isinstance(argument, Array)]
    if len(arrays) == len(arguments):
        return Array(tuple(item for array in arrays for item in array.items), at=at)
    if any(isinstance(argument, Literal | Text) for argument in arguments):
        return text(arguments, at)
    return None


def _union(arguments: tuple[Value, ...], at: Position) -> Value | None:
    objects = [argument for argument in arguments if isinstance(argument, Object)]
    if len(objects) == len(arguments):
        return Object(reduce(_merged, (one.entries for one in objects), {}), at=at)
    return _concat(arguments, at) if isinstance(arguments[0], Array) else None


def _merged(first: Mapping[str, Entry], then: Mapping[str, Entry]) -> dict[str, Entry]:
    """Objects within objects are merged as well; of all else the later one counts.
    https://learn.microsoft.com/azure/azure-resource-manager/bicep/bicep-functions-object#union
    """
    merged = dict(first)
    for key, entry in then.items():
        before = first.get(key)
        if before is None or not (_may_merge(before.value) and _may_merge(entry.value)):
            merged[key] = entry
        else:
            both = call("union", (before.value, entry.value), entry.value.at)
            merged[key] = replace(entry, value=both)
    return merged


def _may_merge(value: Value) -> bool:
    """Whether the value is an object, or may come to one."""
    return not isinstance(value, Literal | Text | Array | Loop)


def _empty(arguments: tuple[Value, ...], at: Position) -> Value | None:
    match arguments:
        case (Literal(value=str() | None as value),):
            return Literal(not value, at=at)
        case (Array(items=items),):
            return Literal(not items, at=at)
        case (Object(entries=entries),):
            return Literal(not entries, at=at)
        case _:
            return None


def _join(arguments: tuple[Value, ...], at: Position) -> Value | None:
    match arguments:
        case (Array(items=items), Literal(value=str(between))):
            parts = [piece for item in items for piece in (between, item)]
            return text(parts[1:], at)
        case _:
            return None


def _lower(arguments: tuple[Value, ...], at: Position) -> Value | None:
    match arguments:
        case (Literal(value=str(known)),):
            return Literal(known.lower(), at=at)
        case _:
            return None


_FOLDED: Final[dict[str, Callable[[tuple[Value, ...], Position], Value | None]]] = {
    "concat": _concat,
    "union": _union,
    "empty": _empty,
    "join": _join,
    "toLower": _lower,
}
