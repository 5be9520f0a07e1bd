"""D-05: what is inserted goes through a gate, on the fakes and on the tables. Where the gate is
closed nothing is written, however late it comes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from shared import ports
from shared.errors import DeletionInProgressError
from shared.model import DataSubject, RunOutcome, TenantId, UserId
from tests.contract.conftest import admit
from tests.contract.rows import (
    ALICE,
    BOB,
    EXACT,
    LONGER,
    connection_row,
    discarded_row,
    idempotency,
    pending_row,
    run_row,
    user_row,
)
from tests.fakes import CONTOSO_ORG

type Insert = Callable[[ports.Outside, TenantId, UserId], Awaitable[object]]

OF_TENANT: list[tuple[str, Insert]] = [
    ("user", lambda o, tenant, user: o.users.create(user_row(tenant, user))),
    ("flow-name", lambda o, tenant, _: o.tenants.remember_flow_name(tenant, "f-one", b"name")),
]
OF_USER: list[tuple[str, Insert]] = [
    ("connection", lambda o, tenant, user: o.connections.create(connection_row(tenant, user))),
    ("discarded", lambda o, tenant, user: o.outbox.put(discarded_row(tenant, user=user))),
    ("pending", lambda o, tenant, user: o.pending.put(pending_row(tenant, user, user=user))),
    ("run", lambda o, tenant, user: o.runs.start(run_row(tenant, user, user=user), None)),
    (
        "run-with-key",
        lambda o, tenant, user: o.runs.start(run_row(tenant, user, user=user), idempotency(user)),
    ),
]


def inserts(*those: tuple[str, Insert]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("insert", [pytest.param(one, id=name) for name, one in those])


async def rows_of(outside: ports.Outside, tenant: TenantId, user: UserId | None = None) -> int:
    """In all tables, gates among them."""
    return sum((await outside.erasure.count(DataSubject(tenant=tenant, user=user))).values())


@inserts(*OF_TENANT, *OF_USER)
async def test_d05_where_no_gate_was_opened_nothing_is_inserted(
    outside: ports.Outside, tenant: TenantId, insert: Insert
) -> None:
    with pytest.raises(DeletionInProgressError):
        await insert(outside, tenant, ALICE)

    assert await rows_of(outside, tenant) == 0


@inserts(*OF_TENANT, *OF_USER)
async def test_d05_where_a_tenants_gates_were_closed_nothing_is_inserted(
    outside: ports.Outside,
    tenant: TenantId,
    other_tenant: TenantId,
    admitted: None,
    insert: Insert,
) -> None:
    await outside.gates.close(DataSubject(tenant=tenant))

    with pytest.raises(DeletionInProgressError):
        await insert(outside, tenant, ALICE)

    assert await rows_of(outside, tenant) == 0
    await insert(outside, other_tenant, ALICE)


@inserts(*OF_USER)
async def test_d05_where_a_users_gates_were_closed_that_user_alone_is_shut_out(
    outside: ports.Outside,
    tenant: TenantId,
    other_tenant: TenantId,
    admitted: None,
    insert: Insert,
) -> None:
    await outside.gates.close(DataSubject(tenant=tenant, user=ALICE))

    with pytest.raises(DeletionInProgressError):
        await insert(outside, tenant, ALICE)

    assert await rows_of(outside, tenant, ALICE) == 0
    for colleague in (BOB, LONGER):
        await insert(outside, tenant, colleague)
    await insert(outside, other_tenant, ALICE)


@inserts(*OF_TENANT, *OF_USER)
async def test_gates_that_are_opened_again_are_open(
    outside: ports.Outside,
    tenant: TenantId,
    other_tenant: TenantId,
    admitted: None,
    insert: Insert,
) -> None:
    await outside.gates.close(DataSubject(tenant=tenant))

    await admit(outside, tenant, other_tenant)

    await insert(outside, tenant, ALICE)
    await insert(outside, other_tenant, ALICE)


async def test_opening_twice_changes_nothing(
    outside: ports.Outside, tenant: TenantId, admitted: None
) -> None:
    once = await outside.erasure.count(DataSubject(tenant=tenant))

    await admit(outside, tenant)

    assert await outside.erasure.count(DataSubject(tenant=tenant)) == once


async def test_closing_what_is_not_open_is_no_error(
    outside: ports.Outside, tenant: TenantId
) -> None:
    await outside.gates.close(DataSubject(tenant=tenant, user=ALICE))
    await outside.gates.close(DataSubject(tenant=tenant))

    assert await rows_of(outside, tenant) == 0


@pytest.mark.parametrize("was_open", [False, True], ids=["never-opened", "closed"])
async def test_where_a_tenants_gates_are_closed_no_users_are_opened(
    outside: ports.Outside, tenant: TenantId, *, was_open: bool
) -> None:
    if was_open:
        await admit(outside, tenant)
        await outside.gates.close(DataSubject(tenant=tenant))

    with pytest.raises(DeletionInProgressError):
        await outside.gates.open_for(tenant, ALICE)

    assert await rows_of(outside, tenant) == 0


@inserts(
    ("user", OF_TENANT[0][1]),
    ("connection", OF_USER[0][1]),
    ("run-with-key", OF_USER[4][1]),
)
async def test_a_closed_gate_comes_before_a_key_that_is_taken(
    outside: ports.Outside, tenant: TenantId, admitted: None, insert: Insert
) -> None:
    await insert(outside, tenant, ALICE)
    await outside.gates.close(DataSubject(tenant=tenant))

    with pytest.raises(DeletionInProgressError):
        await insert(outside, tenant, ALICE)


async def test_d05_a_consent_is_not_renewed_through_a_closed_gate(
    outside: ports.Outside, tenant: TenantId, admitted: None
) -> None:
    await outside.connections.create(connection_row(tenant))
    row = await outside.connections.load(tenant, ALICE, CONTOSO_ORG)
    assert row is not None
    await outside.gates.close(DataSubject(tenant=tenant, user=ALICE))

    with pytest.raises(DeletionInProgressError):
        await outside.connections.renew(replace(row, sealed_grant=b"new"), None)

    assert await outside.connections.load(tenant, ALICE, CONTOSO_ORG) == row


async def test_what_is_there_can_be_changed_and_taken_while_the_gates_are_closed(
    outside: ports.Outside, tenant: TenantId, admitted: None
) -> None:
    """A deletion itself needs that: it ends sessions, marks what is revoked, and takes it away."""
    run = run_row(tenant, "one")
    await outside.users.create(user_row(tenant))
    await outside.connections.create(connection_row(tenant))
    await outside.runs.start(run, None)
    await outside.gates.close(DataSubject(tenant=tenant))

    await outside.users.saw(tenant, ALICE, "2026-01-16")
    await outside.users.end_sessions(tenant, ALICE)
    (row,) = await outside.connections.of_user(tenant, ALICE)
    marked = await outside.connections.replace(replace(row, sealed_grant=b""))
    finished = replace(run, finished_at=EXACT, duration_ms=1, outcome=RunOutcome.SUCCEEDED)
    await outside.runs.finish(finished)

    user = await outside.users.load(tenant, ALICE)
    assert user == replace(user_row(tenant), last_seen_day="2026-01-16", epoch=1)
    assert await outside.connections.of_user(tenant, ALICE) == [marked]
    assert (await outside.runs.page(tenant, None, after=None, limit=9)).runs == (finished,)
    assert marked is not None
    assert await outside.connections.delete(marked)


async def test_d05_late_writers_bring_no_row_back(
    outside: ports.Outside, tenant: TenantId, admitted: None
) -> None:
    run = run_row(tenant, "one")
    await outside.users.create(user_row(tenant))
    await outside.connections.create(connection_row(tenant))
    await outside.runs.start(run, idempotency("key"))
    (row,) = await outside.connections.of_user(tenant, ALICE)
    await outside.gates.close(DataSubject(tenant=tenant))
    await outside.erasure.delete(DataSubject(tenant=tenant))

    await outside.users.saw(tenant, ALICE, "2026-01-16")
    await outside.users.end_sessions(tenant, ALICE)
    await outside.users.begin_deletion(tenant, ALICE)
    await outside.tenants.begin_deletion(tenant)
    await outside.runs.finish(replace(run, finished_at=EXACT, duration_ms=1))
    assert await outside.connections.replace(replace(row, generation=2)) is None
    assert not await outside.connections.delete(row)

    assert await rows_of(outside, tenant) == 0


@pytest.mark.parametrize("user", [ALICE, None], ids=["a-users", "the-tenants"])
async def test_d05_of_32_writers_none_writes_after_the_gate_was_closed(
    outside: ports.Outside, tenant: TenantId, admitted: None, user: UserId | None
) -> None:
    """Whoever is told that a run was written finds it counted when the gate is closed."""
    told: list[str] = []
    enough = asyncio.Event()

    async def write_until_refused(writer: int) -> None:
        for number in range(200):
            run = run_row(tenant, f"{writer}-{number}", later=number)
            try:
                await outside.runs.start(run, None)
            except DeletionInProgressError:
                return
            told.append(run.id)
            if len(told) >= 40:
                enough.set()
        raise AssertionError("the gate was never closed")

    async def written() -> set[str]:
        page = await outside.runs.page(tenant, None, after=None, limit=1_000)
        return {run.id for run in page.runs}

    writers = asyncio.gather(*(write_until_refused(n) for n in range(32)))
    await enough.wait()
    await outside.gates.close(DataSubject(tenant=tenant, user=user))
    counted = await written()
    await writers

    assert len(counted) >= 40
    assert set(told) == counted
    assert await written() == counted
