// The app itself, on Flex Consumption. Only what Flex accepts stands here: it refuses the site
// properties and settings of older plans, some regions with an error and some in silence.

@description('The EU region of this deployment.')
param location string

@description('The name of the app: the first label of its address.')
param appName string

@description('Ends the names of all resources of one deployment.')
param token string

@description('What every resource is tagged with.')
param tags object

@description('Instances are spread over the zones of the region, where Flex offers that.')
param zoneRedundant bool

@description('The memory of an instance, in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int

@description('The most instances that may run at a time.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int

@description('Instances that are always warm; two or more where the app is zone-redundant.')
@minValue(0)
@maxValue(20)
param alwaysReadyInstances int

@description('Requests that one instance serves at a time. Without it Flex gives Python one.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int

@description('The identity that the app runs as.')
param identityId string

@description('Its client id.')
param identityClientId string

@description('The subnet that the app is joined to.')
param appSubnetId string

@description('The account of the Functions host.')
param hostAccountName string

@description('Where the deployed package lies.')
param packageAddress string

@description('The App Insights component.')
param insightsName string

@description('Where the audit logs go.')
param workspaceId string

@description('The settings of the service, by name (shared/settings.py).')
param serviceSettings object

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-flowrunner-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    // checkov:skip=CKV_AZURE_225:a parameter, because not every EU region offers it on Flex
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

var alwaysReady = [
  {
    name: 'http'
    instanceCount: alwaysReadyInstances
  }
]

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: appName
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    // checkov:skip=CKV_AZURE_17:callers show bearer tokens; client certificates are not for mailboxes
    // checkov:skip=CKV_AZURE_78:Flex refuses ftpsState; basic credentials are off below
    // checkov:skip=CKV_AZURE_212:Flex scales by itself; alwaysReadyInstances keeps some warm
    // checkov:skip=CKV_AZURE_213:Flex has no health check of the platform
    // checkov:skip=CKV_AZURE_222:add-ins call it from users' mailboxes, wherever these are
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: appSubnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageAddress
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyInstances > 0 ? alwaysReady : []
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
    // No cors here: functions/boundary.py answers by the add-ins' exact origins.
    siteConfig: {
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      remoteDebuggingEnabled: false
    }
  }
}

resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

var platformSettings = {
  AzureWebJobsStorage__accountName: hostAccountName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL: 'true'
  AZURE_CLIENT_ID: identityClientId
}

// The rules skipped here are about sites, and take whatever lies beneath one for a site. They stand
// apart because checkov reads no more than three such lines in a row.
resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  // checkov:skip=CKV_AZURE_13:callers show bearer tokens, which functions/ verifies
  // checkov:skip=CKV_AZURE_63:not of settings; addresses of requests are not logged, for they name users
  name: 'appsettings'
  // checkov:skip=CKV_AZURE_65:not of settings
  // checkov:skip=CKV_AZURE_66:not of settings
  // checkov:skip=CKV_AZURE_80:not of settings, and there is no .NET
  properties: union(platformSettings, serviceSettings)
  // checkov:skip=CKV_AZURE_88:not of settings, and Flex mounts the package
  // checkov:skip=CKV_AZURE_222:not of settings; see the app
}

resource appLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: app
  name: 'logs'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'FunctionAppLogs'
        enabled: true
      }
    ]
  }
}

@description('The app.')
output appName string = app.name
