"""The two templates that are deployed: the same parameters, passed on, and the promised outputs."""

from collections.abc import Iterator
from typing import Final

from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.rules import Rule, home
from tools.infra.template import Param, Template
from tools.infra.values import Name, Object

_STACK: Final = "stack"
_OF_MAIN_ALONE: Final = frozenset({"environmentName", "assignLocationPolicy"})

OUTPUTS: Final = frozenset(
    {
        "AZURE_LOCATION",
        "AZURE_RESOURCE_GROUP",
        "BACKUP_ACCOUNT_NAME",
        "DATA_ACCOUNT_NAME",
        "EGRESS_ADDRESS",
        "FUNCTION_APP_NAME",
        "HOST_ACCOUNT_NAME",
        "IDENTITY_CLIENT_ID",
        "IDENTITY_PRINCIPAL_ID",
        "KEY_VAULT_NAME",
        "PUBLIC_BASE_URL",
        "SALESFORCE_CALLBACK_URL",
        "OPERATOR_SUBNET_ID",
        "WORKSPACE_NAME",
    }
)
"""What the set-up guide, azd and the workflows read."""


def outputs(deployment: Deployment) -> Iterator[Finding]:
    """E6: whoever deploys is told what the next steps need, and nothing else."""
    given = deployment.root.outputs
    for name in sorted(OUTPUTS - given.keys()):
        yield Finding(home(deployment), "output-missing", name)
    for name in sorted(given.keys() - OUTPUTS):
        yield Finding(given[name].at, "output-unknown", f"{name} is read by nobody")


def same_parameters(deployment: Deployment) -> Iterator[Finding]:
    """E6: a customer's deployment has every choice that ours has, under the same name."""
    root = deployment.root
    module = root.modules.get(_STACK)
    stack = deployment.folder.target(root, module) if module else None
    if module is None or stack is None:
        return  # this is the stack itself
    yield from _declarations(root, stack)
    given = module.block.body.get("params")
    for name, entry in given.entries.items() if isinstance(given, Object) else ():
        if not (isinstance(entry.value, Name) and entry.value.name == name):
            message = f"{name} of the stack is given {entry.value}"
            yield Finding(entry.key_at, "parameters-differ", message)
    for name, output in root.outputs.items():
        if str(output.value) != f"{_STACK}.outputs.{name}":
            yield Finding(output.at, "output-differs", f"{name} is {output.value}")


def _declarations(root: Template, stack: Template) -> Iterator[Finding]:
    for name in sorted(root.params.keys() | stack.params.keys()):
        if name in _OF_MAIN_ALONE:
            continue
        ours, theirs = root.params.get(name), stack.params.get(name)
        at = (ours or theirs or next(iter(root.params.values()))).at
        if ours is None or theirs is None:
            lacks = root.path if ours is None else stack.path
            yield Finding(at, "parameters-differ", f"{lacks} has no {name}")
        elif _says(ours) != _says(theirs):
            yield Finding(at, "parameters-differ", f"{name} is declared in two ways")


def _says(param: Param) -> tuple[str, ...]:
    """All of a declaration that matters to whoever fills it in."""
    return (param.type, str(param.default), *map(str, param.decorators))


RULES: Final[tuple[Rule, ...]] = (outputs, same_parameters)
