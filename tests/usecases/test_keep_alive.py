"""Grants whose refresh token lies idle for nearly 30 days: refreshed, or let lapse."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import (
    FlowRunnerError,
    KeyVaultFailedError,
    NotConnectedError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import MOST_SKEW, Caller, Connection, DataSubject, Health, TenantStatus
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, World
from tests.usecases.conftest import Told
from tests.usecases.invoking import invocation, run
from tests.usecases.settling import settle

KEPT, LAPSED, LEFT = "kept", "lapsed", "left"


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


def row_of(world: World, caller: Caller) -> Connection:
    (row,) = (one for one in world.connections.rows.values() if one.user == caller.user)
    return row


def change(world: World, caller: Caller, **changes: object) -> None:
    row = row_of(world, caller)
    world.connections.rows[row.tenant, row.row_key] = replace(row, **changes)  # type: ignore[arg-type]


def used_today(world: World, caller: Caller) -> None:
    change(world, caller, last_used_day=world.clock().date().isoformat())


async def timer(world: World) -> None:
    await world.another_instance().services.keep_alive()


@pytest.mark.parametrize("used", ["unused", "used"])
@pytest.mark.parametrize("policy", ["lapse", "keep_alive"])
@pytest.mark.parametrize(
    ("days", "seconds"),
    [(24, 0), (25, -1), (25, 0), (29, 0), (30, -1), (30, 0)],
    ids=["24d", "25d-1s", "25d", "29d", "30d-1s", "30d"],
)
async def test_what_becomes_of_an_idle_grant(
    world: World, alice: Caller, days: int, seconds: int, policy: str, used: str
) -> None:
    """One that is used lives on under either policy; another one, if the tenant wants all to."""
    settle(world, alice, idle_grants=policy)
    world.clock.move(days=days, seconds=seconds)
    if used == "used":
        used_today(world, alice)

    await timer(world)

    is_due = timedelta(days=days, seconds=seconds) >= timedelta(days=25)
    is_over = timedelta(days=days, seconds=seconds) >= timedelta(days=30)
    is_wanted = policy == "keep_alive" or used == "used"
    expected = LEFT if not is_due else KEPT if is_wanted else LAPSED if is_over else LEFT
    row = row_of(world, alice)
    assert world.login.redemptions == (expected == KEPT)
    assert (row.generation, row.health) == (
        2 if expected == KEPT else 1,
        Health.EXPIRED if expected == LAPSED else Health.ACTIVE,
    )
    assert (row.refreshed_at == world.clock()) is (expected == KEPT)
    assert world.login.living(alice.user) == (expected != LAPSED)


async def test_a_grant_that_is_used_daily_for_a_year_is_refreshed_each_25_days(
    world: World, alice: Caller
) -> None:
    """By an access token that lasts: Salesforce counts from the last use of the refresh token."""
    for _ in range(365):
        world.clock.move(days=1)
        used_today(world, alice)
        await timer(world)
        assert world.clock() - row_of(world, alice).refreshed_at < timedelta(days=26)

    assert world.login.redemptions == 365 // 25
    assert row_of(world, alice).health is Health.ACTIVE


@pytest.mark.parametrize(
    ("days_ago", "is_kept"), [(0, True), (24, True), (25, False)], ids=["today", "24", "25"]
)
async def test_used_is_what_was_used_since_the_time_for_a_refresh(
    world: World, alice: Caller, days_ago: int, is_kept: bool
) -> None:
    world.clock.move(days=30)
    day = world.clock().date() - timedelta(days=days_ago)
    change(world, alice, last_used_day=day.isoformat())

    await timer(world)

    assert (row_of(world, alice).health is Health.ACTIVE) is is_kept


# --- lapsed --------------------------------------------------------------------------------------


async def lapsed(world: World) -> None:
    world.clock.move(days=30)
    await timer(world)


async def test_a_lapsed_grant_says_so_is_revoked_and_gone_from_here(
    world: World, alice: Caller, told: Told
) -> None:
    await lapsed(world)

    row = row_of(world, alice)
    assert (row.health, row.ended_at) == (Health.EXPIRED, world.clock())
    assert row.sealed_grant == b""
    assert (world.login.revocations, world.login.living(alice.user)) == (1, 0)
    assert world.outbox.rows == {}
    assert [(one["user"], one["health"]) for one in told("grant_ended")] == [
        (alice.user, "expired")
    ]


async def test_it_is_listed_with_its_reason_and_no_alarm(
    world: World, alice: Caller, told: Told
) -> None:
    await lapsed(world)

    for services in (world.services, world.another_instance().services):
        (listed,) = await services.list_connections(alice)
        assert (listed.health, listed.health.action) == (Health.EXPIRED, "reconnect")
        assert listed.instance_host is None
    assert [one for name in ("seal_broken", "dependency_failed") for one in told(name)] == []


async def test_it_is_not_called_any_more(world: World, alice: Caller) -> None:
    await lapsed(world)
    world.flows.faults.plan("list", lambda: AssertionError("called"))
    world.login.faults.plan("refresh", lambda: AssertionError("redeemed"))

    with pytest.raises(NotConnectedError) as caught:
        await world.another_instance().services.list_flows(alice, CONTOSO_ORG)

    assert caught.value.members() == {"health": "expired", "action": "reconnect"}


async def test_it_is_mended_by_one_reconnect_that_keeps_the_runs(
    world: World, alice: Caller
) -> None:
    before, _ = await run(world, alice, invocation())
    await lapsed(world)

    mended = await world.connect(alice)

    assert (mended.health, mended.connection.ended_at) == (Health.ACTIVE, None)
    assert world.outbox.rows == {}
    assert world.login.living(alice.user) == 1
    assert await world.another_instance().services.list_flows(alice, CONTOSO_ORG)
    listed = await world.services.list_runs(alice, whole_tenant=False, after=None, limit=9)
    assert [one.id for one in listed.page.runs] == [before.id]


async def test_it_can_be_disconnected(world: World, alice: Caller) -> None:
    await lapsed(world)

    await world.services.disconnect(alice, CONTOSO_ORG)

    assert (world.connections.rows, world.outbox.rows) == ({}, {})


async def test_it_lapses_once(world: World, alice: Caller, told: Told) -> None:
    await lapsed(world)
    ended_at = row_of(world, alice).ended_at
    world.clock.move(days=1)

    await timer(world)

    assert row_of(world, alice).ended_at == ended_at
    assert len(told("grant_ended")) == world.login.revocations == 1


async def test_it_goes_thirty_days_later(world: World, alice: Caller) -> None:
    await lapsed(world)
    world.clock.move(days=30)

    await world.another_instance().services.clean_up()

    assert world.connections.rows == {}


@pytest.mark.parametrize("failure", [SalesforceUnavailableError, KeyVaultFailedError])
async def test_one_whose_revocation_fails_lapses_here_and_is_revoked_by_the_other_timer(
    world: World, alice: Caller, failure: type[FlowRunnerError]
) -> None:
    if failure is SalesforceUnavailableError:
        world.login.faults.plan("revoke", failure)
    else:
        world.key_wrapper.faults.plan("unwrap", failure)
    await lapsed(world)
    assert row_of(world, alice).health is Health.EXPIRED
    assert (len(world.outbox.rows), world.login.living(alice.user)) == (1, 1)

    world.clock.move(minutes=5)
    await world.another_instance().services.work_off_revocations()

    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 0)


async def test_one_that_is_used_at_that_very_moment_lives_on(world: World, alice: Caller) -> None:
    world.clock.move(days=30)

    async def use() -> None:
        await world.another_instance().services.list_flows(alice, CONTOSO_ORG)

    world.connections.faults.meanwhile("renew", use)
    await timer(world)
    assert row_of(world, alice).health is Health.ACTIVE

    await timer(world)
    assert (row_of(world, alice).health, row_of(world, alice).generation) == (Health.ACTIVE, 2)
    assert world.login.living(alice.user) == 1


# --- which, and when -----------------------------------------------------------------------------


@pytest.mark.parametrize("health", list(Health), ids=str)
@pytest.mark.parametrize("policy", ["lapse", "keep_alive"])
async def test_only_what_a_refresh_may_mend_is_tried(
    world: World, alice: Caller, health: Health, policy: str
) -> None:
    settle(world, alice, idle_grants=policy)
    world.clock.move(days=25)
    used_today(world, alice)
    change(world, alice, health=health)

    await timer(world)

    is_tried = health.action != "reconnect"
    assert world.login.redemptions == is_tried
    assert row_of(world, alice).health is (Health.ACTIVE if is_tried else health)


@pytest.mark.parametrize("policy", ["lapse", "keep_alive"])
async def test_a_lease_of_somebody_else_is_respected(
    world: World, alice: Caller, policy: str
) -> None:
    settle(world, alice, idle_grants=policy)
    world.clock.move(days=30)
    until = world.clock() + timedelta(seconds=90)
    change(world, alice, lease_holder="another", lease_until=until)

    keeping = asyncio.ensure_future(timer(world))
    for _ in range(100):  # many steps, and no time at all
        await asyncio.sleep(0)
    row = row_of(world, alice)
    keeping.cancel()

    assert (row.lease_holder, row.health) == ("another", Health.ACTIVE)
    assert (world.login.redemptions, world.login.revocations) == (0, 0)


async def test_a_lease_that_has_lapsed_keeps_nothing_from_lapsing(
    world: World, alice: Caller
) -> None:
    world.clock.move(days=30)
    lapsed = world.clock() - MOST_SKEW
    change(world, alice, lease_holder="dead", lease_until=lapsed, answer_lost=True)

    await timer(world)

    row = row_of(world, alice)
    assert (row.health, row.sealed_grant) == (Health.EXPIRED, b"")
    assert (row.lease_holder, row.lease_until, row.answer_lost) == (None, None, False)


async def test_o19_by_a_clock_a_minute_ahead_a_lease_is_not_over(
    world: World, alice: Caller
) -> None:
    """Its holder may be redeeming the token at this moment."""
    world.clock.move(days=30)
    until = world.clock() - MOST_SKEW + timedelta(seconds=1)
    change(world, alice, lease_holder="another", lease_until=until)

    await timer(world)

    assert (row_of(world, alice).health, world.login.revocations) == (Health.ACTIVE, 0)


@pytest.mark.parametrize("policy", ["lapse", "keep_alive"])
async def test_d05_what_a_deletion_has_taken_is_left_to_it(
    world: World, alice: Caller, told: Told, policy: str
) -> None:
    """And is no failure: it is refreshed and lapses no more."""
    settle(world, alice, idle_grants=policy)
    world.clock.move(days=30)
    change(world, alice, lease_holder="d-deletion", lease_until=world.clock() - MOST_SKEW)
    before = row_of(world, alice)

    await timer(world)

    assert row_of(world, alice) == before
    assert (world.login.redemptions, world.login.revocations) == (0, 0)
    assert [one["failed"] for one in told("keep_alive")] == [0]


async def test_one_org_that_fails_holds_up_no_other(
    world: World, alice: Caller, told: Told
) -> None:
    settle(world, alice, idle_grants="keep_alive")
    bob = await world.signed_in("bob")
    await world.connect(bob)
    await world.connect(alice, FABRIKAM_ORG)
    world.clock.move(days=25)
    world.login.faults.plan("refresh", SalesforceUnavailableError)

    await timer(world)
    assert world.login.redemptions == 2
    assert [(one["count"], one["failed"]) for one in told("keep_alive")] == [(2, 1)]
    await timer(world)

    assert {row.generation for row in world.connections.rows.values()} == {2}
    assert [(one["count"], one["failed"]) for one in told("keep_alive")][1:] == [(1, 0)]


@pytest.mark.parametrize(("fake", "method"), [("tenants", "load"), ("connections", "idle")])
async def test_one_tenant_that_fails_holds_up_no_other(
    world: World, alice: Caller, told: Told, fake: str, method: str
) -> None:
    mallory = await world.signed_in("mallory")
    await world.connect(mallory)
    world.clock.move(days=30)
    getattr(world, fake).faults.plan(method, StorageFailedError)

    await timer(world)

    assert sorted(row.health for row in world.connections.rows.values()) == ["active", "expired"]
    assert [(one["step"], one["level"]) for one in told("dependency_failed")] == [
        ("keep_alive", "ERROR")
    ]
    await timer(world)
    assert {row.health for row in world.connections.rows.values()} == {Health.EXPIRED}


@pytest.mark.parametrize("status", [TenantStatus.DISABLED, TenantStatus.DELETING], ids=str)
async def test_only_tenants_that_are_served_are_kept_alive(
    world: World, alice: Caller, status: TenantStatus
) -> None:
    world.tenants.change(alice.tenant, status=status)
    world.clock.move(days=30)

    await timer(world)

    assert row_of(world, alice).health is Health.ACTIVE
    assert (world.login.redemptions, world.login.revocations) == (0, 0)


async def test_whoever_is_being_deleted_is_left_to_the_deletion(
    world: World, alice: Caller, told: Told
) -> None:
    world.clock.move(days=30)
    await world.gates.close(DataSubject(tenant=alice.tenant, user=alice.user))

    await timer(world)

    assert row_of(world, alice).health is Health.ACTIVE
    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 1)
    assert [one["failed"] for one in told("keep_alive")] == [1]


async def test_the_owner_of_one_that_has_ended_meanwhile_is_told_why(
    world: World, alice: Caller
) -> None:
    world.clock.move(days=25)
    used_today(world, alice)
    world.login.withdraw(alice.user)

    await timer(world)

    (listed,) = await world.services.list_connections(alice)
    assert (listed.health, listed.health.action) == (Health.REVOKED, "reconnect")
