"""What a template may read of a resource. Azure answers with more; this is what ours need.

The names are those of the answers at https://learn.microsoft.com/rest/api/azure/ under each type.
"""

from collections.abc import Mapping, Sequence
from typing import Final

_ALWAYS: Final = frozenset({"id", "name", "type", "location"})

_PROPERTIES: Final[Mapping[str, frozenset[str]]] = {
    "Microsoft.ManagedIdentity/userAssignedIdentities": frozenset({"clientId", "principalId"}),
    "Microsoft.Network/publicIPAddresses": frozenset({"ipAddress"}),
    "Microsoft.Storage/storageAccounts": frozenset(
        {"primaryEndpoints.blob", "primaryEndpoints.queue", "primaryEndpoints.table"}
    ),
    "Microsoft.KeyVault/vaults": frozenset({"vaultUri"}),
    "Microsoft.Insights/components": frozenset({"ConnectionString"}),
    "Microsoft.OperationalInsights/workspaces": frozenset({"customerId"}),
    "Microsoft.Web/sites": frozenset({"defaultHostName"}),
}


def may_be_read(resource_type: str, path: Sequence[str]) -> bool:
    """Whether a resource of this type answers with something at this path."""
    match path:
        case ["properties", *rest]:
            return ".".join(rest) in _PROPERTIES.get(resource_type, frozenset())
        case [only]:
            return only in _ALWAYS
        case _:
            return False
