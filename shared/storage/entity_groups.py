"""Entity group transactions of the Table service, spoken directly.

azure-data-tables builds them with Python's `email` package, which costs most of a millisecond of
CPU a row, and every run of a Flow writes rows twice: `make bench-store` compares the two. The rest
is azure-core's as before: tokens, retries, and the transport over our network. Protocol:
https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any, Final, Literal
from urllib.parse import quote
from uuid import uuid4

from azure.core import AsyncPipelineClient
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, AsyncRetryPolicy
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.errors import StorageFailedError
from shared.storage.schema_gate import check_row

MOST_OPERATIONS: Final = 100
_SCOPE: Final = "https://storage.azure.com/.default"
_VERSION: Final = "2019-02-02"
"""The version that azure-data-tables speaks."""
_MOST_ANSWER_BYTES: Final = 1024**2
_INT32: Final = range(-(2**31), 2**31)
_PART: Final = re.compile(r"^HTTP/1\.1 (\d{3})", re.MULTILINE)
_DONE: Final = range(200, 300)
_REFUSALS: Final = range(400, 500)
_NOT_ABOUT_A_ROW: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
"""Refusals of the moment: the same transaction may be carried out if it is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One operation: insert a row, or set these columns of one that exists, whatever its state."""

    kind: Literal["insert", "merge"]
    entity: Mapping[str, Any]

    @property
    def row_key(self) -> str:
        return str(self.entity["RowKey"])


class RefusedError(Exception):
    """The transaction was not carried out, because of this operation: which, and why.

    `code` is the store's word, so it is not in the exception's text.
    """

    def __init__(self, index: int, code: str) -> None:
        super().__init__("a transaction was refused")
        self.index = index
        self.code = code


class EntityGroups:
    """Sends transactions, each of one partition of one table."""

    def __init__(
        self,
        endpoint: str,
        *,
        credential: AsyncTokenCredential,
        transport: Callable[[], AsyncHttpTransport],  # type: ignore[type-arg]
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] = AsyncPipelineClient(
            self._endpoint,
            policies=[
                AsyncRetryPolicy(retry_total=2, retry_backoff_factor=0.2, retry_backoff_max=2),
                AsyncBearerTokenCredentialPolicy(credential, _SCOPE),
            ],
            transport=transport(),
        )

    async def submit(self, table: str, writes: Sequence[Write]) -> None:
        """All of them or none.

        Raises RefusedError (none), StorageFailedError and AzureError (it is not known); and before
        anything is sent, what `check_row` raises, and TypeError for a value of no type known here.
        """
        for write in writes:
            check_row(table, write.entity)
        boundary = uuid4().hex
        request = HttpRequest(
            "POST",
            f"{self._endpoint}/$batch",
            headers={
                "x-ms-version": _VERSION,
                "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True),
                "DataServiceVersion": "3.0",
                "MaxDataServiceVersion": "3.0;NetFx",
                "Content-Type": f"multipart/mixed; boundary=batch_{boundary}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # else the session offers to inflate the answer
            },
            content=_body(f"{self._endpoint}/{table}", writes, boundary),
        )
        response = await self._client.send_request(request, stream=True)
        try:
            text = await _text(response)
        finally:
            await response.close()
        _require_done(response.status_code, text, len(writes))


async def _text(response: AsyncHttpResponse) -> str:
    body = bytearray()
    async for chunk in response.iter_raw():
        body += chunk
        if len(body) > _MOST_ANSWER_BYTES:
            raise StorageFailedError
    return body.decode("utf-8", "replace")


def _body(table_url: str, writes: Sequence[Write], boundary: str) -> bytes:
    """One batch that holds one change set that holds the operations."""
    parts = [
        f"--batch_{boundary}",
        f"Content-Type: multipart/mixed; boundary=changeset_{boundary}",
        "",
    ]
    for number, write in enumerate(writes):
        parts += [
            f"--changeset_{boundary}",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            f"Content-ID: {number}",
            "",
            *_operation(table_url, write),
        ]
    parts += [f"--changeset_{boundary}--", f"--batch_{boundary}--", ""]
    return "\r\n".join(parts).encode()


def _operation(table_url: str, write: Write) -> list[str]:
    headers = [
        f"x-ms-version: {_VERSION}",
        "DataServiceVersion: 3.0",
        "Content-Type: application/json;odata=nometadata",
        "Accept: application/json;odata=minimalmetadata",
    ]
    content = json.dumps(_spelt(write.entity))
    if write.kind == "insert":
        return [f"POST {table_url} HTTP/1.1", *headers, "Prefer: return-no-content", "", content]
    keys = ",".join(
        f"{name}='{quote(str(write.entity[name]).replace("'", "''"), safe='')}'"
        for name in ("PartitionKey", "RowKey")
    )
    return [f"MERGE {table_url}({keys}) HTTP/1.1", *headers, "If-Match: *", "", content]


def _spelt(entity: Mapping[str, Any]) -> dict[str, Any]:
    """In the protocol's words: what JSON has no type for is named beside it. Raises TypeError."""
    spelt: dict[str, Any] = {}
    for name, value in entity.items():
        if isinstance(value, datetime):
            at = value.astimezone(UTC)
            spelt[name] = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06}Z"
            spelt[f"{name}@odata.type"] = "Edm.DateTime"
        elif isinstance(value, str) or (type(value) is int and value in _INT32):
            spelt[name] = value
        else:
            raise TypeError(f"{name}: no column of this table holds such a value")
    return spelt


def _require_done(status: int, text: str, count: int) -> None:
    """In an answer of 202 are those of the parts, one for each, or the one that refused all."""
    if status != HTTPStatus.ACCEPTED:
        raise StorageFailedError
    answers = [int(found) for found in _PART.findall(text)]
    if len(answers) == count and all(answer in _DONE for answer in answers):
        return
    if not answers or answers[-1] not in _REFUSALS or answers[-1] in _NOT_ABOUT_A_ROW:
        raise StorageFailedError
    raise _refusal(text, count)


def _refusal(text: str, count: int) -> RefusedError:
    """`{"odata.error": {"code": ..., "message": {"value": "<index>:..."}}}`"""
    try:
        said = json.loads(text[text.index("{") : text.rindex("}") + 1])["odata.error"]
        index = int(said["message"]["value"].partition(":")[0])
        code = str(said["code"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
        raise StorageFailedError from exc
    if index not in range(count):
        raise StorageFailedError
    return RefusedError(index, code)
