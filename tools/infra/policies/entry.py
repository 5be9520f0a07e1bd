"""The two templates that are deployed: the same parameters, passed on, and the promised outputs."""

from collections.abc import Iterator, Mapping
from typing import Final

from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.monitoring import WORKSPACE
from tools.infra.policies.network import NETWORK
from tools.infra.policies.roles_played import base_address, spelt
from tools.infra.policies.rules import Rule, home, named
from tools.infra.policies.site import SITE
from tools.infra.policies.storage import ACCOUNT, BACKUP, DATA, HOST
from tools.infra.policies.vault import VAULT
from tools.infra.template import Param, Template
from tools.infra.values import Name, Object, Scalar, Value, is_literal

_STACK: Final = "stack"
_OF_MAIN_ALONE: Final = frozenset({"environmentName", "assignLocationPolicy"})

_READ: Final = {
    "AZURE_LOCATION": "location",
    "AZURE_RESOURCE_GROUP": "resourceGroup().name",
    "EGRESS_ADDRESS": "egressAddress.properties.ipAddress",
    "IDENTITY_CLIENT_ID": "identity.properties.clientId",
    "IDENTITY_PRINCIPAL_ID": "identity.properties.principalId",
}
_NAMES: Final = {
    "BACKUP_ACCOUNT_NAME": (ACCOUNT, BACKUP),
    "DATA_ACCOUNT_NAME": (ACCOUNT, DATA),
    "FUNCTION_APP_NAME": (SITE, ""),
    "HOST_ACCOUNT_NAME": (ACCOUNT, HOST),
    "KEY_VAULT_NAME": (VAULT, ""),
    "WORKSPACE_NAME": (WORKSPACE, ""),
}
"""The resource of each name, by its type and how its name begins."""
_ADDRESSES: Final = frozenset({"PUBLIC_BASE_URL", "SALESFORCE_CALLBACK_URL"})
_CALLBACK: Final = "/v1/salesforce/callback"
_OPERATORS: Final = "OPERATOR_SUBNET_ID"

OUTPUTS: Final = _READ.keys() | _NAMES.keys() | _ADDRESSES | {_OPERATORS}
"""What the set-up guide, azd and the workflows read."""

CLOSED: Final[Mapping[str, Scalar]] = {
    "assignLocationPolicy": True,
    "entraAcceptV1Tokens": False,
    "lockResources": True,
    "operatorAddresses": "",
}
"""What is the default of parameters that open something, or leave something unguarded."""
_GUARDED: Final = ("assignLocationPolicy", "lockResources")
"""policies/guard.py looks at these."""
NO_DEFAULT: Final = "allowedTenants"


def outputs(deployment: Deployment) -> Iterator[Finding]:
    """E6: whoever deploys is told what the next steps need, and nothing else."""
    given = deployment.root.outputs
    for name in sorted(OUTPUTS - given.keys()):
        yield Finding(home(deployment), "output-missing", name)
    for name in sorted(given.keys() - OUTPUTS):
        yield Finding(given[name].at, "output-unknown", f"{name} is read by nobody")


def output_values(deployment: Deployment) -> Iterator[Finding]:
    """F4, F12: each is what it is called, because people act on it: they admit the address, seed
    the vault, register the callback."""
    for name, value in deployment.outputs.items():
        if name in OUTPUTS and not _is(deployment, name, value):
            at = deployment.root.outputs[name].at
            yield Finding(at, "output-value", f"{name} is {spelt(deployment, value)}")


def _is(deployment: Deployment, name: str, value: Value) -> bool:
    if name in _NAMES:
        resource = named(deployment, *_NAMES[name])
        return resource is not None and value == resource.get("name")
    base = base_address(deployment)
    network = next(iter(deployment.created(NETWORK)), None)
    wanted = {
        **_READ,
        "PUBLIC_BASE_URL": base,
        "SALESFORCE_CALLBACK_URL": f"'${{{base}}}{_CALLBACK}'",
        _OPERATORS: f"resourceId('{NETWORK}/subnets', {network and network.get('name')}, "
        "'operators')",
    }
    return spelt(deployment, value) == wanted[name]


def defaults(deployment: Deployment) -> Iterator[Finding]:
    """F12, F13, F20, F21: nothing is open, or unguarded, because somebody left something out."""
    for name, param in deployment.root.params.items():
        open_ = param.default is not None if name == NO_DEFAULT else False
        if name in CLOSED and name not in _GUARDED:
            open_ = not is_literal(param.default, CLOSED[name])
        if open_:
            yield Finding(param.at, "default-open", f"{name} is {param.default} by default")


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


RULES: Final[tuple[Rule, ...]] = (outputs, output_values, defaults, same_parameters)
