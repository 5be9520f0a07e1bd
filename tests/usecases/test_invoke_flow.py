"""Running a Flow: every call leaves its mark before it is made, and every end is written down."""

import asyncio
import re

import pytest

from shared.errors import (
    FlowFailedError,
    InvalidRequestError,
    NotConnectedError,
    NotFoundError,
    OrgAmbiguousError,
    StorageFailedError,
    UndeclaredInputError,
)
from shared.model import Caller, FlowName, RunOutcome, flow_name_place
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, NOON, FakeFlow, World, variable
from tests.usecases.conftest import Told
from tests.usecases.counting import count_calls
from tests.usecases.invoking import LOG, invocation, run
from tests.usecases.stored import everything, holds


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


async def test_a_run_answers_the_outputs_and_is_written_down(
    world: World, alice: Caller, told: Told
) -> None:
    async def a_second_passes() -> None:
        world.clock.move(seconds=1.25)

    world.flows.faults.meanwhile("invoke", a_second_passes)
    finished, result = await run(world, alice, invocation(email={"subject": "Hello"}))

    assert (result.status, result.outputs["subject"]) == ("succeeded", "Hello")
    assert world.runs.only() == finished
    assert re.fullmatch(r"r-[a-z2-7]{26}", finished.id)
    assert (finished.tenant, finished.user, finished.org) == (
        alice.tenant,
        alice.user,
        CONTOSO_ORG,
    )
    assert (finished.started_at, finished.duration_ms) == (NOON, 1_250)
    assert finished.outcome is RunOutcome.SUCCEEDED
    assert [(one["outcome"], one["duration_ms"]) for one in told("flow_run")] == [
        ("succeeded", 1_250)
    ]


async def test_a_flow_that_waits_is_written_down_as_waiting(world: World, alice: Caller) -> None:
    finished, result = await run(world, alice, invocation("Waits_For_Approval"))

    assert (finished.outcome, result.status) == (RunOutcome.WAITING, "waiting")


async def test_the_row_is_there_before_the_call_leaves(world: World, alice: Caller) -> None:
    seen: list[RunOutcome] = []

    async def look() -> None:
        seen.append(world.runs.only().outcome)

    world.flows.faults.meanwhile("invoke", look)
    await run(world, alice, invocation())

    assert seen == [RunOutcome.STARTED]


