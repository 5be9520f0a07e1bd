"""How a run ended: each failure has its outcome, is told as it is, and sends nothing twice."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.errors import (
    AccessRefusedError,
    FlowFailedError,
    FlowRunnerError,
    InvalidRequestError,
    KeyVaultFailedError,
    NotConnectedError,
    NotFoundError,
    SalesforceFailedError,
    SalesforceForbiddenError,
    SalesforceLimitError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import Caller, FlowName, RunOutcome
from shared.usecases.invoke_flow import LONGEST_SECONDS
from tests.fakes import CONTOSO_ORG, NOON, World
from tests.fakes.faults import Faults
from tests.usecases.conftest import Told
from tests.usecases.invoking import LOG, invocation, run


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


@pytest.mark.parametrize(
    ("failure", "outcome", "tells_the_run"),
    [
        pytest.param(
            lambda: FlowFailedError([{"statusCode": "X", "message": "y"}]),
            RunOutcome.FLOW_FAILED,
            True,
            id="a-fault-of-the-flow",
        ),
        pytest.param(SalesforceTimeoutError, RunOutcome.OUTCOME_UNKNOWN, True, id="no-answer"),
        pytest.param(
            SalesforceFailedError, RunOutcome.OUTCOME_UNKNOWN, True, id="an-unreadable-answer"
        ),
        pytest.param(SalesforceUnavailableError, RunOutcome.NOT_SENT, False, id="unavailable"),
        pytest.param(
            lambda: SalesforceLimitError(60), RunOutcome.REFUSED, False, id="limit-used-up"
        ),
        pytest.param(SalesforceForbiddenError, RunOutcome.REFUSED, False, id="forbidden"),
        pytest.param(NotFoundError, RunOutcome.REFUSED, False, id="gone-meanwhile"),
        pytest.param(InvalidRequestError, RunOutcome.REFUSED, False, id="changed-meanwhile"),
    ],
)
async def test_each_failure_has_its_outcome_and_is_told_as_it_is(
    world: World,
    alice: Caller,
    failure: Callable[[], FlowRunnerError],
    outcome: RunOutcome,
    tells_the_run: bool,
) -> None:
    world.flows.faults.plan("invoke", failure)

    with pytest.raises(type(failure())) as caught:
        await run(world, alice, invocation())

    ended = world.runs.only()
    assert (ended.outcome, ended.finished_at) == (outcome, NOON)
    assert caught.value.members().get("run_id") == (ended.id if tells_the_run else None)


async def test_a_fault_carries_salesforces_errors_to_the_caller(
    world: World, alice: Caller
) -> None:
    with pytest.raises(FlowFailedError) as caught:
        await run(world, alice, invocation("Always_Faults"))

    assert caught.value.members() == {
        "run_id": world.runs.only().id,
        "errors": [
            {
                "statusCode": "UNKNOWN_EXCEPTION",
                "message": "An error occurred when executing a flow interview.",
            }
        ],
    }


async def test_an_unknown_outcome_says_so(world: World, alice: Caller) -> None:
    world.flows.faults.plan("invoke", SalesforceTimeoutError, carried_out=True)

    with pytest.raises(SalesforceTimeoutError) as caught:
        await run(world, alice, invocation())

    run_id = world.runs.only().id
    assert caught.value.members() == {"run_id": run_id, "run_status": "outcome_unknown"}
    assert len(world.flows.received) == 1


@pytest.mark.parametrize(
    "failure", [SalesforceTimeoutError, SalesforceFailedError, SalesforceUnavailableError]
)
async def test_p11_whatever_fails_nothing_is_sent_twice(
    world: World, alice: Caller, failure: type[FlowRunnerError]
) -> None:
    world.flows.faults.plan("invoke", failure, carried_out=True)

    with pytest.raises(failure):
        await run(world, alice, invocation())

    assert len(world.flows.received) == 1


async def test_an_end_that_cannot_be_written_does_not_take_the_answer_away(
    world: World, alice: Caller, told: Told
) -> None:
    world.runs.faults.plan("finish", StorageFailedError)

    finished, result = await run(world, alice, invocation(email={"subject": "Hello"}))

    assert (result.status, finished.outcome) == ("succeeded", RunOutcome.SUCCEEDED)
    assert world.runs.only().outcome is RunOutcome.STARTED
    assert [(one["step"], one["level"]) for one in told("dependency_failed")] == [
        ("finish_run", "ERROR")
    ]


async def test_a_failure_is_told_even_where_its_end_cannot_be_written(
    world: World, alice: Caller
) -> None:
    world.runs.faults.plan("finish", StorageFailedError)

    with pytest.raises(FlowFailedError):
        await run(world, alice, invocation("Always_Faults"))


# --- the access token ------------------------------------------------------------------------


async def test_p10_an_access_token_that_expires_before_the_call_is_refreshed_and_the_flow_runs_once(
    world: World, alice: Caller
) -> None:
    await world.services.describe_flow(alice, None, FlowName.parse(LOG))
    world.login.expire_access_tokens()

    finished, _ = await run(world, alice, invocation())

    assert finished.outcome is RunOutcome.SUCCEEDED
    assert (len(world.flows.received), world.login.redemptions) == (1, 1)
    assert len(world.runs.rows) == 1


@pytest.mark.parametrize(
    ("fail", "raised"),
    [
        pytest.param(
            lambda login: login.plan("refresh", SalesforceTimeoutError, carried_out=True),
            NotConnectedError,
            id="the-rotation-is-lost",
        ),
        pytest.param(
            lambda login: login.plan("refresh", SalesforceTimeoutError, times=2),
            SalesforceTimeoutError,
            id="no-answer-comes",
        ),
        pytest.param(
            lambda login: login.plan("refresh", SalesforceFailedError),
            SalesforceFailedError,
            id="a-mistake-of-ours",
        ),
        pytest.param(
            lambda login: login.plan("refresh", KeyVaultFailedError),
            KeyVaultFailedError,
            id="no-client-secret",
        ),
    ],
)
async def test_a_run_whose_refresh_fails_was_never_sent(
    world: World,
    alice: Caller,
    fail: Callable[[Faults], None],
    raised: type[FlowRunnerError],
) -> None:
    await world.services.describe_flow.known(alice, CONTOSO_ORG, FlowName.parse(LOG))
    world.login.expire_access_tokens()
    fail(world.login.faults)

    with pytest.raises(raised) as caught:
        await run(world, alice, invocation())

    assert world.runs.only().outcome is RunOutcome.NOT_SENT
    assert "run_id" not in caught.value.members()
    assert world.flows.received == []


async def test_o21_a_flow_that_is_refused_twice_was_not_sent(world: World, alice: Caller) -> None:
    world.flows.faults.plan("invoke", AccessRefusedError, times=10)

    with pytest.raises(NotConnectedError):
        await run(world, alice, invocation())

    assert world.runs.only().outcome is RunOutcome.NOT_SENT
    assert (world.flows.received, world.login.redemptions) == ([], 1)


@pytest.mark.parametrize(
    ("port", "method", "failure", "outcome"),
    [
        ("flows", "invoke", SalesforceTimeoutError, RunOutcome.OUTCOME_UNKNOWN),
        ("connections", "load", SalesforceUnavailableError, RunOutcome.NOT_SENT),
    ],
    ids=["the-org-says-nothing", "nothing-was-sent-yet"],
)
async def test_a_run_ends_before_azures_front_end_gives_up(
    world: World,
    alice: Caller,
    port: str,
    method: str,
    failure: type[FlowRunnerError],
    outcome: RunOutcome,
) -> None:
    """Both tries, and the refresh between them, have one deadline: a try alone has 180 seconds."""
    await run(world, alice, invocation())
    world.services.invoke_flow.access.forget(alice, CONTOSO_ORG)
    getattr(world, port).faults.meanwhile(method, lambda: asyncio.sleep(30))
    hurried = replace(world.services.invoke_flow, seconds=0.05)

    with pytest.raises(failure):
        await hurried(alice, invocation())

    *_, newest = world.runs.rows.values()
    assert newest.outcome is outcome
    assert LONGEST_SECONDS + 20 < 230
