"""The tables `tenants` and `tenantkeys`: the customer, what it has settled, and its keys."""

from typing import Final

from shared.model.backups import BACKUP_DAYS
from shared.model.schema.entries import Column, Kind, Table
from shared.model.tenants import DEFAULT_RETENTION_DAYS

BY_SETTING: Final = (
    f"By the tenant's setting; {DEFAULT_RETENTION_DAYS} days unless it says otherwise."
)

TENANT_GATE: Final = Kind(
    name="gate",
    row_key="gate",
    purpose="Has to be there for any row to be inserted; a deletion takes it away first.",
    retention="Until the tenant is deleted.",
)

USER_GATE: Final = Kind(
    name="user_gate",
    row_key="gate|<user id>",
    purpose="Has to be there for any row of this user to be inserted; a deletion takes it away "
    "first.",
    retention="Until the user or the tenant is deleted.",
)

TENANTS: Final = Table(
    "tenants",
    "The customer's own row, the changes of its settings, and the names of its Flows.",
    (
        Kind(
            name="tenant",
            row_key="tenant",
            purpose="The account of the customer's organisation.",
            retention="Until the tenant is deleted.",
            columns=(
                Column("provider", "metadata", "Whose sign-in it is: microsoft or google."),
                Column("region", "metadata", "The Azure region that the data stays in."),
                Column("status", "metadata", "Whether it is served, suspended, or being deleted."),
                Column("epoch", "technical", "Ends all sessions of the tenant when it moves on."),
                Column("created_at", "metadata", "When somebody of the tenant first signed in."),
                Column(
                    "settings",
                    "metadata",
                    "What administrators decided: retention, allowed orgs, idle grants, names of "
                    "Flow inputs, the address of the customer's own key.",
                ),
                Column(
                    "floor_key_version",
                    "technical",
                    "The oldest data key whose seals are opened; it rises when keys are retired.",
                ),
                Column(
                    "sealed_directory",
                    "identity, sealed",
                    "The Entra tenant id or the Google Workspace domain.",
                ),
                Column(
                    "sealed_pseudonym_key",
                    "key",
                    "The key under which people and Flows become pseudonyms.",
                ),
            ),
        ),
        Kind(
            name="flow_name",
            row_key="flow|<Flow id>",
            purpose="Makes the history of runs readable for the people whose Flow it is.",
            retention="Until the tenant is deleted.",
            columns=(Column("sealed_name", "metadata, sealed", "The API name of a Flow."),),
        ),
        Kind(
            name="settings_change",
            row_key="audit|<descending time>|<change id>",
            purpose="Shows who changed which settings of the tenant; not to what.",
            retention=BY_SETTING,
            columns=(
                Column("changed_at", "metadata", "When."),
                Column(
                    "changed_by",
                    "pseudonym",
                    "The administrator; empty once that user was deleted.",
                    "user id",
                ),
                Column("changed", "metadata", "The names of the settings that were changed."),
            ),
        ),
        Kind(
            name="lease",
            row_key="lease|<lease>",
            purpose="Keeps two instances from doing a tenant's housekeeping at once.",
            retention="Until it is given back, within minutes, or taken over; at the latest until "
            "the tenant is deleted.",
            columns=(
                Column("holder", "technical", "A random number of the instance that is at it."),
                Column("until", "technical", "When the lease lapses."),
            ),
        ),
        USER_GATE,
        TENANT_GATE,
    ),
)

TENANT_KEYS: Final = Table(
    "tenantkeys",
    "The tenant's data keys, wrapped: without them nothing sealed opens again.",
    (
        Kind(
            name="data_key",
            row_key="v<version>",
            purpose="Seals everything of this tenant that is sealed, and nothing of any other.",
            retention=f"Until {BACKUP_DAYS + 1} days after it was retired, when no backup "
            "needs it any more; at the latest until the tenant is deleted.",
            columns=(
                Column(
                    "wrapped", "key", "The data key, wrapped by a key that never leaves its vault."
                ),
                Column("kek_id", "technical", "Which version of which Key Vault key wrapped it."),
                Column("created_at", "technical", "When it was made."),
                Column(
                    "retired_at", "technical", "Since when nothing in the tables is sealed by it."
                ),
            ),
        ),
    ),
)
