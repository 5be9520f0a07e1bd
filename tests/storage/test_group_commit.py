"""Writers who share transactions: each is told what became of its own rows, whatever becomes of
the others'."""

import asyncio
import gc
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, Final

import pytest

from shared.errors import StorageFailedError
from shared.storage.entity_groups import MOST_OPERATIONS, RefusedError, Write
from shared.storage.group_commit import GroupCommit

GATE: Final = "gate|u-alice"


class Partition:
    """A partition of the Table service: carries out a transaction whole or not at all."""

    def __init__(self) -> None:
        self.rows = {GATE}
        self.transactions: list[list[str]] = []
        self.failures: list[Exception | None] = []
        """What becomes of the next transactions; None is success."""
        self.unanswered = 0
        """So many transactions are carried out, and their answer is lost."""
        self.failing: set[str] = set()
        """Rows whose transactions fail."""
        self.broken: set[str] = set()
        """Rows that cannot be written, for an error of ours."""
        self.hold: asyncio.Event | None = None
        self.seconds = 0.0
        self.tasks: list[asyncio.Task[Any] | None] = []

    async def __call__(self, writes: Sequence[Write]) -> None:
        names = [write.row_key for write in writes]
        self.transactions.append(names)
        self.tasks.append(asyncio.current_task())
        await (self.hold.wait() if self.hold is not None else asyncio.sleep(self.seconds))
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        if self.failing & set(names):
            raise StorageFailedError
        if self.broken & set(names):
            raise TypeError("no column holds such a value")
        for index, write in enumerate(writes):
            if write.row_key in names[:index]:
                raise RefusedError(index, "InvalidDuplicateRow")
            if write.kind == "insert" and write.row_key in self.rows:
                raise RefusedError(index, "EntityAlreadyExists")
            if write.kind == "merge" and write.row_key not in self.rows:
                raise RefusedError(index, "ResourceNotFound")
        self.rows.update(names)
        if self.unanswered:
            self.unanswered -= 1
            raise StorageFailedError


@pytest.fixture
def partition() -> Partition:
    return Partition()


@pytest.fixture
def group(partition: Partition) -> GroupCommit:
    return GroupCommit(partition)


