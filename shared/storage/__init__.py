"""Azure Tables: one store a file; the tables themselves are created by the deployment."""

from typing import Final

TABLE_NAMES: Final = (
    "tenants",
    "tenantkeys",
    "users",
    "connections",
    "pending",
    "runs",
)
"""Every table of the service. Named here, so that nobody needs the SDK to know them."""
