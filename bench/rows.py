"""Fills the table `runs` fast: entity group transactions, spoken directly.

Only for setting a bench up. The service itself writes through azure-data-tables.
"""

import asyncio
import json
import ssl
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, Final
from urllib.request import ProxyHandler, Request, build_opener

import aiohttp

from local import scene
from local.stack_info import StackInfo
from shared.model import OrgId, Run, RunOutcome, TenantId, UserId
from shared.storage.runs import run_row_key

USERS: Final = tuple(UserId(f"u-{letter * 26}") for letter in "abcdefghij")
_AT_A_TIME: Final = 4
_BATCH: Final = 100
_DEADLINE: Final = aiohttp.ClientTimeout(total=60)


def runs_between(tenant: TenantId, first: datetime, last: datetime, count: int) -> Iterator[Run]:
    """So many runs, evenly spread over the time."""
    step = (last - first) / max(1, count - 1)
    for number in range(count):
        at = first + step * number
        yield Run(
            id=f"r-{uuid.uuid4().hex[:26]}",
            tenant=tenant,
            user=USERS[number % len(USERS)],
            org=OrgId.parse(scene.SALESFORCE_ORG_ID),
            flow_id=f"f-{'a' * 26}",
            started_at=at,
            finished_at=at + timedelta(milliseconds=350),
            outcome=RunOutcome.SUCCEEDED,
            duration_ms=350,
        )


async def fill(info: StackInfo, runs: Iterator[Run]) -> int:
    """Insert them, in any order. Raises aiohttp.ClientError where the store refuses."""
    tls = ssl.create_default_context(cafile=str(info.authority))
    headers = {"Authorization": f"Bearer {_token(info)}", "x-ms-version": "2019-02-02"}
    waiting: asyncio.Queue[tuple[Run, ...] | None] = asyncio.Queue(maxsize=2 * _AT_A_TIME)
    written = 0

    async def write(http: aiohttp.ClientSession) -> None:
        nonlocal written
        while (batch := await waiting.get()) is not None:
            await _insert(http, info, headers, batch)
            written += len(batch)

    connector = aiohttp.TCPConnector(ssl=tls)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=_DEADLINE) as http,
        asyncio.TaskGroup() as writers,
    ):
        for _ in range(_AT_A_TIME):
            writers.create_task(write(http))
        for batch in batched(runs, _BATCH, strict=False):
            await waiting.put(batch)
        for _ in range(_AT_A_TIME):
            await waiting.put(None)
    return written


async def _insert(
    http: aiohttp.ClientSession, info: StackInfo, headers: dict[str, str], batch: tuple[Run, ...]
) -> None:
    """https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions"""
    outer, inner = f"batch_{uuid.uuid4()}", f"changeset_{uuid.uuid4()}"
    lines = [f"--{outer}", f"Content-Type: multipart/mixed; boundary={inner}", ""]
    for run in batch:
        lines += [
            f"--{inner}",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            "",
            f"POST {info.azurite}/runs HTTP/1.1",
            "Content-Type: application/json;odata=nometadata",
            "Accept: application/json;odata=minimalmetadata",
            "Prefer: return-no-content",
            "DataServiceVersion: 3.0;NetFx",
            "",
            json.dumps(_entity(run)),
        ]
    lines += [f"--{inner}--", f"--{outer}--", ""]
    async with http.post(
        f"{info.azurite}/$batch",
        data="\r\n".join(lines).encode(),
        headers={**headers, "Content-Type": f"multipart/mixed; boundary={outer}"},
    ) as answer:
        text = await answer.text()
        answer.raise_for_status()
        if text.count("HTTP/1.1 204") != len(batch):
            raise aiohttp.ClientPayloadError("a row was not written")


def _entity(run: Run) -> dict[str, Any]:
    """As `shared/storage/runs.py` writes it, in the protocol's words for types."""
    return {
        "PartitionKey": str(run.tenant),
        "RowKey": run_row_key(run),
        "run_id": run.id,
        "user_id": str(run.user),
        "org_id": str(run.org),
        "flow_id": run.flow_id,
        "started_at": _time(run.started_at),
        "started_at@odata.type": "Edm.DateTime",
        "outcome": run.outcome.value,
        "finished_at": _time(run.finished_at or run.started_at),
        "finished_at@odata.type": "Edm.DateTime",
        "duration_ms": run.duration_ms,
    }


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _token(info: StackInfo) -> str:
    """A bearer token for the store, from the stack's managed identity."""
    query = "resource=https://storage.azure.com&api-version=2019-08-01"
    request = Request(  # noqa: S310 - the stack's own endpoint on 127.0.0.1
        f"{info.identity_endpoint}?{query}", headers={"X-IDENTITY-HEADER": scene.IDENTITY_HEADER}
    )
    with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
        token: str = json.loads(answer.read())["access_token"]
        return token
