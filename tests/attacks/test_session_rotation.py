"""S-04: the secret that signs sessions rotates in Key Vault while 64 clients call every worker.

Once by the clock that a test moves, over 80 minutes, three workers and a vault that speaks; and
once for a few real seconds, on two processes of the service."""

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self
from uuid import uuid4

import pytest

from local.stack_info import StackInfo
from shared.errors import KeyVaultFailedError, NotAuthenticatedError, SessionExpiredError
from shared.identity.sessions import LIFETIME, SETTLED, SIGNING_SECRET
from shared.secret import Secret
from tests.attacks.hammering import Pane, Who
from tests.attacks.rotating import Deployment, kid_of, of_an_invented_version
from tests.attacks.second_worker import worker_beside
from tests.control_client import ControlClient
from tests.identity.conftest import Simulate, simulate

__all__ = ["simulate"]  # a fixture

CLIENTS: Final = 64
CACHED: Final = timedelta(minutes=10)
STEP: Final = timedelta(seconds=30)


@pytest.fixture
def deployment(simulate: Simulate) -> Deployment:
    return Deployment(simulate)


@dataclass(slots=True)
class Client:
    session: Secret
    signed_in_at: datetime


async def test_S04_over_two_rotations_no_living_session_is_refused_by_any_worker(
    deployment: Deployment,
) -> None:
    """Rotations half an hour apart, workers that read the vault at different times, and somebody
    who sends invented names of versions all the while, so that no worker may look again."""
    clock, workers = deployment.clock, [deployment.worker() for _ in range(3)]
    for worker in workers:
        await deployment.session(worker)
        clock.move(minutes=4.5)
    clients = [Client(await deployment.session(workers[0]), clock()) for _ in range(CLIENTS)]
    turns = itertools.cycle(workers)
    rotations = (21, 81)  # steps: 30 minutes lie between; one worker has read just before
    refused = asked = 0
    signed_by: Counter[str] = Counter()
    for step in range(160):
        if step in rotations:
            deployment.add_version()
        for worker in workers:
            assert not await deployment.accepts(worker, of_an_invented_version())
        for client in clients:
            if clock() >= client.signed_in_at + LIFETIME - STEP:
                client.session = await deployment.session(next(turns))
                client.signed_in_at = clock()
                signed_by[kid_of(client.session)] += 1
        answers = await asyncio.gather(
            *(deployment.accepts(worker, one.session) for one in clients for worker in workers)
        )
        asked, refused = asked + len(answers), refused + answers.count(False)
        clock.move(seconds=STEP.total_seconds())
    print(  # noqa: T201 - the figures, for a person
        f"\nS-04: {CLIENTS} clients, 3 workers, 2 rotations in 80 minutes: {asked} requests, "
        f"{refused} refused; {len(signed_by)} versions have signed"
    )
    assert refused == 0
    assert len(signed_by) == 3


async def test_S04_a_version_is_refused_everywhere_ten_minutes_after_the_second_newer_one(
    deployment: Deployment,
) -> None:
    """Measured with sessions that its thief goes on signing; the bound is the cache's."""
    clock, workers = deployment.clock, [deployment.worker() for _ in range(3)]
    for worker in workers:
        assert await deployment.accepts(worker, deployment.forged())
        clock.move(minutes=3)
    deployment.add_version()
    clock.move(minutes=30)
    for worker in workers:
        assert await deployment.accepts(worker, deployment.forged())
        clock.move(minutes=3)
    deployment.add_version()
    rotated_at = clock()
    last = timedelta()
    while clock() < rotated_at + 2 * CACHED:
        if any([await deployment.accepts(one, deployment.forged()) for one in workers]):
            last = clock() - rotated_at
        clock.move(seconds=5)
    print(  # noqa: T201 - the figure, for a person
        f"\nS-04: accepted for the last time {last.total_seconds():.0f} s after the second rotation"
    )
    assert timedelta() < last < CACHED


async def test_S04_all_who_come_while_the_vault_is_read_again_are_let_in(
    deployment: Deployment,
) -> None:
    """A version had to go at once, so its successor signs at once, and one worker has not heard of
    it. All 64 clients come to it in the same moment."""
    behind = deployment.worker()
    await deployment.session(behind)
    deployment.add_version()
    deployment.disable(deployment.first.version)
    ahead = deployment.worker()
    sessions = [await deployment.session(ahead) for _ in range(CLIENTS)]
    before = deployment.listings()

    answers = await asyncio.gather(*(deployment.accepts(behind, one) for one in sessions))

    assert answers == [True] * CLIENTS
    assert deployment.listings() == before + 1


async def test_S04_a_disabled_version_is_used_by_nobody_after_ten_minutes(
    deployment: Deployment,
) -> None:
    worker = deployment.worker()
    await deployment.session(worker)
    deployment.add_version()
    deployment.disable(deployment.first.version)

    deployment.clock.move(seconds=CACHED.total_seconds())

    assert not await deployment.accepts(worker, deployment.forged())
    assert kid_of(await deployment.session(worker)) != deployment.first.version


async def test_S04_invented_names_of_versions_are_looked_up_once_a_minute(
    deployment: Deployment,
) -> None:
    worker = deployment.worker()
    await deployment.session(worker)
    before = deployment.listings()
    for _ in range(200):
        assert not await deployment.accepts(worker, of_an_invented_version())
        deployment.clock.move(seconds=0.5)

    assert deployment.listings() - before == 2


