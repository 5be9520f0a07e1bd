"""What each type of resource may be given: TypedDicts, of Microsoft's management SDKs where those
have them, else our own.

The SDKs write their hints as text that names enumerations of a second module, so hints are resolved
with both modules' names at hand.
"""

import sys
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import azure.mgmt.consumption.models
import azure.mgmt.consumption.types
import azure.mgmt.keyvault.models
import azure.mgmt.keyvault.types
import azure.mgmt.network.models
import azure.mgmt.network.types
import azure.mgmt.privatedns.models
import azure.mgmt.privatedns.types
import azure.mgmt.storage.models
import azure.mgmt.storage.types
import azure.mgmt.web.models
import azure.mgmt.web.types
import typing_extensions

from tools.infra import alert_shapes, management_shapes, monitor_shapes

_STORAGE: Final = azure.mgmt.storage.types
_NETWORK: Final = azure.mgmt.network.types
_WEB: Final = azure.mgmt.web.types

SHAPES: Final[Mapping[str, tuple[str, type]]] = {
    "Microsoft.Authorization/locks": ("2020-05-01", management_shapes.Lock),
    "Microsoft.Authorization/policyAssignments": (
        "2024-04-01",
        management_shapes.PolicyAssignment,
    ),
    "Microsoft.Authorization/roleAssignments": ("2022-04-01", management_shapes.RoleAssignment),
    "Microsoft.Consumption/budgets": ("2024-08-01", azure.mgmt.consumption.types.Budget),
    "Microsoft.Insights/actionGroups": ("2023-01-01", alert_shapes.ActionGroup),
    "Microsoft.Insights/activityLogAlerts": ("2020-10-01", alert_shapes.ActivityAlert),
    "Microsoft.Insights/components": ("2020-02-02", monitor_shapes.Component),
    "Microsoft.Insights/diagnosticSettings": (
        "2021-05-01-preview",
        monitor_shapes.DiagnosticSetting,
    ),
    "Microsoft.Insights/metricAlerts": ("2018-03-01", alert_shapes.MetricAlert),
    "Microsoft.Insights/scheduledQueryRules": ("2023-12-01", alert_shapes.QueryRule),
    "Microsoft.KeyVault/vaults": (
        "2024-11-01",
        azure.mgmt.keyvault.types.VaultCreateOrUpdateParameters,
    ),
    "Microsoft.KeyVault/vaults/keys": (
        "2024-11-01",
        azure.mgmt.keyvault.types.KeyCreateParameters,
    ),
    "Microsoft.ManagedIdentity/userAssignedIdentities": (
        "2024-11-30",
        management_shapes.UserAssignedIdentity,
    ),
    "Microsoft.Network/natGateways": ("2025-05-01", _NETWORK.NatGateway),
    "Microsoft.Network/networkSecurityGroups": ("2025-05-01", _NETWORK.NetworkSecurityGroup),
    "Microsoft.Network/privateDnsZones": ("2024-06-01", azure.mgmt.privatedns.types.PrivateZone),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": (
        "2024-06-01",
        azure.mgmt.privatedns.types.VirtualNetworkLink,
    ),
    "Microsoft.Network/privateEndpoints": ("2025-05-01", _NETWORK.PrivateEndpoint),
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": (
        "2025-05-01",
        _NETWORK.PrivateDnsZoneGroup,
    ),
    "Microsoft.Network/publicIPAddresses": ("2025-05-01", _NETWORK.PublicIPAddress),
    "Microsoft.Network/virtualNetworks": ("2025-05-01", _NETWORK.VirtualNetwork),
    "Microsoft.OperationalInsights/workspaces": ("2025-07-01", monitor_shapes.Workspace),
    "Microsoft.OperationalInsights/workspaces/tables": ("2025-07-01", monitor_shapes.LogTable),
    "Microsoft.Resources/resourceGroups": ("2024-11-01", management_shapes.ResourceGroup),
    "Microsoft.Storage/storageAccounts": ("2025-06-01", _STORAGE.StorageAccountCreateParameters),
    "Microsoft.Storage/storageAccounts/blobServices": (
        "2025-06-01",
        _STORAGE.BlobServiceProperties,
    ),
    "Microsoft.Storage/storageAccounts/blobServices/containers": (
        "2025-06-01",
        _STORAGE.BlobContainer,
    ),
    "Microsoft.Storage/storageAccounts/tableServices": (
        "2025-06-01",
        _STORAGE.TableServiceProperties,
    ),
    "Microsoft.Storage/storageAccounts/tableServices/tables": ("2025-06-01", _STORAGE.Table),
    "Microsoft.Web/serverfarms": ("2025-03-01", _WEB.AppServicePlan),
    "Microsoft.Web/sites": ("2025-03-01", _WEB.Site),
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": (
        "2025-03-01",
        _WEB.CsmPublishingCredentialsPoliciesEntity,
    ),
    "Microsoft.Web/sites/config": ("2025-03-01", _WEB.StringDictionary),
}
"""For each type the API version that we know it to have, and its shape. `sites/config` is the one
named `appsettings`, the only one that our templates have."""


def is_shape(hint: object) -> bool:
    """Whether the hint is a TypedDict. `typing.is_typeddict` does not know those of the SDKs,
    which are made with typing_extensions: with it, every check would pass.
    """
    return typing_extensions.is_typeddict(hint)


@cache
def properties_of(shape: type) -> Mapping[str, object]:
    """The hint of each property, `Required` kept. Raises NameError on one of unknown names."""
    module = sys.modules[shape.__module__]
    models = sys.modules.get(f"{shape.__module__.rpartition('.')[0]}.models")
    names: dict[str, Any] = {**vars(typing), **(vars(models) if models else {}), **vars(module)}
    return typing_extensions.get_type_hints(shape, globalns=names, include_extras=True)
