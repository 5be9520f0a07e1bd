"""D-02: the dependencies answer 503 again and again during a deletion, and it finishes all the
same. D-06: a tenant with 5,000 runs goes whole, page by page."""

import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import batched
from typing import Final
from uuid import uuid4

import aiohttp
import pytest
from yarl import URL

from local.network import pinned_network
from local.stack_info import StackInfo
from shared.errors import StorageFailedError
from shared.model import DeletionState
from shared.services import Services
from shared.storage.tables import plain
from tests.attacks.azurite_rows import AzuriteRows, counts, naming
from tests.attacks.leavers import Leaver, Leavers
from tests.attacks.outgoing import kind_of
from tests.attacks.shifted_azure import ShiftedAzure
from tests.attacks.worker_settings import settings_on
from tests.control_client import ControlClient

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

RETRIED: Final = 3  # the store's and the vault's clients try that often, and then give up
EVERY: Final = 30  # more than the longest step has calls, which has to pass in one go
TARGETS: Final = {
    "store": "tables",
    "blob": "blobs",
    "key vault": "keyvault",
    "salesforce": "salesforce",
    "identity": "identity",
}
RUNS: Final = 5_000
LOST_PAGES: Final = (1, 2, 3, 10, 11, 12)  # of those that are asked for by a continuation
MOST_MINUTES: Final = 200


class Trouble:
    """Some requests of a session are answered 503: of every `EVERY` the first few, counted from
    `offset` on; without an offset, of each kind the first few. Orders the fault just before the
    request leaves."""

    def __init__(self, info: StackInfo, control: ControlClient, *, offset: int | None) -> None:
        self._info, self._control, self._offset = info, control, offset
        self._requests = 0
        self._ordered: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()

    def befall(self, session: aiohttp.ClientSession) -> None:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(self._before)
        tracing.on_request_end.append(self._after)
        tracing.freeze()
        session.trace_configs.append(tracing)

    async def _before(self, _: object, __: object, params: aiohttp.TraceRequestStartParams) -> None:
        call = self._call(params)
        self._ordered[call] += 1
        number = self._requests
        self._requests += 1
        if self._offset is None:
            is_refused = self._ordered[call] <= RETRIED
        else:
            is_refused = (number - self._offset) % EVERY < RETRIED
        if is_refused:
            fault = {"fault": "status", "value": 503, "times": 1, "match": "/"}
            target = TARGETS[self._kind(params.url)]
            self._control.post("/_sim/faults", {"target": target, **fault})

    async def _after(self, _: object, __: object, params: aiohttp.TraceRequestEndParams) -> None:
        call = self._call(params)
        self.asked[call] += 1
        if params.response.status == 503:
            self.refused[call] += 1

    def _call(self, params: aiohttp.TraceRequestStartParams | aiohttp.TraceRequestEndParams) -> str:
        return f"{self._kind(params.url)} {params.method} {_template(params.url)}"

    def _kind(self, url: URL) -> str:
        return kind_of(self._info, url.host or "", url.port)


def _template(url: URL) -> str:
    """The path without the ids in it."""
    return re.sub(r"\(.+\)|/[0-9a-f]{32}|(?<=flowrunner-backup/).*", "", url.path)


@pytest.fixture
async def leavers(
    stack: StackInfo, control: ControlClient, rows: AzuriteRows, identity_endpoint: None
) -> AsyncIterator[Leavers]:
    made = Leavers(stack, control, rows)
    yield made
    await made.close()


