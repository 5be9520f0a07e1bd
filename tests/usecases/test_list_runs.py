"""The history of runs: one's own, the tenant's for administrators, and nobody else's."""

from datetime import timedelta

import pytest

from shared.errors import InvalidRequestError, NotAdminError, SalesforceTimeoutError
from shared.model import LONGEST_RUN, Caller, Run, RunOutcome
from shared.usecases.list_runs import NamedRuns
from tests.fakes import CONTOSO_ORG, World
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
