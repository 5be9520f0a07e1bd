"""The properties of groups, identities, role assignments, locks and policy assignments; as in
`monitor_shapes`, from the pages named.
"""

from typing import Any, Literal, Required, TypedDict


class ResourceGroup(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.resources/resourcegroups"""

    location: Required[str]
    tags: dict[str, str]


class UserAssignedIdentity(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.managedidentity/userassignedidentities"""

    location: Required[str]
    tags: dict[str, str]


class RoleAssignmentProperties(TypedDict, total=False):
    condition: str
    conditionVersion: str
    description: str
    principalId: Required[str]
    principalType: Literal["Device", "ForeignGroup", "Group", "ServicePrincipal", "User"]
    roleDefinitionId: Required[str]


class RoleAssignment(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.authorization/roleassignments"""

    properties: Required[RoleAssignmentProperties]


class LockProperties(TypedDict, total=False):
    level: Required[Literal["CanNotDelete", "ReadOnly"]]
    notes: str


class Lock(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.authorization/locks"""

    properties: Required[LockProperties]


class PolicyParameter(TypedDict, total=False):
    value: Required[Any]


class PolicyAssignmentProperties(TypedDict, total=False):
    description: str
    displayName: str
    enforcementMode: Literal["Default", "DoNotEnforce", "Enroll"]
    metadata: dict[str, Any]
    parameters: dict[str, PolicyParameter]
    policyDefinitionId: Required[str]


class PolicyAssignment(TypedDict, total=False):
    """https://learn.microsoft.com/azure/templates/microsoft.authorization/policyassignments"""

    properties: Required[PolicyAssignmentProperties]
