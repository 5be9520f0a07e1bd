"""Mistakes that leave a resource as it was called, and make it another one."""

from typing import Final

from tests.infra.mutants.mutant import Mutant, also

_APP: Final = "modules/functionapp.bicep"
_BACKUP: Final = "modules/backup.bicep"
_ENDPOINTS: Final = "modules/privateendpoints.bicep"
_GUARD: Final = "modules/guard.bicep"
_MONITORING: Final = "modules/monitoring.bicep"
_NETWORK: Final = "modules/network.bicep"
_ROLES: Final = "modules/roles.bicep"
_STACK: Final = "modules/stack.bicep"
_STORAGE: Final = "modules/storage.bicep"
_VAULT: Final = "modules/keyvault.bicep"
_SITE: Final = "    httpsOnly: true\n"
_SITE_CONFIG: Final = "      http20Enabled: true\n"
_ACCOUNT: Final = "    accessTier: 'Hot'\n"

MUTANTS: Final = (
    # where it lands
    Mutant(
        "module in another group",
        _STACK,
        "module storage 'storage.bicep' = {\n",
        "module storage 'storage.bicep' = {\n  scope: resourceGroup('other')\n",
        "scope",
    ),
    Mutant(
        "policy on no group of ours",
        "main.bicep",
        "  scope: group\n  name: 'flowrunner-residency'",
        "  scope: subscription()\n  name: 'flowrunner-residency'",
        "scope",
    ),
    Mutant(
        "existing in another group",
        _ROLES,
        "  name: vaultName\n",
        "  scope: resourceGroup('other')\n  name: vaultName\n",
        "scope",
    ),
    Mutant(
        "module more than once",
        _STACK,
        "module network 'network.bicep' = {",
        "module spare 'residency.bicep' = [for one in ['a', 'b']: {\n  name: one\n  params: {\n"
        "    location: location\n  }\n}]\n\nmodule network 'network.bicep' = {",
        "module-loop",
        also("condition"),
    ),
    Mutant(
        "configuration in a tag",
        _STACK,
        "  application: 'flowrunner'\n",
        "  application: 'flowrunner'\n  sentry: sentryDsn\n",
        "tag-value",
        found_in=_NETWORK,
    ),
    # accounts
    Mutant(
        "services of Azure at the data",
        _STORAGE,
        "bypass: 'None'",
        "bypass: 'AzureServices'",
        "storage-bypass",
    ),
    Mutant(
        "another resource at the backups",
        _BACKUP,
        "      ipRules: operatorRules\n",
        "      ipRules: operatorRules\n      resourceAccessRules: [\n        {\n"
        "          resourceId: workspaceId\n          tenantId: subscription().tenantId\n"
        "        }\n      ]\n",
        "storage-way-in",
    ),
    Mutant("SFTP", _BACKUP, _ACCOUNT, f"{_ACCOUNT}    isSftpEnabled: true\n", "storage-way-in"),
    Mutant(
        "local users",
        _BACKUP,
        _ACCOUNT,
        f"{_ACCOUNT}    isLocalUserEnabled: true\n",
        "storage-way-in",
    ),
    Mutant(
        "a file system of blobs",
        _BACKUP,
        _ACCOUNT,
        f"{_ACCOUNT}    isHnsEnabled: true\n",
        "storage-way-in",
    ),
    Mutant(
        "encrypted with a key of nobody",
        _STORAGE,
        "keySource: 'Microsoft.Storage'",
        "keySource: 'Microsoft.Keyvault'",
        "storage-encryption",
    ),
    Mutant(
        "encrypted once",
        _BACKUP,
        "requireInfrastructureEncryption: true",
        "requireInfrastructureEncryption: false",
        "storage-encryption",
    ),
    # the vault
    Mutant(
        "deleted secrets for a week",
        _VAULT,
        "softDeleteRetentionInDays: 90",
        "softDeleteRetentionInDays: 7",
        "vault-soft-delete",
    ),
    Mutant(
        "vault of a deleted one",
        _VAULT,
        "    enableSoftDelete: true\n",
        "    enableSoftDelete: true\n    createMode: 'recover'\n",
        "vault-made-anew",
    ),
    Mutant(
        "vault of another tenant",
        _VAULT,
        "tenantId: subscription().tenantId",
        "tenantId: '00000000-0000-4000-8000-000000000009'",
        "vault-tenant",
    ),
    Mutant(
        "key off",
        _VAULT,
        "    attributes: {\n      enabled: true",
        "    attributes: {\n      enabled: false",
        "key-enabled",
    ),
    Mutant(
        "key of tomorrow",
        _VAULT,
        "      exportable: false\n",
        "      exportable: false\n      nbf: 1893456000\n",
        "key-enabled",
    ),
    Mutant(
        "key released to others",
        _VAULT,
        "    rotationPolicy: {\n",
        "    release_policy: {\n      data: 'x'\n    }\n    rotationPolicy: {\n",
        "key-exportable",
    ),
    Mutant("a key for a century", _VAULT, "'P1Y'", "'P100Y'", "key-rotation"),
    Mutant("a key for a day", _VAULT, "'P1Y'", "'P1D'", "key-rotation"),
    # telemetry
    Mutant(
        "audit in another table",
        _VAULT,
        "    logAnalyticsDestinationType: 'Dedicated'\n",
        "",
        "diagnostics-table",
    ),
    Mutant(
        "backups not audited",
        _BACKUP,
        "        categoryGroup: 'allLogs'\n        enabled: true",
        "        categoryGroup: 'allLogs'\n        enabled: false",
        "diagnostics-missing",
    ),
    Mutant(
        "packages not audited",
        _STORAGE,
        "  scope: hostBlobs\n",
        "  scope: hostAccount\n",
        "diagnostics-missing",
    ),
    Mutant(
        "noise ends the logs",
        _MONITORING,
        "    retentionInDays: logDays\n    features",
        "    retentionInDays: logDays\n    workspaceCapping: {\n      dailyQuotaGb: 1\n    }\n"
        "    features",
        "workspace-cap",
    ),
    Mutant(
        "logs by key",
        _MONITORING,
        "disableLocalAuth: true",
        "disableLocalAuth: false",
        "workspace-local-auth",
    ),
    Mutant("tables without alerts", _MONITORING, "'Analytics'", "'Basic'", "table-plan"),
    Mutant(
        "one event in a hundred",
        _MONITORING,
        "    DisableIpMasking: false\n",
        "    DisableIpMasking: false\n    SamplingPercentage: 1\n",
        "insights-sampling",
    ),
    # the app
    Mutant("app off", _APP, _SITE, f"{_SITE}    enabled: false\n", "site-off"),
    Mutant(
        "app out of reach",
        _APP,
        "publicNetworkAccess: 'Enabled'",
        "publicNetworkAccess: 'Disabled'",
        "site-off",
    ),
    Mutant(
        "another command",
        _APP,
        _SITE_CONFIG,
        f"{_SITE_CONFIG}      appCommandLine: 'sh'\n",
        "site-command",
    ),
    Mutant(
        "settings beside the settings",
        _APP,
        _SITE_CONFIG,
        f"{_SITE_CONFIG}      appSettings: [\n        {{\n          name: 'X'\n"
        "          value: 'y'\n        }\n      ]\n",
        "site-settings",
    ),
    Mutant(
        "warm for nothing",
        _APP,
        "    name: 'http'\n",
        "    name: 'https'\n",
        "site-always-ready",
    ),
    Mutant(
        "CORS of the platform behind a union",
        _APP,
        "    siteConfig: {\n      http20Enabled: true\n      minTlsVersion: '1.2'\n"
        "      scmMinTlsVersion: '1.2'\n      remoteDebuggingEnabled: false\n    }\n",
        "    siteConfig: union({ cors: { allowedOrigins: ['*'] } }, {\n"
        "      http20Enabled: true\n      minTlsVersion: '1.2'\n      scmMinTlsVersion: '1.2'\n"
        "      remoteDebuggingEnabled: false\n      cors: { supportCredentials: true }\n    })\n",
        "site-cors",
    ),
    # the network
    Mutant(
        "a second address",
        _NETWORK,
        "    publicIpAddresses: [\n",
        "    publicIpPrefixes: [\n      {\n        id: egressAddress.id\n      }\n    ]\n"
        "    publicIpAddresses: [\n",
        "egress-address",
    ),
    Mutant("address of IPv6", _NETWORK, "'IPv4'", "'IPv6'", "egress-address"),
    Mutant(
        "address of the world", _NETWORK, "tier: 'Regional'", "tier: 'Global'", "egress-address"
    ),
    Mutant(
        "a way out of Azure's own",
        _NETWORK,
        "defaultOutboundAccess: false",
        "defaultOutboundAccess: true",
        "subnet-outbound",
    ),
    Mutant(
        "endpoints without rules",
        _NETWORK,
        "          networkSecurityGroup: {\n            id: endpointRules.id\n          }\n",
        "",
        "subnet-security-group",
    ),
    Mutant(
        "everybody at the endpoints",
        _NETWORK,
        "            operatorAddresses\n          ]\n",
        "            operatorAddresses\n            '*'\n          ]\n",
        "security-rules",
    ),
    Mutant("two rules at once", _NETWORK, "priority: 300", "priority: 200", "security-rules"),
    Mutant(
        "no calls out",
        _NETWORK,
        "            '22'\n",
        "            '22'\n            '443'\n",
        "security-rules",
    ),
    Mutant(
        "rules that do not apply",
        _NETWORK,
        "privateEndpointNetworkPolicies: 'Enabled'",
        "privateEndpointNetworkPolicies: 'Disabled'",
        "endpoint-policies",
    ),
    Mutant(
        "a fourth subnet",
        _NETWORK,
        "    subnets: [\n",
        "    subnets: [\n      {\n        name: 'spare'\n        properties: {\n"
        "          addressPrefix: '${networkPrefix}.128/28'\n        }\n      }\n",
        "subnets",
    ),
    Mutant(
        "a subnet under another name",
        _NETWORK,
        "        name: 'operators'\n",
        "        name: 'people'\n",
        "subnets",
        also("security-rules"),
    ),
    Mutant(
        "endpoints in the subnet of the app",
        _STACK,
        "endpointSubnetId: network.outputs.endpointSubnetId",
        "endpointSubnetId: network.outputs.appSubnetId",
        "endpoint-subnet",
        found_in=_ENDPOINTS,
    ),
    Mutant(
        "names of machines in a zone",
        _ENDPOINTS,
        "registrationEnabled: false",
        "registrationEnabled: true",
        "zone-link",
    ),
    Mutant("one zone thrice", _ENDPOINTS, "parent: zones[i]", "parent: zones[0]", "zone-link"),
    # roles
    Mutant(
        "role on a condition",
        _ROLES,
        "    principalType: 'ServicePrincipal'\n",
        "    principalType: 'ServicePrincipal'\n    condition: 'false'\n"
        "    conditionVersion: '2.0'\n",
        "role-condition",
    ),
    Mutant(
        "role twice",
        _ROLES,
        "// Reads the public half",
        "resource again 'Microsoft.Authorization/roleAssignments@2022-04-01' = {\n"
        "  scope: vault\n  name: guid(vault.id, principalId, roleIds.secretsUser)\n"
        "  properties: {\n    principalId: principalId\n    principalType: 'ServicePrincipal'\n"
        "    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', "
        "roleIds.secretsUser)\n  }\n}\n\n// Reads the public half",
        "role-twice",
    ),
    Mutant(
        "name of another principal",
        _ROLES,
        "guid(vault.id, principalId, roleIds.secretsUser)",
        "guid(vault.id, vaultName, roleIds.secretsUser)",
        "role-name",
    ),
    Mutant(
        "no definition of a role",
        _ROLES,
        "('Microsoft.Authorization/roleDefinitions', roleIds.secretsUser)",
        "('Microsoft.Authorization/policyDefinitions', roleIds.secretsUser)",
        "role-unwanted",
        also("role-missing"),
    ),
    # cost
    Mutant("told of a year's cost", _GUARD, "'Monthly'", "'Annually'", "budget-silent"),
    Mutant("told too late", _GUARD, "threshold: 80\n", "threshold: 8000\n", "budget-silent"),
)
