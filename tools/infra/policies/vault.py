"""The vault: roles instead of access policies, nothing lost by a deletion, and two keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.rules import Must, Rule, each_must, home, text_of, title
from tools.infra.values import Array, Literal, Scalar, is_literal

VAULT: Final = "Microsoft.KeyVault/vaults"
KEY: Final = "Microsoft.KeyVault/vaults/keys"

_MUSTS: Final = (
    Must("vault-rbac", "properties.enableRbacAuthorization", (True,)),
    Must("vault-purge-protection", "properties.enablePurgeProtection", (True,)),
    Must("vault-soft-delete", "properties.enableSoftDelete", (True,)),
    Must("vault-soft-delete", "properties.softDeleteRetentionInDays", (90,)),
    Must("vault-made-anew", "properties.createMode", ("default", None)),
    Must("vault-firewall", "properties.networkAcls.defaultAction", ("Deny",)),
    Must("vault-template-access", "properties.enabledForTemplateDeployment", (False, None)),
)


_EVERY_YEAR: Final = "[{ trigger: { timeAfterCreate: 'P1Y' }, action: { type: 'rotate' } }]"


@dataclass(frozen=True, slots=True)
class _Key:
    properties: dict[str, Scalar]
    operations: frozenset[str]
    rotates: bool


_USABLE: Final = (
    Must("key-enabled", "properties.attributes.enabled", (True,)),
    Must("key-enabled", "properties.attributes.nbf", (None,)),
    Must("key-exportable", "properties.release_policy", (None,)),
)
"""On, from the start; and released to no other service."""

_KEYS: Final = {
    "tenant-kek": _Key(
        {"kty": "RSA", "keySize": 3072}, frozenset({"wrapKey", "unwrapKey"}), rotates=True
    ),
    "receipt-signing": _Key(
        {"kty": "EC", "curveName": "P-256"}, frozenset({"sign", "verify"}), rotates=False
    ),
}


def vault(deployment: Deployment) -> Iterator[Finding]:
    """F13, F20: access by roles alone, behind a firewall; a deleted key can be had again."""
    yield from each_must(deployment, VAULT, *_MUSTS)
    vaults = list(deployment.created(VAULT))
    if len(vaults) != 1:
        message = f"a deployment has one vault, not {len(vaults)}"
        yield Finding(home(deployment, VAULT, KEY), "vault-missing", message)
    for one in vaults:
        tenant = one.get("properties.tenantId")
        if str(tenant) != "subscription().tenantId":
            at = one.where("properties.tenantId")
            yield Finding(at, "vault-tenant", f"the vault trusts {tenant}, not its own tenant")
        if one.get("properties.accessPolicies") is not None:
            at = one.where("properties.accessPolicies")
            yield Finding(at, "vault-rbac", "access policies beside the roles")


def keys(deployment: Deployment) -> Iterator[Finding]:
    """F7, F14, B3: one key wraps, one signs; neither does more, or leaves the vault."""
    found = {one.name: one for one in deployment.created(KEY)}
    for name in _KEYS:
        if name not in found:
            yield Finding(home(deployment, KEY, VAULT), "key-missing", name)
    for name, key in found.items():
        if name not in _KEYS:
            yield Finding(key.at, "key-unknown", f"{name} is none of {', '.join(_KEYS)}")
        else:
            yield from _key(key, _KEYS[name])


def _key(key: Deployed, wanted: _Key) -> Iterator[Finding]:
    for name, value in wanted.properties.items():
        yield from Must("key-type", f"properties.{name}", (value,)).findings(key)
    for must in _USABLE:
        yield from must.findings(key)
    operations = key.get("properties.keyOps")
    given = operations.items if isinstance(operations, Array) else ()
    if {one.value for one in given if isinstance(one, Literal)} != wanted.operations:
        message = f"{title(key)} has to {' and '.join(sorted(wanted.operations))}, and no more"
        yield Finding(key.where("properties.keyOps"), "key-operations", message)
    if key.get("properties.attributes.exp") is not None:
        at = key.where("properties.attributes.exp")
        message = f"{title(key)}: what an expired version made could not be opened or verified"
        yield Finding(at, "key-expiry", message)
    exportable = key.get("properties.attributes.exportable")
    if exportable is not None and not is_literal(exportable, wanted=False):
        at = key.where("properties.attributes.exportable")
        yield Finding(at, "key-exportable", f"{title(key)} must not leave the vault")
    yield from _rotation(key, wanted)


def _rotation(key: Deployed, wanted: _Key) -> Iterator[Finding]:
    """B1, F7: the wrapping key gets new versions by itself; expiry stays out of it."""
    actions = key.get("properties.rotationPolicy.lifetimeActions")
    if (str(actions) == _EVERY_YEAR) is not wanted.rotates:
        message = f"{title(key)}: {'one version a year' if wanted.rotates else 'no rotation'}"
        yield Finding(key.where("properties.rotationPolicy"), "key-rotation", message)
    if text_of(key, "properties.rotationPolicy.attributes.expiryTime") is not None:
        at = key.where("properties.rotationPolicy.attributes.expiryTime")
        yield Finding(at, "key-expiry", f"{title(key)}: versions would expire")


RULES: Final[tuple[Rule, ...]] = (vault, keys)
