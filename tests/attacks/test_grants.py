"""Attacks on a grant, and what its owner is told: O-13, O-16, O-19 and O-21 to O-23."""

import asyncio

import pytest

from shared.errors import (
    AccessRefusedError,
    FlowRunnerError,
    KeyVaultFailedError,
    NotConnectedError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import Caller, Connection, Health
from shared.secret import Secret
from tests.fakes import CONTOSO_ORG, World
from tests.functions.host import call, failure_of, json_of
from tests.usecases.conftest import Told
from tests.usecases.conftest import told as told  # noqa: PLC0414 - the fixture is shared
from tests.usecases.counting import count_calls


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def alice(world: World) -> Caller:
    return await world.signed_in("alice")


@pytest.fixture
async def session(world: World) -> Secret:
    """Of Alice's."""
    return await world.session_of("alice")


async def listed(world: World, session: Secret) -> tuple[int, str | None]:
    """What listing the Flows is answered: the status, and the code of a failure."""
    response = await call(world.services, "flow_list", token=session)
    return response.status_code, json_of(response).get("code")


def row_of(world: World) -> Connection:
    (row,) = world.connections.rows.values()
    return row


async def timers(world: World, *, minutes: int = 15) -> None:
    for _ in range(minutes // 5):
        world.clock.move(minutes=5)
        await world.another_instance().services.work_off_revocations()


@pytest.mark.parametrize(
    ("days", "seconds", "health"),
    [(0, 1, "revoked"), (30, -1, "revoked"), (30, 1, "expired")],
)
async def test_O13_an_ended_grant_is_told_kept_as_ended_and_never_asked_about_again(
    world: World, alice: Caller, session: Secret, days: int, seconds: int, health: str
) -> None:
    await world.connect(alice)
    assert await listed(world, session) == (200, None)
    world.clock.move(days=days, seconds=seconds)
    world.login.withdraw(alice.user)
    asked = count_calls(world, "login", "refresh")
    instances = [world.another_instance() for _ in range(8)]
    later = await world.session_of("alice")

    answers = [await call(each.services, "flow_list", token=later) for each in instances * 5]

    told = {
        (one.status_code, *map(json_of(one).get, ("code", "health", "action"))) for one in answers
    }
    assert told == {(409, "salesforce_not_connected", health, "reconnect")}
    assert len(asked) == 1
    row = row_of(world)
    assert (row.health, row.ended_at) == (health, world.clock())


@pytest.mark.parametrize("redeemed", [True, False], ids=["rotated", "never-arrived"])
async def test_O16_an_answer_lost_to_one_of_64_callers_is_asked_for_once_more_and_by_no_other(
    world: World, alice: Caller, told: Told, redeemed: bool
) -> None:
    await world.connect(alice)
    instances = [world.another_instance().refresh_grant for _ in range(8)]
    world.login.faults.plan("refresh", SalesforceTimeoutError, carried_out=redeemed)
    asked = count_calls(world, "login", "refresh")

    answers = await asyncio.gather(
        *(
            refresh(alice.tenant, alice.user, CONTOSO_ORG, stale_generation=1)
            for refresh in instances * 8
        ),
        return_exceptions=True,
    )

    assert len(asked) == 2
    assert len(told("answer_lost")) == 1
    if redeemed:
        assert {getattr(one, "health", None) for one in answers} == {"rotation_lost"}
        assert {type(one) for one in answers} == {NotConnectedError}
        assert len(told("grant_lost")) == 1
    else:
        assert {getattr(one, "generation", None) for one in answers} == {2}
        assert (world.login.replays, told("grant_lost")) == (0, [])


async def test_O19_whoever_stalls_past_the_lease_writes_over_nobody(
    world: World, alice: Caller
) -> None:
    """The lease is taken over while the new grant is on its way to the store. That one grant is
    lost, and said to be; nothing is left alive in nobody's hands."""
    await world.connect(alice)
    other = world.another_instance().refresh_grant
    after: list[Connection] = []

    async def taken_over() -> None:
        world.clock.move(seconds=151)
        with pytest.raises(NotConnectedError) as caught:
            await other(alice.tenant, alice.user, CONTOSO_ORG, stale_generation=1)
        assert caught.value.health == "rotation_lost"
        after.append(row_of(world))

    async def rotated() -> None:
        world.connections.faults.meanwhile("replace", taken_over)

    world.login.faults.meanwhile("refresh", rotated)
    with pytest.raises(NotConnectedError):
        await world.refresh_grant(alice.tenant, alice.user, CONTOSO_ORG, stale_generation=1)

    assert [row_of(world)] == after
    assert row_of(world).health is Health.ROTATION_LOST
    assert world.login.living(alice.user) == 0


async def test_O19_a_lease_stolen_by_a_newer_grant_is_not_taken_back(
    world: World, alice: Caller
) -> None:
    """The user consents anew while the holder is on its way to the store."""
    await world.connect(alice)

    async def rotated() -> None:
        async def reconnected() -> None:
            await world.connect(alice)

        world.connections.faults.meanwhile("replace", reconnected)

    world.login.faults.meanwhile("refresh", rotated)
    access = await world.refresh_grant(alice.tenant, alice.user, CONTOSO_ORG, stale_generation=1)

    assert world.login.require_alive(access.token, access.instance_host) == alice.user
    assert world.login.living(alice.user) == 1
    assert world.outbox.rows == {}


async def test_O21_an_org_that_refuses_every_token_costs_one_rotation_and_one_retry(
    world: World, alice: Caller, session: Secret
) -> None:
    await world.connect(alice)
    world.flows.faults.plan("list", AccessRefusedError, times=1_000)
    calls = count_calls(world, "flows", "list")

    first = await listed(world, session)
    assert (len(calls), world.login.redemptions) == (2, 1)
    others = [await listed(world, session) for _ in range(20)]  # within the burst

    assert {first, *others} == {(409, "salesforce_not_connected")}
    assert (len(calls), world.login.redemptions) == (22, 1)


async def test_O21_64_calls_at_once_cost_one_rotation_as_well(world: World, alice: Caller) -> None:
    await world.connect(alice)
    await world.services.list_flows(alice, CONTOSO_ORG)
    world.flows.faults.plan("list", AccessRefusedError, times=1_000)
    calls = count_calls(world, "flows", "list")

    answers = await asyncio.gather(
        *(world.services.list_flows(alice, CONTOSO_ORG) for _ in range(64)),
        return_exceptions=True,
    )

    assert {type(one) for one in answers} == {AccessRefusedError}
    assert len(calls) <= 128
    assert world.login.redemptions == 1


@pytest.mark.parametrize("mended", ["the org takes it", "a reconnect"])
async def test_O21_as_soon_as_the_org_takes_tokens_again_it_is_served(
    world: World, alice: Caller, session: Secret, mended: str
) -> None:
    await world.connect(alice)
    world.flows.faults.plan("list", AccessRefusedError, times=2)
    assert (await listed(world, session))[0] == 409
    if mended == "a reconnect":
        await world.services.disconnect(alice, CONTOSO_ORG)
        await world.connect(alice)
        world.login.expire_access_tokens()  # its first refresh makes it generation 2 as well

    assert await listed(world, session) == (200, None)


async def test_O21_a_new_connection_is_not_taken_for_the_old_one_that_was_refused(
    world: World, alice: Caller, session: Secret
) -> None:
    """Its generations count from one again: after one refresh it has the number of the other."""
    await world.connect(alice)
    world.flows.faults.plan("list", AccessRefusedError, times=2)
    assert (await listed(world, session))[0] == 409
    await world.services.disconnect(alice, CONTOSO_ORG)
    await world.connect(alice)
    for _ in range(2):
        world.login.expire_access_tokens()
        assert await listed(world, session) == (200, None)


@pytest.mark.parametrize(
    ("fake", "method", "failure"),
    [
        pytest.param("login", "revoke", SalesforceUnavailableError, id="the-org-is-down"),
        pytest.param("login", "revoke", SalesforceTimeoutError, id="the-org-does-not-answer"),
        pytest.param("key_wrapper", "unwrap", KeyVaultFailedError, id="key-vault-is-away"),
    ],
)
async def test_O22_a_disconnect_is_done_here_at_once_and_there_when_it_can_be(
    world: World, alice: Caller, fake: str, method: str, failure: type[FlowRunnerError]
) -> None:
    await world.connect(alice)
    session = await world.session_of("alice")
    cold = world.another_instance()
    getattr(world, fake).faults.plan(method, failure)

    response = await call(
        cold.services, "salesforce_disconnect", token=session, route={"org_id": CONTOSO_ORG}
    )

    assert response.status_code == 204
    shown = await call(cold.services, "salesforce_connections", token=session)
    assert json_of(shown) == {"connections": []}
    assert (len(world.outbox.rows), world.login.living(alice.user)) == (1, 1)
    held = await call(cold.services, "my_data", token=session)
    assert CONTOSO_ORG in held.get_body().decode(), "what is still held is told"
    await timers(world)
    assert (world.outbox.rows, world.login.living(alice.user)) == ({}, 0)


async def test_O23_a_sixth_consent_that_ends_the_oldest_grant_is_told_as_reconnect(
    world: World, alice: Caller, session: Secret
) -> None:
    """The user consents five times more, elsewhere; Salesforce ends the first one silently."""
    await world.connect(alice)
    for _ in range(5):
        await world.consented(alice)
    assert world.login.living(alice.user) == 5

    response = await call(world.services, "flow_list", token=session)

    assert failure_of(response) == (409, "salesforce_not_connected")
    assert json_of(response)["action"] == "reconnect"
    await timers(world)
    assert world.login.living(alice.user) == 0
    await world.connect(alice)
    assert await listed(world, await world.session_of("alice")) == (200, None)
    assert world.login.living(alice.user) == 1


async def test_O23_ones_own_reconnects_never_come_near_the_limit(
    world: World, alice: Caller, session: Secret
) -> None:
    for _ in range(8):
        await world.connect(alice)
        assert world.login.living(alice.user) == 1
        world.clock.move(seconds=1)

    assert await listed(world, session) == (200, None)
