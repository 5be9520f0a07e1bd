// What the app's identity may do: seven things, each on the smallest scope that Azure has for it.
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles

@description('The identity that the app runs as.')
param principalId string

@description('The account of the Functions host.')
param hostAccountName string

@description('The account with the tables.')
param dataAccountName string

@description('The account of the backups.')
param backupAccountName string

@description('The container of the backups.')
param backupContainerName string

@description('The vault.')
param vaultName string

@description('The key that wraps the data keys of tenants.')
param tenantKekName string

@description('The key that signs receipts.')
param receiptSigningName string

@description('The App Insights component.')
param insightsName string

var roleIds = {
  blobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  blobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  tableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  secretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  cryptoEncryptionUser: 'e147488a-f6f5-4113-8e2d-b22465e65bf6'
  cryptoUser: '12338af0-0e69-4776-bea7-57ae8d297424'
  metricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}

resource hostAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostAccountName
}

resource dataAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName
}

resource backupAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: backupAccountName
}

resource backupBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' existing = {
  parent: backupAccount
  name: 'default'
}

resource backupContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: backupBlobs
  name: backupContainerName
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource tenantKek 'Microsoft.KeyVault/vaults/keys@2024-11-01' existing = {
  parent: vault
  name: tenantKekName
}

resource receiptSigning 'Microsoft.KeyVault/vaults/keys@2024-11-01' existing = {
  parent: vault
  name: receiptSigningName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

// The Functions host: its package, its locks, the state of its timers. No customer's data is here.
resource hostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: hostAccount
  name: guid(hostAccount.id, principalId, roleIds.blobDataOwner)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.blobDataOwner)
  }
}

resource dataTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: dataAccount
  name: guid(dataAccount.id, principalId, roleIds.tableDataContributor)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.tableDataContributor)
  }
}

resource backups 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: backupContainer
  name: guid(backupContainer.id, principalId, roleIds.blobDataContributor)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.blobDataContributor)
  }
}

resource secrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, principalId, roleIds.secretsUser)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.secretsUser)
  }
}

// Reads the public half, wraps, unwraps; nothing else.
resource wrapping 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: tenantKek
  name: guid(tenantKek.id, principalId, roleIds.cryptoEncryptionUser)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.cryptoEncryptionUser)
  }
}

resource signing 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: receiptSigning
  name: guid(receiptSigning.id, principalId, roleIds.cryptoUser)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.cryptoUser)
  }
}

resource telemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: insights
  name: guid(insights.id, principalId, roleIds.metricsPublisher)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.metricsPublisher)
  }
}
