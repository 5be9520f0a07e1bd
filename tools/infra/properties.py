"""Are resources of known types, and given only properties and values that these types have?"""

import enum
import re
import typing
from collections.abc import Iterator
from typing import Any, Final

import typing_extensions

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.kinds import kind_of
from tools.infra.shapes import SHAPES, is_shape, properties_of
from tools.infra.symbols import nearest
from tools.infra.values import (
    Array,
    Index,
    Literal,
    Member,
    Object,
    Parameter,
    Position,
    Value,
    outcomes,
    walk,
)

_TYPE: Final = re.compile(r"[A-Za-z]+(\.[A-Za-z]+)+(/[A-Za-z0-9]+)+")
_VERSION: Final = re.compile(r"20\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(-preview)?")
_OF_BICEP: Final = frozenset({"name", "parent", "scope", "dependsOn"})
_OF_AZURE: Final = frozenset({"id", "type", "systemData"})
_KINDS: Final[dict[object, str]] = {
    str: "string",
    bool: "bool",
    int: "int",
    float: "int",
    list: "array",
    dict: "object",
}


def check(deployment: Deployment) -> Iterator[Finding]:
    """Every fault in the types, properties and values of the deployment's resources."""
    for resource in deployment.resources:
        yield from _type(deployment, resource)
        yield from _missing_members(resource)
        if resource.type not in SHAPES:
            continue
        version, shape = SHAPES[resource.type]
        if resource.version != version:
            message = f"{resource.type} is known in {version}, not in {resource.version}"
            yield Finding(_type_at(deployment, resource), "version-unknown", message)
        if not resource.existing:
            yield from _resource(deployment, resource, shape)


def _type_at(deployment: Deployment, resource: Deployed) -> Position:
    for template in deployment.folder.templates.values():
        for declared in template.resources.values():
            if declared.at == resource.at:
                return declared.type_at
    return resource.at


def _type(deployment: Deployment, resource: Deployed) -> Iterator[Finding]:
    at = _type_at(deployment, resource)
    if not _TYPE.fullmatch(resource.type) or not _VERSION.fullmatch(resource.version):
        yield Finding(at, "type-malformed", f"{resource.type}@{resource.version}")
    if resource.type not in SHAPES:
        message = f"nothing here knows {resource.type}{nearest(resource.type, SHAPES)}"
        yield Finding(at, "type-unknown", message)


def _missing_members(resource: Deployed) -> Iterator[Finding]:
    """What is read of a known object or array has to be in it; also of a loop's items."""
    for value in (resource.body, *resource.conditions):
        for part in walk(value):
            match part:
                case Member(of=Object(entries=entries), name=name):
                    yield Finding(part.at, "member-unknown", f"{name}{nearest(name, entries)}")
                case Index(of=Array(items=items), index=Literal(value=number)):
                    message = f"[{number}] of {len(items)} items"
                    yield Finding(part.at, "member-unknown", message)
                case _:
                    pass


def _resource(deployment: Deployment, resource: Deployed, shape: type) -> Iterator[Finding]:
    if "name" not in resource.body.entries:
        yield Finding(resource.at, "property-required", "name")
    hints = {name: hint for name, hint in properties_of(shape).items() if name not in _OF_AZURE}
    given = {name: entry for name, entry in resource.body.entries.items() if name not in _OF_BICEP}
    body = Object(given, at=resource.at)
    yield from _Check(deployment).properties(body, hints, "")


class _Check:
    """Holds values against hints, inwards."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def properties(
        self, body: Object, hints: typing.Mapping[str, object], path: str
    ) -> Iterator[Finding]:
        for name, entry in body.entries.items():
            if name not in hints:
                message = f"{path}{name}{nearest(name, hints)}"
                yield Finding(entry.key_at, "property-unknown", message)
            else:
                yield from self._value(entry.value, hints[name], f"{path}{name}", entry.key_at)
        for name, hint in hints.items():
            required = typing_extensions.get_origin(hint) is typing_extensions.Required
            if required and name not in body.entries and (path or name != "name"):
                yield Finding(body.at, "property-required", f"{path}{name}")

    def _value(
        self,
        value: Value,
        hint: Any,  # noqa: ANN401 - whatever a hint may be
        path: str,
        near: Position,
    ) -> Iterator[Finding]:
        if typing_extensions.get_origin(hint) is typing_extensions.Required:
            (hint,) = typing_extensions.get_args(hint)
        for one in outcomes(value):
            if one is None or (isinstance(one, Literal) and one.value is None):
                continue  # null is "not given"
            yield from self._outcome(one, hint, path, near)

    def _outcome(
        self,
        value: Value,
        hint: Any,  # noqa: ANN401 - whatever a hint may be
        path: str,
        near: Position,
    ) -> Iterator[Finding]:
        origin = typing_extensions.get_origin(hint)
        arguments = typing_extensions.get_args(hint)
        allowed = _allowed(hint)
        if allowed is not None:
            yield from self._among(value, allowed, path, near)
        elif is_shape(hint):
            yield from self._kind(value, "object", path, near)
            if isinstance(value, Object):
                yield from self.properties(value, properties_of(hint), f"{path}.")
        elif origin is list:
            yield from self._kind(value, "array", path, near)
            for item in value.items if isinstance(value, Array) else ():
                yield from self._value(item, arguments[0], f"{path}[]", near)
        elif origin is dict:
            yield from self._kind(value, "object", path, near)
            for key, entry in value.entries.items() if isinstance(value, Object) else ():
                yield from self._value(entry.value, arguments[1], f"{path}.{key}", entry.key_at)
        elif hint in _KINDS:
            yield from self._kind(value, _KINDS[hint], path, near)

    def _kind(self, value: Value, wanted: str, path: str, near: Position) -> Iterator[Finding]:
        given = kind_of(value, self._deployment.root, self._deployment.folder)
        if given is not None and given != wanted:
            message = f"{path}: {wanted} wanted, {given} given"
            yield Finding(_place(value, near), "property-type", message)

    def _among(
        self, value: Value, allowed: frozenset[Any], path: str, near: Position
    ) -> Iterator[Finding]:
        for given in self._possible(value):
            if given not in allowed:
                message = f"{path}: {given!r} is none of {sorted(allowed)}"
                yield Finding(_place(value, near), "property-value", message)

    def _possible(self, value: Value) -> tuple[object, ...]:
        """What is known that the value can be: itself, or what its parameter allows."""
        match value:
            case Literal(value=known):
                return (known,)
            case Parameter(name=name):
                return self._deployment.root.params[name].allowed or ()
            case _:
                return ()


def _place(value: Value, near: Position) -> Position:
    """Where the value is written, unless it comes from another file."""
    return value.at if value.at.path == near.path else near


def _allowed(hint: object) -> frozenset[Any] | None:
    """The values of a hint that lists them: `Literal[…]`, or `Union[str, SomeEnum]`."""
    arguments = typing_extensions.get_args(hint)
    if typing_extensions.get_origin(hint) is typing.Literal:
        return frozenset(arguments)
    for argument in (hint, *arguments):
        if isinstance(argument, type) and issubclass(argument, enum.Enum):
            return frozenset(member.value for member in argument)
    return None
