"""The table `runs`: what ran, for whom, when, and how it ended; and which keys were used."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final

from azure.core.exceptions import HttpResponseError

from shared.errors import (
    DeletionInProgressError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    StorageFailedError,
)
from shared.model import (
    ALL_TIME,
    EVERY_RUN,
    Idempotency,
    OrgId,
    Period,
    Run,
    RunFilter,
    RunOutcome,
    RunPage,
    TenantId,
    UserId,
)
from shared.storage.entity_groups import RefusedError, Write
from shared.storage.gates import user_gate
from shared.storage.group_commit import GroupCommit
from shared.storage.run_keys import descending_time
from shared.storage.run_queries import PageStart, run_query, start_from, token_after, token_at
from shared.storage.tables import (
    Entity,
    Tables,
    get,
    plain,
    row_is_readable,
    rows_between,
    store_call,
    utc,
)

type Answers = AsyncIterator[AsyncIterator[Entity]]

_NOT_THERE: Final = "ResourceNotFound"
_THERE_ALREADY: Final = "EntityAlreadyExists"
_MOST_PARTITIONS: Final = 1_000
_LARGEST_ANSWER: Final = 1_000
_MOST_ANSWERS: Final = 5
"""Of the table service, for one page. It looks through rows for five seconds at most before it
answers what it has found so far, which may be nothing."""


def run_row_key(run: Run) -> str:
    """`run|<descending time>|<run id>`: reading forwards is reading from the newest."""
    return f"run|{descending_time(run.started_at)}|{run.id}"


class TableRunStore:
    """Satisfies `ports.RunStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._partitions: dict[TenantId, GroupCommit] = {}

    async def start(self, run: Run, idempotency: Idempotency | None) -> Run | None:
        """Insert the run and, with a key, the key's row in the same transaction."""
        gate = Write(kind="merge", entity=_keys(run.tenant, user_gate(run.user)))
        rows = [_entity(run)]
        if idempotency is not None:
            rows.append(_key_row(run, idempotency))
        inserts = (Write(kind="insert", entity=row) for row in rows)
        try:
            await self._partition(run.tenant).write(*inserts, shared=(gate,))
        except RefusedError as exc:
            if exc.code == _NOT_THERE and exc.index == 0:
                raise DeletionInProgressError from exc
            if exc.code != _THERE_ALREADY:
                raise StorageFailedError from exc
            # Without a key it is this very run, whose first writing was not answered.
            return None if idempotency is None else await self._earlier(run, idempotency)
        return None

    async def finish(self, run: Run) -> None:
        """One that is gone is not created."""
        try:
            await self._partition(run.tenant).write(Write(kind="merge", entity=_entity(run)))
        except RefusedError as exc:
            if exc.code != _NOT_THERE:
                raise StorageFailedError from exc

    def _partition(self, tenant: TenantId) -> GroupCommit:
        """The writers of the tenant. Who has nothing under way is forgotten now and then."""
        if len(self._partitions) > _MOST_PARTITIONS:
            busy = {key: each for key, each in self._partitions.items() if not each.is_idle}
            self._partitions = busy
        if tenant not in self._partitions:
            self._partitions[tenant] = GroupCommit(self._submit)
        return self._partitions[tenant]

    async def _submit(self, writes: Sequence[Write]) -> None:
        async with store_call():
            await self._tables.groups.submit("runs", writes)

    async def page(
        self,
        tenant: TenantId,
        user: UserId | None,
        *,
        after: str | None,
        limit: int,
        period: Period = ALL_TIME,
        where: RunFilter = EVERY_RUN,
    ) -> RunPage:
        start = PageStart() if after is None else start_from(after, tenant)
        text, parameters = run_query(tenant, user, period, where, start)
        # A continuation is a mapping, and the iterators have it, whatever the SDK's types say.
        answers = (
            self._tables["runs"]
            .query_entities(
                text,
                parameters=plain(parameters),
                results_per_page=min(limit + 1, _LARGEST_ANSWER),
            )
            .by_page(start.continuation)  # type: ignore[arg-type]
        )
        found: list[Run] = []
        for _ in range(_MOST_ANSWERS):
            answer = await _next_answer(answers, start)
            if answer is None:
                return RunPage(runs=tuple(found), next=None)
            found += [_run(tenant, entity) for entity in answer]
            if len(found) > limit:
                following = token_after(run_row_key(found[limit - 1]))
                return RunPage(runs=tuple(found[:limit]), next=following)
        goes_on = answers.continuation_token  # type: ignore[attr-defined]
        return RunPage(
            runs=tuple(found), next=None if goes_on is None else token_at(tenant, goes_on)
        )

    async def keys_used(self, tenant: TenantId, user: UserId) -> Sequence[datetime]:
        rows = rows_between(self._tables["runs"], tenant, "idem|", "idem}", where={"user_id": user})
        used = [row async for row in rows]
        with row_is_readable():
            return sorted((utc(row["created_at"]) for row in used), reverse=True)

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


async def _next_answer(answers: Answers, start: PageStart) -> list[Entity] | None:
    """None after the last one. A place that the service does not know is the caller's invention."""
    async with store_call():
        try:
            return [entity async for entity in await anext(answers)]
        except StopAsyncIteration:
            return None
        except HttpResponseError as exc:
            if start.continuation is not None and exc.status_code == HTTPStatus.BAD_REQUEST:
                raise InvalidRequestError from exc
            raise


def _keys(tenant: TenantId, row_key: str) -> Entity:
    return {"PartitionKey": tenant, "RowKey": row_key}


def _key_row(run: Run, idempotency: Idempotency) -> Entity:
    return {
        **_keys(run.tenant, f"idem|{idempotency.key_digest}"),
        "user_id": run.user,
        "body_digest": idempotency.body_digest,
        "run_row": run_row_key(run),
        "created_at": run.started_at,
    }


def _entity(run: Run) -> Entity:
    entity: dict[str, object] = {
        **_keys(run.tenant, run_row_key(run)),
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
