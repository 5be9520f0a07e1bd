"""The part of SOQL that finding Flows needs: SELECT, WHERE with AND, ORDER BY, LIMIT, OFFSET.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from local.simulators.salesforce.errors import RestError

type Literals = str | int | bool | None
type Operator = Literal["=", "!=", "IN", "NOT IN", "LIKE"]

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<number>\d+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign>!=|<>|[=(),]))"
)
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_CONSTANTS: Final[dict[str, Literals]] = {"null": None, "true": True, "false": False}


@dataclass(frozen=True)
class Condition:
    field: str
    operator: Operator
    values: tuple[Literals, ...]


@dataclass(frozen=True, kw_only=True)
class Query:
    fields: tuple[str, ...]
    table: str
    conditions: tuple[Condition, ...] = ()
    order_by: tuple[tuple[str, bool], ...] = ()  # field, descending
    limit: int | None = None
    offset: int = 0


def parse(text: str) -> Query:
    """Raises `RestError` for what this part of SOQL does not know."""
    return _Parser(text).query()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)

    def query(self) -> Query:
        self._expect("SELECT")
        fields = [self._name()]
        while self._take(","):
            fields.append(self._name())
        self._expect("FROM")
        table = self._name()
        query = Query(
            fields=tuple(fields),
            table=table,
            conditions=self._where(),
            order_by=self._order(),
            limit=self._number_after("LIMIT"),
            offset=self._number_after("OFFSET") or 0,
        )
        if self._tokens:
            raise _malformed(f"unexpected token: '{self._tokens[0]}'")
        return query

    def _where(self) -> tuple[Condition, ...]:
        conditions: list[Condition] = []
        if self._take("WHERE"):
            conditions.append(self._condition())
            while self._take("AND"):
                conditions.append(self._condition())
        return tuple(conditions)

    def _condition(self) -> Condition:
        field = self._name()
        if self._take("="):
            return Condition(field, "=", (self._literal(),))
        if self._take("!=") or self._take("<>"):
            return Condition(field, "!=", (self._literal(),))
        if self._take("LIKE"):
            return Condition(field, "LIKE", (self._literal(),))
        operator: Operator = "NOT IN" if self._take("NOT") else "IN"
        self._expect("IN")
        self._expect("(")
        values = [self._literal()]
        while self._take(","):
            values.append(self._literal())
        self._expect(")")
        return Condition(field, operator, tuple(values))

    def _order(self) -> tuple[tuple[str, bool], ...]:
        if not self._take("ORDER"):
            return ()
        self._expect("BY")
        keys = [self._order_key()]
        while self._take(","):
            keys.append(self._order_key())
        return tuple(keys)

    def _order_key(self) -> tuple[str, bool]:
        field = self._name()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        return field, descending

    def _number_after(self, keyword: str) -> int | None:
        if not self._take(keyword):
            return None
        token = self._next()
        if not token.isdecimal():
            raise _malformed(f"unexpected token: '{token}'")
        return int(token)

    def _literal(self) -> Literals:
        token = self._next()
        if token.startswith("'"):
            return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), token[1:-1])
        if token.isdecimal():
            return int(token)
        if token.lower() in _CONSTANTS:
            return _CONSTANTS[token.lower()]
        raise _malformed(f"unexpected token: '{token}'")

    def _name(self) -> str:
        token = self._next()
        if not token[0].isalpha():
            raise _malformed(f"unexpected token: '{token}'")
        return token

    def _take(self, wanted: str) -> bool:
        if self._tokens and self._tokens[0].upper() == wanted:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            found = self._tokens[0] if self._tokens else "<EOF>"
            raise _malformed(f"unexpected token: '{found}'")

    def _next(self) -> str:
        if not self._tokens:
            raise _malformed("unexpected token: '<EOF>'")
        return self._tokens.pop(0)


def _tokens(text: str) -> list[str]:
    found, place, text = [], 0, text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _malformed(f"unexpected token: '{text[place:].split()[0]}'")
        found.append(match.group().strip())
        place = match.end()
    return found


def _malformed(message: str) -> RestError:
    return RestError("MALFORMED_QUERY", message)