@pytest.fixture
def complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No failure is left lying about: asyncio would say so when it is thrown away."""
    yield
    gc.collect()
    assert [one.getMessage() for one in caplog.records if one.name == "asyncio"] == []


def insert(name: str) -> Write:
    return Write(kind="insert", entity={"PartitionKey": "t", "RowKey": name})


def merge(name: str) -> Write:
    return Write(kind="merge", entity={"PartitionKey": "t", "RowKey": name})


async def started(group: GroupCommit, name: str, gate: str = GATE) -> str:
    """One run: what became of it, in a word."""
    try:
        await group.write(insert(f"run|{name}"), shared=(merge(gate),))
    except RefusedError as exc:
        return f"{exc.code} {exc.index}"
    except StorageFailedError:
        return "perhaps"
    return "written"


async def all_started(group: GroupCommit, names: Sequence[str]) -> list[str]:
    return await asyncio.gather(*(started(group, name) for name in names))


async def test_who_is_alone_is_sent_at_once(partition: Partition) -> None:
    """However long the others would be waited for."""
    group = GroupCommit(partition, linger=3_600)

    for name in ("one", "two"):
        assert await asyncio.wait_for(started(group, name), timeout=1) == "written"

    assert partition.transactions == [[GATE, "run|one"], [GATE, "run|two"]]


async def test_company_shares_a_transaction_and_its_gate_is_written_once(
    group: GroupCommit, partition: Partition
) -> None:
    names = [f"{number:02}" for number in range(33)]

    assert await all_started(group, names) == ["written"] * 33

    assert partition.transactions == [[GATE, *(f"run|{name}" for name in names)]]


async def test_the_gates_of_several_are_all_in_it_and_before_the_rows(
    group: GroupCommit, partition: Partition
) -> None:
    partition.rows.add("gate|u-bob")

    await asyncio.gather(
        started(group, "one"), started(group, "two", "gate|u-bob"), started(group, "three")
    )

    expected = [GATE, "gate|u-bob", "run|one", "run|two", "run|three"]
    assert partition.transactions == [expected]


async def test_who_comes_while_another_is_on_its_way_waits_for_company(
    group: GroupCommit, partition: Partition
) -> None:
    partition.hold = asyncio.Event()
    first = asyncio.create_task(started(group, "first"))
    await eventually(lambda: len(partition.transactions) == 1)
    later = []
    for name in ("second", "third"):
        later.append(asyncio.create_task(started(group, name)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await eventually(lambda: len(partition.transactions) == 2)
    partition.hold.set()

    assert await asyncio.gather(first, *later) == ["written"] * 3
    assert partition.transactions[1] == [GATE, "run|second", "run|third"]


@pytest.mark.parametrize("callers", [99, 100, 101, 250, 1_000])
@pytest.mark.parametrize("is_gated", [True, False])
async def test_no_transaction_has_more_operations_than_the_service_takes(
    group: GroupCommit, partition: Partition, callers: int, *, is_gated: bool
) -> None:
    shared = (merge(GATE),) if is_gated else ()
    rows = [f"run|{number}" for number in range(callers)]

    await asyncio.gather(*(group.write(insert(row), shared=shared) for row in rows))

    assert max(len(one) for one in partition.transactions) <= MOST_OPERATIONS
    written = [row for one in partition.transactions for row in one if row != GATE]
    assert written == rows
    assert len(partition.transactions) == -(-callers // (MOST_OPERATIONS - is_gated))


async def test_rows_of_one_caller_are_never_parted(
    group: GroupCommit, partition: Partition
) -> None:
    await asyncio.gather(
        *(
            group.write(insert(f"run|{number}"), insert(f"idem|{number}"), shared=(merge(GATE),))
            for number in range(120)
        )
    )

    for one in partition.transactions:
        runs = {row.removeprefix("run|") for row in one if row.startswith("run|")}
        assert runs == {row.removeprefix("idem|") for row in one if row.startswith("idem|")}
    assert len(partition.transactions) == 3


async def test_who_is_refused_is_told_alone_and_the_others_are_written(
    group: GroupCommit, partition: Partition
) -> None:
    partition.rows.add("run|two")

    answers = await all_started(group, ["one", "two", "three"])

    assert answers == ["written", "EntityAlreadyExists 1", "written"]
    assert partition.rows >= {"run|one", "run|three"}


async def test_whose_gate_is_gone_is_told_so_of_its_own_first_row_wherever_it_stood_in_the_group(
    group: GroupCommit, partition: Partition
) -> None:
    """The index counts the caller's own operations, and not those of the transaction."""
    partition.rows.add("gate|u-bob")
    gates = ["gate|u-bob", "gate|u-gone", GATE, "gate|u-gone"]

    answers = await asyncio.gather(
        *(started(group, f"{number}", gate) for number, gate in enumerate(gates))
    )

    assert answers == ["written", "ResourceNotFound 0", "written", "ResourceNotFound 0"]
    assert {row for row in partition.rows if row.startswith("run|")} == {"run|0", "run|2"}


async def test_a_gate_that_closes_between_two_tries_shuts_out_its_own_user_alone(
    group: GroupCommit, partition: Partition
) -> None:
    partition.rows |= {"gate|u-bob", "run|taken"}
    answers = [
        asyncio.create_task(started(group, name, gate))
        for name, gate in (("one", GATE), ("taken", GATE), ("two", "gate|u-bob"))
    ]
    await eventually(lambda: len(partition.transactions) == 1)
    partition.rows.remove("gate|u-bob")

    told = await asyncio.gather(*answers)

    assert told == ["written", "EntityAlreadyExists 1", "ResourceNotFound 0"]


async def test_all_are_refused_and_each_is_told_of_its_own(
    group: GroupCommit, partition: Partition
) -> None:
    names = [f"{number}" for number in range(40)]
    partition.rows.update(f"run|{name}" for name in names)

    assert await all_started(group, names) == ["EntityAlreadyExists 1"] * 40


async def test_nobody_waits_for_more_than_three_transactions_however_many_are_refused(
    group: GroupCommit, partition: Partition
) -> None:
    names = [f"{number}" for number in range(40)]
    partition.rows.update(f"run|{name}" for name in names[:-1])
    rounds: list[int] = []

    async def counted(writes: Sequence[Write]) -> None:
        rounds.append(clock[0])
        before = clock[0]
        await asyncio.sleep(0.01)
        clock[0] = max(clock[0], before + 1)
        await partition(writes)

    clock = [0]
    answers = await all_started(GroupCommit(counted), names)

    assert answers == ["EntityAlreadyExists 1"] * 39 + ["written"]
    assert max(rounds) < 3


