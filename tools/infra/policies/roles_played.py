"""Values with the resources in them called by the parts that they play: `vault`, `dataAccount`."""

from typing import Final

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.policies.site import SITE
from tools.infra.values import Reference, Value, walk

_PLAYS: Final = {
    "stflrhost": "hostAccount",
    "stflrdata": "dataAccount",
    "stflrback": "backupAccount",
    "kv-flr-": "vault",
    "id-flowrunner-": "identity",
    "appi-flowrunner-": "insights",
    "pip-flowrunner-": "egressAddress",
}
"""By how names begin. What is so called is made by the deployment: see policies/guard.py."""


def spelt(deployment: Deployment, value: Value) -> str:
    """The value with its resources called by the parts that they play."""
    text = str(value)
    keys = {part.key for part in walk(value) if isinstance(part, Reference)}
    for resource in deployment.resources if keys else ():
        if resource.key in keys and (role := _role(resource)) is not None:
            text = text.replace(f"<{resource.key}>", role)
    return text


def _role(resource: Deployed) -> str | None:
    name = resource.name
    return next((role for start, role in _PLAYS.items() if name.startswith(start)), None)


def base_address(deployment: Deployment) -> str:
    """What PUBLIC_BASE_URL has to be, spelt out: the app's own address unless another is given."""
    app = next((one.name for one in deployment.created(SITE)), "")
    return f"empty(publicBaseUrl) ? 'https://{app}.azurewebsites.net/api' : publicBaseUrl"
