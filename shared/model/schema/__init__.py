"""Everything that is stored: each table, kind of row, column and file; why, and for how long.

Nothing else may be. `shared/storage/schema_gate.py` refuses to write a column that is not listed
here, `tests/test_schema.py` holds the rows of the whole journey against it, and
`docs/data-inventory.md` is made of it.
"""

from collections.abc import Mapping
from typing import Final

from shared.model.backups import BACKUP_DAYS
from shared.model.schema.entries import (
    CATEGORIES,
    FORMS,
    READERS,
    Category,
    Column,
    File,
    Kind,
    Table,
    pattern_of,
)
from shared.model.schema.files import FILES
from shared.model.schema.people import CONNECTIONS, PENDING, USERS
from shared.model.schema.proof import DELETIONS, RUNS
from shared.model.schema.tenancy import TENANT_KEYS, TENANTS

__all__ = [
    "BACKUPS_STATEMENT",
    "CATEGORIES",
    "FILES",
    "FORMS",
    "LOGS_STATEMENT",
    "LOG_DAYS",
    "NEVER_STORED",
    "READERS",
    "TABLES",
    "Category",
    "Column",
    "File",
    "Kind",
    "Table",
    "pattern_of",
]

TABLES: Final[Mapping[str, Table]] = {
    table.name: table
    for table in (TENANTS, TENANT_KEYS, USERS, CONNECTIONS, PENDING, RUNS, DELETIONS)
}
"""Every table of the service, by name."""

NEVER_STORED: Final = (
    "email content or metadata",
    "Flow inputs and outputs",
    "Salesforce record data",
    "names of people",
    "email addresses",
    "tokens in clear",
    "OAuth codes",
    "code verifiers in clear",
    "front-door addresses (Salesforce links that hold a session)",
)
"""Anywhere: tables, files, logs, telemetry, crash output."""

LOG_DAYS: Final = 30
"""For so many days logs and telemetry are kept, wherever they go."""

LOGS_STATEMENT: Final = (
    "Logs and telemetry name a user by the pseudonym (user id) alone, and the tenant by its id; "
    f"what may be said is an allow-list. They are kept for {LOG_DAYS} days."
)

BACKUPS_STATEMENT: Final = (
    "Nightly backups, in the same region, hold the rows of `tenants`, `users` and `runs`, sealed "
    f"with the tenant's own key, for {BACKUP_DAYS} days. Salesforce grants are never backed up. "
    "A refreshed grant that the tables could not take lies in the same account, sealed, for "
    "minutes as a rule; `GET /v1/me/data` does not look there. "
    "Beside them, of each confirmed deletion, an entry that names the user by a hash is kept for "
    "10 years, so that nobody who was deleted comes back by a restore."
)
