"""The app's settings: exactly those that the service reads, each with its own value."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from shared.settings import Settings
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.roles_played import base_address, spelt
from tools.infra.policies.rules import Rule, home, named
from tools.infra.policies.site import SITE
from tools.infra.policies.storage import ACCOUNT, HOST
from tools.infra.values import Literal, Object, Value, outcomes

SETTINGS: Final = "Microsoft.Web/sites/config"

SERVICE: Final = frozenset(field.name.upper() for field in fields(Settings))
PLATFORM: Final = frozenset(
    {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
        "AzureWebJobsStorage__accountName",
        "AzureWebJobsStorage__clientId",
        "AzureWebJobsStorage__credential",
    }
)
"""What the Functions host and the exporter read."""

_REFUSED: Final = frozenset(
    {
        "AzureWebJobsStorage",
        "ENABLE_ORYX_BUILD",
        "FUNCTIONS_EXTENSION_VERSION",
        "FUNCTIONS_MAX_HTTP_CONCURRENCY",
        "FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED",
        "FUNCTIONS_WORKER_PROCESS_COUNT",
        "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_WORKER_RUNTIME_VERSION",
        "SCM_DO_BUILD_DURING_DEPLOYMENT",
        "TZ",
        "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
        "WEBSITE_CONTENTOVERVNET",
        "WEBSITE_CONTENTSHARE",
        "WEBSITE_DNS_SERVER",
        "WEBSITE_LOAD_CERTIFICATES",
        "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
        "WEBSITE_RUN_FROM_PACKAGE",
        "WEBSITE_TIME_ZONE",
        "WEBSITE_VNET_ROUTE_ALL",
    }
)
"""Settings that Flex Consumption refuses, ignores or has replaced; AzureWebJobsStorage holds a key.
https://learn.microsoft.com/azure/azure-functions/functions-app-settings"""

_FROM: Final = {
    "DEPLOYMENT_REGION": "location",
    "TABLES_ENDPOINT": "dataAccount.properties.primaryEndpoints.table",
    "BACKUP_ENDPOINT": "backupAccount.properties.primaryEndpoints.blob",
    "KEY_VAULT_URI": "vault.properties.vaultUri",
    "AZURE_CLIENT_ID": "identity.properties.clientId",
    "AzureWebJobsStorage__clientId": "identity.properties.clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "insights.properties.ConnectionString",
    "AzureWebJobsStorage__credential": "'managedidentity'",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "'true'",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": (
        "'ClientId=${identity.properties.clientId};Authorization=AAD'"
    ),
}
"""Where values come from, by the roles that resources play."""


def names(deployment: Deployment) -> Iterator[Finding]:
    """The settings that `shared/settings.py` reads and those of the platform; each is there."""
    found = list(deployment.created(SETTINGS))
    for config in found:
        given = config.get("properties")
        if config.name != "appsettings" or not isinstance(given, Object):
            message = "the one configuration is appsettings, with its properties known"
            yield Finding(config.at, "settings-unreadable", message)
            continue
        for name, entry in given.entries.items():
            if name.upper() in {refused.upper() for refused in _REFUSED}:
                yield Finding(entry.key_at, "flex-refused-setting", name)
            elif name not in SERVICE | PLATFORM:
                yield Finding(entry.key_at, "setting-unknown", f"{name} is read by nobody")
        for group in (SERVICE, PLATFORM):
            beside = [entry.key_at for name, entry in given.entries.items() if name in group]
            at = beside[-1] if beside else config.at
            for name in sorted(group - given.entries.keys()):
                yield Finding(at, "setting-missing", name)
    if not found:
        yield Finding(home(deployment, SITE), "setting-missing", "the app has no settings")


def values(deployment: Deployment) -> Iterator[Finding]:
    """Each setting says what its name says: its own parameter, or its own resource."""
    for config in deployment.created(SETTINGS):
        given = config.get("properties")
        for name, entry in given.entries.items() if isinstance(given, Object) else ():
            if name not in SERVICE | PLATFORM:
                continue
            if not _fits(deployment, name, entry.value):
                message = f"{name} is {entry.value}"
                yield Finding(entry.key_at, "setting-value", message)


def literal_values(deployment: Deployment) -> Iterator[Finding]:
    """F13: no text that could be a credential is written into a setting."""
    for config in deployment.created(SETTINGS):
        given = config.get("properties")
        for name, entry in given.entries.items() if isinstance(given, Object) else ():
            for one in outcomes(entry.value):
                plain = isinstance(one, Literal) and one.value not in ("true", "false", "")
                if plain and str(one) != _FROM.get(name):
                    message = f"{name}: settings come from parameters and resources"
                    yield Finding(entry.value.at, "setting-literal", message)


def _fits(deployment: Deployment, name: str, value: Value) -> bool:
    if name in _FROM:
        return spelt(deployment, value) == _FROM[name]
    if name == "AzureWebJobsStorage__accountName":
        host = named(deployment, ACCOUNT, HOST)
        return host is not None and value == host.get("name")
    if name == "PUBLIC_BASE_URL":
        return str(value) == base_address(deployment)
    own = camel(name)
    param = deployment.root.params.get(own)
    flag = param is not None and param.type == "bool"
    return str(value) == (f"{own} ? 'true' : 'false'" if flag else own)


def camel(name: str) -> str:
    """ENTRA_CLIENT_ID is entraClientId."""
    first, *rest = name.lower().split("_")
    return first + "".join(word.capitalize() for word in rest)


RULES: Final[tuple[Rule, ...]] = (names, values, literal_values)
