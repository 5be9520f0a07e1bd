"""D-04: a deletion worker killed with SIGKILL after each of its outgoing requests, in turn.

Whatever it leaves, the next worker carries the deletion to its end, with the one receipt and exact
counts. `pytest -s` prints what was killed where.
"""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import pytest
import requests

from local.stack_info import StackInfo
from shared.model import DeletionScope
from shared.model.backups import ledger_name
from tests.attacks.azurite_rows import AzuriteRows, Rows, naming
from tests.attacks.leavers import Leaver, Leavers
from tests.attacks.orders import SECONDS, Order, Workers, workers
from tests.attacks.outgoing import Kill, kind_in
from tests.control_client import ControlClient
from tools.verify_receipt import verify_receipt

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

LANES: Final = 3
BATCH: Final = 20
LATER: Final = 600.0  # seconds by which the clock of the worker that resumes is ahead
KINDS: Final = {"store", "blob", "key vault", "salesforce", "identity"}


class Registry:
    """What the world outside knows of deletions: rows, files, grants, receipts."""

    def __init__(self, info: StackInfo, leavers: Leavers, rows: AzuriteRows) -> None:
        self._info, self._leavers, self._rows = info, leavers, rows
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.verify = str(info.authority)
        self.keys = self._get("/keys").content

    def close(self) -> None:
        self._http.close()

    def _get(self, path: str, bearer: str = "") -> requests.Response:
        answer = self._http.get(
            f"{self._info.service_https}/api/v1{path}",
            headers={"Authorization": f"Bearer {bearer}"} if bearer else {},
            timeout=SECONDS,
        )
        answer.raise_for_status()
        return answer

    async def stored(self, leaver: Leaver) -> tuple[str, set[str]]:
        """The state, and the receipts that are stored: in the row, in the ledger."""
        tenant = leaver.subject.tenant
        row = self._rows.deletion(tenant, leaver.deletion_id)
        entry = await self._leavers.azure.backups.get(ledger_name(tenant, leaver.deletion_id))
        known = [row.get("receipt"), None if entry is None else json.loads(entry)["receipt"]]
        return row["state"], {receipt for receipt in known if receipt}

    async def require_done(self, leaver: Leaver, earlier: set[str]) -> None:
        """Nothing is left, and the one receipt says exactly what there was."""
        asked, subject = leaver.asked, leaver.subject
        state, receipts = await self.stored(leaver)
        assert state == "receipted"
        assert len(receipts | earlier) == 1, "a second receipt was stored"
        path = f"/deletion-requests/{leaver.deletion_id}/receipt"
        handed_out = {self._get(path, asked.status_token.reveal()).text for _ in range(2)}
        assert handed_out == receipts
        (receipt,) = receipts
        claims = verify_receipt(
            receipt.encode(), self.keys, tenant=subject.tenant, user=subject.user
        )
        assert claims["deletion_id"] == leaver.deletion_id
        assert claims["rows"] == leaver.held
        assert claims["revocations"] == {"revoked": leaver.grants, "not_confirmed": 0}
        assert self._leavers.rows_of(leaver) == {table: [] for table in leaver.held}
        if subject.user is None:
            assert len(claims["keys_destroyed"]) == 1
            assert await self._leavers.azure.backups.names(f"{subject.tenant}/") == []


@pytest.fixture
async def leavers(
    stack: StackInfo, control: ControlClient, rows: AzuriteRows, identity_endpoint: None
) -> AsyncIterator[Leavers]:
    made = Leavers(stack, control, rows)
    yield made
    await made.close()


