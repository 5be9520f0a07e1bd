// One deployment of FlowRunner, whole, in one resource group of one EU region. Deploys alone into a
// group that is there already, ours or a customer's own (docs/setup/azure.md).

targetScope = 'resourceGroup'

@description('The EU region that everything is in: the regions of member states where Flex Consumption is offered. The service refuses to start in any other (shared/settings.py).')
@allowed([
  'francecentral'
  'germanywestcentral'
  'italynorth'
  'northeurope'
  'spaincentral'
  'swedencentral'
  'westeurope'
])
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

// --- operation -----------------------------------------------------------------------------------

@description('Who is told of alerts and of the cost.')
@minLength(3)
param alertEmail string

@description('The cost of a month that nobody has to be told of, in the currency of the account.')
@minValue(1)
param monthlyBudget int = 200

@description('The first day of the month that the budget starts in, as 2026-12-01. Keep it from then on: Azure does not move the start of a budget.')
@minLength(10)
@maxLength(10)
param budgetStartDate string

@description('Whether deleting the accounts with data and backups, the vault and the outgoing address is blocked. Locks also block deleting role assignments beneath them, and azd down.')
param lockResources bool = true

@description('Whether incidents that Azure itself reports are told as well. It takes a right on the subscription; without it, deploy with false.')
param serviceHealthAlert bool = true

@description('IPv4 addresses or ranges, comma-separated, that the firewalls of vault and storage admit beside the app: of operators, while they seed secrets. Single ones without /32. They have no effect on machines of the same region: those go into the subnet of the operators.')
param operatorAddresses string = ''

@description('The first three numbers of the private addresses of the network; choose others where it is to be joined with networks that use these.')
param networkPrefix string = '10.90.0'

@description('Whether vault and storage get private endpoints, and their public addresses are closed.')
param privateEndpoints bool = false

@description('Whether instances are spread over zones. Not every EU region offers that on Flex; two instances are always warm then.')
param zoneRedundant bool = false

@description('Copies within the region only: over its zones, or in one of them.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
])
param storageSku string = 'Standard_ZRS'

