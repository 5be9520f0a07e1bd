"""Every place where something of a customer's could be left behind, as bytes to be searched."""

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

import requests

from local import scene
from local.stack_info import StackInfo
from shared.storage import BACKUP_CONTAINER, BLOB_API_VERSION, TABLE_NAMES

_SECONDS: Final = 10.0
_GZIP: Final = b"\x1f\x8b"  # RFC 1952


class Places:
    """The tables, the backups, the service's log and telemetry's receivers of a running stack."""

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
        return {**tables, **logs, **self._sinks(), "backups": self._backups()}

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

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Every row as the service's store answers it, with the types of its columns."""
        query: dict[str, str] | None = {}
        while query is not None:
            page = self._http.get(
                f"{self._info.azurite}/{table}()",
                params=query,
                headers=self._headers(),
                timeout=_SECONDS,
            )
            page.raise_for_status()
            yield from page.json()["value"]
            following = {
                "NextPartitionKey": page.headers.get("x-ms-continuation-NextPartitionKey"),
                "NextRowKey": page.headers.get("x-ms-continuation-NextRowKey"),
            }
            query = {k: v for k, v in following.items() if v} or None

    def _table(self, name: str) -> bytes:
        """Every row as JSON, and every binary column once more as the bytes that it holds."""
        return b"".join(
            json.dumps(row, ensure_ascii=False).encode() + b"\n" + _binaries(row)
            for row in self.rows(name)
        )

    def _backups(self) -> bytes:
        """Every file's name and content; what is compressed, unpacked as well."""
        container = f"{self._info.azurite_blobs}/{BACKUP_CONTAINER}"
        found = bytearray()
        query: dict[str, str] | None = {"restype": "container", "comp": "list"}
        while query is not None:
            page = self._blobs(container, query)
            listed = ET.fromstring(page)  # noqa: S314 - Azurite's own
            for name in (entry.findtext("Name", "") for entry in listed.iter("Blob")):
                content = self._blobs(f"{container}/{quote(name)}", {})
                found += name.encode() + b"\n" + content + b"\n"
                if content.startswith(_GZIP):
                    found += gzip.decompress(content) + b"\n"
            marker = listed.findtext("NextMarker")
            query = {**query, "marker": marker} if marker else None
        return bytes(found)

    def _blobs(self, url: str, query: dict[str, str]) -> bytes:
        headers = {**self._headers(), "x-ms-version": BLOB_API_VERSION}
        answer = self._http.get(url, params=query, headers=headers, timeout=_SECONDS)
        answer.raise_for_status()
        return answer.content

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