# --- which versions count (Key Vault: enabled, nbf, exp) -----------------------------------------


@pytest.mark.parametrize(
    ("attributes", "later"),
    [
        pytest.param({"enabled": False}, 0, id="disabled"),
        pytest.param({"exp": -1}, 0, id="expired"),
        pytest.param({"exp": 0}, 0, id="expires-now"),
        pytest.param({"exp": 300}, 300, id="expires-while-it-is-cached"),
        pytest.param({"nbf": 3_600}, 0, id="not-yet-valid"),
        pytest.param({"nbf": 3_600}, 3_599, id="a-second-before-it-is-valid"),
    ],
)
async def test_S04_a_version_that_is_not_valid_is_neither_signed_with_nor_believed(
    deployment: Deployment, attributes: dict[str, int | bool], later: float
) -> None:
    """One that has not begun does not take the place of one of the two that have; one that was
    disabled or is over does, or what it had replaced would come back."""
    second = deployment.add_version()
    deployment.clock.move(seconds=1)
    times = {
        name: value if name == "enabled" else deployment.in_seconds(value)
        for name, value in attributes.items()
    }
    bad = deployment.add_version(**times)
    worker = deployment.worker()
    await deployment.session(worker)
    deployment.clock.move(seconds=later)

    assert not await deployment.accepts(worker, deployment.forged(bad))
    assert kid_of(await deployment.session(worker)) in (deployment.first.version, second)
    assert await deployment.accepts(deployment.worker(), deployment.forged(second))
    is_early = "nbf" in attributes
    assert await deployment.accepts(deployment.worker(), deployment.forged()) is is_early


async def test_S04_from_its_time_on_a_version_is_believed_and_later_it_signs(
    deployment: Deployment,
) -> None:
    coming = deployment.add_version(nbf=deployment.in_seconds(3_600))
    worker = deployment.worker()
    await deployment.session(worker)

    deployment.clock.move(seconds=3_600)
    assert await deployment.accepts(worker, deployment.forged(coming))
    assert kid_of(await deployment.session(worker)) == deployment.first.version
    deployment.clock.move(seconds=SETTLED.total_seconds())
    assert kid_of(await deployment.session(worker)) == coming


async def test_S04_without_a_valid_version_nobody_signs_in_and_nobody_is_let_in(
    deployment: Deployment,
) -> None:
    worker = deployment.worker()
    session = await deployment.session(worker)
    deployment.disable(deployment.first.version)
    deployment.clock.move(seconds=CACHED.total_seconds())

    with pytest.raises(KeyVaultFailedError):
        await deployment.session(worker)
    with pytest.raises(NotAuthenticatedError) as refused:
        await worker.read(session)
    assert not isinstance(refused.value, SessionExpiredError)


# --- on two processes ----------------------------------------------------------------------------


class Callers:
    """Threads with a user each, who ask all of their workers in turn until they are told to stop.
    More workers may be added meanwhile."""

    def __init__(self, panes: Sequence[list[Pane]]) -> None:
        self._panes, self._stop = panes, threading.Event()
        self._broken: list[Exception] = []
        self.statuses: Counter[int] = Counter()
        self._threads = [
            threading.Thread(target=self._loop, args=(number,)) for number in range(len(panes))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads)
        if self._broken:
            raise ExceptionGroup("clients", self._broken)

    def _loop(self, number: int) -> None:
        try:
            for turn in itertools.count():
                if self._stop.wait(0.7):
                    return
                panes = self._panes[number]
                answer = panes[turn % len(panes)].send("GET", "/tenant/settings")
                self.statuses[answer.status_code] += 1
        except Exception as exc:  # noqa: BLE001 - told by the main thread
            self._broken.append(exc)


@pytest.fixture
def ids() -> Iterator[Who]:
    tid = str(uuid4())
    return (Who(tid=tid, oid=str(uuid4()), salesforce_user="") for _ in itertools.count())


@pytest.mark.stack
@pytest.mark.usefixtures("clean_stack")
def test_S04_on_two_processes_a_rotation_is_noticed_by_no_client(
    stack: StackInfo, control: ControlClient, tmp_path: Path, ids: Iterator[Who]
) -> None:
    """The second process starts after the rotation, as one that is added under load: it knows both
    versions, while the first one remembers the old. Then half of the users sign in again there."""
    with ExitStack() as running:
        panes = [
            [running.enter_context(Pane(stack, who))] for who in itertools.islice(ids, CLIENTS)
        ]
        for (pane,) in panes:
            pane.sign_in()
        began = time.monotonic()
        with Callers(panes) as callers:
            newest = {"name": SIGNING_SECRET, "value": f"a new signing secret, made up: {uuid4()}"}
            control.post("/_sim/keyvault/secrets", newest)
            beside = running.enter_context(worker_beside(stack, tmp_path))
            for number, of_one in enumerate(panes):
                pane = running.enter_context(Pane(beside, of_one[0].who))
                pane._session_token = of_one[0]._session_token
                if number % 2:
                    pane.sign_in()
                    of_one[0]._session_token = pane._session_token
                of_one.append(pane)
            time.sleep(4)
    print(  # noqa: T201 - the figures, for a person
        f"\nS-04: {CLIENTS} clients on 2 processes, {time.monotonic() - began:.0f} s from the "
        f"rotation: {dict(callers.statuses)}"
    )
    assert set(callers.statuses) == {200}
    assert callers.statuses[200] > 4 * CLIENTS
