"""Only who started a connection completes it; and of a user's grants for an org one stays alive."""

import asyncio
from dataclasses import replace

import pytest

from shared.errors import (
    CompletionNotYoursError,
    InvalidStateError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import Health, OneTimeCode
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, NOON, World
from tests.usecases.conftest import Told
from tests.usecases.stored import everything, holds


async def test_the_org_is_connected_and_the_grant_is_stored_sealed(
    world: World, told: Told
) -> None:
    caller = await world.signed_in("alice")

    connected = await world.connect(caller)

    row = connected.connection
    assert (connected.instance_host, connected.health) == (
        "contoso.my.salesforce.com",
        Health.ACTIVE,
    )
    assert (row.org, row.generation, row.connected_at) == (CONTOSO_ORG, 1, NOON)
    assert list(world.connections.rows.values()) == [row]
    assert world.pending.rows == {}
    for secret in ("refresh-token-", "access-token-", "contoso.my.salesforce.com"):
        assert not holds(everything(world), secret)
    assert [one["user"] for one in told("connected")] == [caller.user]


async def test_what_is_stored_opens_to_the_grant(world: World) -> None:
    caller = await world.signed_in("alice")
    row = (await world.connect(caller)).connection

    grant = await world.grants.open(row.place, row.sealed_grant)

    assert (await world.login.refresh(grant)).org == CONTOSO_ORG


# --- the completion code -----------------------------------------------------------------------


async def test_a_completion_code_serves_once(world: World) -> None:
    caller = await world.signed_in("alice")
    completion = await world.consented(caller)
    await world.services.complete_connection(caller, completion)

    with pytest.raises(InvalidStateError):
        await world.services.complete_connection(caller, completion)

    assert world.login.living(caller.user) == 1


async def test_of_32_completions_with_one_code_one_connects(world: World) -> None:
    caller = await world.signed_in("alice")
    completion = await world.consented(caller)

    answers = await asyncio.gather(
        *(world.services.complete_connection(caller, completion) for _ in range(32)),
        return_exceptions=True,
    )

    failures = [type(one) for one in answers if isinstance(one, BaseException)]
    assert failures == [InvalidStateError] * 31
    assert world.login.living(caller.user) == 1


@pytest.mark.parametrize(("seconds", "is_good"), [(599, True), (600, False), (601, False)])
async def test_a_completion_code_is_good_for_ten_minutes_and_then_the_grant_is_revoked(
    world: World, seconds: int, is_good: bool
) -> None:
    caller = await world.signed_in("alice")
    completion = await world.consented(caller)
    world.clock.move(seconds=seconds)

    if is_good:
        await world.services.complete_connection(caller, completion)
    else:
        with pytest.raises(InvalidStateError):
            await world.services.complete_connection(caller, completion)

    assert world.login.living(caller.user) == len(world.connections.rows) == int(is_good)


async def test_a_completion_code_that_never_was_is_refused(world: World) -> None:
    caller = await world.signed_in("alice")

    with pytest.raises(InvalidStateError):
        await world.services.complete_connection(caller, OneTimeCode.new(caller.tenant))


@pytest.mark.parametrize(
    "other", [pytest.param("bob", id="a-colleague"), pytest.param("mallory", id="a-stranger")]
)
async def test_o11_somebody_else_completes_nothing_and_the_grant_is_revoked(
    world: World, other: str
) -> None:
    alice, thief = await world.signed_in("alice"), await world.signed_in(other)
    completion = await world.consented(alice)

    with pytest.raises(CompletionNotYoursError):
        await world.services.complete_connection(thief, completion)

    assert world.login.living(alice.user) == 0
    assert world.connections.rows == {}
    with pytest.raises(InvalidStateError):
        await world.services.complete_connection(alice, completion)


async def test_o11_the_same_user_id_in_another_tenant_is_somebody_else(world: World) -> None:
    alice, stranger = await world.signed_in("alice"), await world.signed_in("mallory")
    completion = await world.consented(alice)

    with pytest.raises(CompletionNotYoursError):
        await world.services.complete_connection(replace(stranger, user=alice.user), completion)

    assert world.connections.rows == {}


async def test_o11_somebody_else_is_refused_even_where_the_revocation_fails(
    world: World, told: Told
) -> None:
    alice, bob = await world.signed_in("alice"), await world.signed_in("bob")
    completion = await world.consented(alice)
    world.login.faults.plan("revoke", SalesforceUnavailableError)

    with pytest.raises(CompletionNotYoursError):
        await world.services.complete_connection(bob, completion)

    assert world.connections.rows == {}
    assert len(told("revocation_failed")) == 1


# --- a second connection -----------------------------------------------------------------------


async def test_a_second_org_stands_beside_the_first(world: World) -> None:
    caller = await world.signed_in("alice")

    await world.connect(caller, CONTOSO_ORG)
    await world.connect(caller, FABRIKAM_ORG)

    assert [row.org for row in world.connections.rows.values()] == [CONTOSO_ORG, FABRIKAM_ORG]
    assert world.login.living(caller.user) == 2


async def test_connecting_again_replaces_the_grant_and_revokes_the_old_one(world: World) -> None:
    caller = await world.signed_in("alice")
    first = (await world.connect(caller)).connection

    second = (await world.connect(caller)).connection

    assert list(world.connections.rows.values()) == [second]
    assert second.generation == first.generation + 1
    assert second.sealed_grant != first.sealed_grant
    assert world.login.living(caller.user) == 1
    grant = await world.grants.open(second.place, second.sealed_grant)
    assert (await world.login.refresh(grant)).org == CONTOSO_ORG


async def test_o23_connecting_again_and_again_leaves_one_grant(world: World) -> None:
    caller = await world.signed_in("alice")

    for _ in range(8):
        await world.connect(caller)

    assert world.login.living(caller.user) == 1


async def test_two_completions_at_once_leave_one_row_and_its_grant_alive(world: World) -> None:
    caller = await world.signed_in("alice")
    codes = [await world.consented(caller) for _ in range(4)]

    await asyncio.gather(*(world.services.complete_connection(caller, code) for code in codes))

    (row,) = world.connections.rows.values()
    grant = await world.grants.open(row.place, row.sealed_grant)
    assert world.login.living(caller.user) == 1
    assert (await world.login.refresh(grant)).org == CONTOSO_ORG


async def test_connecting_again_mends_a_connection_that_had_ended(world: World) -> None:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    world.login.withdraw(caller.user)
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, health=Health.REVOKED)

    mended = await world.connect(caller)

    assert mended.health is Health.ACTIVE
    assert [flow.org for flow in await world.services.list_flows(caller, CONTOSO_ORG)]


