"""Azure Storage: one store a file; tables and container are created by the deployment."""

from typing import Final

from shared.model.schema import TABLES

TABLE_NAMES: Final = tuple(TABLES)
"""Every table of the service, as the schema lists them."""

BACKUP_CONTAINER: Final = "flowrunner-backup"
"""The container of the backups, in an account of its own in the same region."""

BLOB_API_VERSION: Final = "2025-11-05"
"""Pinned: the SDK's newest is asked for otherwise, which nothing of ours was tested with."""
