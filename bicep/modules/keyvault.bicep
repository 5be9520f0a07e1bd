// The vault: two keys that never leave it, and the secrets that an operator puts there. Nothing else
// belongs into it, because the app may read every secret it holds.

@description('The EU region of this deployment.')
param location string

@description('Ends the names of all resources of one deployment.')
param token string

@description('What every resource is tagged with.')
param tags object

@description('Disabled where private endpoints are the only way in; otherwise the firewall decides.')
@allowed([
  'Disabled'
  'Enabled'
])
param publicNetworkAccess string

@description('The subnet of the app.')
param appSubnetId string

@description('The subnet of the operators.')
param operatorSubnetId string

@description('IPv4 addresses or ranges of operators, admitted by the firewall.')
param operatorAddresses array

@description('Where the audit logs go.')
param workspaceId string

var operatorRules = [for address in operatorAddresses: {
  value: address
}]

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: 'kv-flr-${token}'
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: publicNetworkAccess
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: 'Deny'
      ipRules: operatorRules
      virtualNetworkRules: [
        {
          id: appSubnetId
        }
        {
          id: operatorSubnetId
        }
      ]
    }
  }
}

// Wraps the data key of each tenant. A new version every year; the old ones keep unwrapping what they
// wrapped, so they neither expire nor may be disabled while a data key names them.
resource tenantKek 'Microsoft.KeyVault/vaults/keys@2024-11-01' = {
  parent: vault
  name: 'tenant-kek'
  tags: tags
  properties: {
    // checkov:skip=CKV_AZURE_40:an expired version could wrap no longer, and none may be lost
    // checkov:skip=CKV_AZURE_112:software protection, FIPS 140 validated; a premium vault is a choice
    kty: 'RSA'
    keySize: 3072
    keyOps: [
      'wrapKey'
      'unwrapKey'
    ]
    attributes: {
      enabled: true
      exportable: false
    }
    rotationPolicy: {
      lifetimeActions: [
        {
          trigger: {
            timeAfterCreate: 'P1Y'
          }
          action: {
            type: 'rotate'
          }
        }
      ]
    }
  }
}

// Signs deletion receipts and exports. Receipts are verified with its old versions for ten years.
resource receiptSigning 'Microsoft.KeyVault/vaults/keys@2024-11-01' = {
  parent: vault
  name: 'receipt-signing'
  tags: tags
  properties: {
    // checkov:skip=CKV_AZURE_40:receipts are verified with old versions for ten years
    // checkov:skip=CKV_AZURE_112:software protection, FIPS 140 validated; a premium vault is a choice
    kty: 'EC'
    curveName: 'P-256'
    keyOps: [
      'sign'
      'verify'
    ]
    attributes: {
      enabled: true
      exportable: false
    }
  }
}

resource vaultAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'audit'
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

@description('The name of the vault.')
output vaultName string = vault.name

@description('What the service calls.')
output vaultUri string = vault.properties.vaultUri

@description('The key that wraps the data keys of tenants.')
output tenantKekName string = tenantKek.name

@description('The key that signs receipts.')
output receiptSigningName string = receiptSigning.name
