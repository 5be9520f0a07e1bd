"""Settings, read once at start. Nothing else in the service looks at the environment."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from shared.salesforce_hosts import is_login_host
from shared.telemetry.hosts import checked_app_insights_connection, checked_sentry_dsn

EU_REGIONS: Final = (
    "francecentral",
    "germanywestcentral",
    "italynorth",
    "northeurope",
    "spaincentral",
    "swedencentral",
    "westeurope",
)
"""The regions of EU member states that offer Azure Functions Flex Consumption."""

_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TENANT: Final = re.compile(
    r"ms-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|g:[a-z0-9-]+(\.[a-z0-9-]+)+"
)
_EXTENSION_ORIGIN: Final = re.compile(r"chrome-extension://[a-p]{32}")
_GOOGLE_CLIENT: Final = re.compile(r"[0-9a-z-]+\.apps\.googleusercontent\.com")
_ADMIN_SUBJECT: Final = re.compile(r"[a-z0-9.-]+:[0-9]{1,255}")


class SettingsError(Exception):
    """Names every setting at fault, never a value: this text ends up in a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One deployment's settings; the names in the environment are these in upper case."""

    deployment_region: str
    """The Azure region this deployment runs in; one of `EU_REGIONS`."""
    public_base_url: str
    """Where callers reach the service, with the route prefix: `https://…/api`."""
    tables_endpoint: str
    """The Table endpoint of the data account, `https://….table.core.windows.net`."""
    backup_endpoint: str
    """The Blob endpoint of the backup account, `https://….blob.core.windows.net`: an account of its
    own, in the same region."""
    key_vault_uri: str
    """The vault with the service's secrets and keys."""
    azure_client_id: str | None
    """The user-assigned managed identity; None where the host knows a single one."""
    entra_client_id: str
    """Our API's application id: the audience of Microsoft access tokens."""
    entra_addin_client_ids: tuple[str, ...]
    """Our own add-ins' application ids (nested app authentication)."""
    entra_accept_v1_tokens: bool
    """Whether v1.0 access tokens are accepted as well."""
    entra_on_behalf_of: bool
    """Whether each sign-in is also taken to Entra ID on behalf of the user. Must be said: without
    it, conditional access is not asked again, which nobody should get by leaving a line out."""
    entra_admit_guests: bool
    """Whether guests of a Microsoft tenant may sign in there, as ordinary users."""
    google_client_ids: tuple[str, ...]
    """The audiences of Google ID tokens."""
    google_admin_subjects: frozenset[str]
    """Google administrators, as `domain:sub`."""
    allowed_tenants: frozenset[str] | None
    """Who may have an account (`ms-<tid>`, `g:<domain>`); None: everybody (`*`)."""
    tenant_regions: Mapping[str, tuple[str, str]]
    """Tenants that live elsewhere: tenant to (region, base address)."""
    addin_origins: tuple[str, ...]
    """The exact origins of the add-ins (CORS)."""
    addin_return_urls: tuple[str, ...]
    """The exact addresses that a connection may end at."""
    salesforce_client_id: str
    """The consumer key of the External Client App."""
    salesforce_login_host: str
    """Where users log in to Salesforce unless the add-in says otherwise."""
    sentry_dsn: str | None
    """Sentry's EU ingest; None: errors go to the log and App Insights alone."""
    applicationinsights_connection_string: str | None
    """App Insights in an EU region; None: events go to the log alone."""

    @property
    def callback_url(self) -> str:
        """The redirect address registered in the External Client App."""
        return f"{self.public_base_url}/v1/salesforce/callback"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read every setting. Raises SettingsError with all faults together, and no value."""
        read = _Reader(environ)
        settings = cls(
            deployment_region=read.text(
                "DEPLOYMENT_REGION", EU_REGIONS.__contains__, "an EU region"
            ),
            public_base_url=read.https("PUBLIC_BASE_URL"),
            tables_endpoint=read.https("TABLES_ENDPOINT"),
            backup_endpoint=read.https("BACKUP_ENDPOINT"),
            key_vault_uri=read.https("KEY_VAULT_URI"),
            azure_client_id=read.optional("AZURE_CLIENT_ID", _GUID.fullmatch, "a GUID"),
            entra_client_id=read.text("ENTRA_CLIENT_ID", _GUID.fullmatch, "a GUID"),
            entra_addin_client_ids=read.each("ENTRA_ADDIN_CLIENT_IDS", _GUID.fullmatch, "GUIDs"),
            entra_accept_v1_tokens=read.switch("ENTRA_ACCEPT_V1_TOKENS"),
            entra_on_behalf_of=read.decision("ENTRA_ON_BEHALF_OF"),
            entra_admit_guests=read.switch("ENTRA_ADMIT_GUESTS"),
            google_client_ids=read.each(
                "GOOGLE_CLIENT_IDS", _GOOGLE_CLIENT.fullmatch, "Google client ids"
            ),
            google_admin_subjects=frozenset(
                read.each("GOOGLE_ADMIN_SUBJECTS", _ADMIN_SUBJECT.fullmatch, "domain:sub pairs")
            ),
            allowed_tenants=read.tenants("ALLOWED_TENANTS"),
            tenant_regions=read.regions("TENANT_REGIONS"),
            addin_origins=read.each("ADDIN_ORIGINS", _is_origin, "https or extension origins"),
            addin_return_urls=read.each("ADDIN_RETURN_URLS", _is_https, "https addresses"),
            salesforce_client_id=read.text("SALESFORCE_CLIENT_ID"),
            salesforce_login_host=read.text(
                "SALESFORCE_LOGIN_HOST", is_login_host, "a Salesforce login host"
            ),
            sentry_dsn=read.checked(
                "SENTRY_DSN", checked_sentry_dsn, "a Sentry DSN of the EU region"
            ),
            applicationinsights_connection_string=read.checked(
                "APPLICATIONINSIGHTS_CONNECTION_STRING",
                lambda text: checked_app_insights_connection(text, EU_REGIONS),
                "an App Insights connection string of an EU region",
            ),
        )
        if read.faults:
            raise SettingsError("settings: " + "; ".join(read.faults))
        return settings


class _Reader:
    """Reads one setting after the other and collects the faults."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def text(self, name: str, holds: Callable[[str], object] = bool, wanted: str = "a text") -> str:
        value = self._environ.get(name, "").strip()
        if not value:
            self.faults.append(f"{name} is missing")
        elif value.startswith(("<", "@Microsoft.KeyVault(")):
            self.faults.append(f"{name} still holds a placeholder")
        elif not holds(value):
            self.faults.append(f"{name} is not {wanted}")
        return value

    def optional(self, name: str, holds: Callable[[str], object], wanted: str) -> str | None:
        if not self._environ.get(name, "").strip():
            return None
        return self.text(name, holds, wanted)

    def https(self, name: str) -> str:
        return self.text(name, _is_https, "an https address").rstrip("/")

    def each(self, name: str, holds: Callable[[str], object], wanted: str) -> tuple[str, ...]:
        items = tuple(item.strip() for item in self._environ.get(name, "").split(","))
        present = tuple(item for item in items if item)
        if not all(holds(item) for item in present):
            self.faults.append(f"{name} is not a comma-separated list of {wanted}")
        return present

    def switch(self, name: str) -> bool:
        value = self._environ.get(name, "").strip()
        if value not in ("", "true", "false"):
            self.faults.append(f"{name} is neither true nor false")
        return value == "true"

    def decision(self, name: str) -> bool:
        """A switch that has no default."""
        return self.text(name, ("true", "false").__contains__, "true or false") == "true"

    def tenants(self, name: str) -> frozenset[str] | None:
        if self.text(name) == "*":
            return None
        named = self.each(name, _TENANT.fullmatch, "ms-<tid> or g:<domain>, or *")
        if not named and self._environ.get(name, "").strip():
            self.faults.append(f"{name} names nobody")
        return frozenset(named)

    def regions(self, name: str) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for item in self.each(name, bool, ""):
            tenant, _, rest = item.partition("=")
            region, _, base = rest.partition("=")
            if not (_TENANT.fullmatch(tenant) and region in EU_REGIONS and _is_https(base)):
                self.faults.append(f"{name} is not a list of tenant=region=base address")
                break
            if tenant in found:
                self.faults.append(f"{name} names a tenant twice")
                break
            found[tenant] = (region, base)
        return found

    def checked(self, name: str, check: Callable[[str], str | None], wanted: str) -> str | None:
        value = self._environ.get(name, "").strip()
        if not value:
            return None
        try:
            return check(value)
        except ValueError:
            self.faults.append(f"{name} is not {wanted}")
            return None


def _is_https(text: str) -> bool:
    """Whether this is an absolute https address without credentials, query or fragment."""
    try:
        parts = urlsplit(text)
        port_is_readable = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not set("@*") & set(parts.netloc) and not set("?#") & set(text)
    printable = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    return (
        parts.scheme == "https"
        and bool(parts.hostname)
        and plain
        and printable
        and port_is_readable
    )


def _is_origin(text: str) -> bool:
    """Whether this is an origin as browsers send it (RFC 6454): no path, no trailing slash."""
    if _EXTENSION_ORIGIN.fullmatch(text):
        return True
    return _is_https(text) and not urlsplit(text).path and text == text.lower()
