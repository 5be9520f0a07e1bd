"""Everything lands in the one group that the deployment is for, once, and under open tags."""

from collections.abc import Iterator
from typing import Final

from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.frames import Frame
from tools.infra.policies.rules import Rule, title
from tools.infra.template import Module
from tools.infra.values import Literal, Parameter, Position, Value, walk

_GROUP: Final = "Microsoft.Resources/resourceGroups"
_IN_TAGS: Final = frozenset({"environmentName"})


def modules(deployment: Deployment) -> Iterator[Finding]:
    """F21: a module of a subscription's deployment is for the group that it makes, every other one
    for the group of the module around it; and each comes once, so that all of it is looked at."""
    for frame in deployment.frames:
        for module in frame.template.modules.values():
            scope = module.block.body.get("scope")
            if not _is_the_group(deployment, frame, scope):
                message = f"{module.symbol} is deployed into {scope or 'the subscription'}"
                yield Finding(_at(module, scope), "scope", f"{message}, not into our group")
            if module.block.loop is not None:
                message = f"{module.symbol} comes more than once"
                yield Finding(module.at, "module-loop", message)


def _is_the_group(deployment: Deployment, frame: Frame, scope: Value | None) -> bool:
    if frame.template.scope != "subscription":
        return scope is None
    group = deployment.target(frame.evaluate(scope)) if scope is not None else None
    return group is not None and group.type == _GROUP and not group.existing


def _at(module: Module, scope: Value | None) -> Position:
    return module.at if scope is None else scope.at


def resources(deployment: Deployment) -> Iterator[Finding]:
    """F21: what is called `existing` is in the group, and what has a scope is at a resource of it:
    roles, locks and audits of other groups are not ours to set."""
    for one in deployment.resources:
        scope = one.get("scope")
        target = deployment.target(scope)
        if scope is not None and (one.existing or target is None):
            yield Finding(one.where("scope"), "scope", f"{title(one)} is at {scope}")


def tags(deployment: Deployment) -> Iterator[Finding]:
    """F13: tags are read by whoever sees the group, and by its bills: nothing but our own words."""
    for one in deployment.resources:
        given = one.get("tags")
        for part in walk(given) if given is not None else ():
            plain = isinstance(part, Literal) or part is given
            if not plain and not (isinstance(part, Parameter) and part.name in _IN_TAGS):
                yield Finding(one.where("tags"), "tag-value", f"{title(one)} is tagged with {part}")


RULES: Final[tuple[Rule, ...]] = (modules, resources, tags)
