"""What the rules are made of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.values import Array, Literal, Object, Position, Scalar, Value, is_literal

type Rule = Callable[[Deployment], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Must:
    """A property that has to be one of these literals, whatever parameters are given; None: it is
    not given."""

    code: str
    path: str
    allowed: tuple[Scalar, ...]

    def findings(self, resource: Deployed) -> Iterator[Finding]:
        for value in resource.outcomes(self.path):
            absent = value is None and None in self.allowed
            if not absent and not any(is_literal(value, wanted) for wanted in self.allowed):
                wanted = " or ".join(map(_said, self.allowed))
                message = (
                    f"{title(resource)}: {self.path} has to be {wanted}, and is {_said(value)}"
                )
                yield Finding(resource.where(self.path), self.code, message)


def _said(value: Value | Scalar) -> str:
    return "not given" if value is None else str(value)


def title(resource: Deployed) -> str:
    """How a finding names a resource."""
    return f"{resource.type.rpartition('/')[2]} {resource.name.partition('${')[0]}"


def each_must(deployment: Deployment, kind: str, *musts: Must) -> Iterator[Finding]:
    """Every fault of every resource of this type."""
    for resource in deployment.created(kind):
        for must in musts:
            yield from must.findings(resource)


def named(deployment: Deployment, kind: str, start: str) -> Deployed | None:
    """The resource of this type whose name begins so."""
    return next((one for one in deployment.created(kind) if one.name.startswith(start)), None)


def home(deployment: Deployment, *kinds: str) -> Position:
    """Where a missing resource would stand: the file of others of its kind, else the root."""
    for resource in deployment.resources:
        if resource.type in kinds and not resource.existing:
            return Position(resource.at.path, 1, 1)
    return Position(deployment.root.path, 1, 1)


def text_of(resource: Deployed, path: str) -> str | None:
    """The literal text at `path`; None if it is anything else."""
    match resource.get(path):
        case Literal(value=str(known)):
            return known
        case _:
            return None


def items_of(value: Value | None) -> tuple[Value, ...]:
    """The items of a known array; none of anything else."""
    return value.items if isinstance(value, Array) else ()


def step(value: Value | None, *path: str) -> Value | None:
    """What lies at the path within an object; None if it is not given."""
    for name in path:
        value = value.get(name) if isinstance(value, Object) else None
    return value
