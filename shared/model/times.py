"""Times as the service writes them."""

from datetime import datetime


def rfc3339(at: datetime) -> str:
    """To the millisecond, in UTC, with `Z` (RFC 3339): `2026-01-15T12:00:00.000Z`."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
