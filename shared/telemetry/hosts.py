"""Whether a telemetry setting leads to the EU. Pure checks; `Settings` calls them at start.

Both raise ValueError without quoting the value, and answer None where the value is "not set": it
is blank, or a Key Vault reference that the platform did not resolve.
"""

import re
from collections.abc import Collection
from typing import Final

# The EU's ingest hosts: https://docs.sentry.io/security-legal-pii/security/ip-ranges/
_DSN: Final = re.compile(r"https://[0-9a-f]{32}@o[0-9]{1,20}\.ingest\.de\.sentry\.io/[0-9]{1,20}")
_KEY: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ENDPOINT: Final = re.compile(
    r"https://(?P<region>[a-z]+[0-9]?)-[0-9]{1,3}\.in\.applicationinsights\.azure\.com/?"
)
# https://learn.microsoft.com/azure/app-service/app-service-key-vault-references
_UNRESOLVED: Final = "@Microsoft.KeyVault("


def checked_sentry_dsn(text: str) -> str | None:
    """The DSN, where it is one of Sentry's EU region.

    The whole text is matched, not a parsed host: parsers disagree about odd addresses. A DSN with
    a secret part (retired by Sentry) is refused.
    """
    if _is_unset(text):
        return None
    if not _DSN.fullmatch(text):
        raise ValueError("not a DSN of Sentry's EU region")
    return text


def checked_app_insights_connection(text: str, regions: Collection[str]) -> str | None:
    """The connection string, where its ingestion endpoint stands in one of `regions`.

    https://learn.microsoft.com/azure/azure-monitor/app/connection-strings
    """
    if _is_unset(text):
        return None
    parts = _parts(text)
    if not _KEY.fullmatch(parts.get("instrumentationkey", "")):
        raise ValueError("no instrumentation key")
    endpoint = _ENDPOINT.fullmatch(parts.get("ingestionendpoint", ""))
    if endpoint is None or endpoint["region"] not in regions:
        raise ValueError("no ingestion endpoint in an allowed region")
    return text


def _parts(text: str) -> dict[str, str]:
    """Stricter than the SDK's parser, which reads the same text later and must agree with us."""
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        key = name.lower()
        if not (name and equals and value) or "=" in value or key in parts:
            raise ValueError("not a list of name=value")
        parts[key] = value
    if parts.get("authorization", "ikey").lower() != "ikey":
        raise ValueError("not an authorization by key")
    return parts


def _is_unset(text: str) -> bool:
    return not text.strip() or text.startswith(_UNRESOLVED)
