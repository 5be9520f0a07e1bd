"""What has to hold after a kill, whatever the step: by what Salesforce and the stores say."""

import base64
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.crash.users import User
from bench.crash.works import Work
from shared.errors import FlowRunnerError
from shared.model import DataSubject, Place
from shared.model.places import place_of
from shared.outside import Azure
from tests.attacks.azurite_rows import AzuriteRows, Rows, naming
from tests.attacks.orders import Ended, Json
from tests.attacks.outgoing import REDEMPTION, Kill
from tests.control_client import ControlClient

_NOT_CONNECTED: Final = "salesforce_not_connected"
_LOST: Final = "rotation_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A piece of work that was killed, and what came after."""

    user: User
    kill: Kill | None
    """None: it was not disturbed."""
    ended: Ended
    found: Json = None
    """What the user's next call was told."""
    again: Json = None
    """What the user was told who had to do it once more."""
    at_last: Json = None
    """What the last call was told, with an expired access token, when the timers had run."""

    @property
    def order(self) -> tuple[int, bool]:
        """Where it comes among the others: the undisturbed one first."""
        if self.kill is None:
            return 0, False
        return int(self.kill.step), self.kill.moment == "after"

    @property
    def where(self) -> str:
        if self.kill is None:
            return "undisturbed"
        last = self.ended.requests[-1].step if self.ended.requests else "nothing"
        return f"{self.kill.moment} step {self.kill.step}, {last}"

    @property
    def is_between_answer_and_store(self) -> bool:
        """Whether Salesforce had given out a token, and nothing was stored since."""
        answered = self.ended.answered
        if not self.ended.was_killed or REDEMPTION not in answered:
            return False
        last = len(answered) - 1 - answered[::-1].index(REDEMPTION)
        return not any(is_write(step) for step in answered[last:])

    @property
    def is_lost(self) -> bool:
        return _health(self.found) == _LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    tried: Tried
    verdict: str
    """`undisturbed`, `resumed`, `cleanly failed` or `lost`."""
    orphaned: int
    """Grants that live at Salesforce, and nobody holds them."""
    broken: Sequence[str]


def is_write(step: str) -> bool:
    """Whether it made something durable."""
    kind, method, *_ = step.split()
    return kind in ("store", "blob") and method != "GET"


def is_refused(answer: Json) -> bool:
    """Whether a worker was told no. One that said nothing was not: it had nothing to say."""
    return answer is not None and "refused" in answer


def _health(answer: Json) -> str | None:
    return answer["health"] if is_refused(answer) and "health" in answer else None


class Judge:
    """Reads everything again, past the service."""

    def __init__(self, azure: Azure, control: ControlClient, rows: AzuriteRows) -> None:
        self._azure, self._control, self._rows = azure, control, rows

    async def __call__(self, work: Work, tried: Sequence[Tried]) -> Sequence[Outcome]:
        grants: defaultdict[str, list[Json]] = defaultdict(list)
        for grant in self._control.get("/_sim/salesforce/ledger")["grants"]:
            grants[grant["org_id"]].append(grant)
        return [await self._outcome(work, one, grants[one.user.scene.org]) for one in tried]

    async def _outcome(self, work: Work, tried: Tried, grants: Sequence[Json]) -> Outcome:
        living = sum(grant["redeemed"] and grant["ended"] is None for grant in grants)
        replays = sum(grant["replays"] for grant in grants)
        rows = self._rows_of(work, tried.user)
        return Outcome(
            tried=tried,
            verdict=_verdict(work, tried),
            orphaned=max(0, living - work.is_connected),
            broken=[
                *_wrong_endings(tried),
                *_wrong_answers(work, tried),
                *_wrong_grants(work, tried, living, replays),
                *_left_over(rows),
                *_old_keys(work, rows),
                *[wrong async for wrong in self._unreadable(tried, rows)],
            ],
        )

    def _rows_of(self, work: Work, user: User) -> Rows:
        """The user's rows; and the leases of the tenant, which are nobody's."""
        whole = self._rows.of(user.caller.tenant)
        if work.for_a_whole_tenant:
            return whole
        leases = [row for row in whole["tenants"] if row["RowKey"].startswith("lease|")]
        return {**naming(whole, user.caller.user), "tenants": leases}

    async def _unreadable(self, tried: Tried, rows: Rows) -> AsyncIterator[str]:
        """Every row can be read, every sealed value opens where it lies, the journal is empty."""
        subject = DataSubject(tenant=tried.user.caller.tenant, user=tried.user.caller.user)
        _, connections = await self._azure.connections.of_subject(subject)
        _, pending = await self._azure.pending.of_subject(subject)
        if connections or pending:
            yield "a row cannot be read"
        for place, sealed in _sealed_values(rows):
            try:
                await self._azure.vault.open(place, sealed)
            except FlowRunnerError as exc:
                yield f"{place.table} {place.column} does not open: {exc.code}"
        if await self._azure.backups.names(f"journal/{subject.tenant}/{subject.user}/"):
            yield "the journal is not empty"


