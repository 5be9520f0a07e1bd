"""The values of a template as plain data: literals, objects, and expressions as small trees.

Two values are equal when they say the same; where they are written does not count. `str(value)` is
the value as Bicep would spell it on one line.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

type Scalar = str | int | bool | None


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file, counted from 1; the path is relative to the templates' folder."""

    path: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class _Node:
    at: Position = field(compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Literal(_Node):
    """A text, a number, a truth value, or null."""

    value: Scalar

    def __str__(self) -> str:
        match self.value:
            case None:
                return "null"
            case bool(truth):
                return str(truth).lower()
            case int(number):
                return str(number)
            case text:
                return f"'{_escaped(text)}'"


@dataclass(frozen=True, slots=True)
class Text(_Node):
    """A text with interpolations: pieces of text and the values between them."""

    parts: "tuple[str | Value, ...]"

    def __str__(self) -> str:
        pieces = (_escaped(one) if isinstance(one, str) else f"${{{one}}}" for one in self.parts)
        return f"'{''.join(pieces)}'"


@dataclass(frozen=True, slots=True)
class Array(_Node):
    items: "tuple[Value, ...]"

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True, slots=True)
class Entry:
    """One property of an object: where its key stands, the key if it is computed, and its value."""

    key_at: Position = field(compare=False)
    value: "Value"
    computed_key: "Value | None" = None


@dataclass(frozen=True, slots=True)
class Object(_Node):
    entries: Mapping[str, Entry]

    def get(self, key: str) -> "Value | None":
        entry = self.entries.get(key)
        return entry.value if entry else None

    def __str__(self) -> str:
        pairs = (f"{key}: {entry.value}" for key, entry in self.entries.items())
        return f"{{ {', '.join(pairs)} }}"


@dataclass(frozen=True, slots=True)
class Name(_Node):
    """A symbol of the template: a parameter, variable, resource, module or loop variable."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Parameter(_Node):
    """A parameter of the template that is deployed: decided by whoever deploys it."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Reference(_Node):
    """A resource or module of a deployment, by the names that lead to it: `stack/storage/data`."""

    key: str

    def __str__(self) -> str:
        return f"<{self.key}>"


@dataclass(frozen=True, slots=True)
class Member(_Node):
    of: "Value"
    name: str

    def __str__(self) -> str:
        return f"{_grouped(self.of)}.{self.name}"


@dataclass(frozen=True, slots=True)
class Index(_Node):
    of: "Value"
    index: "Value"

    def __str__(self) -> str:
        return f"{_grouped(self.of)}[{self.index}]"


@dataclass(frozen=True, slots=True)
class Call(_Node):
    """A call of a built-in function; a method such as `account.listKeys` has `on`."""

    function: str
    arguments: "tuple[Value, ...]"
    on: "Value | None" = None

    def __str__(self) -> str:
        called = f"{_grouped(self.on)}.{self.function}" if self.on else self.function
        return f"{called}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True, slots=True)
class Operation(_Node):
    """A unary or binary operator."""

    operator: str
    operands: "tuple[Value, ...]"

    def __str__(self) -> str:
        match self.operands:
            case (only,):
                return f"{self.operator}{_grouped(only)}"
            case _:
                return f" {self.operator} ".join(map(_grouped, self.operands))


@dataclass(frozen=True, slots=True)
class Choice(_Node):
    condition: "Value"
    then: "Value"
    otherwise: "Value"

    def __str__(self) -> str:
        then, otherwise = _grouped(self.then), _grouped(self.otherwise)
        return f"{self.condition} ? {then} : {otherwise}"


@dataclass(frozen=True, slots=True)
class Loop(_Node):
    """`[for variable in items: body]`, or with `(variable, index)`."""

    variable: str
    index: str | None
    items: "Value"
    body: "Value"

    def __str__(self) -> str:
        return f"[for {self.variable} in {self.items}: {self.body}]"


type Value = (
    Literal
    | Text
    | Array
    | Object
    | Name
    | Parameter
    | Reference
    | Member
    | Index
    | Call
    | Operation
    | Choice
    | Loop
)


def _escaped(text: str) -> str:
    """The inside of a text as Bicep spells it, so that no text reads like another, or like two
    lines."""
    plain = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return plain.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def _grouped(value: Value) -> str:
    """The value as a part of an expression: in parentheses if it is one itself."""
    return f"({value})" if isinstance(value, Operation | Choice) else str(value)


def parts_of(value: Value) -> Iterator[Value]:  # noqa: C901 - one case for each kind of value
    """What a value is made of, one level down."""
    match value:
        case Text(parts=parts):
            yield from (part for part in parts if not isinstance(part, str))
        case Array(items=items):
            yield from items
        case Object(entries=entries):
            for entry in entries.values():
                yield from (*((entry.computed_key,) if entry.computed_key else ()), entry.value)
        case Member(of=of):
            yield of
        case Index(of=of, index=index):
            yield from (of, index)
        case Call(arguments=arguments, on=on):
            yield from (*((on,) if on else ()), *arguments)
        case Operation(operands=operands):
            yield from operands
        case Choice(condition=condition, then=then, otherwise=otherwise):
            yield from (condition, then, otherwise)
        case Loop(items=items_value, body=body):
            yield from (items_value, body)
        case Literal() | Name() | Parameter() | Reference():
            pass


def walk(value: Value) -> Iterator[Value]:
    """The value and everything in it."""
    yield value
    for part in parts_of(value):
        yield from walk(part)


def outcomes(value: Value | None) -> Iterator[Value | None]:
    """What a value can come to: both sides of each choice. None stands for "not given"."""
    if isinstance(value, Choice):
        yield from outcomes(value.then)
        yield from outcomes(value.otherwise)
    else:
        yield value


def literals(value: Value) -> Iterator[Literal]:
    """Every literal written in the value."""
    return (part for part in walk(value) if isinstance(part, Literal))


def is_literal(value: Value | None, wanted: Scalar) -> bool:
    """Whether the value is this literal; 1 is not true."""
    return (
        isinstance(value, Literal) and type(value.value) is type(wanted) and value.value == wanted
    )
