"""Which function answers a request: route templates, and the order in which they are tried.

Templates are those of ASP.NET Core, of which the real host uses the matcher but not the
precedence: it tries functions in the order of their names (Azure/azure-functions-host#9876,
#3153). Where that order would hide a more specific route behind a less specific one, this table
refuses to be built, so that "literal before constrained before parameter before catch-all" is
true here and in Azure.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Self

_INT32: Final = range(-(2**31), 2**31)
_RESERVED: Final = ("admin", "runtime")  # the host's own routes (ReservedRouteGuardMiddleware)


class RouteError(Exception):
    """The real host would refuse these routes, or would never reach one of them."""


def _is_int(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]{1,10}", text) is not None and int(text) in _INT32


CONSTRAINTS: Final[Mapping[str, Callable[[str], bool]]] = {
    "int": _is_int,
    "alpha": lambda text: re.fullmatch(r"[A-Za-z]*", text) is not None,
    "guid": lambda text: (
        re.fullmatch(r"(?i)[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
        is not None
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One part of a template between slashes: literal text, or a parameter."""

    literal: str | None = None
    name: str = ""
    constraint: str | None = None
    optional: bool = False
    catch_all: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """`text`, `{name}`, `{name?}`, `{name:int}`, `{*name}`. Raises RouteError."""
        if not text:
            raise RouteError("a route must not begin or end with a slash, or hold two in a row")
        if "{" not in text and "}" not in text:
            return cls(literal=text)
        parameter = re.fullmatch(r"\{(\*{0,2})([A-Za-z_]\w*)(?::(\w+))?(\?)?\}", text)
        if parameter is None:
            raise RouteError(f"the segment {text!r} is not supported by this host")
        stars, name, constraint, optional = parameter.groups()
        if constraint is not None and constraint not in CONSTRAINTS:
            raise RouteError(f"the constraint {constraint!r} is not supported by this host")
        return cls(name=name, constraint=constraint, optional=bool(optional), catch_all=bool(stars))

    @property
    def may_be_absent(self) -> bool:
        return self.optional or self.catch_all

    @property
    def precedence(self) -> int:
        """ASP.NET Core's digit: 1 literal, 2 constrained, 3 parameter, 4 and 5 catch-all."""
        if self.literal is not None:
            return 1
        return (5 if self.catch_all else 3) - (self.constraint is not None)

    def admits(self, text: str) -> bool:
        """Whether this segment of a template fits this segment of a path."""
        if self.literal is not None:
            return self.literal.upper() == text.upper()
        return self.constraint is None or CONSTRAINTS[self.constraint](text)


@dataclass(frozen=True, slots=True)
class Template:
    """A whole route template."""

    text: str
    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises RouteError for what the real host refuses and for what this one cannot do."""
        segments = tuple(Segment.parse(part) for part in text.split("/"))
        names = [segment.name for segment in segments if segment.literal is None]
        if len({name.upper() for name in names}) != len(names):
            raise RouteError(f"the route {text!r} names a parameter twice")
        if any(segment.may_be_absent for segment in segments[:-1]):
            raise RouteError(f"the route {text!r} goes on after a part that may be absent")
        return cls(text, segments)

    @property
    def precedence(self) -> tuple[int, ...]:
        return tuple(segment.precedence for segment in self.segments)

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters of a decoded path, or None. Absent optional ones are left out.

        A trailing slash does not count and an empty segment matches nothing, but a catch-all
        takes the rest as it is (ASP.NET Core's RoutePatternMatcher).
        """
        rest = path.removeprefix("/")
        values: dict[str, str] = {}
        for segment in self.segments:
            if not rest:
                return values if segment.may_be_absent else None
            part, _, after = rest.partition("/")
            taken = rest if segment.catch_all and part else part
            if not taken or not segment.admits(taken):
                return None
            if segment.literal is None:
                values[segment.name] = taken
            rest = "" if segment.catch_all else after
        return None if rest else values

    def overlaps(self, other: Self) -> bool:
        """Whether some path may match both."""
        return _overlap(self.segments, other.segments)


def _overlap(one: tuple[Segment, ...], two: tuple[Segment, ...]) -> bool:
    if not one or not two:
        return all(segment.may_be_absent for segment in one or two)
    first, second = one[0], two[0]
    if first.catch_all or second.catch_all:
        return True
    if first.literal is not None:
        fits = second.admits(first.literal)
    else:
        fits = second.literal is None or first.admits(second.literal)
    return fits and _overlap(one[1:], two[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where one function listens. `methods` None means all of them."""

    function: str
    template: Template
    methods: frozenset[str] | None

    def takes(self, method: str) -> bool:
        return self.methods is None or method.upper() in self.methods

    def hides(self, other: Self) -> bool:
        """Whether, tried first, it keeps requests from a route that fits them better."""
        shared = self.methods is None or other.methods is None or self.methods & other.methods
        return (
            bool(shared)
            and self.template.overlaps(other.template)
            and self.template.precedence >= other.template.precedence
        )


@dataclass(frozen=True, slots=True)
class RouteMatch:
    function: str
    parameters: dict[str, str]


class RouteTable:
    """The routes of an app, in the order in which the real host tries them."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Raises RouteError where one route hides another, or takes a name of the host."""
        self._routes = sorted(routes, key=lambda route: (route.function.lower(), route.function))
        for route in self._routes:
            if any(route.template.segments[0].admits(name) for name in _RESERVED):
                raise RouteError(f"{route.function}: {route.template.text!r} belongs to the host")
        for earlier, later in combinations(self._routes, 2):
            if earlier.hides(later):
                raise RouteError(
                    f"{later.function} ({later.template.text}) is hidden by {earlier.function} "
                    f"({earlier.template.text}): the host tries functions in the order of their "
                    "names, whatever their routes"
                )

    def find(self, method: str, path: str) -> RouteMatch | None:
        """The function for a method and a decoded path; None is 404, also for a wrong method."""
        for route in self._routes:
            if route.takes(method):
                parameters = route.template.match(path)
                if parameters is not None:
                    return RouteMatch(route.function, parameters)
        return None
