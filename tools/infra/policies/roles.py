"""What the app's identity may do: these seven things on these seven scopes, and nothing else."""

from collections.abc import Iterator
from typing import Final

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.rules import Must, Rule, home
from tools.infra.policies.site import IDENTITY
from tools.infra.values import Call, Literal, Member, Reference, Value, walk

ASSIGNMENT: Final = "Microsoft.Authorization/roleAssignments"

_ROLES: Final = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "e147488a-f6f5-4113-8e2d-b22465e65bf6": "Key Vault Crypto Service Encryption User",
    "12338af0-0e69-4776-bea7-57ae8d297424": "Key Vault Crypto User",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
}
"""https://learn.microsoft.com/azure/role-based-access-control/built-in-roles"""

_WIDE: Final = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": "Key Vault Administrator",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "14b46e9e-c2b7-41b4-b07b-48a6ebf60603": "Key Vault Crypto Officer",
    "f25e0fa2-a7c8-4377-a976-54943a77a395": "Key Vault Contributor",
    "17d1049b-9a84-46fb-8f53-869881c3d3ab": "Storage Account Contributor",
    "81a9662b-bebf-436f-a333-f67b29880f12": "Storage Account Key Operator",
}

_WANTED: Final = {
    ("Storage Blob Data Owner", "Microsoft.Storage/storageAccounts", "stflrhost"),
    ("Storage Table Data Contributor", "Microsoft.Storage/storageAccounts", "stflrdata"),
    (
        "Storage Blob Data Contributor",
        "Microsoft.Storage/storageAccounts/blobServices/containers",
        "flowrunner-backup",
    ),
    ("Key Vault Secrets User", "Microsoft.KeyVault/vaults", "kv-flr-"),
    (
        "Key Vault Crypto Service Encryption User",
        "Microsoft.KeyVault/vaults/keys",
        "tenant-kek",
    ),
    ("Key Vault Crypto User", "Microsoft.KeyVault/vaults/keys", "receipt-signing"),
    ("Monitoring Metrics Publisher", "Microsoft.Insights/components", "appi-flowrunner-"),
}
_QUALIFIED: Final = ("condition", "conditionVersion", "delegatedManagedIdentityResourceId")
"""What would make an assignment another than it reads."""


def exact(deployment: Deployment) -> Iterator[Finding]:
    """F13, F20: each role on the smallest scope that Azure has for it; no other role anywhere."""
    found: set[tuple[str, str, str]] = set()
    for one in deployment.created(ASSIGNMENT):
        scope = deployment.target(one.get("scope"))
        role = _role(one)
        at = one.where("properties.roleDefinitionId")
        place = (scope.type, scope.name.partition("${")[0]) if scope else ("no resource", "")
        given = (role, *place)
        if role in _WIDE.values():
            yield Finding(at, "role-too-wide", f"{role} on {place[1] or place[0]}")
        elif given not in _WANTED:
            message = f"{role} on {place[1] or place[0]} is not among what the app needs"
            yield Finding(one.where("scope"), "role-unwanted", message)
        if given in found:
            yield Finding(one.at, "role-twice", f"{role} on {place[1]} is assigned twice")
        for name in _QUALIFIED:
            yield from Must("role-condition", f"properties.{name}", (None,)).findings(one)
        found.add(given)
    for role, _, name in sorted(_WANTED - found):
        yield Finding(home(deployment, ASSIGNMENT), "role-missing", f"{role} on {name}")


def _role(assignment: Deployed) -> str:
    """The role's name; whatever else is written there, if it is not the id of a built-in role."""
    match assignment.get("properties.roleDefinitionId"):
        case Call(
            function="subscriptionResourceId",
            arguments=(
                Literal(value="Microsoft.Authorization/roleDefinitions"),
                Literal(value=str(guid)),
            ),
        ):
            return _ROLES.get(guid) or _WIDE.get(guid.lower()) or guid
        case other:
            return str(other)


def wide_roles(deployment: Deployment) -> Iterator[Finding]:
    """F20: the ids of wide roles are written nowhere, assigned or not."""
    for path in deployment.folder.reached(deployment.root.path):
        for value in deployment.folder.templates[path].values():
            for part in walk(value):
                if isinstance(part, Literal) and str(part.value).lower() in _WIDE:
                    message = _WIDE[str(part.value).lower()]
                    yield Finding(part.at, "role-too-wide", message)


def principals(deployment: Deployment) -> Iterator[Finding]:
    """F20: roles go to the app's identity alone. With its type said, a new identity is found."""
    for one in deployment.created(ASSIGNMENT):
        yield from Must(
            "role-principal", "properties.principalType", ("ServicePrincipal",)
        ).findings(one)
        principal = one.get("properties.principalId")
        target = deployment.target(principal)
        is_object_id = isinstance(principal, Member) and principal.name == "principalId"
        if target is None or target.type != IDENTITY or not is_object_id:
            message = f"{principal} is not the app's identity"
            at = principal.at if principal is not None else one.at
            yield Finding(at, "role-principal", message)


def stable_names(deployment: Deployment) -> Iterator[Finding]:
    """Names are made of scope, principal and role, so a second deployment finds the first one's."""
    for one in deployment.created(ASSIGNMENT):
        match one.get("name"):
            case Call(function="guid", arguments=(scope, who, role)) if _names_scope(one, scope):
                whole = who == one.get("properties.principalId")
                if whole and str(role).strip("'") in str(one.get("properties.roleDefinitionId")):
                    continue
            case _:
                pass
        message = "the name has to be guid(scope.id, principal, role)"
        yield Finding(one.where("name"), "role-name", message)


def _names_scope(assignment: Deployed, scope: Value) -> bool:
    wanted = assignment.get("scope")
    return (
        isinstance(scope, Member)
        and scope.name == "id"
        and isinstance(scope.of, Reference)
        and scope.of == wanted
    )


def one_identity(deployment: Deployment) -> Iterator[Finding]:
    """F20: one deployment, one identity."""
    found = list(deployment.created(IDENTITY))
    if len(found) != 1:
        at = found[-1].at if found else home(deployment)
        yield Finding(at, "identity", f"a deployment has one identity, not {len(found)}")


RULES: Final[tuple[Rule, ...]] = (exact, wide_roles, principals, stable_names, one_identity)
