"""What every run store promises: the fake, and the table `runs`."""

import asyncio
from dataclasses import replace

import pytest

from shared import ports
from shared.errors import IdempotencyKeyReusedError
from shared.model import Run, RunOutcome, TenantId
from tests.contract.rows import ALICE, EXACT, idempotency, run_row

pytestmark = pytest.mark.usefixtures("admitted")


@pytest.fixture
def store(outside: ports.Outside) -> ports.RunStore:
    return outside.runs


async def runs_of(store: ports.RunStore, tenant: TenantId) -> list[Run]:
    return list((await store.page(tenant, None, after=None, limit=100)).runs)


async def test_a_run_is_there_as_soon_as_it_has_started(
    store: ports.RunStore, tenant: TenantId
) -> None:
    run = run_row(tenant, "one", started=EXACT)

    assert await store.start(run, None) is None
    assert await runs_of(store, tenant) == [run]


async def test_a_run_that_has_finished_says_how(store: ports.RunStore, tenant: TenantId) -> None:
    run = run_row(tenant, "one")
    await store.start(run, idempotency("key"))

    finished = replace(
        run, finished_at=EXACT, outcome=RunOutcome.FLOW_FAILED, duration_ms=1_815_123
    )
    await store.finish(finished)

    assert await runs_of(store, tenant) == [finished]


async def test_finishing_a_run_that_is_gone_creates_none(
    store: ports.RunStore, tenant: TenantId
) -> None:
    await store.finish(replace(run_row(tenant, "one"), finished_at=EXACT, duration_ms=0))

    assert await runs_of(store, tenant) == []


async def test_a_key_used_again_for_the_same_request_answers_the_first_run(
    store: ports.RunStore, tenant: TenantId
) -> None:
    first = run_row(tenant, "first", user=ALICE)
    await store.start(first, idempotency("key"))

    earlier = await store.start(run_row(tenant, "second", later=5), idempotency("key"))

    assert earlier == first


async def test_the_first_run_is_answered_with_its_end(
    store: ports.RunStore, tenant: TenantId
) -> None:
    first = run_row(tenant, "first")
    await store.start(first, idempotency("key"))
    finished = replace(first, finished_at=EXACT, outcome=RunOutcome.SUCCEEDED, duration_ms=1)
    await store.finish(finished)

    assert await store.start(run_row(tenant, "second"), idempotency("key")) == finished


async def test_a_key_used_again_for_another_request_is_refused(
    store: ports.RunStore, tenant: TenantId
) -> None:
    await store.start(run_row(tenant, "first"), idempotency("key", "body"))

    with pytest.raises(IdempotencyKeyReusedError):
        await store.start(run_row(tenant, "second"), idempotency("key", "another body"))


@pytest.mark.parametrize("body", ["body", "another body"])
async def test_d13_a_refused_key_leaves_no_row_of_the_second_run(
    store: ports.RunStore, tenant: TenantId, body: str
) -> None:
    first = run_row(tenant, "first")
    await store.start(first, idempotency("key", "body"))

    second = store.start(run_row(tenant, "second", later=5), idempotency("key", body))
    await asyncio.gather(second, return_exceptions=True)

    assert await runs_of(store, tenant) == [first]


async def test_the_same_run_written_twice_is_one_run_and_no_duplicate(
    store: ports.RunStore, tenant: TenantId
) -> None:
    """A lost answer makes the SDK write again: that must not look like a second request."""
    run = run_row(tenant, "one")

    assert await store.start(run, idempotency("key")) is None
    assert await store.start(run, idempotency("key")) is None
    assert await runs_of(store, tenant) == [run]


async def test_p11_of_32_runs_with_one_key_at_once_one_starts(
    store: ports.RunStore, tenant: TenantId
) -> None:
    rivals = [run_row(tenant, f"{n:02}", later=n) for n in range(32)]

    answers = await asyncio.gather(*(store.start(run, idempotency("key")) for run in rivals))

    (winner,) = [run for run, earlier in zip(rivals, answers, strict=True) if earlier is None]
    assert [earlier for earlier in answers if earlier is not None] == [winner] * 31
    assert await runs_of(store, tenant) == [winner]


async def test_a_key_belongs_to_its_tenant(
    store: ports.RunStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    await store.start(run_row(tenant, "one"), idempotency("key"))

    assert await store.start(run_row(other_tenant, "two"), idempotency("key")) is None


async def test_runs_with_different_keys_are_different_runs(
    store: ports.RunStore, tenant: TenantId
) -> None:
    one, two = run_row(tenant, "one"), run_row(tenant, "two", later=1)
    await store.start(one, idempotency("key one"))

    assert await store.start(two, idempotency("key two")) is None
    assert await runs_of(store, tenant) == [two, one]
