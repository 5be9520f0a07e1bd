"""Holds rows, as a store answers them, against the schema."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.model.schema import FORMS, TABLES, Column, pattern_of

type Row = Mapping[str, Any]
"""A row in OData's JSON with full metadata: `name@odata.type` says the type of `name`."""

_OF_THE_STORE: Final = frozenset({"PartitionKey", "RowKey", "Timestamp"})
_ADDRESS: Final = re.compile(r"@|://|(?i:%3a%2f%2f|\bmailto:|\bwww\.)|\.(?:salesforce|force)\.com")

MAY_NAME_A_URL: Final = {
    ("tenantkeys", "kek_id"): "the Key Vault key that wrapped the data key",
    ("tenants", "settings"): "the customer's own key, where there is one",
    ("deletions", "keys_destroyed"): "the Key Vault keys that had wrapped the destroyed ones",
}
"""Columns that may hold an address, and whose."""

MAY_BE_EMPTY: Final = {
    ("connections", "sealed_grant"): "the grant was revoked by a deletion, or has lapsed",
    ("tenants", "changed_by"): "the administrator was deleted",
    ("deletions", "requested_by"): "the receipt is written",
}
"""Columns whose value is taken away again."""


def columns_of(row: Row) -> dict[str, Any]:
    """What we wrote into a row."""
    return {name: v for name, v in row.items() if "odata" not in name and name not in _OF_THE_STORE}


def findings(table: str, row: Row) -> list[str]:
    """In what a row is not as the schema says; none: it is."""
    return [f"{table}, {row['RowKey'].partition('|')[0]}: {fault}" for fault in _faults(table, row)]


def _faults(table: str, row: Row) -> Iterator[str]:
    if not re.fullmatch(FORMS["tenant id"], row["PartitionKey"]):
        yield "the partition is no tenant's"
    kind = TABLES[table].kind_of(row["RowKey"])
    if kind is None or not pattern_of(kind.row_key).fullmatch(row["RowKey"]):
        yield "the row key is of no kind"
        return
    listed = {column.name: column for column in kind.columns}
    for name, value in columns_of(row).items():
        if name not in listed:
            yield f"{name} is not listed"
            continue
        stored_as = row.get(f"{name}@odata.type")
        for fault in _value_faults(table, listed[name], value, stored_as):
            yield f"{name} {fault}"


def _value_faults(table: str, column: Column, value: object, stored_as: object) -> Iterator[str]:
    is_binary = stored_as == "Edm.Binary"
    place = (table, column.name)
    if value == "" and place in MAY_BE_EMPTY:
        return
    if column.is_sealed and not (is_binary and base64.b64decode(str(value))[:1] == b"\x01"):
        yield "is not sealed"
    if is_binary and not column.is_sealed and column.name != "wrapped":
        yield "is binary, and nobody says how"
    if column.category == "pseudonym":
        assert column.form is not None, column.name
        if not re.fullmatch(FORMS[column.form], str(value)):
            yield f"is no {column.form}"
    may = place in MAY_NAME_A_URL and "@" not in str(value)
    if isinstance(value, str) and not is_binary and not may and _ADDRESS.search(value):
        yield "holds an address"
