// Azure itself refuses whatever anybody should try to create in this group outside the region.

@description('The EU region of this deployment.')
param location string

// "Allowed locations", built in. What Azure keeps without a region ("global") is not touched by it.
var allowedLocations = 'e56962a6-4747-49cd-b67b-bf8b01975c4c'

resource onlyHere 'Microsoft.Authorization/policyAssignments@2024-04-01' = {
  name: 'flowrunner-region'
  properties: {
    displayName: 'FlowRunner: nothing outside the region of this deployment'
    description: 'Customers were promised that their data stays in this EU region.'
    enforcementMode: 'Default'
    metadata: {
      assignedBy: 'FlowRunner deployment'
    }
    policyDefinitionId: tenantResourceId('Microsoft.Authorization/policyDefinitions', allowedLocations)
    parameters: {
      listOfAllowedLocations: {
        value: [
          location
        ]
      }
    }
  }
}
