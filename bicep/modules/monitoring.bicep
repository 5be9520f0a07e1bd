// Where the service's events and the platform's audit logs go, and how long they stay: 30 days.

@description('The EU region of this deployment.')
param location string

@description('Ends the names of all resources of one deployment.')
param token string

@description('What every resource is tagged with.')
param tags object

@description('How many days logs and telemetry are kept. Users are told 30 (shared/model/schema).')
@allowed([
  30
])
param logDays int = 30

// No daily cap: whoever can make noise could silence the audit of vault and tables with it, and every
// alert. Against cost stands the budget.
resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: 'log-flowrunner-${token}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: logDays
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
      immediatePurgeDataOn30Days: true
    }
  }
}

// The workspace's retention does not reach these: they keep 90 days unless each is told otherwise.
// https://learn.microsoft.com/azure/azure-monitor/logs/data-retention-configure
var applicationTables = [
  'AppAvailabilityResults'
  'AppBrowserTimings'
  'AppDependencies'
  'AppEvents'
  'AppExceptions'
  'AppMetrics'
  'AppPageViews'
  'AppPerformanceCounters'
  'AppRequests'
  'AppSystemEvents'
  'AppTraces'
]

// One after the other: a workspace takes no two changes of its tables at a time.
@batchSize(1)
resource retention 'Microsoft.OperationalInsights/workspaces/tables@2025-07-01' = [for table in applicationTables: {
  parent: workspace
  name: table
  properties: {
    plan: 'Analytics'
    retentionInDays: logDays
    totalRetentionInDays: logDays
  }
}]

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-flowrunner-${token}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    RetentionInDays: logDays
    // No event without a managed identity: the connection string alone lets nobody write.
    DisableLocalAuth: true
    DisableIpMasking: false
    publicNetworkAccessForIngestion: 'Enabled'
    publicNetworkAccessForQuery: 'Enabled'
  }
}

@description('The workspace, for diagnostic settings and alerts.')
output workspaceId string = workspace.id

@description('The name of the workspace, for queries.')
output workspaceName string = workspace.name

@description('The name of the component, for the role that may write to it.')
output insightsName string = insights.name
