"""One Bicep file as plain data: what it declares, with positions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tools.infra.values import Array, Call, Literal, Loop, Object, Position, Scalar, Value


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter. `type` is the word in the file, without the `?` of a nullable one."""

    name: str
    type: str
    nullable: bool
    default: Value | None
    decorators: tuple[Call, ...]
    at: Position

    @property
    def required(self) -> bool:
        return self.default is None and not self.nullable

    def decorator(self, name: str) -> Call | None:
        return next((one for one in self.decorators if one.function == name), None)

    @property
    def allowed(self) -> tuple[Scalar, ...] | None:
        """The literals of `@allowed`; None without one."""
        match self.decorator("allowed"):
            case Call(arguments=(Array(items=items), *_)):
                return tuple(item.value for item in items if isinstance(item, Literal))
            case _:
                return None

    def limit(self, name: str) -> int | None:
        """The number of `@minValue`, `@maxValue`, `@minLength` or `@maxLength`."""
        match self.decorator(name):
            case Call(arguments=(Literal(value=int(number)), *_)):
                return number
            case _:
                return None


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    value: Value
    decorators: tuple[Call, ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Output:
    name: str
    type: str
    value: Value
    decorators: tuple[Call, ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Block:
    """The body of a resource or module, out of its `for` and its `if`."""

    body: Object
    condition: Value | None = None
    loop: Loop | None = None
    """The variables and items of the loop; its body is `body`."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource declaration; `type` is without its API version."""

    symbol: str
    type: str
    version: str
    existing: bool
    block: Block
    decorators: tuple[Call, ...]
    at: Position
    type_at: Position


@dataclass(frozen=True, slots=True)
class Module:
    """A module declaration; `path` is as written in the file."""

    symbol: str
    path: str
    block: Block
    decorators: tuple[Call, ...]
    at: Position
    path_at: Position


@dataclass(frozen=True, slots=True)
class Template:
    """One file. Of a symbol declared twice the mappings keep the last; `declared` has both."""

    path: str
    scope: str
    declared: tuple[tuple[str, Position], ...]
    params: Mapping[str, Param] = field(default_factory=dict)
    variables: Mapping[str, Variable] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)
    modules: Mapping[str, Module] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    outputs_declared: tuple[tuple[str, Position], ...] = ()

    @property
    def symbols(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.declared)

    def decorators(self) -> Iterator[Call]:
        yield from (one for param in self.params.values() for one in param.decorators)
        yield from (one for variable in self.variables.values() for one in variable.decorators)
        yield from (one for resource in self.resources.values() for one in resource.decorators)
        yield from (one for module in self.modules.values() for one in module.decorators)
        yield from (one for output in self.outputs.values() for one in output.decorators)

    def values(self) -> Iterator[Value]:
        """Every value in the file, as written, with loops around what they repeat."""
        for param in self.params.values():
            if param.default is not None:
                yield param.default
        yield from (variable.value for variable in self.variables.values())
        yield from (output.value for output in self.outputs.values())
        for block in self.blocks():
            yield from _block_values(block)

    def blocks(self) -> Iterator[Block]:
        yield from (resource.block for resource in self.resources.values())
        yield from (module.block for module in self.modules.values())


def _block_values(block: Block) -> Iterator[Value]:
    inner: list[Value] = [block.body, *([block.condition] if block.condition else [])]
    if block.loop is None:
        yield from inner
        return
    loop = block.loop
    yield from (Loop(loop.variable, loop.index, loop.items, value, at=loop.at) for value in inner)