@description('The memory of an instance, in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('The most instances that may run at a time.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances that are always warm.')
@minValue(0)
@maxValue(20)
param alwaysReadyInstances int = 1

@description('Requests that one instance serves at a time.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 16

// --- the service: docs/setup/ says where each comes from ---------------------------------------------

@description('Where callers reach the service, with the route prefix; empty: the app\'s own address, https://<app>.azurewebsites.net/api.')
param publicBaseUrl string = ''

@description('The application id of the API in Entra ID.')
@minLength(36)
@maxLength(36)
param entraClientId string

@description('The application ids of the add-ins\' own registrations, comma-separated.')
param entraAddinClientIds string = ''

@description('Whether access tokens of version 1.0 are accepted as well.')
param entraAcceptV1Tokens bool = false

@description('Whether each sign-in is also taken to Entra ID on behalf of the user, so that disabled accounts and conditional access bite at our door at once. It has to be decided; it takes the federated credential.')
param entraOnBehalfOf bool

@description('Whether guests of a directory may sign in, as ordinary users.')
param entraAdmitGuests bool = false

@description('The client ids of the Google extension, comma-separated.')
param googleClientIds string = ''

@description('Administrators of Google tenants, as domain:sub, comma-separated.')
param googleAdminSubjects string = ''

@description('Who may have an account: ms-<tenant id> and g:<domain>, comma-separated, or * for everybody.')
@minLength(1)
param allowedTenants string

@description('Tenants that live in another deployment: tenant=region=base address, comma-separated.')
param tenantRegions string = ''

@description('The exact origins of the add-ins, comma-separated.')
param addinOrigins string = ''

@description('The exact addresses that connecting may end at, comma-separated.')
param addinReturnUrls string = ''

@description('The consumer key of the External Client App. It is not known before the first deployment, whose outputs the app needs; until it is given, the service does not start, and says so.')
param salesforceClientId string = ''

@description('Where users log in to Salesforce unless the add-in says otherwise.')
param salesforceLoginHost string = 'login.salesforce.com'

@description('The DSN of a Sentry project in the EU; empty: off. A DSN lets its holder send events, and read nothing.')
param sentryDsn string = ''

// --- names ---------------------------------------------------------------------------------------

var token = uniqueString(subscription().id, resourceGroup().id, location)
var appName = 'func-flowrunner-${token}'
var baseUrl = empty(publicBaseUrl) ? 'https://${appName}.azurewebsites.net/api' : publicBaseUrl
var operators = empty(operatorAddresses) ? [] : split(replace(operatorAddresses, ' ', ''), ',')
var publicNetworkAccess = privateEndpoints ? 'Disabled' : 'Enabled'
var tags = {
  application: 'flowrunner'
}

// --- what the app stands on ------------------------------------------------------------------------

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-flowrunner-${token}'
  location: location
  tags: tags
}

module network 'network.bicep' = {
  name: 'flowrunner-network'
  params: {
    location: location
    networkPrefix: networkPrefix
    token: token
    tags: tags
  }
}

module monitoring 'monitoring.bicep' = {
  name: 'flowrunner-monitoring'
  params: {
    location: location
    token: token
    tags: tags
  }
}

module storage 'storage.bicep' = {
  name: 'flowrunner-storage'
  params: {
    location: location
    token: token
    tags: tags
    storageSku: storageSku
    publicNetworkAccess: publicNetworkAccess
    appSubnetId: network.outputs.appSubnetId
    operatorSubnetId: network.outputs.operatorSubnetId
    operatorAddresses: operators
    workspaceId: monitoring.outputs.workspaceId
  }
}

module backup 'backup.bicep' = {
  name: 'flowrunner-backup'
  params: {
    location: location
    token: token
    tags: tags
    storageSku: storageSku
    publicNetworkAccess: publicNetworkAccess
    appSubnetId: network.outputs.appSubnetId
    operatorSubnetId: network.outputs.operatorSubnetId
    operatorAddresses: operators
    workspaceId: monitoring.outputs.workspaceId
  }
}

module keyvault 'keyvault.bicep' = {
  name: 'flowrunner-keyvault'
  params: {
    location: location
    token: token
    tags: tags
    publicNetworkAccess: publicNetworkAccess
    appSubnetId: network.outputs.appSubnetId
    operatorSubnetId: network.outputs.operatorSubnetId
    operatorAddresses: operators
    workspaceId: monitoring.outputs.workspaceId
  }
}

module endpoints 'privateendpoints.bicep' = if (privateEndpoints) {
  name: 'flowrunner-privateendpoints'
  params: {
    location: location
    token: token
    tags: tags
    networkId: network.outputs.networkId
    endpointSubnetId: network.outputs.endpointSubnetId
    hostAccountName: storage.outputs.hostAccountName
    dataAccountName: storage.outputs.dataAccountName
    backupAccountName: backup.outputs.accountName
    vaultName: keyvault.outputs.vaultName
  }
}

// --- the app, after its roles: its host reads the package with them when it starts -------------------

module roles 'roles.bicep' = {
  name: 'flowrunner-roles'
  params: {
    principalId: identity.properties.principalId
    hostAccountName: storage.outputs.hostAccountName
    dataAccountName: storage.outputs.dataAccountName
    backupAccountName: backup.outputs.accountName
    backupContainerName: backup.outputs.containerName
    vaultName: keyvault.outputs.vaultName
    tenantKekName: keyvault.outputs.tenantKekName
    receiptSigningName: keyvault.outputs.receiptSigningName
    insightsName: monitoring.outputs.insightsName
  }
}

module functionapp 'functionapp.bicep' = {
  name: 'flowrunner-functionapp'
  params: {
    location: location
    appName: appName
    token: token
    tags: tags
    zoneRedundant: zoneRedundant
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: zoneRedundant ? max(alwaysReadyInstances, 2) : alwaysReadyInstances
    httpConcurrency: httpConcurrency
    identityId: identity.id
    identityClientId: identity.properties.clientId
    appSubnetId: network.outputs.appSubnetId
    hostAccountName: storage.outputs.hostAccountName
    packageAddress: storage.outputs.packageAddress
    insightsName: monitoring.outputs.insightsName
    workspaceId: monitoring.outputs.workspaceId
    serviceSettings: {
      DEPLOYMENT_REGION: location
      PUBLIC_BASE_URL: baseUrl
      TABLES_ENDPOINT: storage.outputs.tablesEndpoint
      BACKUP_ENDPOINT: backup.outputs.endpoint
      KEY_VAULT_URI: keyvault.outputs.vaultUri
      ENTRA_CLIENT_ID: entraClientId
      ENTRA_ADDIN_CLIENT_IDS: entraAddinClientIds
      ENTRA_ACCEPT_V1_TOKENS: entraAcceptV1Tokens ? 'true' : 'false'
      ENTRA_ON_BEHALF_OF: entraOnBehalfOf ? 'true' : 'false'
      ENTRA_ADMIT_GUESTS: entraAdmitGuests ? 'true' : 'false'
      GOOGLE_CLIENT_IDS: googleClientIds
      GOOGLE_ADMIN_SUBJECTS: googleAdminSubjects
      ALLOWED_TENANTS: allowedTenants
      TENANT_REGIONS: tenantRegions
      ADDIN_ORIGINS: addinOrigins
      ADDIN_RETURN_URLS: addinReturnUrls
      SALESFORCE_CLIENT_ID: salesforceClientId
      SALESFORCE_LOGIN_HOST: salesforceLoginHost
      SENTRY_DSN: sentryDsn
    }
  }
  dependsOn: [
    roles
    endpoints
  ]
}

// --- around it -------------------------------------------------------------------------------------

module alerts 'alerts.bicep' = {
  name: 'flowrunner-alerts'
  params: {
    location: location
    token: token
    tags: tags
    alertEmail: alertEmail
    serviceHealthAlert: serviceHealthAlert
    workspaceId: monitoring.outputs.workspaceId
    dataAccountName: storage.outputs.dataAccountName
    vaultName: keyvault.outputs.vaultName
  }
}

// Last: a lock would be in the way of what comes after it.
module guard 'guard.bicep' = {
  name: 'flowrunner-guard'
  params: {
    lockResources: lockResources
    alertEmail: alertEmail
    monthlyBudget: monthlyBudget
    budgetStartDate: budgetStartDate
    dataAccountName: storage.outputs.dataAccountName
    backupAccountName: backup.outputs.accountName
    vaultName: keyvault.outputs.vaultName
    egressAddressName: network.outputs.egressAddressName
  }
  dependsOn: [
    functionapp
    endpoints
  ]
}

// --- what the next steps need ------------------------------------------------------------------------

@description('The region.')
output AZURE_LOCATION string = location

@description('The group that everything is in.')
output AZURE_RESOURCE_GROUP string = resourceGroup().name

@description('The app, to deploy to.')
output FUNCTION_APP_NAME string = functionapp.outputs.appName

@description('Where callers reach the service.')
output PUBLIC_BASE_URL string = baseUrl

@description('The callback address for the External Client App.')
output SALESFORCE_CALLBACK_URL string = '${baseUrl}/v1/salesforce/callback'

@description('The address that Salesforce has to admit for refreshes.')
output EGRESS_ADDRESS string = network.outputs.egressAddress

@description('The subnet for a machine of the operators, for a restore or for secrets.')
output OPERATOR_SUBNET_ID string = network.outputs.operatorSubnetId

@description('The vault, to seed secrets in.')
output KEY_VAULT_NAME string = keyvault.outputs.vaultName

@description('The client id of the app\'s identity.')
output IDENTITY_CLIENT_ID string = identity.properties.clientId

@description('Its object id: the subject of the federated credential in Entra ID.')
output IDENTITY_PRINCIPAL_ID string = identity.properties.principalId

@description('The account with the tables.')
output DATA_ACCOUNT_NAME string = storage.outputs.dataAccountName

@description('The account of the backups.')
output BACKUP_ACCOUNT_NAME string = backup.outputs.accountName

@description('The account of the Functions host.')
output HOST_ACCOUNT_NAME string = storage.outputs.hostAccountName

@description('The workspace, for queries.')
output WORKSPACE_NAME string = monitoring.outputs.workspaceName
