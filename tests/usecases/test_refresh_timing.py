"""How long a refresh waits, how often it tries, and what it begins no more (O-16, O-17, O-19)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import (
    DeletionInProgressError,
    NotConnectedError,
    RefreshInProgressError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import MOST_SKEW, Access, Connection, Health
from tests.fakes import World
from tests.fakes.stores import MemoryConnectionStore
from tests.usecases.conftest import Told
from tests.usecases.refreshing import Alice, during_refresh, expired

type Sleep = Callable[[float], Awaitable[None]]


@pytest.fixture
async def alice(world: World) -> Alice:
    return await expired(world)


class Pauses(list[float]):
    """Waits by the fake clock, and remembers for how many seconds each time."""

    def __init__(self, alice: Alice) -> None:
        super().__init__()
        self._clock = alice.world.clock

    async def sleep(self, seconds: float) -> None:
        self.append(seconds)
        await self._clock.sleep(seconds)


async def refresh(alice: Alice, sleep: Sleep) -> Access:
    row, refresh_grant = alice.row, replace(alice.world.refresh_grant, sleep=sleep)
    return await refresh_grant(row.tenant, row.user, row.org, stale_generation=1)


def stores_away(alice: Alice) -> list[str]:
    """Neither the tables nor the journal take anything; which of them are asked, in their order."""
    asked: list[str] = []

    async def tables() -> None:
        asked.append("tables")

    async def journal() -> None:
        asked.append("journal")

    connections, backups = alice.world.connections.faults, alice.world.backups.faults
    for _ in range(100):
        connections.meanwhile("replace", tables)
        backups.meanwhile("put", journal)
    connections.plan("replace", StorageFailedError, times=1_000)
    backups.plan("put", StorageFailedError, times=1_000)
    return asked


# --- waiting for somebody else -----------------------------------------------------------------


async def test_who_waits_looks_again_every_100_to_300_milliseconds_for_25_seconds(
    alice: Alice,
) -> None:
    """Not all at the same moment: the pauses differ."""
    hour = timedelta(hours=1)
    alice.change(lease_holder="another", lease_until=alice.world.clock() + hour)
    pauses = Pauses(alice)

    with pytest.raises(SalesforceUnavailableError):
        await refresh(alice, pauses.sleep)

    assert min(pauses) >= 0.1
    assert max(pauses) < 0.3
    assert max(pauses) - min(pauses) > 0.1
    assert 25 <= sum(pauses) < 25.3
    assert alice.world.login.redemptions == 0


async def test_who_has_waited_for_25_seconds_begins_no_redemption(alice: Alice) -> None:
    """The lease is free at that very moment; but the caller has had to wait for long enough."""
    lease_until = alice.world.clock() + timedelta(seconds=25)
    alice.change(lease_holder="another", lease_until=lease_until)

    async def for_so_long(_: float) -> None:
        alice.world.clock.move(seconds=25)

    with pytest.raises(SalesforceUnavailableError):
        await refresh(alice, for_so_long)

    assert alice.row.lease_holder == "another"
    assert alice.world.login.redemptions == 0


async def test_o19_a_lease_that_is_over_is_not_waited_for(alice: Alice) -> None:
    lapsed = alice.world.clock() - MOST_SKEW
    alice.change(lease_holder="a dead worker", lease_until=lapsed)
    pauses = Pauses(alice)

    assert (await refresh(alice, pauses.sleep)).generation == 2
    assert pauses == []


async def test_what_salesforce_redeems_for_another_is_looked_at_again_after_such_a_pause(
    alice: Alice,
) -> None:
    alice.world.login.faults.plan("refresh", RefreshInProgressError)
    pauses = Pauses(alice)

    assert (await refresh(alice, pauses.sleep)).generation == 2
    (pause,) = pauses
    assert 0.1 <= pause < 0.3


# --- under the lease -----------------------------------------------------------------------------


async def test_o19_a_lease_is_taken_for_90_seconds(alice: Alice) -> None:
    began, seen = alice.world.clock(), list[object]()
    during_refresh(alice, lambda: seen.append(alice.row.lease_until))

    await alice.refresh()

    assert seen == [began + timedelta(seconds=90)]


@pytest.mark.parametrize("unanswered", [1, 2])
async def test_o16_what_has_no_answer_is_asked_again_after_one_second_and_only_once(
    alice: Alice, unanswered: int
) -> None:
    alice.world.login.faults.plan("refresh", SalesforceTimeoutError, times=unanswered)
    pauses = Pauses(alice)

    await asyncio.gather(refresh(alice, pauses.sleep), return_exceptions=True)

    assert pauses == [1.0]


# --- writing what came of it ---------------------------------------------------------------------


async def test_o17_the_pauses_between_the_tries_double_up_to_five_seconds(alice: Alice) -> None:
    """The journal is asked every other time, once the tables have failed three times."""
    asked: list[list[str]] = []
    during_refresh(alice, lambda: asked.append(stores_away(alice)))
    pauses = Pauses(alice)

    with pytest.raises(StorageFailedError):
        await refresh(alice, pauses.sleep)

    assert pauses == pytest.approx([0.4, 0.8, 1.6, 3.2] + [5.0] * 13)
    assert asked == [["tables"] * 3 + ["journal", "tables"] * 7]


async def test_o17_what_took_nearly_the_whole_lease_is_written_all_the_same(
    alice: Alice,
) -> None:
    """Whoever comes next has to wait for the end of the lease; the only copy cannot."""
    during_refresh(alice, lambda: alice.world.clock.move(seconds=80))

    assert (await alice.refresh()).generation == 2
    assert alice.row.generation == 2
    assert await alice.can_still_refresh()


@pytest.mark.parametrize(
    ("seconds", "tries"),
    [
        pytest.param(69.5, 2, id="20.1-seconds-are-left-for-the-second"),
        pytest.param(69.7, 1, id="19.9-seconds-are-left-for-the-second"),
        pytest.param(80.0, 1, id="less-was-left-for-the-first"),
    ],
)
async def test_o19_with_less_than_20_seconds_of_the_lease_left_nothing_is_tried_again(
    alice: Alice, told: Told, seconds: float, tries: int
) -> None:
    asked: list[list[str]] = []

    def slow_and_then_away() -> None:
        alice.world.clock.move(seconds=seconds)
        asked.append(stores_away(alice))

    during_refresh(alice, slow_and_then_away)
    pauses = Pauses(alice)

    with pytest.raises(StorageFailedError):
        await refresh(alice, pauses.sleep)

    assert asked == [["tables"] * tries]
    assert pauses == pytest.approx([0.4, 0.8][:tries])
    assert len(told("grant_lost")) == 1


@pytest.mark.parametrize(
    ("touched", "expected"),
    [
        pytest.param(9, [], id="nine-times"),
        pytest.param(10, [0.4], id="ten-times-which-is-a-failure-and-tried-again-after-a-pause"),
    ],
)
async def test_a_row_that_others_touch_meanwhile_is_written_at_once_up_to_ten_times(
    alice: Alice, touched: int, expected: list[float]
) -> None:
    async def touch() -> None:
        alice.change(last_used_day="2026-01-16")

    def often() -> None:
        for _ in range(touched):
            alice.world.connections.faults.meanwhile("replace", touch)

    during_refresh(alice, often)
    pauses = Pauses(alice)

    assert (await refresh(alice, pauses.sleep)).generation == 2
    assert pauses == pytest.approx(expected)
    assert alice.row.generation == 2


# --- a journal that does not answer --------------------------------------------------------------


class Fast(asyncio.SelectorEventLoop):
    """A second of it takes ten milliseconds."""

    def time(self) -> float:
        return super().time() * 100


def test_o17_a_journal_that_does_not_answer_holds_up_the_tables_for_ten_seconds(
    world: World, told: Told
) -> None:
    """They are well again when it has been given up; it would have taken ten minutes."""

    async def scene() -> float:
        alice, loop = await expired(world), asyncio.get_running_loop()
        began, given_up = loop.time(), 0.0

        async def hang() -> None:
            nonlocal began, given_up
            began = loop.time()
            try:
                while loop.time() < began + 600:  # noqa: ASYNC110 - asleep, its time would stand still
                    await asyncio.sleep(0)
            finally:
                given_up = loop.time()

        world.backups.faults.meanwhile("put", hang)
        during_refresh(
            alice, lambda: world.connections.faults.plan("replace", StorageFailedError, times=3)
        )
        assert (await alice.refresh()).generation == 2
        assert alice.row.generation == 2
        return given_up - began

    with asyncio.Runner(loop_factory=Fast) as runner:
        assert 9.5 < runner.run(scene()) < 600

    assert world.backups.files == {}
    assert told("grant_journalled") == []


# --- stalls, and answers of the store that mislead -----------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "is_sent"),
    [pytest.param(45, True, id="45-s-left"), pytest.param(46, False, id="44-s-left")],
)
async def test_o19_a_holder_that_stalled_sends_nothing_without_time_for_its_answer(
    alice: Alice, seconds: int, is_sent: bool
) -> None:
    """Somebody else may take the lease over before there is one, and send the same token."""

    async def stall() -> None:
        alice.world.clock.move(seconds=seconds)

    alice.world.connections.faults.meanwhile("replace", stall)  # the lease is being written
    if is_sent:
        assert (await alice.refresh()).generation == 2
    else:
        with pytest.raises(SalesforceUnavailableError):
            await alice.refresh()
        assert alice.row.lease_holder is None

    assert alice.world.login.redemptions == is_sent
    assert await alice.can_still_refresh()


async def test_o16_a_holder_that_stalled_after_the_first_try_does_not_ask_again(
    alice: Alice,
) -> None:
    async def stall() -> None:
        alice.world.clock.move(seconds=50)

    alice.world.login.faults.meanwhile("refresh", stall)
    alice.world.login.faults.plan("refresh", SalesforceTimeoutError)

    with pytest.raises(SalesforceUnavailableError):
        await alice.refresh()

    assert (alice.row.answer_lost, alice.row.lease_holder) == (True, None)
    assert await alice.can_still_refresh()


class TellsOnce(MemoryConnectionStore):
    """Writes the first row that it is given, and says that it was not as read: so the SDK does when
    the store has written, answered 503, and is asked once more."""

    def __init__(self, inner: MemoryConnectionStore) -> None:
        self.__dict__ = inner.__dict__
        self._has_misled = False

    async def replace(self, connection: Connection) -> Connection | None:
        written = await super().replace(connection)
        has_misled, self._has_misled = self._has_misled, True
        return written if has_misled else None


async def test_o19_a_holder_knows_its_own_lease_again(alice: Alice) -> None:
    row, pauses = alice.row, Pauses(alice)
    misled = TellsOnce(alice.world.connections)
    refresh_grant = replace(alice.world.refresh_grant, connections=misled, sleep=pauses.sleep)

    access = await refresh_grant(row.tenant, row.user, row.org, stale_generation=1)

    assert (access.generation, pauses) == (2, [])
    assert (alice.world.login.redemptions, alice.world.login.replays) == (1, 0)


async def test_o16_a_holder_does_not_take_its_own_lease_for_that_of_one_who_died(
    alice: Alice,
) -> None:
    """It has sent nothing yet: a grant that is over was taken back, and not lost by us."""
    row = alice.row
    misled = TellsOnce(alice.world.connections)
    alice.world.login.withdraw(row.user)

    with pytest.raises(NotConnectedError) as caught:
        await replace(alice.world.refresh_grant, connections=misled)(
            row.tenant, row.user, row.org, stale_generation=1
        )

    assert (caught.value.health, alice.row.health) == ("revoked", Health.REVOKED)


async def test_d05_what_a_deletion_has_taken_is_left_to_it(alice: Alice) -> None:
    lapsed = alice.world.clock() - MOST_SKEW
    alice.change(lease_holder="d-deletion", lease_until=lapsed)

    with pytest.raises(DeletionInProgressError):
        await alice.refresh()

    assert alice.world.login.redemptions == 0
    assert alice.row.answer_lost is False
