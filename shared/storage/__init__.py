"""Azure Storage: one store a file; tables and container are created by the deployment."""

from typing import Final

TABLE_NAMES: Final = (
    "tenants",
    "tenantkeys",
    "users",
    "connections",
    "pending",
    "runs",
    "deletions",
)
"""Every table of the service. Named here, so that nobody needs the SDK to know them."""

BACKUP_CONTAINER: Final = "flowrunner-backup"
"""The container of the backups, in an account of its own in the same region."""

BLOB_API_VERSION: Final = "2025-11-05"
"""Pinned, because the SDK's newest is asked for otherwise, which nothing of ours was tested with."""
