// Against accidents: what must not vanish is locked, and cost that runs away is told.

@description('Whether deleting what holds data, keys or the outgoing address is blocked.')
param lockResources bool

@description('Who is told of the cost.')
param alertEmail string

@description('The cost of a month that nobody has to be told of, in the currency of the account.')
@minValue(1)
param monthlyBudget int

@description('The first day of the month that the budget starts in, as 2026-12-01. Keep it from then on.')
param budgetStartDate string

@description('The account with the tables.')
param dataAccountName string

@description('The account of the backups.')
param backupAccountName string

@description('The vault.')
param vaultName string

@description('The resource that holds the outgoing address.')
param egressAddressName string

resource dataAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName
}

resource backupAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: backupAccountName
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource egressAddress 'Microsoft.Network/publicIPAddresses@2025-05-01' existing = {
  name: egressAddressName
}

resource dataLock 'Microsoft.Authorization/locks@2020-05-01' = if (lockResources) {
  scope: dataAccount
  name: 'keep'
  properties: {
    level: 'CanNotDelete'
    notes: 'Every tenant, user, grant and run is here.'
  }
}

resource backupLock 'Microsoft.Authorization/locks@2020-05-01' = if (lockResources) {
  scope: backupAccount
  name: 'keep'
  properties: {
    level: 'CanNotDelete'
    notes: 'What is left after a loss. Its files can be deleted all the same, by those who may.'
  }
}

resource vaultLock 'Microsoft.Authorization/locks@2020-05-01' = if (lockResources) {
  scope: vault
  name: 'keep'
  properties: {
    level: 'CanNotDelete'
    notes: 'Without these keys nothing that is stored opens.'
  }
}

resource addressLock 'Microsoft.Authorization/locks@2020-05-01' = if (lockResources) {
  scope: egressAddress
  name: 'keep'
  properties: {
    level: 'CanNotDelete'
    notes: 'Every customer admits this address in Salesforce. A lost one cannot be had again.'
  }
}

resource budget 'Microsoft.Consumption/budgets@2024-08-01' = {
  name: 'flowrunner'
  properties: {
    category: 'Cost'
    amount: monthlyBudget
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: budgetStartDate
    }
    notifications: {
      spent80: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: [
          alertEmail
        ]
      }
      expected100: {
        enabled: true
        operator: 'GreaterThanOrEqualTo'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: [
          alertEmail
        ]
      }
    }
  }
}
