"""No secret passes through a template: none is read, given out, or asked for in the open."""

import re
from collections.abc import Iterator
from typing import Final

from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.rules import Rule
from tools.infra.template import Template
from tools.infra.values import Call, Literal, Member, Name, Parameter, walk

_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SECRET: Final = frozenset({"secret", "secrets", "password", "credential", "key", "keys"})
_CREDENTIAL_PROPERTIES: Final = frozenset(
    {"connectionstring", "instrumentationkey", "sharedkey", "primarykey"}
)


def outputs(deployment: Deployment) -> Iterator[Finding]:
    """F13: outputs are kept in the deployment's history, in plain text."""
    for name, output in deployment.outputs.items():
        for part in walk(output):
            if _is_secret(deployment, part):
                at = deployment.root.outputs[name].at
                yield Finding(at, "secret-output", f"{name} gives out {part}")


def module_outputs(deployment: Deployment) -> Iterator[Finding]:
    """F13: those of modules are kept just as well."""
    for template in _templates(deployment):
        for output in template.outputs.values():
            for part in walk(output.value):
                if _is_secret(deployment, part) or _is_secure_name(template, part):
                    yield Finding(part.at, "secret-output", f"{output.name} gives out {part}")


def _is_secret(deployment: Deployment, part: object) -> bool:
    match part:
        case Call(function=function):
            return function.startswith("list") or function == "getSecret"
        case Member(name=name):
            return name.lower() in _CREDENTIAL_PROPERTIES
        case Parameter(name=name):
            param = deployment.root.params.get(name)
            return param is not None and param.decorator("secure") is not None
        case _:
            return False


def _is_secure_name(template: Template, part: object) -> bool:
    param = template.params.get(part.name) if isinstance(part, Name) else None
    return param is not None and param.decorator("secure") is not None


def reads(deployment: Deployment) -> Iterator[Finding]:
    """F13: a template that reads keys hands them to whatever it sets up."""
    for template in _templates(deployment):
        for value in template.values():
            for part in walk(value):
                if isinstance(part, Call) and _is_secret(deployment, part):
                    yield Finding(part.at, "secret-read", f"{part.function}()")


def parameters(deployment: Deployment) -> Iterator[Finding]:
    """F13: what is called a secret is @secure, and has no default; operators seed the vault."""
    for template in _templates(deployment):
        for param in template.params.values():
            words = {word.lower() for word in _WORDS.findall(param.name)}
            names_only = {"name", "id", "uri"} & words
            secure = param.decorator("secure")
            if words & _SECRET and not names_only and secure is None:
                yield Finding(param.at, "secret-plain", f"{param.name} is not @secure")
            empty = isinstance(param.default, Literal) and param.default.value == ""
            if secure is not None and param.default is not None and not empty:
                yield Finding(param.at, "secret-default", f"{param.name} has a default")


def _templates(deployment: Deployment) -> Iterator[Template]:
    for path in sorted(deployment.folder.reached(deployment.root.path)):
        yield deployment.folder.templates[path]


RULES: Final[tuple[Rule, ...]] = (outputs, module_outputs, reads, parameters)
