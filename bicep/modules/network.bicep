// The way out: one fixed public address, which Salesforce admits, and the networks of the app.

@description('The EU region of this deployment.')
param location string

@description('The first three numbers of its private addresses.')
param networkPrefix string

@description('Ends the names of all resources of one deployment.')
param token string

@description('What every resource is tagged with.')
param tags object

// Salesforce hard-blocks a refresh from an address that the app's allow-list does not name, so this
// address must outlive everything else here. Standard addresses are spread over the region's zones.
resource egressAddress 'Microsoft.Network/publicIPAddresses@2025-05-01' = {
  name: 'pip-flowrunner-${token}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Regional'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
    publicIPAddressVersion: 'IPv4'
  }
}

resource gateway 'Microsoft.Network/natGateways@2025-05-01' = {
  name: 'nat-flowrunner-${token}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    idleTimeoutInMinutes: 4
    publicIpAddresses: [
      {
        id: egressAddress.id
      }
    ]
  }
}

// Which hosts may be called is decided in shared/network.py, by name. Here only what no part of the
// service ever does: log in to another machine.
resource appRules 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-flowrunner-app-${token}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'no-remote-login'
        properties: {
          description: 'Nothing here opens a shell or a desktop on another machine.'
          access: 'Deny'
          direction: 'Outbound'
          priority: 200
          protocol: 'Tcp'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRanges: [
            '22'
            '3389'
            '5985'
            '5986'
          ]
        }
      }
    ]
  }
}

var appAddresses = '${networkPrefix}.0/26'
var endpointAddresses = '${networkPrefix}.64/27'
var operatorAddresses = '${networkPrefix}.96/28'

resource endpointRules 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-flowrunner-endpoints-${token}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'from-our-subnets-over-tls'
        properties: {
          description: 'The app and the operators reach vault and storage over TLS.'
          access: 'Allow'
          direction: 'Inbound'
          priority: 200
          protocol: 'Tcp'
          sourceAddressPrefixes: [
            appAddresses
            operatorAddresses
          ]
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '443'
        }
      }
      {
        name: 'nobody-else'
        properties: {
          description: 'And nobody else does, by any port.'
          access: 'Deny'
          direction: 'Inbound'
          priority: 300
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

// Nobody comes in: work on such a machine through Azure (run-command, Bastion), or not at all.
resource operatorRules 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-flowrunner-operators-${token}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'nobody-from-outside'
        properties: {
          description: 'Not from the internet, and not from the other subnets.'
          access: 'Deny'
          direction: 'Inbound'
          priority: 300
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: 'vnet-flowrunner-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '${networkPrefix}.0/24'
      ]
    }
    subnets: [
      {
        // Flex Consumption wants this delegation, at least a /27, and no underscore in the name.
        name: 'app'
        properties: {
          addressPrefix: appAddresses
          defaultOutboundAccess: false
          natGateway: {
            id: gateway.id
          }
          networkSecurityGroup: {
            id: appRules.id
          }
          delegations: [
            {
              name: 'flex-consumption'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
          // Vault and storage know the app by its subnet: firewall rules by address have no effect
          // on callers of the same region.
          serviceEndpoints: [
            {
              service: 'Microsoft.Storage'
            }
            {
              service: 'Microsoft.KeyVault'
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: endpointAddresses
          defaultOutboundAccess: false
          networkSecurityGroup: {
            id: endpointRules.id
          }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
      {
        // For a machine that seeds secrets or restores, while it is needed. It has no part in the
        // outgoing address, which is the app alone.
        name: 'operators'
        properties: {
          addressPrefix: operatorAddresses
          defaultOutboundAccess: false
          networkSecurityGroup: {
            id: operatorRules.id
          }
          serviceEndpoints: [
            {
              service: 'Microsoft.Storage'
            }
            {
              service: 'Microsoft.KeyVault'
            }
          ]
        }
      }
    ]
  }
}

@description('The address that every outgoing call comes from.')
output egressAddress string = egressAddress.properties.ipAddress

@description('The name of the resource that holds it.')
output egressAddressName string = egressAddress.name

@description('The subnet that the app is joined to.')
output appSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'app')

@description('The subnet of the operators.')
output operatorSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'operators')

@description('The subnet of the private endpoints.')
output endpointSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'endpoints')

@description('The virtual network.')
output networkId string = network.id
