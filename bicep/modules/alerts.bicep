// What an operator is told of, by e-mail. docs/runbooks/incident.md says of each what to do.

@description('The EU region of this deployment.')
param location string

@description('Ends the names of all resources of one deployment.')
param token string

@description('What every resource is tagged with.')
param tags object

@description('Who is told.')
param alertEmail string

@description('Whether incidents that Azure itself reports are told as well.')
param serviceHealthAlert bool

@description('Where the events are.')
param workspaceId string

@description('The account with the tables.')
param dataAccountName string

@description('The vault.')
param vaultName string

resource dataAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName
}

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-06-01' existing = {
  parent: dataAccount
  name: 'default'
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource operators 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-flowrunner-${token}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'flowrunner'
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

// The service's own events (shared/telemetry/allow_list.py) are the messages of AppTraces; of
// severity 3 are alarms. Each of these alerts when there is a row in an hour.
var eventRules = [
  {
    name: 'deletion-overdue'
    severity: 0
    about: 'A confirmed deletion is not finished after 20 hours; 24 were promised.'
    query: 'AppTraces | where Message == "deletion_overdue"'
  }
  {
    name: 'seal-broken'
    severity: 0
    about: 'A stored value does not open where it lies: it was altered or moved.'
    query: 'AppTraces | where Message == "seal_broken"'
  }
  {
    name: 'clock-wrong'
    severity: 1
    about: 'The clock of an instance and that of the store disagree; nothing is deleted by it.'
    query: 'AppTraces | where Message == "clock_wrong"'
  }
  {
    name: 'grant-lost'
    severity: 1
    about: 'A Salesforce grant was lost in a refresh and its user has to connect again, or the tables did not take one and the journal did.'
    query: 'AppTraces | where Message == "grant_lost" or Message == "grant_journalled"'
  }
  {
    name: 'key-unavailable'
    severity: 1
    about: 'Key Vault did not wrap, unwrap or sign, or does not show a key that receipts were signed with.'
    query: 'AppTraces | where Message == "key_unavailable" or (Message == "refused" and Properties.code == "key_vault_failed")'
  }
  {
    name: 'crashed'
    severity: 2
    about: 'A request or a timer ended in an error that nobody expected.'
    query: 'AppTraces | where Message == "crashed"'
  }
  {
    name: 'backup-failed'
    severity: 1
    about: 'The nightly backup of a tenant failed.'
    query: 'AppTraces | where Message == "backup" and SeverityLevel >= 3'
  }
  {
    name: 'dependency-failed'
    severity: 2
    about: 'A counterparty did not do its part in what nobody waits for: a deletion, a clean-up, a key that could not be wrapped back; or it refuses our own credential.'
    query: 'AppTraces | where Message == "dependency_failed" and SeverityLevel >= 3'
  }
  {
    name: 'telemetry-lost'
    severity: 2
    about: 'Events were dropped: wrongly shaped, or not taken by their receiver.'
    query: 'AppTraces | where Message == "telemetry_lost"'
  }
]

resource eventAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in eventRules: {
  name: 'alert-flowrunner-${rule.name}-${token}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'FlowRunner: ${rule.name}'
    description: rule.about
    enabled: true
    severity: rule.severity
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        operators.id
      ]
    }
    autoMitigate: true
    skipQueryValidation: true
  }
}]

// Nothing happening is an event as well: of a tenant that was there before, and whose keys have not
// been destroyed since. Only what succeeded counts, tenant by tenant. These do not take themselves
// back, because an app that is wholly silent for two days is no longer known to the query.
var silenceRules = [
  {
    name: 'backup-silent'
    severity: 1
    about: 'A tenant has had no backup for 26 hours.'
    query: 'AppTraces | where isnotempty(Properties.tenant) | summarize Known = countif(TimeGenerated < ago(26h)), Gone = countif(Message == "key_destroyed"), Seen = countif(Message == "backup" and isempty(Properties.outcome) and SeverityLevel < 3 and TimeGenerated > ago(26h)) by Tenant = tostring(Properties.tenant) | where Known > 0 and Gone == 0 and Seen == 0'
  }
  {
    name: 'retention-silent'
    severity: 2
    about: 'The clean-up has not been through a tenant for 3 hours.'
    query: 'AppTraces | where isnotempty(Properties.tenant) | summarize Known = countif(TimeGenerated < ago(3h)), Gone = countif(Message == "key_destroyed"), Seen = countif(Message == "retention_cleanup" and TimeGenerated > ago(3h)) by Tenant = tostring(Properties.tenant) | where Known > 0 and Gone == 0 and Seen == 0'
  }
]

resource silenceAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in silenceRules: {
  name: 'alert-flowrunner-${rule.name}-${token}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'FlowRunner: ${rule.name}'
    description: rule.about
    enabled: true
    severity: rule.severity
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT1H'
    windowSize: 'P2D'
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        operators.id
      ]
    }
    autoMitigate: false
    skipQueryValidation: true
  }
}]

// What the platform counts. 401 is no sign of anything: each client's first call to a vault is answered
// with one, which tells it where to get a token.
var metricRules = [
  {
    name: 'vault-refused'
    severity: 0
    about: 'The vault refused somebody who showed a token: a role is missing, or somebody tries.'
    scope: vault.id
    namespace: 'Microsoft.KeyVault/vaults'
    metric: 'ServiceApiResult'
    aggregation: 'Count'
    dimension: 'StatusCode'
    values: [
      '403'
    ]
  }
  {
    name: 'vault-throttled'
    severity: 2
    about: 'The vault asks to call less often.'
    scope: vault.id
    namespace: 'Microsoft.KeyVault/vaults'
    metric: 'ServiceApiResult'
    aggregation: 'Count'
    dimension: 'StatusCode'
    values: [
      '429'
    ]
  }
  {
    name: 'tables-busy'
    severity: 2
    about: 'The tables are asked for more than they serve.'
    scope: tableService.id
    namespace: 'Microsoft.Storage/storageAccounts/tableServices'
    metric: 'Transactions'
    aggregation: 'Total'
    dimension: 'ResponseType'
    values: [
      'ClientAccountRequestThrottlingError'
      'ServerBusyError'
      'ServerTimeoutError'
    ]
  }
]

resource metricAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [for rule in metricRules: {
  name: 'alert-flowrunner-${rule.name}-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: rule.about
    enabled: true
    severity: rule.severity
    scopes: [
      rule.scope
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'answers'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: rule.namespace
          metricName: rule.metric
          dimensions: [
            {
              name: rule.dimension
              operator: 'Include'
              values: rule.values
            }
          ]
          timeAggregation: rule.aggregation
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: [
      {
        actionGroupId: operators.id
      }
    ]
  }
}]

var wholeSubscription = subscription().id

resource serviceHealth 'Microsoft.Insights/activityLogAlerts@2020-10-01' = if (serviceHealthAlert) {
  name: 'alert-flowrunner-service-health-${token}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Azure itself reports an incident or a maintenance.'
    enabled: true
    scopes: [
      wholeSubscription
    ]
    condition: {
      allOf: [
        {
          field: 'category'
          equals: 'ServiceHealth'
        }
      ]
    }
    actions: {
      actionGroups: [
        {
          actionGroupId: operators.id
        }
      ]
    }
  }
}
