"""The browser comes back from Salesforce: the state serves once, here, and for this browser."""

import asyncio

import pytest

from shared.errors import (
    FlowRunnerError,
    InvalidStateError,
    OrgNotAllowedError,
    SalesforceFailedError,
    SalesforceForbiddenError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    StorageFailedError,
    TenantNotAllowedError,
)
from shared.model import OneTimeCode, PendingKind, TenantSettings, TenantStatus
from shared.secret import Secret
from shared.usecases.finish_connection import NoCode
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, World
from tests.settings import RETURN_URL
from tests.usecases.conftest import Told
from tests.usecases.consenting import consent
from tests.usecases.stored import everything, holds


async def test_the_browser_is_sent_home_with_a_completion_code(world: World) -> None:
    given = await consent(world)

    arrival = await given.come_back()

    assert arrival.return_to == RETURN_URL
    assert arrival.failure is None
    assert arrival.completion is not None
    assert arrival.completion.tenant == given.caller.tenant


async def test_the_grant_is_parked_sealed_and_connects_nothing_yet(world: World) -> None:
    given = await consent(world)
    arrival = await given.come_back()

    assert arrival.completion is not None
    key = (given.caller.tenant, PendingKind.PARKED, arrival.completion.digest)
    assert list(world.pending.rows) == [key]
    assert world.connections.rows == {}
    stored = everything(world)
    for secret in (
        "refresh-token-",
        "access-token-",
        "contoso.my.salesforce.com",
        given.code.reveal(),
        arrival.completion.reveal().partition(".")[2],
    ):
        assert not holds(stored, secret)


# --- the state -------------------------------------------------------------------------------


async def test_o02_of_32_returns_with_one_state_one_trades_the_code(world: World) -> None:
    given = await consent(world)

    arrivals = await asyncio.gather(*(given.come_back() for _ in range(32)))

    assert world.login.code_redemptions == 1
    assert sum(one.completion is not None for one in arrivals) == 1
    failures = [one.failure for one in arrivals if one.failure is not None]
    assert {type(one) for one in failures} == {InvalidStateError}
    assert len(failures) == 31


async def test_o02_a_return_that_is_replayed_changes_nothing(world: World) -> None:
    given = await consent(world)
    await given.come_back()

    replayed = await given.come_back()

    assert isinstance(replayed.failure, InvalidStateError)
    assert replayed.return_to is None
    assert given.living() == 1


@pytest.mark.parametrize(("seconds", "is_good"), [(599, True), (600, False), (601, False)])
async def test_o03_a_state_is_good_for_ten_minutes(
    world: World, seconds: int, is_good: bool
) -> None:
    given = await consent(world)
    world.clock.move(seconds=seconds)

    arrival = await given.come_back()

    assert (arrival.completion is not None) is is_good
    assert isinstance(arrival.failure, InvalidStateError) is not is_good
    assert world.login.code_redemptions == int(is_good)


async def test_o03_a_state_of_one_tenant_is_none_of_another(world: World) -> None:
    given = await consent(world)
    mallory = await world.signed_in("mallory")
    random = given.state.reveal().partition(".")[2]
    moved = OneTimeCode(mallory.tenant, Secret(random))

    arrival = await world.services.finish_connection(moved, given.code, given.nonce)

    assert isinstance(arrival.failure, InvalidStateError)
    assert world.login.code_redemptions == 0


async def test_o03_a_row_moved_to_another_tenant_does_not_open(world: World) -> None:
    """Somebody who can write rows moves the state of a victim to a tenant of their own."""
    given = await consent(world)
    mallory = await world.signed_in("mallory")
    row = world.pending.rows[given.caller.tenant, PendingKind.STATE, given.state.digest]
    world.pending.rows[mallory.tenant, PendingKind.STATE, given.state.digest] = row
    moved = OneTimeCode(mallory.tenant, Secret(given.state.reveal().partition(".")[2]))
    object.__setattr__(row, "tenant", mallory.tenant)

    arrival = await world.services.finish_connection(moved, given.code, given.nonce)

    assert arrival.completion is None
    assert world.login.code_redemptions == 0


# --- the browser -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nonce",
    [
        pytest.param(None, id="no-cookie"),
        pytest.param(Secret("another browser's nonce"), id="another-cookie"),
    ],
)
async def test_o01_another_browser_is_refused_and_the_state_is_used_up(
    world: World, nonce: Secret | None
) -> None:
    given = await consent(world)

    refused = await world.services.finish_connection(given.state, given.code, nonce)
    after = await given.come_back()

    assert isinstance(refused.failure, InvalidStateError)
    assert isinstance(after.failure, InvalidStateError)
    assert world.login.code_redemptions == 0


