"""The app: on Flex Consumption, as an identity, over TLS; with no property that Flex refuses."""

from collections.abc import Iterator
from typing import Final

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.policies.rules import Must, Rule, each_must, home, items_of, named, step, title
from tools.infra.policies.storage import ACCOUNT, HOST
from tools.infra.values import Literal, Member, Object, Parameter, Value, is_literal, walk

SITE: Final = "Microsoft.Web/sites"
PLAN: Final = "Microsoft.Web/serverfarms"
CREDENTIALS: Final = "Microsoft.Web/sites/basicPublishingCredentialsPolicies"
IDENTITY: Final = "Microsoft.ManagedIdentity/userAssignedIdentities"
MEMORY_SIZES: Final = frozenset({512, 2048, 4096})
FEWEST_AND_MOST: Final = (40, 1000)

_SCALE: Final = "properties.functionAppConfig.scaleAndConcurrency"
_STORAGE: Final = "properties.functionAppConfig.deployment.storage"

_MUSTS: Final = (
    Must("site-https", "properties.httpsOnly", (True,)),
    Must("site-tls", "properties.siteConfig.minTlsVersion", ("1.2", "1.3")),
    Must("site-tls", "properties.siteConfig.scmMinTlsVersion", ("1.2", "1.3")),
    Must("site-remote-debugging", "properties.siteConfig.remoteDebuggingEnabled", (False,)),
    Must("site-affinity", "properties.clientAffinityEnabled", (False,)),
    Must("site-identity", "identity.type", ("UserAssigned",)),
    Must("site-identity", f"{_STORAGE}.authentication.type", ("UserAssignedIdentity",)),
    Must("site-runtime", "properties.functionAppConfig.runtime.name", ("python",)),
    Must("site-runtime", "properties.functionAppConfig.runtime.version", ("3.13",)),
    Must("site-off", "properties.enabled", (True, None)),
    Must("site-off", "properties.publicNetworkAccess", ("Enabled",)),
    Must("site-command", "properties.siteConfig.appCommandLine", (None,)),
    Must("site-settings", "properties.siteConfig.appSettings", (None,)),
    Must("site-settings", "properties.siteConfig.connectionStrings", (None,)),
    Must("site-kind", "kind", ("functionapp,linux",)),
)

_REFUSED: Final = frozenset(
    {
        "alwayson",
        "endtoendencryptionenabled",
        "ftpsstate",
        "functionappscalelimit",
        "functionsruntimescalemonitoringenabled",
        "healthcheckpath",
        "javacontainer",
        "javacontainerversion",
        "javaversion",
        "linuxfxversion",
        "netframeworkversion",
        "nodeversion",
        "phpversion",
        "powershellversion",
        "prewarmedinstancecount",
        "pythonversion",
        "use32bitworkerprocess",
        "vnetrouteallenabled",
        "websitetimezone",
        "windowsfxversion",
    }
)
"""Site properties that Flex Consumption refuses (ARM error 51021) or does not have; lower case.
https://learn.microsoft.com/azure/azure-functions/flex-consumption-plan"""


def site(deployment: Deployment) -> Iterator[Finding]:
    """F12, F13: HTTPS with TLS 1.2 or later, and an identity instead of credentials."""
    yield from each_must(deployment, SITE, *_MUSTS)
    yield from each_must(
        deployment,
        PLAN,
        Must("plan-flex", "sku.name", ("FC1",)),
        Must("plan-flex", "sku.tier", ("FlexConsumption",)),
        Must("plan-flex", "properties.reserved", (True,)),
    )
    for kind in (SITE, PLAN):
        if not any(deployment.created(kind)):
            yield Finding(home(deployment, SITE, PLAN), "site-missing", kind)


def flex_refusals(deployment: Deployment) -> Iterator[Finding]:
    """Nothing that compiles and then fails to deploy, in some regions even in silence."""
    for one in deployment.created(SITE):
        for path in ("properties", "properties.siteConfig"):
            inside = one.get(path)
            for name, entry in inside.entries.items() if isinstance(inside, Object) else ():
                if name.lower() in _REFUSED:
                    yield Finding(entry.key_at, "flex-refused-property", f"{path}.{name}")


def cross_origin(deployment: Deployment) -> Iterator[Finding]:
    """F12: the service answers by the add-ins' exact origins; the platform would add to that."""
    for one in deployment.created(SITE):
        if one.get("properties.siteConfig.cors") is not None:
            at = one.where("properties.siteConfig.cors")
            yield Finding(at, "site-cors", "functions/boundary.py decides about origins")