async def test_one_is_refused_and_for_the_others_the_store_fails(
    group: GroupCommit, partition: Partition
) -> None:
    partition.rows.add("run|two")
    partition.failures = [RefusedError(2, "EntityAlreadyExists")]
    partition.failing = {"run|one"}

    answers = await all_started(group, ["one", "two", "three"])

    assert answers == ["perhaps", "EntityAlreadyExists 1", "perhaps"]


async def test_a_failed_transaction_is_tried_once_more(
    group: GroupCommit, partition: Partition
) -> None:
    partition.failures = [StorageFailedError()]

    assert await all_started(group, ["one", "two"]) == ["written"] * 2
    assert partition.transactions == [[GATE, "run|one", "run|two"]] * 2


@pytest.mark.usefixtures("complaints")
async def test_a_transaction_that_fails_twice_is_told_to_all_and_to_each_by_an_error_of_its_own(
    group: GroupCommit, partition: Partition
) -> None:
    """Of one user's error the run's id is written on it, and another's must not carry it."""
    partition.failures = [StorageFailedError(), StorageFailedError()]

    told = await asyncio.gather(
        *(group.write(insert(name), shared=(merge(GATE),)) for name in ("run|1", "run|2")),
        return_exceptions=True,
    )

    assert [type(one) for one in told] == [StorageFailedError] * 2
    assert told[0] is not told[1]
    assert len(partition.transactions) == 2
    assert await started(group, "3") == "written"


async def test_what_an_unanswered_try_has_written_is_refused_to_each_by_its_own_row(
    group: GroupCommit, partition: Partition
) -> None:
    """So that everybody finds out that it was their own."""
    partition.unanswered = 1
    names = [f"{number}" for number in range(33)]

    assert await all_started(group, names) == ["EntityAlreadyExists 1"] * 33
    assert {f"run|{name}" for name in names} <= partition.rows


async def test_two_who_name_the_same_row_are_two_transactions_and_one_wins(
    group: GroupCommit, partition: Partition
) -> None:
    """The service refuses a transaction that names a row twice, and that is nobody's answer."""

    async def with_key(number: int) -> str:
        try:
            await group.write(insert(f"run|{number}"), insert("idem|k"), shared=(merge(GATE),))
        except RefusedError as exc:
            return f"{exc.code} {exc.index}"
        return "written"

    answers = await asyncio.gather(*(with_key(number) for number in range(32)))

    assert sorted(answers) == ["EntityAlreadyExists 2"] * 31 + ["written"]
    assert sum(row.startswith("run|") for row in partition.rows) == 1
    assert all(len(set(one)) == len(one) for one in partition.transactions)


async def test_a_row_of_one_that_another_shares_is_not_named_twice(
    group: GroupCommit, partition: Partition
) -> None:
    await asyncio.gather(group.write(merge(GATE)), started(group, "one"), group.write(merge(GATE)))

    assert all(len(set(one)) == len(one) for one in partition.transactions)


@pytest.mark.usefixtures("complaints")
async def test_an_error_of_ours_in_one_row_is_told_to_its_caller_alone(
    group: GroupCommit, partition: Partition
) -> None:
    partition.broken = {"run|two"}

    told = await asyncio.gather(
        *(started(group, name) for name in ("one", "two", "three")), return_exceptions=True
    )

    assert [told[0], type(told[1]), told[2]] == ["written", TypeError, "written"]


@pytest.mark.parametrize("index", [2, 99, -1])
async def test_a_refusal_of_no_row_of_the_transaction_leaves_nobody_waiting(
    partition: Partition, index: int
) -> None:
    partition.failures = [RefusedError(index, "EntityAlreadyExists")] * 40
    group = GroupCommit(partition)

    answers = await asyncio.wait_for(all_started(group, ["one", "two"]), timeout=5)

    assert all(answer.startswith("EntityAlreadyExists") for answer in answers)