async def test_what_this_instance_remembers_of_the_old_grant_is_forgotten(world: World) -> None:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    await world.services.list_flows(caller, CONTOSO_ORG)  # the old access token is remembered
    await world.connect(caller)
    calls: list[int] = []

    async def count() -> None:
        calls.append(1)

    for _ in range(5):
        world.flows.faults.meanwhile("list", count)
    await world.services.list_flows(caller, CONTOSO_ORG)

    assert len(calls) == 1  # the new token at once, and no refused one before it


async def test_a_replaced_grant_that_cannot_be_revoked_is_no_failure(
    world: World, told: Told
) -> None:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    world.login.faults.plan("revoke", SalesforceTimeoutError)

    assert (await world.connect(caller)).health is Health.ACTIVE
    assert len(told("revocation_failed")) == 1


async def test_a_broken_connection_can_be_mended_by_connecting_again(world: World) -> None:
    """The old seal does not open any more: what it held cannot be revoked, and must not matter."""
    caller = await world.signed_in("alice")
    await world.connect(caller)
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, sealed_grant=row.sealed_grant[:-1] + b"\x00\x00")

    assert (await world.connect(caller)).health is Health.ACTIVE


async def test_a_grant_whose_rotation_was_lost_is_revoked_when_it_is_replaced(
    world: World,
) -> None:
    """The request may never have arrived: then the old token is still good, in nobody's hands."""
    caller = await world.signed_in("alice")
    await world.connect(caller)
    ((key, row),) = world.connections.rows.items()
    world.connections.rows[key] = replace(row, health=Health.ROTATION_LOST)

    await world.connect(caller)

    assert world.login.living(caller.user) == 1


async def test_when_the_store_is_away_nothing_is_connected(world: World) -> None:
    caller = await world.signed_in("alice")
    completion = await world.consented(caller)
    world.connections.faults.plan("create", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await world.services.complete_connection(caller, completion)

    assert world.connections.rows == {}
