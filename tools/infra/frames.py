"""One template within a deployment: what each of its symbols stands for there."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tools.infra import folding
from tools.infra.deployed import Deployed
from tools.infra.folder import Folder
from tools.infra.template import Block, Module, Resource, Template
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
    Parameter,
    Position,
    Reference,
    Text,
    Value,
    is_literal,
)


class CycleError(Exception):
    """A symbol is made of itself."""

    def __init__(self, at: Position) -> None:
        super().__init__(str(at))
        self.at = at


class Surroundings(Protocol):
    """What a template needs to know of the others in its deployment."""

    folder: Folder

    def name_of(self, key: str) -> Value | None:
        """The name of a resource, evaluated."""

    def output_of(self, key: str, name: str) -> Value | None:
        """An output of a module, evaluated."""


@dataclass(slots=True)
class Frame:
    """One template of a deployment, with what its symbols stand for."""

    surroundings: Surroundings
    template: Template
    key: str
    arguments: Mapping[str, Value]
    """Evaluated already."""
    conditions: tuple[Value, ...] = ()
    known: dict[str, Value] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)

    def symbol(self, name: Name, locals_: Mapping[str, Value]) -> Value:
        if name.name in locals_:
            return locals_[name.name]
        if name.name in self.busy:
            raise CycleError(name.at)
        if name.name not in self.known:
            self.busy.add(name.name)
            self.known[name.name] = self._symbol(name)
            self.busy.remove(name.name)
        known = self.known[name.name]
        return Parameter(known.name, at=name.at) if isinstance(known, Parameter) else known

    def _symbol(self, name: Name) -> Value:
        template = self.template
        if name.name in template.params:
            return self._param(name)
        if name.name in template.variables:
            return self.evaluate(template.variables[name.name].value)
        if name.name in template.resources or name.name in template.modules:
            return Reference(f"{self.key}{name.name}", at=name.at)
        return name

    def _param(self, name: Name) -> Value:
        param = self.template.params[name.name]
        if name.name in self.arguments:
            return self.arguments[name.name]
        if not self.key:  # of the template that is deployed
            return Parameter(name.name, at=param.at)
        if param.default is not None:
            return self.evaluate(param.default)
        return Literal(None, at=param.at) if param.nullable else name

    def evaluate(self, value: Value, locals_: Mapping[str, Value] = {}) -> Value:  # noqa: C901, PLR0911 - one case for each kind of value
        """The value with every symbol followed. Raises CycleError."""

        def inner(part: Value) -> Value:
            return self.evaluate(part, locals_)

        match value:
            case Name():
                return self.symbol(value, locals_)
            case Text(parts=parts, at=at):
                inside = [part if isinstance(part, str) else inner(part) for part in parts]
                return folding.text(inside, at)
            case Array(items=items, at=at):
                return Array(tuple(map(inner, items)), at=at)
            case Object(entries=entries, at=at):
                known = (self._entry(key, entry, inner) for key, entry in entries.items())
                return Object(dict(known), at=at)
            case Member(of=of, name=name, at=at):
                return self._member(inner(of), name, at)
            case Index(of=of, index=index, at=at):
                return _index(inner(of), inner(index), at)
            case Call(function=function, arguments=arguments, on=on, at=at):
                given = tuple(map(inner, arguments))
                if on is not None:
                    return Call(function, given, inner(on), at=at)
                return folding.call(function, given, at)
            case Operation(operator=operator, operands=operands, at=at):
                return folding.operation(operator, tuple(map(inner, operands)), at)
            case Choice(condition=condition, then=then, otherwise=otherwise, at=at):
                return folding.choice(inner(condition), inner(then), inner(otherwise), at)
            case Loop():
                return self._loop(value, locals_)
            case Literal() | Parameter() | Reference():
                return value

    def _entry(self, key: str, entry: Entry, inner: Callable[[Value], Value]) -> tuple[str, Entry]:
        """A property with its key evaluated as well."""
        if entry.computed_key is None:
            return key, Entry(entry.key_at, inner(entry.value))
        computed = inner(entry.computed_key)
        return str(computed).strip("'"), Entry(entry.key_at, inner(entry.value), computed)

    def _member(self, of: Value, name: str, at: Position) -> Value:
        match of:
            case Object(entries=entries) if name in entries:
                return entries[name].value
            case Choice(condition=condition, then=then, otherwise=otherwise, at=where):
                return folding.choice(
                    condition,
                    self._member(then, name, at),
                    self._member(otherwise, name, at),
                    where,
                )
            case Reference(key=key) if name == "name":
                return self.surroundings.name_of(key) or Member(of, name, at=at)
            case Member(of=Reference(key=key), name="outputs"):
                return self.surroundings.output_of(key, name) or Member(of, name, at=at)
            case _:
                return Member(of, name, at=at)

    def _loop(self, loop: Loop, locals_: Mapping[str, Value]) -> Value:
        items = self.evaluate(loop.items, locals_)
        if not isinstance(items, Array):
            return Loop(loop.variable, loop.index, items, loop.body, at=loop.at)
        bodies = (
            self.evaluate(loop.body, {**locals_, **bound}) for bound in _bindings(loop, items)
        )
        return Array(tuple(bodies), at=loop.at)

    def resources(self) -> Iterator[Deployed]:
        """The resources that this template itself declares, but for those that never come."""
        for resource in self.template.resources.values():
            for locals_ in self._rounds(resource.block):
                deployed = self._deployed(resource, locals_)
                if not any(is_literal(one, wanted=False) for one in deployed.conditions):
                    yield deployed

    def open_items(self, block: Block) -> Value | None:
        """What a loop goes over, if that is known only when it is deployed."""
        items = self.evaluate(block.loop.items) if block.loop is not None else None
        return None if isinstance(items, Array) else items

    def _rounds(self, block: Block) -> Iterator[Mapping[str, Value]]:
        """The loop's variables, round by round; one round without a loop, or with open items."""
        if block.loop is None:
            yield {}
            return
        items = self.evaluate(block.loop.items)
        yield from _bindings(block.loop, items) if isinstance(items, Array) else ({},)

    def _deployed(self, resource: Resource, locals_: Mapping[str, Value]) -> Deployed:
        body = self.evaluate(resource.block.body, locals_)
        assert isinstance(body, Object)  # noqa: S101 - evaluating keeps an object an object
        return Deployed(
            key=f"{self.key}{resource.symbol}",
            type=resource.type,
            version=resource.version,
            existing=resource.existing,
            body=body,
            conditions=self.conditions + self._condition(resource.block, locals_),
            at=resource.at,
        )

    def _condition(self, block: Block, locals_: Mapping[str, Value]) -> tuple[Value, ...]:
        return () if block.condition is None else (self.evaluate(block.condition, locals_),)

    def frame_of(self, module: Module) -> "Frame | None":
        """The frame of a module's template; None if the file is missing."""
        target = self.surroundings.folder.target(self.template, module)
        if target is None:
            return None
        params = module.block.body.get("params")
        given = params.entries if isinstance(params, Object) else {}
        locals_ = next(iter(self._rounds(module.block)), {})
        return Frame(
            self.surroundings,
            target,
            f"{self.key}{module.symbol}/",
            {name: self.evaluate(entry.value, locals_) for name, entry in given.items()},
            self.conditions + self._condition(module.block, locals_),
        )


def _bindings(loop: Loop, items: Array) -> Iterator[Mapping[str, Value]]:
    for number, item in enumerate(items.items):
        bound: dict[str, Value] = {loop.variable: item}
        if loop.index is not None:
            bound[loop.index] = Literal(number, at=item.at)
        yield bound


def _index(of: Value, index: Value, at: Position) -> Value:
    match of, index:
        case Array(items=items), Literal(value=int(number)) if 0 <= number < len(items):
            return items[number]
        case Object(entries=entries), Literal(value=str(key)) if key in entries:
            return entries[key].value
        case _:
            return Index(of, index, at=at)
