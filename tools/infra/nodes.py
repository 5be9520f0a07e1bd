"""Nodes of tree-sitter's syntax tree: their texts, places and parts."""

from collections.abc import Iterator
from typing import Final

from tree_sitter import Node

from tools.infra.findings import Finding
from tools.infra.values import Position

_COMMENTS: Final = frozenset({"comment", "diagnostic_comment"})


class UnreadableError(Exception):
    """The file is no Bicep, or not in our subset of it."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(map(str, findings)))
        self.findings = findings


def outside_the_subset(path: str, node: Node, what: str) -> UnreadableError:
    """The error for a construct that not every offline parser reads."""
    message = f"outside the subset that the offline parsers read: {what}"
    return UnreadableError((Finding(position_of(path, node), "subset", message),))


def walk_nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk_nodes(child)


def text_of(node: Node) -> str:
    return (node.text or b"").decode()


def position_of(path: str, node: Node) -> Position:
    return Position(path, node.start_point[0] + 1, node.start_point[1] + 1)


def parts_of(node: Node) -> list[Node]:
    """The named children that are no comments."""
    return [child for child in node.named_children if child.type not in _COMMENTS]
