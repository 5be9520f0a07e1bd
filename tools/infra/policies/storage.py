"""The storage accounts: no keys, nothing public, the promised tables, backups that can end."""

from collections.abc import Iterator
from typing import Final

from shared.model.schema import TABLES
from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.rules import Must, Rule, each_must, home, named, title
from tools.infra.values import Array, Literal, Object, is_literal, walk

ACCOUNT: Final = "Microsoft.Storage/storageAccounts"
BLOBS: Final = "Microsoft.Storage/storageAccounts/blobServices"
CONTAINER: Final = "Microsoft.Storage/storageAccounts/blobServices/containers"
TABLE: Final = "Microsoft.Storage/storageAccounts/tableServices/tables"
HOST: Final = "stflrhost"
DATA: Final = "stflrdata"
BACKUP: Final = "stflrback"

_MUSTS: Final = (
    Must("storage-shared-key", "properties.allowSharedKeyAccess", (False,)),
    Must("storage-tls", "properties.minimumTlsVersion", ("TLS1_2",)),
    Must("storage-https", "properties.supportsHttpsTrafficOnly", (True,)),
    Must("storage-public-blobs", "properties.allowBlobPublicAccess", (False,)),
    Must("storage-cross-tenant", "properties.allowCrossTenantReplication", (False,)),
    Must("storage-oauth", "properties.defaultToOAuthAuthentication", (True,)),
    Must("storage-firewall", "properties.networkAcls.defaultAction", ("Deny",)),
    Must("storage-copy-scope", "properties.allowedCopyScope", ("AAD",)),
    Must("storage-kind", "kind", ("StorageV2",)),
    Must("storage-way-in", "properties.networkAcls.resourceAccessRules", (None,)),
    Must("storage-way-in", "properties.isLocalUserEnabled", (False, None)),
    Must("storage-way-in", "properties.isSftpEnabled", (False, None)),
    Must("storage-way-in", "properties.isHnsEnabled", (False, None)),
    Must("storage-way-in", "properties.isNfsV3Enabled", (False, None)),
    Must("storage-encryption", "properties.encryption.keySource", ("Microsoft.Storage",)),
    Must("storage-encryption", "properties.encryption.requireInfrastructureEncryption", (True,)),
)

_NOTHING_KEPT: Final = (
    Must("backup-versioning", "properties.isVersioningEnabled", (False,)),
    Must("backup-change-feed", "properties.changeFeed.enabled", (False,)),
    Must("backup-soft-delete", "properties.deleteRetentionPolicy.enabled", (False,)),
    Must("backup-soft-delete", "properties.containerDeleteRetentionPolicy.enabled", (False,)),
    Must("backup-restore-points", "properties.restorePolicy.enabled", (False,)),
)


def accounts(deployment: Deployment) -> Iterator[Finding]:
    """F7, F12, F13, F20: Entra ID is the only way in, over TLS 1.2, through a firewall."""
    yield from each_must(deployment, ACCOUNT, *_MUSTS)


def bypass(deployment: Deployment) -> Iterator[Finding]:
    """F20: no service of Azure has business with data or backups."""
    for start in (DATA, BACKUP):
        account = named(deployment, ACCOUNT, start)
        if account is not None:
            path = "properties.networkAcls.bypass"
            yield from Must("storage-bypass", path, ("None",)).findings(account)


def three_accounts(deployment: Deployment) -> Iterator[Finding]:
    """F20: host, data and backups are apart, so that a role on one opens none of the others."""
    for start in (HOST, DATA, BACKUP):
        if named(deployment, ACCOUNT, start) is None:
            yield Finding(home(deployment, ACCOUNT), "storage-account-missing", start)
    for account in deployment.created(ACCOUNT):
        if not account.name.startswith((HOST, DATA, BACKUP)):
            yield Finding(account.at, "storage-account-unknown", title(account))


def table_keys(deployment: Deployment) -> Iterator[Finding]:
    """B1: tables are encrypted with the account's key, else a customer's own could never be used.

    It can only be set when the account is made.
    """
    data = named(deployment, ACCOUNT, DATA)
    if data is not None:
        path = "properties.encryption.services.table.keyType"
        yield from Must("storage-table-key", path, ("Account",)).findings(data)


def tables(deployment: Deployment) -> Iterator[Finding]:
    """F2: the tables of the data inventory, and no other."""
    found: set[str] = set()
    for table in deployment.created(TABLE):
        account = _account_of(deployment, table)
        if account is None or not account.name.startswith(DATA) or table.name not in TABLES:
            message = f"{table.name} is in no data inventory"
            yield Finding(table.at, "table-unknown", message)
        found.add(table.name)
    for name in TABLES:
        if name not in found:
            yield Finding(home(deployment, TABLE), "table-missing", name)