@asynccontextmanager
async def troubled(
    info: StackInfo, before: Callable[[aiohttp.ClientSession], None]
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """A worker of its own, whose clock goes a minute further each time that it has worked."""
    network = pinned_network(info)
    outside = ShiftedAzure(settings_on(info), network)
    services = Services(outside._settings, outside)
    before(network.session())

    async def work() -> None:
        with suppress(StorageFailedError):  # not even the list of deletions; in a minute again
            await services.work_off_deletions()
        outside.ahead += timedelta(minutes=1)

    try:
        yield work
    finally:
        await services.close()


async def minutes_until_done(
    work: Callable[[], Awaitable[None]], rows: AzuriteRows, *leavers: Leaver
) -> int:
    for minute in range(1, MOST_MINUTES):
        await work()
        found = [rows.deletion(one.subject.tenant, one.deletion_id) for one in leavers]
        if {row["state"] for row in found} == {DeletionState.RECEIPTED}:
            return minute
    raise AssertionError(f"after {MOST_MINUTES} minutes: {[row['state'] for row in found]}")


async def test_d02_a_deletion_finishes_however_often_a_dependency_answers_503(
    stack: StackInfo, control: ControlClient, rows: AzuriteRows, leavers: Leavers
) -> None:
    """Three in a row of each thirty, begun at five offsets, and three of each kind of call: more
    than the clients try, so that calls do fail."""
    asked, refused, began = Counter[str](), Counter[str](), time.monotonic()
    minutes = []
    for offset in (None, *range(0, EVERY, 2 * RETRIED)):
        directory = str(uuid4())
        stays = await leavers.sign_in(directory)
        both = [await leavers.user(directory), await leavers.tenant()]
        trouble = Trouble(stack, control, offset=offset)
        async with troubled(stack, trouble.befall) as work:
            minutes.append(await minutes_until_done(work, rows, *both))
        for leaver in both:
            row = rows.deletion(leaver.subject.tenant, leaver.deletion_id)
            assert json.loads(row["row_counts"]) == leaver.held
            assert json.loads(row["revocations"]) == {"revoked": leaver.grants, "not_confirmed": 0}
            assert leavers.rows_of(leaver) == {table: [] for table in leaver.held}
        assert naming(rows.of(stays.tenant), stays.user)["users"]
        asked, refused = asked + trouble.asked, refused + trouble.refused

    assert {call for call in asked if call not in refused} == set()
    print(  # noqa: T201 - the figures, for a person
        f"\nD-02: {refused.total()} of {asked.total()} calls were answered 503, each of "
        f"{len(asked)} kinds at least once; {2 * len(minutes)} deletions finished, in "
        f"{', '.join(map(str, minutes))} runs of the worker, {time.monotonic() - began:.0f} s"
    )


async def test_d06_5000_runs_go_though_the_listing_breaks_off_in_the_middle(
    stack: StackInfo, control: ControlClient, rows: AzuriteRows, leavers: Leavers
) -> None:
    """A page holds 1,000 rows. Twice the one that follows is refused as often as it is tried."""
    leaver = await leavers.tenant(people=1)
    await insert_runs(leavers, leaver)
    held = counts(leavers.rows_of(leaver))
    assert held["runs"] == leaver.held["runs"] + RUNS
    pages = 0

    async def lose_pages(_: object, __: object, params: aiohttp.TraceRequestStartParams) -> None:
        """While they are counted, and again while they are deleted."""
        nonlocal pages
        if "NextRowKey" in params.url.query and "/runs" in params.url.path:
            if pages in LOST_PAGES:
                fault = {"target": "tables", "match": "/", "fault": "status", "value": 503}
                control.post("/_sim/faults", fault)
            pages += 1

    def befall(session: aiohttp.ClientSession) -> None:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(lose_pages)
        tracing.freeze()
        session.trace_configs.append(tracing)

    began = time.monotonic()
    async with troubled(stack, befall) as work:
        minutes = await minutes_until_done(work, rows, leaver)

    row = rows.deletion(leaver.subject.tenant, leaver.deletion_id)
    assert pages > max(LOST_PAGES)
    assert json.loads(row["row_counts"]) == held
    assert leavers.rows_of(leaver) == {table: [] for table in held}
    print(  # noqa: T201 - the figures, for a person
        f"\nD-06: {sum(held.values())} rows gone in {minutes} runs of the worker, "
        f"{time.monotonic() - began:.1f} s, a page lost on the way twice"
    )


async def insert_runs(leavers: Leavers, leaver: Leaver) -> None:
    """Copies of a run that there is: what the store would write, a hundred at a time."""
    (model, *_) = [
        row for row in leavers.rows_of(leaver)["runs"] if row["RowKey"].startswith("run|")
    ]
    table = leavers.azure._tables["runs"]
    numbers = range(RUNS)
    for batch in batched(numbers, 100, strict=False):
        copies = [{**model, "RowKey": f"{model['RowKey']}{number:04}"} for number in batch]
        await table.submit_transaction([("create", plain(copy)) for copy in copies])
