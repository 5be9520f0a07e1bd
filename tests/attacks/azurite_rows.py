"""What Azurite holds, read past the service and past the simulators' faults."""

from collections.abc import Mapping
from typing import Any, Final

import requests

from local import scene
from local.stack_info import StackInfo
from shared.model import TenantId
from shared.storage import TABLE_NAMES

_SECONDS: Final = 10.0

type Row = Mapping[str, Any]
type Rows = Mapping[str, list[Row]]
"""Rows by their table."""


class AzuriteRows:
    """Every column of every row, but for the store's own marks."""

    def __init__(self, info: StackInfo) -> None:
        self._info = info
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.verify = str(info.authority)
        self._http.headers["x-ms-version"] = "2019-02-02"
        self._http.headers["Accept"] = "application/json;odata=nometadata"
        self._http.headers["Authorization"] = f"Bearer {self._token()}"

    def close(self) -> None:
        self._http.close()

    def of(self, tenant: TenantId) -> Rows:
        """The whole partition of a tenant, in every table but that of the deletions."""
        only = {"$filter": f"PartitionKey eq '{tenant}'"}
        return {name: self.table(name, only) for name in TABLE_NAMES if name != "deletions"}

    def deletion(self, tenant: TenantId, deletion_id: str) -> Row:
        (row,) = self.table(
            "deletions", {"$filter": f"PartitionKey eq '{tenant}' and RowKey eq '{deletion_id}'"}
        )
        return row

    def table(self, name: str, only: Mapping[str, str] | None = None) -> list[Row]:
        """All of it, page by page."""
        found: list[Row] = []
        query: dict[str, str] | None = {**(only or {})}
        while query is not None:
            page = self._http.get(f"{self._info.azurite}/{name}()", params=query, timeout=_SECONDS)
            page.raise_for_status()
            found += [_without_marks(row) for row in page.json()["value"]]
            following = {
                "NextPartitionKey": page.headers.get("x-ms-continuation-NextPartitionKey"),
                "NextRowKey": page.headers.get("x-ms-continuation-NextRowKey"),
            }
            left = {key: value for key, value in following.items() if value}
            query = {**(only or {}), **left} if left else None
        return found

    def _token(self) -> str:
        answer = self._http.get(
            self._info.identity_endpoint,
            params={"resource": "https://storage.azure.com", "api-version": "2019-08-01"},
            headers={"X-IDENTITY-HEADER": scene.IDENTITY_HEADER},
            timeout=_SECONDS,
        )
        token: str = answer.json()["access_token"]
        return token


def counts(rows: Rows) -> dict[str, int]:
    """How many rows each table has, without the gates, which are no data."""
    return {
        name: sum(not _is_gate(str(row["RowKey"])) for row in table) for name, table in rows.items()
    }


def naming(rows: Rows, text: str) -> Rows:
    """The rows in whose keys or columns the text stands."""
    return {name: [row for row in table if text in repr(row)] for name, table in rows.items()}


def _is_gate(row_key: str) -> bool:
    return row_key == "gate" or row_key.startswith("gate|")


def _without_marks(row: Row) -> Row:
    return {
        name: value
        for name, value in row.items()
        if not name.startswith("odata.") and name != "Timestamp"
    }
