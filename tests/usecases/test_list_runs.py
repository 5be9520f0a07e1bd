"""The history of runs: one's own, the tenant's for administrators, and nobody else's."""

from datetime import timedelta
from typing import Any

import pytest

from shared.errors import (
    InvalidRequestError,
    NotAdminError,
    SalesforceTimeoutError,
    StorageFailedError,
)
from shared.model import LONGEST_RUN, Caller, Period, Run, RunFilter, RunOutcome
from shared.usecases.list_runs import NamedRuns
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, NOON, World
from tests.usecases.invoking import invocation, run


async def history(
    world: World, caller: Caller, *, whole_tenant: bool = False, after: str | None = None
) -> NamedRuns:
    return await world.services.list_runs(caller, whole_tenant=whole_tenant, after=after, limit=2)


def ids(listed: NamedRuns) -> list[str]:
    return [one.id for one in listed.page.runs]


async def ran(world: World, name: str, times: int) -> tuple[Caller, list[str]]:
    """Somebody's runs, a second apart, newest first."""
    caller = await world.signed_in(name)
    await world.connect(caller)
    runs = []
    for _ in range(times):
        world.clock.move(seconds=1)
        runs.append((await run(world, caller, invocation()))[0].id)
    return caller, runs[::-1]


async def test_ones_own_runs_are_paged_newest_first(world: World) -> None:
    alice, runs = await ran(world, "alice", 3)

    first = await history(world, alice)
    second = await history(world, alice, after=first.page.next)

    assert [ids(first), ids(second)] == [runs[:2], runs[2:]]
    assert second.page.next is None


async def test_a_run_is_listed_with_its_flows_name(world: World) -> None:
    alice, _ = await ran(world, "alice", 1)

    listed = await history(world, alice)

    (listed_run,) = listed.page.runs
    assert listed.flow_names == {listed_run.flow_id: "Log_Email"}
    assert listed_run.outcome is RunOutcome.SUCCEEDED


async def test_who_ran_nothing_has_no_history(world: World) -> None:
    listed = await history(world, await world.signed_in("bob"))

    assert (listed.page.runs, listed.page.next, listed.flow_names) == ((), None, {})


async def test_n01_a_colleagues_runs_are_not_listed(world: World) -> None:
    await ran(world, "alice", 2)
    bob, bobs = await ran(world, "bob", 1)

    assert ids(await history(world, bob)) == bobs


async def test_an_administrator_sees_the_tenants_runs_and_only_on_demand(world: World) -> None:
    _, alices = await ran(world, "alice", 1)
    _, bobs = await ran(world, "bob", 1)
    await ran(world, "dave", 1)
    carol = await world.signed_in("carol")

    assert ids(await history(world, carol, whole_tenant=True)) == bobs + alices
    assert ids(await history(world, carol)) == []


async def test_n04_who_is_no_administrator_does_not_see_the_tenants_runs(world: World) -> None:
    alice, _ = await ran(world, "alice", 1)

    with pytest.raises(NotAdminError):
        await history(world, alice, whole_tenant=True)


async def test_n01_an_administrator_of_another_tenant_sees_none_of_them(world: World) -> None:
    alice, _ = await ran(world, "alice", 3)
    token = (await history(world, alice)).page.next
    grace = await world.signed_in("grace")

    assert ids(await history(world, grace, whole_tenant=True)) == []
    assert ids(await history(world, grace, whole_tenant=True, after=token)) == []


async def test_a_colleagues_paging_token_shows_ones_own_runs_alone(world: World) -> None:
    bob, bobs = await ran(world, "bob", 1)
    alice, _ = await ran(world, "alice", 3)
    token = (await history(world, alice)).page.next

    assert ids(await history(world, bob, after=token)) == bobs


async def test_a_paging_token_that_is_none_of_ours_is_refused(world: World) -> None:
    with pytest.raises(InvalidRequestError):
        await history(world, await world.signed_in("alice"), after="garbage")


@pytest.mark.parametrize(
    ("later", "outcome"),
    [
        pytest.param(timedelta(0), RunOutcome.STARTED, id="at-once"),
        pytest.param(LONGEST_RUN, RunOutcome.STARTED, id="as-long-as-a-call-can-take"),
        pytest.param(LONGEST_RUN + timedelta(seconds=1), RunOutcome.OUTCOME_UNKNOWN, id="longer"),
    ],
)
async def test_a_run_that_never_told_its_end_reads_as_unknown_after_the_longest_time(
    world: World, later: timedelta, outcome: RunOutcome
) -> None:
    alice = await world.signed_in("alice")
    started = Run(
        id="r-one",
        tenant=alice.tenant,
        user=alice.user,
        org=CONTOSO_ORG,
        flow_id="f-one",
        started_at=world.clock(),
    )
    await world.runs.start(started, None)
    world.clock.move(seconds=later.total_seconds())

    (listed,) = (await history(world, alice)).page.runs

    assert listed.outcome is outcome
    assert world.runs.only().outcome is RunOutcome.STARTED  # read so, not written


