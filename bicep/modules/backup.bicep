// Backups: an account of their own, in the same region. What is deleted here must stay deleted: a
// tenant's deletion ends with the file of its keys, and every backup of it is void from then on. So
// this account has no versions, no soft delete and no immutability, against the usual advice.

@description('The EU region of this deployment.')
param location string

@description('Ends the names of all resources of one deployment.')
param token string

@description('What every resource is tagged with.')
param tags object

@description('Copies within one region only: over its zones, or in one of them.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
])
param storageSku string

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
  action: 'Allow'
  value: address
}]

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: 'stflrback${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: storageSku
  }
  properties: {
    // checkov:skip=CKV_AZURE_36:no service of Azure has business with the backups
    // checkov:skip=CKV_AZURE_43:a lower-case prefix and 13 letters or digits, 22 in all
    // checkov:skip=CKV_AZURE_206:copies in a second region would leave the region that was promised
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowedCopyScope: 'AAD'
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: publicNetworkAccess
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'None'
      defaultAction: 'Deny'
      ipRules: operatorRules
      virtualNetworkRules: [
        {
          action: 'Allow'
          id: appSubnetId
        }
        {
          action: 'Allow'
          id: operatorSubnetId
        }
      ]
    }
    encryption: {
      keySource: 'Microsoft.Storage'
      requireInfrastructureEncryption: true
      services: {
        blob: {
          enabled: true
          keyType: 'Account'
        }
      }
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    isVersioningEnabled: false
    changeFeed: {
      enabled: false
    }
    deleteRetentionPolicy: {
      enabled: false
    }
    containerDeleteRetentionPolicy: {
      enabled: false
    }
    restorePolicy: {
      enabled: false
    }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: 'flowrunner-backup'
  properties: {
    publicAccess: 'None'
  }
}

resource blobAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'audit'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
  }
}

@description('The account of the backups.')
output accountName string = account.name

@description('The container of the backups.')
output containerName string = container.name

@description('What the service calls.')
output endpoint string = account.properties.primaryEndpoints.blob
