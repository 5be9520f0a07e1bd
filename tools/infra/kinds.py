"""The type of a value as far as it can be told without a compiler."""

from tools.infra.bicep_words import FUNCTIONS
from tools.infra.folder import Folder
from tools.infra.template import Template
from tools.infra.values import (
    Array,
    Call,
    Choice,
    Index,
    Literal,
    Loop,
    Member,
    Name,
    Object,
    Operation,
    Parameter,
    Reference,
    Text,
    Value,
)

_TRUTH: frozenset[str] = frozenset({"!", "&&", "||", "==", "!=", "<", "<=", ">", ">=", "=~", "!~"})


def kind_of(value: Value, template: Template, folder: Folder) -> str | None:  # noqa: C901, PLR0911, PLR0912 - a case for each kind
    """`string`, `int`, `bool`, `array` or `object`; None where it cannot be told."""
    match value:
        case Literal(value=bool()):
            return "bool"
        case Literal(value=int()):
            return "int"
        case Literal(value=str()) | Text():
            return "string"
        case Array() | Loop():
            return "array"
        case Object():
            return "object"
        case Operation(operator=operator):
            return "bool" if operator in _TRUTH else None
        case Choice(then=then, otherwise=otherwise):
            kinds = {kind_of(then, template, folder), kind_of(otherwise, template, folder)}
            return kinds.pop() if len(kinds) == 1 else None
        case Call(function=function, on=None):
            return FUNCTIONS.get(function)
        case Name(name=name):
            return _kind_of_symbol(name, template, folder)
        case Member(of=Member(of=Name(name=symbol), name="outputs"), name=name):
            module = template.modules.get(symbol)
            target = folder.target(template, module) if module else None
            return target.outputs[name].type if target and name in target.outputs else None
        case Member(of=Name(name=symbol), name="id" | "name" | "type" | "location"):
            return "string" if symbol in template.resources else None
        case Parameter(name=name):
            return template.params[name].type if name in template.params else None
        case Member() | Index() | Call() | Literal() | Reference():
            return None


def _kind_of_symbol(name: str, template: Template, folder: Folder) -> str | None:
    if name in template.params:
        return template.params[name].type
    if name in template.variables:
        return kind_of(template.variables[name].value, template, folder)
    return None
