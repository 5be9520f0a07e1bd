// Vault and storage inside the network: with these, their public addresses are closed altogether.

@description('The EU region of this deployment.')
param location string

@description('Ends the names of all resources of one deployment.')
param token string

@description('What every resource is tagged with.')
param tags object

@description('The virtual network whose names resolve to the endpoints.')
param networkId string

@description('The subnet of the endpoints.')
param endpointSubnetId string

@description('The account of the Functions host.')
param hostAccountName string

@description('The account with the tables.')
param dataAccountName string

@description('The account of the backups.')
param backupAccountName string

@description('The vault.')
param vaultName string

var zoneNames = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
  'privatelink.vaultcore.azure.net'
]

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for zone in zoneNames: {
  name: zone
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (zone, i) in zoneNames: {
  parent: zones[i]
  name: 'flowrunner-${token}'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: networkId
    }
  }
}]

// What is reached, by which of its services, and the zone (by its place above) that answers for it.
var targets = [
  {
    name: 'host'
    id: resourceId('Microsoft.Storage/storageAccounts', hostAccountName)
    group: 'blob'
    zone: 0
  }
  {
    name: 'backup'
    id: resourceId('Microsoft.Storage/storageAccounts', backupAccountName)
    group: 'blob'
    zone: 0
  }
  {
    name: 'data'
    id: resourceId('Microsoft.Storage/storageAccounts', dataAccountName)
    group: 'table'
    zone: 1
  }
  {
    name: 'vault'
    id: resourceId('Microsoft.KeyVault/vaults', vaultName)
    group: 'vault'
    zone: 2
  }
]

resource endpoints 'Microsoft.Network/privateEndpoints@2025-05-01' = [for target in targets: {
  name: 'pe-flowrunner-${target.name}-${token}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: endpointSubnetId
    }
    privateLinkServiceConnections: [
      {
        name: target.name
        properties: {
          privateLinkServiceId: target.id
          groupIds: [
            target.group
          ]
        }
      }
    ]
  }
}]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [for (target, i) in targets: {
  parent: endpoints[i]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: target.name
        properties: {
          privateDnsZoneId: zones[target.zone].id
        }
      }
    ]
  }
  dependsOn: [
    links
  ]
}]
