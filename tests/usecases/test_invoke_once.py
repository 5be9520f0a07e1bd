"""P-11, P-12: a key runs a Flow once, and only for the request that it was first used for."""

import asyncio
from datetime import timedelta

import pytest

from shared.errors import (
    DuplicateRunError,
    IdempotencyKeyReusedError,
    SalesforceLimitError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    UndeclaredInputError,
)
from shared.model import LONGEST_RUN, Caller
from shared.usecases.invoke_flow import Invocation
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, FakeFlow, World, variable
from tests.usecases.invoking import LOG, invocation, run

KEY = "the user's own key"


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


async def test_the_same_request_again_is_a_duplicate_with_the_first_runs_status(
    world: World, alice: Caller
) -> None:
    first, _ = await run(world, alice, invocation(key=KEY, email={"subject": "a"}))

    with pytest.raises(DuplicateRunError) as caught:
        await run(world, alice, invocation(key=KEY, email={"subject": "a"}))

    assert caught.value.members() == {"run_id": first.id, "run_status": "succeeded"}
    assert len(world.flows.received) == len(world.runs.rows) == 1


async def test_p11_the_same_request_32_times_at_once_runs_once(world: World, alice: Caller) -> None:
    instances = [world.another_instance().services for _ in range(4)]

    answers = await asyncio.gather(
        *(services.invoke_flow(alice, invocation(key=KEY)) for services in instances * 8),
        return_exceptions=True,
    )

    duplicates = [one for one in answers if isinstance(one, DuplicateRunError)]
    assert len(duplicates) == 31
    assert {one.run_id for one in duplicates} == {world.runs.only().id}
    assert len(world.flows.received) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(invocation(key=KEY, email={"subject": "b"}), id="another-mail"),
        pytest.param(
            invocation(key=KEY, email={"subject": "a", "source": "gmail"}), id="one-field-more"
        ),
        pytest.param(
            invocation(key=KEY, email={"subject": "a"}, inputs={"recordId": "001000000000001"}),
            id="another-input",
        ),
        pytest.param(
            invocation("Waits_For_Approval", key=KEY, email={"subject": "a"}), id="another-flow"
        ),
    ],
)
async def test_p12_the_same_key_for_another_request_is_refused(
    world: World, alice: Caller, other: Invocation
) -> None:
    await run(world, alice, invocation(key=KEY, email={"subject": "a"}))

    with pytest.raises(IdempotencyKeyReusedError):
        await run(world, alice, other)

    assert len(world.flows.received) == len(world.runs.rows) == 1


async def test_p12_the_same_key_for_another_org_is_refused(world: World, alice: Caller) -> None:
    await world.connect(alice, FABRIKAM_ORG)
    world.flows.put(FakeFlow(name=LOG, inputs=(variable("subject"),)), FABRIKAM_ORG)
    await run(world, alice, invocation(key=KEY, org=CONTOSO_ORG))

    with pytest.raises(IdempotencyKeyReusedError):
        await run(world, alice, invocation(key=KEY, org=FABRIKAM_ORG))


async def test_naming_the_only_org_or_not_is_the_same_request(world: World, alice: Caller) -> None:
    await run(world, alice, invocation(key=KEY))

    with pytest.raises(DuplicateRunError):
        await run(world, alice, invocation(key=KEY, org=CONTOSO_ORG))


async def test_the_order_of_the_fields_is_not_part_of_the_request(
    world: World, alice: Caller
) -> None:
    email = {"subject": "a", "sender_email": "b@example.com"}
    await run(world, alice, invocation(key=KEY, email=email))

    with pytest.raises(DuplicateRunError):
        await run(world, alice, invocation(key=KEY, email=dict(reversed(email.items()))))


async def test_a_key_belongs_to_its_user(world: World, alice: Caller) -> None:
    bob = await world.signed_in("bob")
    await world.connect(bob)
    await run(world, alice, invocation(key=KEY))

    await run(world, bob, invocation(key=KEY))

    assert len(world.flows.received) == 2


async def test_without_a_key_every_call_is_its_own_run(world: World, alice: Caller) -> None:
    for _ in range(3):
        await run(world, alice, invocation())

    assert len(world.flows.received) == 3


@pytest.mark.parametrize(
    ("failure", "status"),
    [(SalesforceTimeoutError, "outcome_unknown"), (SalesforceUnavailableError, "not_sent")],
)
async def test_a_run_that_failed_is_a_duplicate_with_its_outcome(
    world: World, alice: Caller, failure: type[Exception], status: str
) -> None:
    world.flows.faults.plan("invoke", failure)
    with pytest.raises(failure):
        await run(world, alice, invocation(key=KEY))

    with pytest.raises(DuplicateRunError) as caught:
        await run(world, alice, invocation(key=KEY))

    assert caught.value.run_status == status
    assert world.flows.received == []


@pytest.mark.parametrize(
    ("later", "status"),
    [
        pytest.param(timedelta(0), "started", id="at-once"),
        pytest.param(LONGEST_RUN, "started", id="as-long-as-a-call-can-take"),
        pytest.param(LONGEST_RUN + timedelta(seconds=1), "outcome_unknown", id="longer"),
    ],
)
async def test_a_run_that_never_told_its_end_is_unknown_after_the_longest_time(
    world: World, alice: Caller, later: timedelta, status: str
) -> None:
    """A worker died in the middle of the call."""
    world.flows.faults.plan("invoke", asyncio.CancelledError)
    with pytest.raises(asyncio.CancelledError):
        await run(world, alice, invocation(key=KEY))
    world.clock.move(seconds=later.total_seconds())

    with pytest.raises(DuplicateRunError) as caught:
        await run(world, alice, invocation(key=KEY))

    assert caught.value.run_status == status


async def test_a_request_that_was_refused_before_it_started_leaves_the_key_free(
    world: World, alice: Caller
) -> None:
    with pytest.raises(UndeclaredInputError):
        await run(world, alice, invocation(key=KEY, inputs={"nothing": 1}))

    await run(world, alice, invocation(key=KEY))

    assert len(world.flows.received) == 1


async def test_a_paused_org_uses_up_no_key(world: World, alice: Caller) -> None:
    """Who waits as long as they are told runs their Flow, with the key that they have."""
    world.flows.without_calls.add(CONTOSO_ORG)
    for _ in range(2):
        with pytest.raises(SalesforceLimitError):
            await run(world, alice, invocation(key=KEY))
    assert world.runs.rows == {}

    world.flows.without_calls.clear()
    _, result = await run(world, alice, invocation(key=KEY))

    assert result.status == "succeeded"
