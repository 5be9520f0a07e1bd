"""Mistakes in what people and machines read and fill in: outputs, settings, defaults, files."""

from typing import Final

from tests.infra.mutants.mutant import Mutant, also

_MAIN: Final = "main.bicep"
_STACK: Final = "modules/stack.bicep"
_NETWORK: Final = "modules/network.bicep"
_FILE: Final = "main.parameters.json"
_EXAMPLE: Final = "deployments/westeurope.example.json"

MUTANTS: Final = (
    # outputs
    Mutant(
        "another account's name",
        _STACK,
        "DATA_ACCOUNT_NAME string = storage.outputs.dataAccountName",
        "DATA_ACCOUNT_NAME string = storage.outputs.hostAccountName",
        "output-value",
    ),
    Mutant(
        "another id",
        _STACK,
        "IDENTITY_CLIENT_ID string = identity.properties.clientId",
        "IDENTITY_CLIENT_ID string = identity.properties.principalId",
        "output-value",
    ),
    Mutant(
        "key for a vault",
        _STACK,
        "= keyvault.outputs.vaultName\n\n",
        "= keyvault.outputs.tenantKekName\n\n",
        "output-value",
    ),
    Mutant(
        "other callback", _STACK, "/salesforce/callback'", "/salesforce/callbak'", "output-value"
    ),
    Mutant(
        "no address for customers to admit",
        _NETWORK,
        "string = egressAddress.properties.ipAddress",
        "string = gateway.name",
        "output-value",
        found_in=_STACK,
    ),
    Mutant(
        "base address without the prefix",
        _STACK,
        ".azurewebsites.net/api' : publicBaseUrl",
        ".azurewebsites.net' : publicBaseUrl",
        "output-value",
        also("setting-value"),
    ),
    Mutant(
        "base address over HTTP",
        _STACK,
        "? 'https://${appName}",
        "? 'http://${appName}",
        "output-value",
        also("setting-value"),
    ),
    # settings
    Mutant(
        "more than the parameter",
        _STACK,
        "ALLOWED_TENANTS: allowedTenants",
        "ALLOWED_TENANTS: '${allowedTenants},*'",
        "setting-value",
    ),
    Mutant(
        "flag the wrong way round",
        _STACK,
        "entraAcceptV1Tokens ? 'true' : 'false'",
        "entraAcceptV1Tokens ? 'false' : 'true'",
        "setting-value",
    ),
    Mutant(
        "telemetry to somewhere else",
        "modules/functionapp.bicep",
        ": insights.properties.ConnectionString",
        ": '${insights.properties.ConnectionString};IngestionEndpoint=https://x.example.com/'",
        "setting-value",
    ),
    # defaults
    Mutant(
        "everybody by default",
        _MAIN,
        "param allowedTenants string",
        "param allowedTenants string = '*'",
        "default-open",
        also("parameters-differ"),
    ),
    Mutant(
        "old tokens by default",
        _STACK,
        "param entraAcceptV1Tokens bool = false",
        "param entraAcceptV1Tokens bool = true",
        "default-open",
        also("parameters-differ"),
    ),
    Mutant(
        "every address by default",
        _STACK,
        "param operatorAddresses string = ''",
        "param operatorAddresses string = '0.0.0.0/0'",
        "default-open",
        also("parameters-differ"),
    ),
    # files of parameters
    Mutant("no locks", _FILE, "{LOCK_RESOURCES=true}", "{LOCK_RESOURCES=false}", "parameters-open"),
    Mutant(
        "no policy",
        _FILE,
        "{ASSIGN_LOCATION_POLICY=true}",
        "{ASSIGN_LOCATION_POLICY=false}",
        "parameters-open",
    ),
    Mutant(
        "every address",
        _FILE,
        "{OPERATOR_ADDRESSES=}",
        "{OPERATOR_ADDRESSES=0.0.0.0/0}",
        "parameters-open",
    ),
    Mutant("everybody", _FILE, "{ALLOWED_TENANTS}", "{ALLOWED_TENANTS=*}", "parameters-open"),
    Mutant(
        "everybody in the example",
        _EXAMPLE,
        "ms-00000000-0000-4000-8000-00000000000a,g:fabrikam.example.com",
        "*",
        "parameters-open",
    ),
    Mutant(
        "another variable", _FILE, "{ADDIN_ORIGINS=}", "{ADDIN_RETURN_URLS=}", "parameters-variable"
    ),
    Mutant(
        "given twice in a file",
        _EXAMPLE,
        '"location": {',
        '"location": {\n      "value": "eastus"\n    },\n    "location": {',
        "parameters-duplicate",
    ),
)
