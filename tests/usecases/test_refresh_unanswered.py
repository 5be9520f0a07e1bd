"""A redemption that has no answer: asked once more, and lost only if the token was spent (O-16)."""

from collections.abc import Callable

import pytest

from shared.errors import (
    FlowRunnerError,
    KeyVaultFailedError,
    NotConnectedError,
    RefreshInProgressError,
    SalesforceFailedError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import MOST_SKEW, Health
from tests.fakes import World
from tests.usecases.conftest import Told
from tests.usecases.refreshing import Alice, expired


@pytest.fixture
async def alice(world: World) -> Alice:
    return await expired(world)


def unanswered(alice: Alice, *, times: int = 1, redeemed: bool = False) -> None:
    """The next redemptions have no answer: they never arrived, or (`redeemed`) it was lost."""
    alice.world.login.faults.plan(
        "refresh", SalesforceTimeoutError, times=times, carried_out=redeemed
    )


async def test_o16_it_is_repeated_once_after_a_pause_and_under_the_same_lease(
    alice: Alice, told: Told
) -> None:
    seen: list[tuple[str | None, float]] = []

    async def look() -> None:
        seen.append((alice.row.lease_holder, alice.world.clock.monotonic()))

    for _ in range(2):
        alice.world.login.faults.meanwhile("refresh", look)
    unanswered(alice)

    access = await alice.refresh()

    assert (access.generation, alice.row.generation) == (2, 2)
    ((first, asked_at), (second, asked_again_at)) = seen
    assert first is not None
    assert first == second
    assert asked_again_at - asked_at >= 1
    assert (alice.world.login.redemptions, alice.world.login.replays) == (1, 0)
    assert (alice.row.answer_lost, alice.row.lease_holder) == (False, None)
    assert [(one["tenant"], one["user"], one["level"]) for one in told("answer_lost")] == [
        (alice.row.tenant, alice.row.user, "WARNING")
    ]
    assert told("grant_lost") == []
    assert await alice.can_still_refresh()


async def test_o16_where_the_token_was_spent_the_grant_is_lost_and_the_reason_is_told(
    alice: Alice, told: Told
) -> None:
    unanswered(alice, redeemed=True)

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert caught.value.members() == {"health": "rotation_lost", "action": "reconnect"}
    assert (alice.row.health, alice.row.lease_holder) == (Health.ROTATION_LOST, None)
    assert alice.row.ended_at == alice.world.clock()
    (lost,) = told("grant_lost")
    assert (lost["level"], lost["step"]) == ("ERROR", "refresh")
    assert (lost["tenant"], lost["user"]) == (alice.row.tenant, alice.row.user)
    assert alice.world.login.redemptions == 1


async def test_o16_a_lost_rotation_is_not_asked_about_again(alice: Alice) -> None:
    unanswered(alice, redeemed=True)
    with pytest.raises(NotConnectedError):
        await alice.refresh()
    alice.world.login.faults.plan("refresh", lambda: AssertionError("asked again"))

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert caught.value.health == "rotation_lost"


async def test_o16_two_without_an_answer_end_nothing_and_the_next_caller_asks_again(
    alice: Alice, told: Told
) -> None:
    unanswered(alice, times=10)

    with pytest.raises(SalesforceTimeoutError):
        await alice.refresh()

    assert alice.world.login.faults.left("refresh") == 8
    assert (alice.row.health, alice.row.generation) == (Health.ACTIVE, 1)
    assert (alice.row.lease_holder, alice.row.lease_until) == (None, None)
    assert alice.row.answer_lost
    assert told("grant_ended") == []
    alice.world.login.faults.clear()
    assert (await alice.refresh()).generation == 2
    assert not alice.row.answer_lost
    assert await alice.can_still_refresh()


async def test_o16_the_next_caller_finds_out_that_the_first_of_them_had_spent_the_token(
    alice: Alice, told: Told
) -> None:
    unanswered(alice, redeemed=True)
    unanswered(alice)
    with pytest.raises(SalesforceTimeoutError):
        await alice.refresh()
    assert alice.row.health is Health.ACTIVE

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert (caught.value.health, alice.row.health) == ("rotation_lost", Health.ROTATION_LOST)
    assert len(told("grant_lost")) == 1


@pytest.mark.parametrize(
    ("changes", "health"),
    [
        pytest.param({}, Health.REVOKED, id="nothing-was-under-way"),
        pytest.param({"answer_lost": True}, Health.ROTATION_LOST, id="an-answer-never-came"),
        pytest.param({"lease_holder": "dead"}, Health.ROTATION_LOST, id="a-holder-died"),
    ],
)
async def test_o16_only_what_may_have_been_spent_is_a_lost_rotation(
    alice: Alice, changes: dict[str, object], health: Health
) -> None:
    lapsed = alice.world.clock() - MOST_SKEW
    alice.change(lease_until=lapsed if "lease_holder" in changes else None, **changes)
    alice.world.login.withdraw(alice.row.user)

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert (caught.value.health, alice.row.health) == (health, health)


async def test_o16_what_mends_itself_after_an_unanswered_redemption_keeps_its_own_reason(
    alice: Alice,
) -> None:
    inactive = Health.USER_INACTIVE
    unanswered(alice)
    alice.world.login.faults.plan(
        "refresh", lambda: NotConnectedError(inactive.value, inactive.action)
    )

    with pytest.raises(NotConnectedError):
        await alice.refresh()

    assert (alice.row.health, alice.row.ended_at) == (inactive, None)
    assert (await alice.refresh()).generation == 2


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        pytest.param(SalesforceUnavailableError, SalesforceUnavailableError, id="unavailable"),
        pytest.param(SalesforceFailedError, SalesforceFailedError, id="a-mistake-of-ours"),
        pytest.param(KeyVaultFailedError, KeyVaultFailedError, id="no-client-secret"),
    ],
)
async def test_o16_a_failure_after_an_unanswered_redemption_does_not_forget_it(
    alice: Alice, failure: Callable[[], FlowRunnerError], raised: type[FlowRunnerError]
) -> None:
    unanswered(alice, redeemed=True)
    alice.world.login.faults.plan("refresh", failure)
    with pytest.raises(raised):
        await alice.refresh()
    assert (alice.row.health, alice.row.lease_holder) == (Health.ACTIVE, None)

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert caught.value.health == "rotation_lost"


async def test_o16_already_being_processed_after_an_unanswered_redemption_is_waited_out(
    alice: Alice,
) -> None:
    """It is ours that is being processed: what came of it is told when it is done."""
    unanswered(alice)
    alice.world.login.faults.plan("refresh", RefreshInProgressError, times=3)

    assert (await alice.refresh()).generation == 2
    assert (alice.row.answer_lost, alice.row.lease_holder) == (False, None)


async def test_o16_and_if_it_had_been_redeemed_the_rotation_is_lost(alice: Alice) -> None:
    unanswered(alice, redeemed=True)
    alice.world.login.faults.plan("refresh", RefreshInProgressError, times=3)

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert caught.value.health == "rotation_lost"


async def test_o16_one_reconnect_mends_a_lost_rotation(alice: Alice) -> None:
    unanswered(alice, redeemed=True)
    with pytest.raises(NotConnectedError):
        await alice.refresh()

    alice.world.clock.move(seconds=1)
    await alice.world.connect(await alice.world.signed_in("alice"))

    assert (alice.row.health, alice.row.answer_lost) == (Health.ACTIVE, False)
    assert alice.row.ended_at is None
    assert alice.living() == 1
    assert await alice.can_still_refresh()