@dataclass(kw_only=True)
class Sweep:
    """A worker is killed after its first answer, another after its second, until none is left."""

    info: StackInfo
    registry: Registry
    new: Callable[[], Awaitable[Leaver]]
    unharmed: Callable[[], None]
    killed: dict[int, str] = field(default_factory=dict)
    """After so many answers; the last of them came from there."""
    at: Counter[str] = field(default_factory=Counter)
    """In which state the deletions were left."""
    survived: list[int] = field(default_factory=list)
    leavers: list[Leaver] = field(default_factory=list)

    async def __call__(self) -> None:
        async with AsyncExitStack() as running:
            lanes = [await running.enter_async_context(workers(self.info)) for _ in range(LANES)]
            while not self.survived:
                await self._next_batch(lanes)

    async def _next_batch(self, lanes: Sequence[Workers]) -> None:
        """Each of these deletions is left half done; then one worker finishes them all."""
        first = len(self.leavers) + 1
        numbers = iter(range(first, first + BATCH))
        left: list[tuple[Leaver, set[str]]] = []

        async def lane(of: Workers) -> None:
            for number in numbers:
                if self.survived:
                    return
                leaver = await self.new()
                self.leavers.append(leaver)
                left.append((leaver, await self._killed(of, leaver, number)))

        async with asyncio.TaskGroup() as running:
            for of in lanes:
                running.create_task(lane(of))
        self.unharmed()
        resumed = await lanes[0].work(Order(work="deletions", ahead=LATER))
        assert resumed.code == 0
        for leaver, receipts in left:
            await self.registry.require_done(leaver, receipts)
        self.unharmed()

    async def _killed(self, of: Workers, leaver: Leaver, number: int) -> set[str]:
        """The receipts that are stored when the worker has been killed."""
        each = [{"id": leaver.deletion_id}]
        kill = Kill(step=number, moment="after")
        ended = await of.work(Order(work="deletions", each=each, kill=kill))
        state, receipts = await self.registry.stored(leaver)
        if ended.was_killed:
            assert len(ended.answered) == number
            self.killed[number] = kind_in(ended.answered[-1])
            self.at[state] += 1
        else:
            assert (ended.code, state) == (0, "receipted")
            self.survived.append(number)
        return receipts


@pytest.mark.parametrize("scope", [*DeletionScope], ids=str)
async def test_d04_killed_after_any_request_a_deletion_is_finished_by_the_next_worker(
    stack: StackInfo,
    control: ControlClient,
    rows: AzuriteRows,
    leavers: Leavers,
    scope: DeletionScope,
) -> None:
    directory = str(uuid4())
    stays = await leavers.sign_in(directory)
    org = await leavers.lived(stays)

    async def new() -> Leaver:
        is_user = scope is DeletionScope.USER
        return await (leavers.user(directory) if is_user else leavers.tenant(people=1))

    def of_who_stays() -> Rows:
        """A colleague's rows, or the whole of another tenant."""
        whole = rows.of(stays.tenant)
        return naming(whole, stays.user) if scope is DeletionScope.USER else whole

    before, began = of_who_stays(), time.monotonic()

    def unharmed() -> None:
        assert of_who_stays() == before

    with closing(Registry(stack, leavers, rows)) as registry:
        swept = Sweep(info=stack, registry=registry, new=new, unharmed=unharmed)
        await swept()

    assert sorted(swept.killed) == [*range(1, min(swept.survived))]
    assert {*swept.killed.values()} == KINDS
    endings = endings_by_org(control)
    assert endings[org] == {None: 3}
    alive = [
        leaver
        for leaver in swept.leavers
        if endings_of(leaver, endings) != {"revoked": leaver.grants}
    ]
    print(  # noqa: T201 - the figures, for a person
        f"\nD-04 scope {scope}: killed after each of {len(swept.killed)} requests "
        f"({told(Counter(swept.killed.values()))}), which left {told(swept.at)}; "
        f"{len(swept.leavers)} deletions finished with one receipt each, {len(alive)} left a grant "
        f"alive, in {time.monotonic() - began:.0f} s"
    )
    assert alive == []


def endings_by_org(control: ControlClient) -> dict[str, Counter[str | None]]:
    """How the grants of each org ended, by Salesforce's own ledger."""
    found: dict[str, Counter[str | None]] = defaultdict(Counter)
    for grant in control.get("/_sim/salesforce/ledger")["grants"]:
        found[grant["org_id"]][grant["ended"]] += 1
    return found


def endings_of(leaver: Leaver, endings: dict[str, Counter[str | None]]) -> Counter[str | None]:
    return sum((endings[org] for org in leaver.orgs), Counter[str | None]())


def told(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())
