// A new deployment in a subscription: its resource group, everything in it, and a policy that keeps
// everything in the region. Into a group that is there already, deploy modules/stack.bicep alone.

targetScope = 'subscription'

@description('The name of this deployment: the group is rg-flowrunner-<name>.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Whether Azure refuses resources of other regions in the group. It takes the role Resource Policy Contributor.')
param assignLocationPolicy bool = true

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

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: 'rg-flowrunner-${environmentName}'
  location: location
  tags: {
    application: 'flowrunner'
    'azd-env-name': environmentName
  }
}

module residency 'modules/residency.bicep' = if (assignLocationPolicy) {
  scope: group
  name: 'flowrunner-residency'
  params: {
    location: location
  }
}

module stack 'modules/stack.bicep' = {
  scope: group
  name: 'flowrunner-stack'
  params: {
    location: location
    alertEmail: alertEmail
    monthlyBudget: monthlyBudget
    budgetStartDate: budgetStartDate
    lockResources: lockResources
    serviceHealthAlert: serviceHealthAlert
    operatorAddresses: operatorAddresses
    networkPrefix: networkPrefix
    privateEndpoints: privateEndpoints
    zoneRedundant: zoneRedundant
    storageSku: storageSku
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    httpConcurrency: httpConcurrency
    publicBaseUrl: publicBaseUrl
    entraClientId: entraClientId
    entraAddinClientIds: entraAddinClientIds
    entraAcceptV1Tokens: entraAcceptV1Tokens
    entraOnBehalfOf: entraOnBehalfOf
    entraAdmitGuests: entraAdmitGuests
    googleClientIds: googleClientIds
    googleAdminSubjects: googleAdminSubjects
    allowedTenants: allowedTenants
    tenantRegions: tenantRegions
    addinOrigins: addinOrigins
    addinReturnUrls: addinReturnUrls
    salesforceClientId: salesforceClientId
    salesforceLoginHost: salesforceLoginHost
    sentryDsn: sentryDsn
  }
  dependsOn: [
    residency
  ]
}

// What azd keeps in its environment, and what the next steps need.

@description('The region.')
output AZURE_LOCATION string = stack.outputs.AZURE_LOCATION

@description('The group that everything is in.')
output AZURE_RESOURCE_GROUP string = stack.outputs.AZURE_RESOURCE_GROUP

@description('The app, to deploy to.')
output FUNCTION_APP_NAME string = stack.outputs.FUNCTION_APP_NAME

@description('Where callers reach the service.')
output PUBLIC_BASE_URL string = stack.outputs.PUBLIC_BASE_URL

@description('The callback address for the External Client App.')
output SALESFORCE_CALLBACK_URL string = stack.outputs.SALESFORCE_CALLBACK_URL

@description('The address that Salesforce has to admit for refreshes.')
output EGRESS_ADDRESS string = stack.outputs.EGRESS_ADDRESS

@description('The subnet for a machine of the operators, for a restore or for secrets.')
output OPERATOR_SUBNET_ID string = stack.outputs.OPERATOR_SUBNET_ID

@description('The vault, to seed secrets in.')
output KEY_VAULT_NAME string = stack.outputs.KEY_VAULT_NAME

@description('The client id of the app\'s identity.')
output IDENTITY_CLIENT_ID string = stack.outputs.IDENTITY_CLIENT_ID

@description('Its object id: the subject of the federated credential in Entra ID.')
output IDENTITY_PRINCIPAL_ID string = stack.outputs.IDENTITY_PRINCIPAL_ID

@description('The account with the tables.')
output DATA_ACCOUNT_NAME string = stack.outputs.DATA_ACCOUNT_NAME

@description('The account of the backups.')
output BACKUP_ACCOUNT_NAME string = stack.outputs.BACKUP_ACCOUNT_NAME

@description('The account of the Functions host.')
output HOST_ACCOUNT_NAME string = stack.outputs.HOST_ACCOUNT_NAME

@description('The workspace, for queries.')
output WORKSPACE_NAME string = stack.outputs.WORKSPACE_NAME