async def test_o01_the_cookie_of_one_dance_does_not_finish_another(world: World) -> None:
    victim, attacker = await consent(world), await consent(world, "bob")

    arrival = await attacker.come_back(nonce=victim.nonce)

    assert isinstance(arrival.failure, InvalidStateError)
    assert (await victim.come_back()).completion is not None


# --- the code --------------------------------------------------------------------------------


async def test_o04_a_code_of_another_dance_is_refused_by_its_verifier(world: World) -> None:
    victim, attacker = await consent(world), await consent(world, "bob")

    arrival = await attacker.come_back(code=victim.code)

    assert isinstance(arrival.failure, InvalidStateError)
    assert all(kind is PendingKind.STATE for _, kind, _ in world.pending.rows)


@pytest.mark.parametrize(
    ("came", "failure"),
    [
        pytest.param(NoCode.DENIED, SalesforceForbiddenError, id="the-user-said-no"),
        pytest.param(NoCode.UNREADABLE, InvalidStateError, id="no-answer-of-salesforces"),
    ],
)
async def test_o07_a_return_without_a_code_goes_home_with_the_reason_and_uses_the_state_up(
    world: World, told: Told, came: NoCode, failure: type[FlowRunnerError]
) -> None:
    given = await consent(world)

    arrival = await given.come_back(code=came)
    after = await given.come_back()

    assert (arrival.return_to, type(arrival.failure)) == (RETURN_URL, failure)
    assert [one["code"] for one in told("connect_failed")] == [failure.code]
    assert isinstance(after.failure, InvalidStateError)
    assert (world.login.code_redemptions, world.pending.rows) == (0, {})


@pytest.mark.parametrize(
    "failure", [SalesforceUnavailableError, SalesforceTimeoutError, SalesforceFailedError]
)
async def test_a_trade_that_fails_sends_the_browser_home_with_the_reason(
    world: World, failure: type[FlowRunnerError]
) -> None:
    given = await consent(world)
    world.login.faults.plan("redeem_code", failure)

    arrival = await given.come_back()

    assert (arrival.return_to, type(arrival.failure)) == (RETURN_URL, failure)
    assert world.pending.rows == {}


async def test_a_store_that_is_away_is_told_without_an_address(world: World) -> None:
    given = await consent(world)
    world.pending.faults.plan("take", StorageFailedError)

    arrival = await given.come_back()

    assert (arrival.return_to, type(arrival.failure)) == (None, StorageFailedError)


# --- who may connect which org -----------------------------------------------------------------


async def test_an_org_that_the_tenant_does_not_allow_is_refused_and_revoked(world: World) -> None:
    given = await consent(world, org=FABRIKAM_ORG)
    world.tenants.change(given.caller.tenant, settings=TenantSettings(allowed_orgs=(CONTOSO_ORG,)))

    arrival = await given.come_back()

    assert isinstance(arrival.failure, OrgNotAllowedError)
    assert given.living() == 0
    assert world.pending.rows == {}


async def test_an_org_that_the_tenant_allows_is_taken(world: World) -> None:
    given = await consent(world, org=FABRIKAM_ORG)
    world.tenants.change(
        given.caller.tenant, settings=TenantSettings(allowed_orgs=(CONTOSO_ORG, FABRIKAM_ORG))
    )

    assert (await given.come_back()).completion is not None


async def test_a_tenant_disabled_meanwhile_connects_nothing_and_the_grant_is_revoked(
    world: World,
) -> None:
    given = await consent(world)
    world.tenants.change(given.caller.tenant, status=TenantStatus.DISABLED)

    arrival = await given.come_back()

    assert isinstance(arrival.failure, TenantNotAllowedError)
    assert given.living() == 0


async def test_a_grant_that_cannot_be_parked_is_revoked(world: World) -> None:
    given = await consent(world)
    world.pending.faults.plan("put", StorageFailedError)

    arrival = await given.come_back()

    assert isinstance(arrival.failure, StorageFailedError)
    assert given.living() == 0


async def test_the_reason_is_told_even_where_the_revocation_fails(world: World) -> None:
    given = await consent(world, org=FABRIKAM_ORG)
    world.tenants.change(given.caller.tenant, settings=TenantSettings(allowed_orgs=(CONTOSO_ORG,)))
    world.login.faults.plan("revoke", SalesforceUnavailableError)

    arrival = await given.come_back()

    assert isinstance(arrival.failure, OrgNotAllowedError)
