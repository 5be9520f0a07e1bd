"""The words of the Bicep language that the templates may use.

https://learn.microsoft.com/azure/azure-resource-manager/bicep/bicep-functions and /file
"""

from collections.abc import Mapping
from typing import Final

TYPES: Final = frozenset({"array", "bool", "int", "object", "string"})

DECORATORS: Final = frozenset(
    {
        "allowed",
        "batchSize",
        "description",
        "maxLength",
        "maxValue",
        "metadata",
        "minLength",
        "minValue",
        "secure",
    }
)

_BY_ANSWER: Final[Mapping[str | None, str]] = {
    "string": """
        base64 base64ToString cidrHost cidrSubnet dataUri dataUriToString dateTimeAdd
        dateTimeFromEpoch extensionResourceId format guid join managementGroupResourceId newGuid
        padLeft replace resourceId string subscriptionResourceId substring tenantResourceId toLower
        toUpper trim uniqueString uri uriComponent uriComponentToString utcNow
        """,
    "bool": "bool contains empty endsWith startsWith",
    "int": "dateTimeToEpoch indexOf int lastIndexOf length",
    "array": "array createArray flatten objectKeys pickZones range split",
    "object": """
        createObject deployer deployment environment items parseCidr resourceGroup shallowMerge
        subscription tenant
        """,
    None: """
        any base64ToJson coalesce concat fail first intersection json last loadFileAsBase64
        loadJsonContent loadTextContent loadYamlContent max min reference skip take tryGet union
        """,
}

FUNCTIONS: Final[Mapping[str, str | None]] = {
    name: answer for answer, names in _BY_ANSWER.items() for name in names.split()
}
"""Functions, and the type of their answer; None where it depends on what they are given."""

METHODS: Final = frozenset({"getSecret"})
"""Of a resource; beside those whose name begins with `list`."""
