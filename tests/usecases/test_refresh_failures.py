"""Which failures of a refresh end the grant, and which end nothing."""

from collections.abc import Callable

import pytest

from shared.errors import (
    FlowRunnerError,
    KeyVaultFailedError,
    NotConnectedError,
    SalesforceFailedError,
    SalesforceLimitError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import Health
from tests.fakes import World
from tests.usecases.conftest import Told
from tests.usecases.refreshing import Alice, during_refresh, expired


@pytest.fixture
async def alice(world: World) -> Alice:
    return await expired(world)


@pytest.mark.parametrize(
    "health",
    [
        Health.REVOKED,
        Health.USER_INACTIVE,
        Health.APP_NOT_APPROVED,
        Health.IP_NOT_ALLOWED,
        Health.ORG_UNAVAILABLE,
    ],
    ids=str,
)
async def test_a_grant_that_ended_says_why_and_what_mends_it(
    alice: Alice, told: Told, health: Health
) -> None:
    failure = NotConnectedError(health.value, health.action)
    alice.world.login.faults.plan("refresh", lambda: failure)

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert caught.value.members() == {"health": health.value, "action": health.action}
    assert (alice.row.health, alice.row.lease_holder) == (health, None)
    assert [(one["tenant"], one["user"], one["health"]) for one in told("grant_ended")] == [
        (alice.row.tenant, alice.row.user, health.value)
    ]


async def test_a_grant_that_only_a_new_consent_mends_is_not_tried_again(alice: Alice) -> None:
    alice.world.login.withdraw(alice.row.user)
    with pytest.raises(NotConnectedError):
        await alice.refresh()
    alice.world.login.faults.plan("refresh", lambda: AssertionError("tried again"))

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert (caught.value.health, caught.value.action) == ("revoked", "reconnect")


async def test_a_grant_that_an_administrator_can_mend_is_tried_again(alice: Alice) -> None:
    inactive = Health.USER_INACTIVE
    alice.world.login.faults.plan(
        "refresh", lambda: NotConnectedError(inactive.value, inactive.action)
    )
    with pytest.raises(NotConnectedError):
        await alice.refresh()

    assert (await alice.refresh()).generation == 2
    assert alice.row.health is Health.ACTIVE


@pytest.mark.parametrize("used", ["never", "daily"])
@pytest.mark.parametrize(
    ("days", "seconds", "health"),
    [
        pytest.param(1, 0, "revoked", id="refreshed-yesterday"),
        pytest.param(30, -1, "revoked", id="idle-for-a-second-less-than-thirty-days"),
        pytest.param(30, 0, "expired", id="idle-for-thirty-days"),
        pytest.param(31, 0, "expired", id="idle-for-longer"),
    ],
)
async def test_o13_the_last_refresh_tells_whether_it_was_revoked_or_expired(
    alice: Alice, days: int, seconds: int, health: str, used: str
) -> None:
    """Salesforce counts from the last use of the refresh token: who calls the org every day with
    the same access token lets it lie idle all the same."""
    alice.world.clock.move(days=days, seconds=seconds)
    if used == "daily":
        alice.change(last_used_day=alice.world.clock().date().isoformat())
    alice.world.login.withdraw(alice.row.user)

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert (caught.value.health, alice.row.health) == (health, health)


# --- failures that end nothing -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        pytest.param(SalesforceUnavailableError, SalesforceUnavailableError, id="unavailable"),
        pytest.param(SalesforceFailedError, SalesforceFailedError, id="a-mistake-of-ours"),
        pytest.param(lambda: SalesforceLimitError(60), SalesforceLimitError, id="rate-limit"),
        pytest.param(KeyVaultFailedError, KeyVaultFailedError, id="no-client-secret"),
    ],
)
async def test_o14_a_failure_that_ends_nothing_keeps_the_grant_and_gives_the_lease_back(
    alice: Alice, failure: Callable[[], FlowRunnerError], raised: type[FlowRunnerError]
) -> None:
    alice.world.login.faults.plan("refresh", failure)

    with pytest.raises(raised):
        await alice.refresh()

    assert (alice.row.health, alice.row.generation) == (Health.ACTIVE, 1)
    assert alice.row.lease_holder is None
    assert (await alice.refresh()).generation == 2


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        pytest.param(SalesforceFailedError, [("salesforce", "refresh", "ERROR")], id="a-mistake"),
        pytest.param(SalesforceUnavailableError, [], id="an-outage"),
        pytest.param(lambda: SalesforceLimitError(60), [], id="a-limit"),
        pytest.param(KeyVaultFailedError, [], id="no-client-secret"),
    ],
)
async def test_of_these_a_mistake_of_ours_alone_raises_an_alarm(
    alice: Alice,
    told: Told,
    failure: Callable[[], FlowRunnerError],
    expected: list[tuple[str, str, str]],
) -> None:
    alice.world.login.faults.plan("refresh", failure)

    with pytest.raises(FlowRunnerError):
        await alice.refresh()

    alarms = told("dependency_failed")
    assert [(one["dependency"], one["step"], one["level"]) for one in alarms] == expected


async def test_where_the_lease_cannot_be_given_back_the_failure_is_told_and_the_lease_lapses(
    alice: Alice,
) -> None:
    tables = alice.world.connections.faults
    during_refresh(alice, lambda: tables.plan("replace", StorageFailedError))
    alice.world.login.faults.plan("refresh", SalesforceUnavailableError)

    with pytest.raises(SalesforceUnavailableError):
        await alice.refresh()

    assert (alice.row.health, alice.row.generation) == (Health.ACTIVE, 1)
    assert alice.row.lease_until is not None
    alice.world.clock.move(seconds=150)
    assert (await alice.refresh()).generation == 2


async def test_a_grant_that_cannot_be_opened_now_gives_the_lease_back(alice: Alice) -> None:
    cold = alice.world.another_instance()
    alice.world.key_wrapper.faults.plan("unwrap", KeyVaultFailedError)
    row = alice.row

    with pytest.raises(KeyVaultFailedError):
        await cold.refresh_grant(row.tenant, row.user, row.org, stale_generation=1)

    assert alice.row.lease_holder is None
    assert await alice.can_still_refresh()


async def test_when_the_store_is_away_before_the_lease_nothing_is_redeemed(alice: Alice) -> None:
    for method in ("load", "replace"):
        alice.world.connections.faults.plan(method, StorageFailedError)
        with pytest.raises(StorageFailedError):
            await alice.refresh()

    assert alice.world.login.redemptions == 0
    assert await alice.can_still_refresh()
