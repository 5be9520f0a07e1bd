"""The files beside the tables: backups, and the ledger of deletions."""

from typing import Final

from shared.model.backups import BACKUP_DAYS
from shared.model.schema.entries import File

_DAYS: Final = f"{BACKUP_DAYS} days; the deletion of the tenant deletes it at once."

FILES: Final = (
    File(
        "backup part",
        "<tenant id>/<date>/<table>.<number>.sealed",
        "Rows of `tenants`, `users` or `runs` as they are in the tables, their sealed columns "
        "sealed within; no grants, no one-time codes, no keys.",
        "metadata, sealed",
        "AES-256-GCM, the tenant's data key, around the whole file",
        _DAYS,
    ),
    File(
        "backup manifest",
        "<tenant id>/<date>/manifest.json",
        "The names, sizes, counts and hashes of a day's parts, and when it was taken.",
        "technical",
        "authenticated by a seal of the tenant's data key",
        _DAYS,
    ),
    File(
        "backup keys",
        "<tenant id>/keys.json",
        "The tenant's data keys, wrapped by Key Vault: as in `tenantkeys`.",
        "key",
        "RSA-OAEP-256, in Key Vault",
        "Until the tenant is deleted: with it goes whatever copy of a backup may be left.",
    ),
    File(
        "grant journal",
        "journal/<tenant id>/<user id>/<org id>-<entry id>-<version>.json",
        "A refreshed Salesforce grant that the tables could not take, sealed for its place in "
        "`connections`; the consent and generation that it continues, and when it was written.",
        "token, sealed",
        "AES-256-GCM, the tenant's data key",
        "Until the tables have it, minutes after they are back; or until it is revoked.",
    ),
    File(
        "ledger of deletions",
        "deletions/<tenant id>/<deletion id>.json",
        "Of each confirmed deletion: its id, the tenant, a hash of the user id (until it is done, "
        "the user id as well), when it was asked for and confirmed, a hash of the status token, "
        "and the receipt.",
        "pseudonym",
        "",
        "10 years, with the receipt: whoever restores a backup must know who is not to come back.",
    ),
)
"""In a storage account of their own, in the same region."""
