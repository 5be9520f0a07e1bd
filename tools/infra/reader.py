"""Reads a Bicep file: tree-sitter's syntax tree into a `Template`.

Only the subset of Bicep that every offline parser reads is accepted (no user-defined types and
functions, lambdas, imports, spreads, `!`): the rest is the finding `subset`, so that nothing is
passed over in silence.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

from tools.infra.expressions import Expressions
from tools.infra.findings import Finding
from tools.infra.nodes import (
    UnreadableError,
    outside_the_subset,
    parts_of,
    position_of,
    text_of,
    walk_nodes,
)
from tools.infra.template import Block, Module, Output, Param, Resource, Template, Variable
from tools.infra.values import Call, Position

_PARSER: Final = Parser(Language(tree_sitter_bicep.language()))


@lru_cache(maxsize=1024)
def read(path: str, text: str) -> Template:
    """The template in `text`. Raises UnreadableError with every fault of syntax."""
    root = _PARSER.parse(text.encode()).root_node
    if root.has_error:
        raise UnreadableError(tuple(_syntax_faults(path, root)))
    return _Reader(path).template(root)


def _syntax_faults(path: str, root: Node) -> Iterator[Finding]:
    for node in walk_nodes(root):
        if node.type == "ERROR" or node.is_missing:
            excerpt = " ".join(text_of(node).split())[:40]
            yield Finding(
                position_of(path, node), "syntax", f"not understood: {excerpt or node.type}"
            )


class _Reader:
    """Reads one file's tree."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._read = Expressions(path)
        self._params: dict[str, Param] = {}
        self._variables: dict[str, Variable] = {}
        self._resources: dict[str, Resource] = {}
        self._modules: dict[str, Module] = {}
        self._outputs: dict[str, Output] = {}
        self._declared: list[tuple[str, Position]] = []
        self._outputs_declared: list[tuple[str, Position]] = []

    def template(self, root: Node) -> Template:
        scope = "resourceGroup"
        decorators: tuple[Call, ...] = ()
        for node in parts_of(root):
            if node.type == "decorators":
                decorators = tuple(self._decorator(child) for child in parts_of(node))
                continue
            if node.type == "target_scope_assignment":
                scope = str(self._read.value(parts_of(node)[0])).strip("'")
            else:
                self._checked_declaration(node, decorators)
            decorators = ()
        return Template(
            path=self._path,
            scope=scope,
            declared=tuple(self._declared),
            params=self._params,
            variables=self._variables,
            resources=self._resources,
            modules=self._modules,
            outputs=self._outputs,
            outputs_declared=tuple(self._outputs_declared),
        )

    def _decorator(self, node: Node) -> Call:
        value = self._read.value(parts_of(node)[0])
        match value:
            case Call(function=function, arguments=arguments):  # `@sys.description()` as well
                return Call(function, arguments, at=self._at(node))
            case _:
                raise self._unreadable(node, "a decorator is a call")

    def _checked_declaration(self, node: Node, decorators: tuple[Call, ...]) -> None:
        try:
            self._declaration(node, decorators)
        except ValueError as error:  # more or fewer parts than a declaration of ours has
            raise self._unreadable(node, node.type) from error

    def _declaration(self, node: Node, decorators: tuple[Call, ...]) -> None:
        match node.type:
            case "parameter_declaration":
                self._param(node, decorators)
            case "variable_declaration":
                name, value = parts_of(node)
                self._declare(name)
                self._variables[text_of(name)] = Variable(
                    text_of(name), self._read.value(value), decorators, self._at(name)
                )
            case "output_declaration":
                name, kind, value = parts_of(node)
                self._outputs_declared.append((text_of(name), self._at(name)))
                self._outputs[text_of(name)] = Output(
                    text_of(name),
                    text_of(kind),
                    self._read.value(value),
                    decorators,
                    self._at(name),
                )
            case "resource_declaration":
                self._resource(node, decorators)
            case "module_declaration":
                self._module(node, decorators)
            case "metadata_declaration":
                self._read.value(parts_of(node)[1])
            case other:
                raise self._unreadable(node, other)

    def _param(self, node: Node, decorators: tuple[Call, ...]) -> None:
        name, kind, *default = parts_of(node)
        self._declare(name)
        written = text_of(kind)
        self._params[text_of(name)] = Param(
            text_of(name),
            written.rstrip("? "),
            written.endswith("?"),
            self._read.value(default[0]) if default else None,
            decorators,
            self._at(name),
        )

    def _resource(self, node: Node, decorators: tuple[Call, ...]) -> None:
        name, type_node, body = parts_of(node)
        self._declare(name)
        kind, _, version = str(self._read.value(type_node)).strip("'").partition("@")
        self._resources[text_of(name)] = Resource(
            symbol=text_of(name),
            type=kind,
            version=version,
            existing=any(child.type == "existing" for child in node.children),
            block=self._block(body),
            decorators=decorators,
            at=self._at(name),
            type_at=self._at(type_node),
        )

    def _module(self, node: Node, decorators: tuple[Call, ...]) -> None:
        name, path, body = parts_of(node)
        self._declare(name)
        self._modules[text_of(name)] = Module(
            symbol=text_of(name),
            path=str(self._read.value(path)).strip("'"),
            block=self._block(body),
            decorators=decorators,
            at=self._at(name),
            path_at=self._at(path),
        )

    def _declare(self, name: Node) -> None:
        self._declared.append((text_of(name), self._at(name)))

    def _block(self, node: Node) -> Block:
        """The object in `{}`, `if (…) {}`, `[for …: {}]` or `[for …: if (…) {}]`."""
        match node.type:
            case "object":
                return Block(self._read.object(node))
            case "if_statement":
                condition, body = parts_of(node)
                return Block(self._read.object(body), condition=self._read.value(condition))
            case "for_statement":
                block = self._block(parts_of(node)[-1])
                loop = self._read.loop(node, block.body)
                return Block(block.body, block.condition, loop)
            case other:
                raise self._unreadable(node, other)

    def _at(self, node: Node) -> Position:
        return position_of(self._path, node)

    def _unreadable(self, node: Node, what: str) -> UnreadableError:
        return outside_the_subset(self._path, node, what)