def _sealed_values(rows: Rows) -> Iterator[tuple[Place, bytes]]:
    for table, held in rows.items():
        for row in held:
            for column in (name for name in row if name.startswith("sealed")):
                sealed = base64.b64decode(row[column])
                if sealed:
                    yield place_of(row["PartitionKey"], table, row["RowKey"], column), sealed


def _verdict(work: Work, tried: Tried) -> str:
    if tried.kill is None:
        return "undisturbed"
    if tried.is_lost:
        return "lost"
    is_done = is_refused(tried.found) != work.is_connected or (
        work.may_say is not None and _health(tried.found) == work.may_say
    )
    return "resumed" if is_done else "cleanly failed"


def _wrong_endings(tried: Tried) -> Iterator[str]:
    if tried.kill is not None and not tried.ended.was_killed:
        yield "was not killed there"
    told = tried.ended.result or []
    if tried.kill is None and (tried.ended.code or any(map(is_refused, told))):
        yield f"failed undisturbed: {told}"


def _wrong_answers(work: Work, tried: Tried) -> Iterator[str]:
    if is_refused(tried.found):
        health = _health(tried.found)
        if tried.found["refused"] != _NOT_CONNECTED:
            yield f"the next call was refused: {tried.found['refused']}"
        elif health == _LOST and not tried.is_between_answer_and_store:
            yield "a grant was lost, and no answer of Salesforce's was"
        elif health not in (None, _LOST, work.may_say):
            yield f"the connection says {health}, which is not true"
        elif health is None and work.begins_connected and work.is_connected:
            yield "the connection is gone"
    if is_refused(tried.again):
        yield f"done once more, it failed: {tried.again}"
    if is_refused(tried.at_last) == work.is_connected:
        yield f"the last call was told {tried.at_last}"
    elif is_refused(tried.at_last) and _health(tried.at_last) is not None:
        yield f"a connection is left, {_health(tried.at_last)}"


def _wrong_grants(work: Work, tried: Tried, living: int, replays: int) -> Iterator[str]:
    may_be_orphaned = work.brings_a_new_grant and tried.is_between_answer_and_store
    if living < work.is_connected:
        yield "no grant lives at Salesforce"
    if living - work.is_connected > may_be_orphaned:
        yield f"{living - work.is_connected} grants live that nobody holds"
    if replays != tried.is_lost:
        yield f"{replays} replays"


def _left_over(rows: Rows) -> Iterator[str]:
    """What the timers should have taken away, or the next process mended."""
    for table, held in rows.items():
        for row in held:
            kind = str(row["RowKey"]).partition("|")[0]
            if (table == "pending" and kind != "gate") or kind in ("outbox", "lease"):
                yield f"a row {kind}| is left in {table}"
            if table == "connections" and (row.get("lease_holder") or row.get("answer_lost")):
                yield "a connection is left half refreshed"


def _old_keys(work: Work, rows: Rows) -> Iterator[str]:
    if work.resumed_by is not None and len(rows["tenantkeys"]) > 1:
        yield f"{len(rows['tenantkeys'])} data keys are left"