def backups_end(deployment: Deployment) -> Iterator[Finding]:
    """F14: a key file that was destroyed stays destroyed: no versions, no soft delete, no locks
    on blobs. Off has to be written: a default of Azure may change.
    """
    backup = named(deployment, ACCOUNT, BACKUP)
    services = [one for one in deployment.created(BLOBS) if _account_of(deployment, one) is backup]
    if backup is not None and not services:
        message = "the backup account's blob service is not declared, so nothing is off"
        yield Finding(backup.at, "backup-soft-delete", message)
    for service in services:
        for must in _NOTHING_KEPT:
            yield from must.findings(service)
    held = [backup] if backup else []
    held += [one for one in deployment.created(CONTAINER) if _account_of(deployment, one) is backup]
    for resource in held:
        for name in ("immutableStorageWithVersioning", "defaultEncryptionScope"):
            if resource.get(f"properties.{name}") is not None:
                at = resource.where(f"properties.{name}")
                yield Finding(at, "backup-immutable", f"{title(resource)} has {name}")


def containers(deployment: Deployment) -> Iterator[Finding]:
    """F7, F11: nothing is readable without a role; backups have the one container."""
    yield from each_must(
        deployment, CONTAINER, Must("container-public", "properties.publicAccess", ("None",))
    )
    backup = named(deployment, ACCOUNT, BACKUP)
    if backup is None:
        return
    names = [
        one.name for one in deployment.created(CONTAINER) if _account_of(deployment, one) is backup
    ]
    if names != ["flowrunner-backup"]:
        message = f"the backup account has {names}, not flowrunner-backup alone"
        yield Finding(backup.at, "backup-container", message)


def firewall_holes(deployment: Deployment) -> Iterator[Finding]:
    """F20: the firewalls admit the addresses that operators name, and none that is written here."""
    for resource in deployment.created(ACCOUNT, "Microsoft.KeyVault/vaults"):
        rules = resource.get("properties.networkAcls.ipRules")
        for part in walk(rules) if rules is not None else ():
            if isinstance(part, Literal) and str(part.value)[:1].isdigit():
                message = f"{title(resource)} admits {part}"
                yield Finding(part.at, "firewall-hole", message)


def firewall_app(deployment: Deployment) -> Iterator[Finding]:
    """F20: the firewalls admit the app's subnet and the operators', and nothing else; that of the
    host's account the app's alone."""
    for resource in deployment.created(ACCOUNT, "Microsoft.KeyVault/vaults"):
        path = "properties.networkAcls.virtualNetworkRules"
        rules = resource.get(path)
        subnets = [
            str(rule.get("id")) if isinstance(rule, Object) else str(rule)
            for rule in (rules.items if isinstance(rules, Array) else ())
        ]
        expected = ["'app'"] if resource.name.startswith("stflrhost") else ["'app'", "'operators'"]
        if [_last_argument(subnet) for subnet in subnets] != expected:
            message = f"{title(resource)} admits {subnets or 'no subnet'}, not {expected}"
            yield Finding(resource.where(path), "firewall-app", message)


def _last_argument(call: str) -> str:
    """Of a resource id, the name of what it is the id of."""
    return call.removesuffix(")").rpartition(", ")[2]


def closed_with_endpoints(deployment: Deployment) -> Iterator[Finding]:
    """F20: with private endpoints, the public addresses of vault and accounts are closed."""
    for resource in deployment.created(ACCOUNT, "Microsoft.KeyVault/vaults"):
        path = "properties.publicNetworkAccess"
        if not _closed_by_option(resource, path):
            message = f"{title(resource)}: privateEndpoints has to make {path} 'Disabled'"
            value = resource.get(path)
            yield Finding(value.at if value is not None else resource.at, "public-access", message)


def _closed_by_option(resource: Deployed, path: str) -> bool:
    value = resource.get(path)
    return is_literal(value, "Disabled") or str(value) == (
        "privateEndpoints ? 'Disabled' : 'Enabled'"
    )


def _account_of(deployment: Deployment, resource: Deployed) -> Deployed | None:
    """The account that a service, container or table is in."""
    above: Deployed | None = resource
    while above is not None and above.type != ACCOUNT:
        above = deployment.target(above.get("parent"))
    return above


RULES: Final[tuple[Rule, ...]] = (
    accounts,
    bypass,
    three_accounts,
    table_keys,
    tables,
    backups_end,
    containers,
    firewall_holes,
    firewall_app,
    closed_with_endpoints,
)
