// Two accounts: the host's own (package, timer locks), and the data, in tables. Neither has a key that
// opens it: every caller shows an Entra ID token and needs a role.

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

@description('IPv4 addresses or ranges of operators, admitted by the firewalls.')
param operatorAddresses array

@description('Where the audit logs go.')
param workspaceId string

var operatorRules = [for address in operatorAddresses: {
  action: 'Allow'
  value: address
}]

resource hostAccount 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: 'stflrhost${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: storageSku
  }
  properties: {
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
      bypass: 'AzureServices'
      defaultAction: 'Deny'
      ipRules: operatorRules
      virtualNetworkRules: [
        {
          action: 'Allow'
          id: appSubnetId
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

resource hostBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: hostAccount
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

// Who put which package there: the identity of the app could, too.
resource hostAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: hostBlobs
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

resource package 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: hostBlobs
  name: 'app-package'
  properties: {
    publicAccess: 'None'
  }
}

resource dataAccount 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: 'stflrdata${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: storageSku
  }
  properties: {
    // checkov:skip=CKV_AZURE_36:no service of Azure has business with the tables
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
    // Of account scope from the start: it cannot be changed later, and without it the customer's own
    // key could never encrypt the tables.
    encryption: {
      keySource: 'Microsoft.Storage'
      requireInfrastructureEncryption: true
      services: {
        table: {
          enabled: true
          keyType: 'Account'
        }
      }
    }
  }
}

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-06-01' = {
  parent: dataAccount
  name: 'default'
}

// As listed in shared/model/schema; a test compares the two.
var tableNames = [
  'tenants'
  'tenantkeys'
  'users'
  'connections'
  'pending'
  'runs'
  'deletions'
]

resource tables 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-06-01' = [for table in tableNames: {
  parent: tableService
  name: table
}]

// Who read or wrote which row, and when. The keys in these logs are pseudonyms.
resource tableAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: tableService
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

@description('The account of the Functions host.')
output hostAccountName string = hostAccount.name

@description('The account with the tables.')
output dataAccountName string = dataAccount.name

@description('What the service calls.')
output tablesEndpoint string = dataAccount.properties.primaryEndpoints.table

@description('Where the deployed package lies.')
output packageAddress string = '${hostAccount.properties.primaryEndpoints.blob}${package.name}'
