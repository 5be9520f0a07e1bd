"""Every place where something of a customer's could be left behind, as bytes to be searched."""

import base64
import json
from typing import Any, Final

import requests

from local import scene
from local.stack_info import StackInfo
from shared.storage import TABLE_NAMES

_SECONDS: Final = 10.0


class Places:
    """The tables, the service's log and telemetry's receivers of a running stack."""

    def __init__(self, info: StackInfo) -> None:
        self._info = info
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.verify = str(info.authority)

    def close(self) -> None:
        self._http.close()

    def all(self) -> dict[str, bytes]:
        """Each place by its name, with all that is in it."""
        tables = {f"table {name}": self._table(name) for name in TABLE_NAMES}
        logs = {"log": (self._info.data / "service.log").read_bytes()}
        return {**tables, **logs, **self._sinks()}

    def insert(self, table: str, row: dict[str, str]) -> None:
        """Write a row past the service: to show that the search would find it."""
        answer = self._http.post(
            f"{self._info.azurite}/{table}", json=row, headers=self._headers(), timeout=_SECONDS
        )
        answer.raise_for_status()

    def delete(self, table: str, row: dict[str, str]) -> None:
        keys = f"PartitionKey='{row['PartitionKey']}',RowKey='{row['RowKey']}'"
        answer = self._http.delete(
            f"{self._info.azurite}/{table}({keys})",
            headers={**self._headers(), "If-Match": "*"},
            timeout=_SECONDS,
        )
        answer.raise_for_status()

    def _table(self, name: str) -> bytes:
        """Every row as JSON, and every binary column once more as the bytes that it holds."""
        found = bytearray()
        query: dict[str, str] | None = {}
        while query is not None:
            page = self._http.get(
                f"{self._info.azurite}/{name}()",
                params=query,
                headers=self._headers(),
                timeout=_SECONDS,
            )
            page.raise_for_status()
            for row in page.json()["value"]:
                found += json.dumps(row, ensure_ascii=False).encode() + b"\n" + _binaries(row)
            following = {
                "NextPartitionKey": page.headers.get("x-ms-continuation-NextPartitionKey"),
                "NextRowKey": page.headers.get("x-ms-continuation-NextRowKey"),
            }
            query = {k: v for k, v in following.items() if v} or None
        return bytes(found)

    def _sinks(self) -> dict[str, bytes]:
        answer = self._http.get(f"{self._info.control}/_sim/sinks", timeout=_SECONDS)
        received = answer.json()
        return {name: json.dumps(received[name]).encode() for name in ("sentry", "app_insights")}

    def _headers(self) -> dict[str, str]:
        token = self._http.get(
            self._info.identity_endpoint,
            params={"resource": "https://storage.azure.com", "api-version": "2019-08-01"},
            headers={"X-IDENTITY-HEADER": scene.IDENTITY_HEADER},
            timeout=_SECONDS,
        ).json()["access_token"]
        return {
            "Authorization": f"Bearer {token}",
            "x-ms-version": "2019-02-02",
            "Accept": "application/json;odata=fullmetadata",
        }


def _binaries(row: dict[str, Any]) -> bytes:
    return b"\n".join(
        base64.b64decode(row[name.removesuffix("@odata.type")])
        for name, kind in row.items()
        if name.endswith("@odata.type") and kind == "Edm.Binary"
    )
