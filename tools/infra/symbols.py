"""Within one template: are names declared once, known and used; do values have their types?"""

import difflib
from collections.abc import Iterable, Iterator
from typing import Final

from tools.infra.bicep_words import DECORATORS, FUNCTIONS, METHODS, TYPES
from tools.infra.findings import Finding
from tools.infra.folder import Folder
from tools.infra.kinds import kind_of
from tools.infra.readable import may_be_read
from tools.infra.template import Output, Param, Template
from tools.infra.values import (
    Call,
    Loop,
    Member,
    Name,
    Object,
    Position,
    Value,
    parts_of,
    walk,
)

_SCOPES: Final = frozenset({"resourceGroup", "subscription"})


def check(template: Template, folder: Folder) -> Iterator[Finding]:
    """Every fault that shows within the template."""
    yield from _declarations(template)
    yield from _decorators(template)
    for value in template.values():
        yield from _names(value, template.symbols)
        yield from _calls(value)
        yield from _members(value, template)
    yield from _unused(template)
    yield from _types(template, folder)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that was probably meant, or nothing."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def _declarations(template: Template) -> Iterator[Finding]:
    for declared in (template.declared, template.outputs_declared):
        seen: set[str] = set()
        for name, at in declared:
            if name in seen:
                yield Finding(at, "symbol-duplicate", f"{name} is declared twice")
            seen.add(name)
    if template.scope not in _SCOPES:
        at = Position(template.path, 1, 1)
        yield Finding(at, "target-scope", f"no deployment of ours is in a {template.scope}")


def _decorators(template: Template) -> Iterator[Finding]:
    for decorator in template.decorators():
        if decorator.function not in DECORATORS:
            hint = nearest(decorator.function, DECORATORS)
            yield Finding(decorator.at, "decorator-unknown", f"@{decorator.function}{hint}")
    described: tuple[Param | Output, ...] = (
        *template.params.values(),
        *template.outputs.values(),
    )
    for one in described:
        if not any(decorator.function == "description" for decorator in one.decorators):
            yield Finding(one.at, "description-missing", f"{one.name} has no @description")


def _names(value: Value, known: frozenset[str]) -> Iterator[Finding]:
    match value:
        case Name(name=name) if name not in known:
            yield Finding(value.at, "symbol-unknown", f"{name}{nearest(name, known)}")
        case Loop(variable=variable, index=index, items=items, body=body):
            yield from _names(items, known)
            yield from _names(body, known | {variable} | ({index} if index else set()))
        case _:
            for part in parts_of(value):
                yield from _names(part, known)


def _calls(value: Value) -> Iterator[Finding]:
    for call in walk(value):
        if not isinstance(call, Call):
            continue
        known = FUNCTIONS if call.on is None else METHODS
        if call.function not in known and not (call.on and call.function.startswith("list")):
            hint = nearest(call.function, known)
            yield Finding(call.at, "function-unknown", f"{call.function}(){hint}")


def _members(value: Value, template: Template) -> Iterator[Finding]:
    """What is read of resources and of variables that are objects has to be there."""
    inner: set[int] = set()  # `a.b` within `a.b.c`, which was looked at as a whole
    for member in walk(value):
        if not isinstance(member, Member) or id(member) in inner:
            continue
        base, path = _path(member, inner)
        if not isinstance(base, Name):
            continue
        resource = template.resources.get(base.name)
        variable = template.variables.get(base.name)
        if resource and not may_be_read(resource.type, path):
            message = f"a {resource.type} has no {'.'.join(path)} that is known here"
            yield Finding(member.at, "member-unknown", message)
        if variable and isinstance(variable.value, Object):
            yield from _member_of_object(member, path[0], variable.value)


def _path(member: Member, inner: set[int]) -> tuple[Value, list[str]]:
    """`account.properties.primaryEndpoints` as the symbol and the steps from it."""
    steps = [member.name]
    of = member.of
    while isinstance(of, Member):
        inner.add(id(of))
        steps.append(of.name)
        of = of.of
    return of, steps[::-1]


def _member_of_object(member: Member, key: str, value: Object) -> Iterator[Finding]:
    if key not in value.entries:
        yield Finding(member.at, "member-unknown", f"no {key}{nearest(key, value.entries)}")


def _unused(template: Template) -> Iterator[Finding]:
    used = {
        part.name for value in template.values() for part in walk(value) if isinstance(part, Name)
    }
    for name, at in template.declared:
        if name in used:
            continue
        if name in template.params:
            yield Finding(at, "parameter-unused", name)
        elif name in template.variables:
            yield Finding(at, "variable-unused", name)


def _types(template: Template, folder: Folder) -> Iterator[Finding]:
    for param in template.params.values():
        if param.type not in TYPES:
            yield Finding(param.at, "subset", f"{param.type} is none of {sorted(TYPES)}")
        if param.default is not None:
            yield from mismatch(param.name, param.type, param.default, template, folder)
    for output in template.outputs.values():
        if output.type not in TYPES:
            yield Finding(output.at, "subset", f"{output.type} is none of {sorted(TYPES)}")
        yield from mismatch(output.name, output.type, output.value, template, folder)


def mismatch(
    name: str, wanted: str, value: Value, template: Template, folder: Folder
) -> Iterator[Finding]:
    """A finding if the value is certainly of another type."""
    given = kind_of(value, template, folder)
    if given is not None and given != wanted:
        yield Finding(value.at, "type-mismatch", f"{name}: {wanted} wanted, {given} given")