def identities(deployment: Deployment) -> Iterator[Finding]:
    """F13, F20: the app has one identity, and its package is read from the host account with it."""
    for one in deployment.created(SITE):
        identity = one.get("identity.userAssignedIdentities")
        keys = (
            [entry.computed_key for entry in identity.entries.values()]
            if isinstance(identity, Object)
            else []
        )
        used: list[tuple[str, Value | None]] = [("identity", key) for key in keys]
        path = f"{_STORAGE}.authentication.userAssignedIdentityResourceId"
        used.append((path, one.get(path)))
        if len(keys) != 1 or not all(_is_identity(deployment, value) for _, value in used):
            message = f"{title(one)} has to run as the deployment's one identity"
            yield Finding(one.where("identity"), "site-identity", message)
        address = one.get(f"{_STORAGE}.value")
        host = named(deployment, ACCOUNT, HOST)
        inside = walk(address) if address is not None else iter(())
        if host is None or not any(deployment.target(part) is host for part in inside):
            message = "the package has to lie in the host account"
            at = address.at if address is not None else one.at
            yield Finding(at, "site-package", message)


def _is_identity(deployment: Deployment, value: Value | None) -> bool:
    """Whether the value is the id of our identity, alone or as the whole of an interpolation."""
    inside = walk(value) if value is not None else iter(())
    ids = [part for part in inside if isinstance(part, Member)]
    target = deployment.target(ids[0]) if len(ids) == 1 else None
    return target is not None and target.type == IDENTITY


def passwords(deployment: Deployment) -> Iterator[Finding]:
    """F13: nobody publishes with a user name and a password."""
    found = {one.name: one for one in deployment.created(CREDENTIALS)}
    for name in ("ftp", "scm"):
        if name not in found:
            at = home(deployment, CREDENTIALS, SITE)
            yield Finding(at, "site-passwords", f"basic credentials of {name} are not off")
        else:
            yield from Must("site-passwords", "properties.allow", (False,)).findings(found[name])


def scale(deployment: Deployment) -> Iterator[Finding]:
    """Concurrency is given, because Flex gives Python one request an instance; sizes are Flex's."""
    for one in deployment.created(SITE):
        path = f"{_SCALE}.triggers.http.perInstanceConcurrency"
        if one.get(path) is None:
            message = "without perInstanceConcurrency an instance serves one request at a time"
            yield Finding(one.where(path), "site-concurrency", message)
        for warm in one.outcomes(f"{_SCALE}.alwaysReady"):
            if any(not is_literal(step(group, "name"), "http") for group in items_of(warm)):
                at = one.where(f"{_SCALE}.alwaysReady")
                yield Finding(at, "site-always-ready", "requests are served by the group http")
        yield from _sizes(deployment, one)


def _sizes(deployment: Deployment, one: Deployed) -> Iterator[Finding]:
    memory = one.get(f"{_SCALE}.instanceMemoryMB")
    match memory:
        case Literal(value=only):
            sizes: set[object] = {only}
        case Parameter(name=name):
            sizes = set(deployment.root.params[name].allowed or ("any",))
        case _:
            sizes = {"any"}
    if not sizes <= MEMORY_SIZES:
        at = one.where(f"{_SCALE}.instanceMemoryMB")
        yield Finding(at, "site-memory", f"Flex has {sorted(MEMORY_SIZES)} MB, not {sizes}")
    most = one.get(f"{_SCALE}.maximumInstanceCount")
    param = deployment.root.params.get(most.name) if isinstance(most, Parameter) else None
    limits = (param.limit("minValue"), param.limit("maxValue")) if param else ()
    if limits != FEWEST_AND_MOST and not (
        isinstance(most, Literal) and most.value in range(FEWEST_AND_MOST[0], FEWEST_AND_MOST[1])
    ):
        at = one.where(f"{_SCALE}.maximumInstanceCount")
        yield Finding(at, "site-instances", "Flex takes 40 to 1000 instances at most")


def after_roles(deployment: Deployment) -> Iterator[Finding]:
    """The host reads its package with its roles, so these have to be there when it starts."""
    roles = {
        one.key.rpartition("/")[0]
        for one in deployment.created("Microsoft.Authorization/roleAssignments")
    }
    for one in deployment.created(SITE):
        above, slash, symbol = one.key.rpartition("/")[0].rpartition("/")
        waits_for = {
            f"{above}{slash}{name}" for name in deployment.module_dependencies(above, symbol)
        }
        if not roles <= waits_for:
            at = deployment.module_at(above, symbol) or one.at
            message = f"{title(one)} does not wait for its roles"
            yield Finding(at, "site-before-roles", message)


RULES: Final[tuple[Rule, ...]] = (
    site,
    flex_refusals,
    cross_origin,
    identities,
    passwords,
    scale,
    after_roles,
)