async def test_without_a_row_no_call_leaves(world: World, alice: Caller) -> None:
    world.runs.faults.plan("start", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await run(world, alice, invocation())

    assert world.flows.received == []


async def test_no_stored_row_holds_the_flows_name_or_what_went_through_it(
    world: World, alice: Caller
) -> None:
    email = {"subject": "A canary of a subject", "sender_email": "canary@example.com"}
    inputs = {"recordId": "001canary00000000A"}
    finished, _ = await run(world, alice, invocation(email=email, inputs=inputs, key="my canary"))
    with pytest.raises(FlowFailedError):
        await run(world, alice, invocation("Always_Faults", email=email))

    stored = everything(world)

    assert holds(stored, finished.id)  # the search finds what is there
    for text in (*email.values(), *inputs.values(), "my canary", LOG, "Always_Faults"):
        assert not holds(stored, text)
    assert not holds(stored, "An error occurred when executing")


async def test_the_name_is_kept_sealed_for_the_people_whose_flow_it_is(
    world: World, alice: Caller
) -> None:
    finished, _ = await run(world, alice, invocation())
    await run(world, alice, invocation())

    names = await world.tenants.sealed_flow_names(alice.tenant)

    place = flow_name_place(alice.tenant, finished.flow_id)
    assert list(names) == [finished.flow_id]
    assert await world.vault.open(place, names[finished.flow_id]) == LOG.encode()


# --- what is not even tried --------------------------------------------------------------------


async def test_a_screen_flow_is_refused_before_anything_is_sent(
    world: World, alice: Caller
) -> None:
    with pytest.raises(InvalidRequestError):
        await run(world, alice, invocation("New_Lead_Screen"))

    assert (world.runs.rows, world.flows.received) == ({}, [])


async def test_an_unknown_flow_is_not_found_and_leaves_no_row(world: World, alice: Caller) -> None:
    with pytest.raises(NotFoundError):
        await run(world, alice, invocation("No_Such_Flow"))

    assert world.runs.rows == {}


async def test_without_a_connection_nothing_runs(world: World) -> None:
    bob = await world.signed_in("bob")

    with pytest.raises(NotConnectedError):
        await run(world, bob, invocation())

    assert world.runs.rows == {}


async def test_of_several_orgs_one_has_to_be_named(world: World, alice: Caller) -> None:
    await world.connect(alice, FABRIKAM_ORG)

    with pytest.raises(OrgAmbiguousError):
        await run(world, alice, invocation())
    await run(world, alice, invocation("Log_Call", org=FABRIKAM_ORG))

    assert [one.org for one in world.flows.received] == [FABRIKAM_ORG]


# --- P-14: the Flow changes between describe and invoke -----------------------------------------


async def test_p14_a_flow_that_lost_an_input_is_refused_and_then_read_again(
    world: World, alice: Caller
) -> None:
    await run(world, alice, invocation(email={"subject": "a"}))
    world.flows.put(FakeFlow(name=LOG, inputs=(variable("cc"),)))

    with pytest.raises(InvalidRequestError):
        await run(world, alice, invocation(email={"subject": "b"}))
    await run(world, alice, invocation(email={"subject": "c"}))

    assert [one.inputs for one in world.flows.received] == [{"subject": "a"}, {}]


async def test_p14_a_flow_that_gained_an_input_is_not_sent_it_before_it_is_known(
    world: World, alice: Caller
) -> None:
    """The promise of what leaves the mailbox was made for the Flow as it was described."""
    await world.services.describe_flow(alice, None, FlowName.parse(LOG))
    gained = (variable("subject"), variable("ccEmails"))
    world.flows.put(FakeFlow(name=LOG, inputs=gained))

    await run(world, alice, invocation(email={"subject": "a", "cc_emails": ["b@example.com"]}))

    (received,) = world.flows.received
    assert received.inputs == {"subject": "a"}


async def test_p14_a_flow_that_is_gone_is_not_found_and_the_run_says_refused(
    world: World, alice: Caller
) -> None:
    await run(world, alice, invocation())
    world.flows.remove(LOG)

    with pytest.raises(NotFoundError):
        await run(world, alice, invocation())

    outcomes = [one.outcome for one in world.runs.rows.values()]
    assert outcomes == [RunOutcome.SUCCEEDED, RunOutcome.REFUSED]


async def test_p14_a_flow_that_came_back_is_not_taken_for_what_it_was(
    world: World, alice: Caller
) -> None:
    await run(world, alice, invocation(email={"subject": "a"}))
    world.flows.remove(LOG)
    with pytest.raises(NotFoundError):
        await run(world, alice, invocation())
    world.flows.put(FakeFlow(name=LOG, inputs=(variable("cc"),)))

    await run(world, alice, invocation(email={"subject": "a"}))

    assert world.flows.received[-1].inputs == {}


async def test_p14_what_another_instance_has_shown_is_taken_here(
    world: World, alice: Caller
) -> None:
    await run(world, alice, invocation())
    gained = (variable("subject"), variable("count", "INTEGER"))
    world.flows.put(FakeFlow(name=LOG, inputs=gained))
    await world.another_instance().services.describe_flow(alice, None, FlowName.parse(LOG))

    await run(world, alice, invocation(inputs={"count": 3}))

    assert world.flows.received[-1].inputs == {"count": 3}


async def test_p14_what_does_not_fit_is_described_once_more_and_no_oftener(
    world: World, alice: Caller
) -> None:
    await run(world, alice, invocation())
    asked = count_calls(world, "flows", "describe")

    with pytest.raises(UndeclaredInputError):
        await run(world, alice, invocation(inputs={"no_such_input": 3}))

    assert len(asked) == 1


async def test_64_runs_at_once_are_64_runs(world: World, alice: Caller) -> None:
    answers = await asyncio.gather(*(run(world, alice, invocation()) for _ in range(64)))

    assert len({one.id for one, _ in answers}) == len(world.runs.rows) == 64
    assert len(world.flows.received) == 64