@pytest.mark.usefixtures("complaints")
async def test_whoever_ends_the_sending_leaves_nobody_waiting(
    group: GroupCommit, partition: Partition
) -> None:
    partition.hold = asyncio.Event()
    answers = [asyncio.create_task(started(group, name)) for name in ("one", "two")]
    await eventually(lambda: len(partition.tasks) == 1)
    (sending,) = partition.tasks
    assert sending is not None
    sending.cancel()

    assert await asyncio.wait_for(asyncio.gather(*answers), timeout=5) == ["perhaps"] * 2


@pytest.mark.usefixtures("complaints")
async def test_a_store_that_is_out_of_time_is_told_and_the_next_is_written(
    partition: Partition,
) -> None:
    """The deadline is that of whoever carries the transaction out."""

    async def in_time(writes: Sequence[Write]) -> None:
        try:
            async with asyncio.timeout(0.02):
                await partition(writes)
        except TimeoutError as exc:
            raise StorageFailedError from exc

    group = GroupCommit(in_time)
    partition.hold = asyncio.Event()

    assert await all_started(group, ["one", "two"]) == ["perhaps"] * 2

    partition.hold.set()
    assert await started(group, "three") == "written"


@pytest.mark.usefixtures("complaints")
@pytest.mark.parametrize("moment", ["waiting", "sent"])
@pytest.mark.parametrize("ending", ["written", "refused", "failed"])
async def test_a_caller_who_gives_up_harms_nobody(
    group: GroupCommit, partition: Partition, moment: str, ending: str
) -> None:
    partition.hold = asyncio.Event()
    if ending == "refused":
        partition.rows.add("run|two")
    if ending == "failed":
        partition.failures = [StorageFailedError(), StorageFailedError()]
    one, two, three = (asyncio.create_task(started(group, n)) for n in ("one", "two", "three"))
    await asyncio.sleep(0)
    if moment == "sent":
        await eventually(lambda: len(partition.transactions) == 1)
    two.cancel()
    with pytest.raises(asyncio.CancelledError):
        await two
    partition.hold.set()

    expected = "perhaps" if ending == "failed" else "written"
    assert [await one, await three] == [expected] * 2
    await eventually(lambda: group.is_idle)


@pytest.mark.usefixtures("complaints")
async def test_all_give_up_and_the_next_is_served(group: GroupCommit, partition: Partition) -> None:
    partition.hold = asyncio.Event()
    gone = [asyncio.create_task(started(group, f"{number}")) for number in range(5)]
    await eventually(lambda: len(partition.transactions) == 1)
    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    partition.hold.set()

    assert await started(group, "next") == "written"


async def test_under_a_load_that_never_ends_everybody_is_served_in_the_order_of_coming(
    partition: Partition,
) -> None:
    """The wait for company has an end, though company keeps coming."""
    partition.seconds = 0.003
    group = GroupCommit(partition, linger=0.005)
    numbers = count()
    ended = asyncio.Event()
    waits: list[float] = []
    loop = asyncio.get_running_loop()

    async def one() -> None:
        began = loop.time()
        assert await started(group, f"{next(numbers):06}") == "written"
        waits.append(loop.time() - began)

    async with asyncio.TaskGroup() as tasks:
        loop.call_later(0.4, ended.set)
        while not ended.is_set():
            tasks.create_task(one())
            await asyncio.sleep(0.0005)

    sent = [row for one in partition.transactions for row in one if row != GATE]
    assert sent == sorted(sent)
    assert len(waits) > 100
    assert len(partition.transactions) < len(waits) / 2
    assert sorted(waits)[len(waits) // 2] < 0.1


async def test_a_group_is_idle_when_nothing_waits_and_nothing_is_on_its_way(
    group: GroupCommit, partition: Partition
) -> None:
    assert group.is_idle
    partition.hold = asyncio.Event()
    task = asyncio.create_task(started(group, "one"))
    await asyncio.sleep(0)
    assert not group.is_idle
    await eventually(lambda: len(partition.transactions) == 1)
    assert not group.is_idle
    partition.hold.set()
    await task
    await eventually(lambda: group.is_idle)


def test_a_group_serves_one_event_loop_after_the_other() -> None:
    partition = Partition()
    group = GroupCommit(partition)

    for loop in range(3):
        names = [f"{loop}-{number}" for number in range(5)]
        assert asyncio.run(all_started(group, names)) == ["written"] * 5

    assert len(partition.transactions) == 3


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0)
