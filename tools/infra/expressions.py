"""Expressions of Bicep as values: texts, objects, calls, operators, loops."""

from itertools import pairwise
from typing import Final

from tree_sitter import Node

from tools.infra.nodes import (
    UnreadableError,
    outside_the_subset,
    parts_of,
    position_of,
    text_of,
)
from tools.infra.values import (
    Array,
    Call,
    Choice,
    Entry,
    Index,
    Literal,
    Loop,
    Member,
    Name,
    Object,
    Operation,
    Position,
    Text,
    Value,
)

_ESCAPES: Final = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\'": "'", "\\\\": "\\", "\\$": "$"}

_TOKENS: Final = {
    "member_expression": {".", ".?"},
    "subscript_expression": {"[", "]"},
}
"""What may stand between a value and its member; `!` and `[?` are not read everywhere."""


class Expressions:
    """Reads the expressions of one file. Every method raises UnreadableError."""

    def __init__(self, path: str) -> None:
        self._path = path

    def loop(self, node: Node, body: Value) -> Loop:
        names, items, _ = parts_of(node)
        if names.type == "for_loop_parameters":
            variable, index = (text_of(child) for child in parts_of(names))
            return Loop(variable, index, self.value(items), body, at=self._at(node))
        return Loop(text_of(names), None, self.value(items), body, at=self._at(node))

    def value(self, node: Node) -> Value:  # noqa: C901, PLR0911, PLR0912 - a case for each kind of node
        at = self._at(node)
        inner = parts_of(node)
        tokens = {child.type for child in node.children if not child.is_named}
        if node.type in _TOKENS and not tokens <= _TOKENS[node.type]:
            raise self._unreadable(node, f"{sorted(tokens - _TOKENS[node.type])}")
        match node.type:
            case "string":
                return self._string(node)
            case "number":
                return Literal(int(text_of(node)), at=at)
            case "boolean":
                return Literal(text_of(node) == "true", at=at)
            case "null":
                return Literal(None, at=at)
            case "identifier":
                return Name(text_of(node), at=at)
            case "array":
                self._separated(inner)
                return Array(tuple(map(self.value, inner)), at=at)
            case "object":
                return self.object(node)
            case "parenthesized_expression" if len(inner) == 1:
                return self.value(inner[0])
            case "member_expression":
                return Member(self.value(inner[0]), text_of(inner[1]), at=at)
            case "subscript_expression":
                return Index(self.value(inner[0]), self.value(inner[1]), at=at)
            case "call_expression":
                return self._call(inner[0], inner[1:], at)
            case "ternary_expression":
                condition, then, otherwise = map(self.value, inner)
                return Choice(condition, then, otherwise, at=at)
            case "binary_expression" | "unary_expression":
                operator = next(text_of(child) for child in node.children if not child.is_named)
                return Operation(operator, tuple(map(self.value, inner)), at=at)
            case "for_statement":
                return self.loop(node, self.value(inner[-1]))
            case other:
                raise self._unreadable(node, other)

    def _separated(self, items: list[Node]) -> None:
        """Two items on a line, and no comma: the grammar took one item apart (`a().b`)."""
        for before, after in pairwise(items):
            between = before.next_sibling
            comma = between is not None and between.type == ","
            if not comma and before.end_point[0] == after.start_point[0]:
                raise self._unreadable(after, "a call in an array; give it a name with `var`")

    def _call(self, called: Node, rest: list[Node], at: Position) -> Call:
        given = tuple(
            self.value(argument)
            for child in rest
            for argument in (parts_of(child) if child.type == "arguments" else [child])
        )
        match self.value(called):
            case Name(name=name):
                return Call(name, given, at=at)
            case Member(of=Name(name="az" | "sys"), name=name):
                return Call(name, given, at=at)
            case Member(of=of, name=name):
                return Call(name, given, of, at=at)
            case _:
                raise self._unreadable(called, "a call of something without a name")

    def object(self, node: Node) -> Object:
        entries: dict[str, Entry] = {}
        for child in parts_of(node):
            parts = parts_of(child)
            if child.type != "object_property" or len(parts) != 2:  # noqa: PLR2004 - key and value
                raise self._unreadable(child, "no plain property")
            key_node, value_node = parts
            computed: Value | None = None
            if key_node.type != "string":
                key = text_of(key_node)
            else:
                text = self._string(key_node)
                key = str(text).strip("'")
                computed = text if isinstance(text, Text) else None
            if key in entries:
                raise self._unreadable(key_node, f"{key} is given twice")
            entries[key] = Entry(self._at(key_node), self.value(value_node), computed)
        return Object(entries, at=self._at(node))

    def _string(self, node: Node) -> Literal | Text:
        at = self._at(node)
        if node.children and node.children[0].type == "'''":
            plain = text_of(node)[3:-3]
            return Literal(plain.removeprefix("\r").removeprefix("\n"), at=at)
        parts: list[str | Value] = []
        for child in parts_of(node):
            match child.type:
                case "interpolation":
                    parts.append(self.value(parts_of(child)[0]))
                case "escape_sequence":
                    parts.append(_ESCAPES.get(text_of(child), text_of(child)))
                case "string_content":
                    parts.append(text_of(child))
                case other:
                    raise self._unreadable(child, other)
        joined = _joined(parts)
        if all(isinstance(part, str) for part in joined):
            return Literal("".join(map(str, joined)), at=at)
        return Text(joined, at=at)

    def _at(self, node: Node) -> Position:
        return position_of(self._path, node)

    def _unreadable(self, node: Node, what: str) -> UnreadableError:
        return outside_the_subset(self._path, node, what)


def _joined(parts: list[str | Value]) -> tuple[str | Value, ...]:
    """The same parts with neighbouring texts in one."""
    joined: list[str | Value] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)
