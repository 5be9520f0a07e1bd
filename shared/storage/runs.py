"""The table `runs`: what ran, for whom, when, and how it ended; and which keys were used."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.errors import (
    IdempotencyKeyReusedError,
    InvalidRequestError,
    StorageFailedError,
)
from shared.model import (
    ALL_TIME,
    Idempotency,
    OrgId,
    Period,
    Run,
    RunOutcome,
    RunPage,
    TenantId,
    UserId,
)
from shared.storage.gates import insert_through, user_gate
from shared.storage.run_keys import descending_time
from shared.storage.tables import (
    Entity,
    Tables,
    get,
    merge,
    plain,
    row_is_readable,
    store_call,
    utc,
)

_FIRST: Final = datetime(1971, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2286, 1, 1, tzinfo=UTC)


def run_row_key(run: Run) -> str:
    """`run|<descending time>|<run id>`: reading forwards is reading from the newest."""
    return f"run|{descending_time(run.started_at)}|{run.id}"


class TableRunStore:
    """Satisfies `ports.RunStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def start(self, run: Run, idempotency: Idempotency | None) -> Run | None:
        """Insert the run and, with a key, the key's row in the same transaction."""
        table, gate = self._tables["runs"], user_gate(run.user)
        if idempotency is None:
            await insert_through(table, gate, _entity(run))
            return None
        key_row = {
            "PartitionKey": run.tenant,
            "RowKey": f"idem|{idempotency.key_digest}",
            "user_id": run.user,
            "body_digest": idempotency.body_digest,
            "run_row": run_row_key(run),
            "created_at": run.started_at,
        }
        if await insert_through(table, gate, key_row, _entity(run)):
            return None
        return await self._earlier(run, idempotency)

    async def finish(self, run: Run) -> None:
        await merge(self._tables["runs"], _entity(run))

    async def page(
        self,
        tenant: TenantId,
        user: UserId | None,
        *,
        after: str | None,
        limit: int,
        period: Period = ALL_TIME,
    ) -> RunPage:
        low, high = _key_range(period)
        if after is not None:
            low = max(low, _row_key_from(after))
        found: list[Run] = []
        rows = self._query(tenant, user, low, high, limit + 1)
        pages = rows.by_page()
        while len(found) <= limit:
            async with store_call():
                try:
                    page = [entity async for entity in await anext(pages)]
                except StopAsyncIteration:
                    break
            found += [_run(tenant, entity) for entity in page]
        is_last = len(found) <= limit
        found = found[:limit]
        return RunPage(
            runs=tuple(found), next=None if is_last else _token_from(run_row_key(found[-1]))
        )

    def _query(self, tenant: TenantId, user: UserId | None, low: str, high: str, count: int) -> Any:  # noqa: ANN401 - the SDK's pager
        text = "PartitionKey eq @tenant and RowKey gt @low and RowKey lt @high"
        parameters = {"tenant": tenant, "low": low, "high": high}
        if user is not None:
            text += " and user_id eq @user"
            parameters["user"] = user
        return self._tables["runs"].query_entities(
            text, parameters=plain(parameters), results_per_page=min(count, 1_000)
        )

    async def _earlier(self, run: Run, idempotency: Idempotency) -> Run | None:
        """The run that used the key first; None if that is this very run, written by a retry."""
        table = self._tables["runs"]
        key_row = await get(table, run.tenant, f"idem|{idempotency.key_digest}")
        if key_row is None:
            raise StorageFailedError
        with row_is_readable():
            body_digest, run_row = str(key_row["body_digest"]), str(key_row["run_row"])
        if body_digest != idempotency.body_digest:
            raise IdempotencyKeyReusedError
        first = await get(table, run.tenant, run_row)
        if first is None:
            raise StorageFailedError
        earlier = _run(run.tenant, first)
        return None if earlier.id == run.id else earlier


def _key_range(period: Period) -> tuple[str, str]:
    """The row keys between which (both excluded) the runs of a period stand."""
    low, high = "run|", "run}"
    if period.end is not None:
        low = f"run|{_just_before(period.end)}"
    if period.begin is not None:
        high = f"run|{_just_before(period.begin)}"
    return low, high


def _just_before(at: datetime) -> str:
    """The last millisecond that began before a time; keys tell no time outside these years."""
    return descending_time(min(max(at, _FIRST), _LAST) - timedelta(microseconds=1))


def _token_from(row_key: str) -> str:
    """A paging token: opaque to the caller, and worthless in any other tenant's partition."""
    return base64.urlsafe_b64encode(row_key.encode()).decode().rstrip("=")


def _row_key_from(token: str) -> str:
    try:
        row_key = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
    except (ValueError, binascii.Error) as exc:
        raise InvalidRequestError from exc
    if not row_key.startswith("run|"):
        raise InvalidRequestError
    return row_key


def _entity(run: Run) -> Entity:
    entity: dict[str, object] = {
        "PartitionKey": run.tenant,
        "RowKey": run_row_key(run),
        "run_id": run.id,
        "user_id": run.user,
        "org_id": run.org,
        "flow_id": run.flow_id,
        "started_at": run.started_at,
        "outcome": run.outcome.value,
    }
    if run.finished_at is not None:
        entity |= {"finished_at": run.finished_at, "duration_ms": run.duration_ms}
    return entity


def _run(tenant: TenantId, entity: Entity) -> Run:
    with row_is_readable():
        finished = entity.get("finished_at")
        return Run(
            id=entity["run_id"],
            tenant=tenant,
            user=UserId(entity["user_id"]),
            org=OrgId.parse(entity["org_id"]),
            flow_id=entity["flow_id"],
            started_at=utc(entity["started_at"]),
            finished_at=None if finished is None else utc(finished),
            outcome=RunOutcome(entity["outcome"]),
            duration_ms=None if finished is None else int(entity["duration_ms"]),
        )