async def test_an_outcome_that_was_told_does_not_change_with_time(world: World) -> None:
    alice, _ = await ran(world, "alice", 1)
    world.flows.faults.plan("invoke", SalesforceTimeoutError)
    with pytest.raises(SalesforceTimeoutError):
        await run(world, alice, invocation())
    world.clock.move(days=1)

    outcomes = {one.outcome for one in (await history(world, alice)).page.runs}

    assert outcomes == {RunOutcome.SUCCEEDED, RunOutcome.OUTCOME_UNKNOWN}


async def test_d12_a_name_that_does_not_open_hides_no_run(world: World) -> None:
    alice, runs = await ran(world, "alice", 1)
    ((key, sealed),) = world.tenants.flow_names.items()
    world.tenants.flow_names[key] = sealed[:-1]

    listed = await history(world, alice)

    assert (ids(listed), listed.flow_names) == (runs, {})


# --- filters -----------------------------------------------------------------------------------


async def everything(world: World, caller: Caller, **filters: Any) -> list[str]:  # noqa: ANN401
    """The ids of all pages."""
    found: list[str] = []
    after: str | None = None
    for _ in range(100):
        listed = await world.services.list_runs(
            caller, **{"whole_tenant": False, "after": after, "limit": 2} | filters
        )
        found += ids(listed)
        after = listed.page.next
        if after is None:
            return found
    raise AssertionError("the pages do not end")


async def test_what_never_told_its_end_is_found_as_unknown_and_not_as_started(
    world: World,
) -> None:
    alice, done = await ran(world, "alice", 1)
    world.runs.faults.plan("finish", StorageFailedError, times=2)
    lost = (await run(world, alice, invocation()))[0].id
    world.clock.move(seconds=LONGEST_RUN.total_seconds() + 1)
    under_way = (await run(world, alice, invocation()))[0].id

    found = {
        outcome: await everything(world, alice, where=RunFilter(outcome=outcome))
        for outcome in RunOutcome
    }

    assert {outcome: names for outcome, names in found.items() if names} == {
        RunOutcome.SUCCEEDED: done,
        RunOutcome.OUTCOME_UNKNOWN: [lost],
        RunOutcome.STARTED: [under_way],
    }


async def test_runs_of_an_org_a_flow_and_a_period_are_found(world: World) -> None:
    alice, (second, first) = await ran(world, "alice", 2)
    world.clock.move(seconds=1)
    await world.connect(alice, FABRIKAM_ORG)
    third = await run(world, alice, invocation("Log_Call", org=FABRIKAM_ORG))

    flow_id = third[0].flow_id
    only = Period(begin=NOON + timedelta(seconds=1), end=NOON + timedelta(seconds=2))
    assert await everything(world, alice, where=RunFilter(org=CONTOSO_ORG)) == [second, first]
    assert await everything(world, alice, where=RunFilter(org=FABRIKAM_ORG)) == [third[0].id]
    assert await everything(world, alice, where=RunFilter(flow_id=flow_id)) == [third[0].id]
    assert await everything(world, alice, period=only) == [first]


async def test_an_administrator_finds_the_runs_of_one_user(world: World) -> None:
    alice, alices = await ran(world, "alice", 2)
    await ran(world, "bob", 1)
    carol = await world.signed_in("carol")

    assert await everything(world, carol, whole_tenant=True, user=alice.user) == alices


async def test_without_the_whole_tenant_no_user_is_named(world: World) -> None:
    alice, _ = await ran(world, "alice", 1)
    carol = await world.signed_in("carol")

    for caller, user in ((carol, alice.user), (alice, carol.user), (alice, alice.user)):
        with pytest.raises(InvalidRequestError):
            await everything(world, caller, user=user)


async def test_n04_who_is_no_administrator_finds_no_colleagues_runs(world: World) -> None:
    alice, _ = await ran(world, "alice", 1)
    bob = await world.signed_in("bob")

    with pytest.raises(NotAdminError):
        await everything(world, bob, whole_tenant=True, user=alice.user)


async def test_n01_no_filter_finds_anything_of_another_tenants(world: World) -> None:
    alice, _ = await ran(world, "alice", 1)
    grace = await world.signed_in("grace")

    assert await everything(world, grace, whole_tenant=True, user=alice.user) == []
    assert await everything(world, grace, whole_tenant=True, where=RunFilter(org=CONTOSO_ORG)) == []


async def test_a_search_that_ends_early_goes_on_at_the_next_page(world: World) -> None:
    alice, alices = await ran(world, "alice", 1)
    await ran(world, "bob", 9)
    world.runs.looks_at = 3

    first = await history(world, alice)

    assert (ids(first), first.page.next is None) == ([], False)
    assert await everything(world, alice) == alices
