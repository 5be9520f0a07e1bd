"""Asking to be forgotten, and confirming it: who may, with what, and until when."""

import asyncio

import pytest

from shared.errors import (
    ConfirmationRequiredError,
    DeletionInProgressError,
    NotAdminError,
    NotAuthenticatedError,
    NotFoundError,
    StorageFailedError,
)
from shared.model import DeletionScope, DeletionState, OneTimeCode
from shared.secret import Secret
from tests.fakes import NOON, World
from tests.usecases.conftest import Told
from tests.usecases.deleting import asked_by, lived
from tests.usecases.stored import everything, holds

USER, TENANT = DeletionScope.USER, DeletionScope.TENANT


# --- asking --------------------------------------------------------------------------------------


async def test_asking_changes_nothing_yet(world: World) -> None:
    alice = await lived(world, "alice")
    before = await world.erasure.count((await asked_by(world, "alice")).now.subject)

    world.clock.move(minutes=59)
    await world.services.work_off_deletions()

    assert sum(before.values()) > 0
    assert await world.erasure.count(next(iter(world.deletions.rows.values())).subject) == before
    assert world.login.living(alice.user) == 2


async def test_only_an_administrator_asks_for_the_tenant(world: World) -> None:
    alice = await world.signed_in("alice")

    with pytest.raises(NotAdminError):
        await world.services.request_deletion(alice, TENANT)

    assert world.deletions.rows == {}


async def test_the_code_and_the_token_are_not_stored(world: World) -> None:
    deleting = await asked_by(world, "alice")

    stored = everything(world) + repr(world.deletions.rows).encode()
    for secret in (deleting.asked.confirmation_code.reveal(), deleting.asked.status_token.reveal()):
        assert not holds(stored, secret.rpartition(".")[2])


async def test_a_request_that_nobody_confirms_is_forgotten_after_an_hour(world: World) -> None:
    deleting = await asked_by(world, "alice")

    world.clock.move(minutes=59, seconds=59)
    await world.services.work_off_deletions()
    assert deleting.now.state is DeletionState.REQUESTED

    world.clock.move(seconds=1)
    await world.services.work_off_deletions()
    assert world.deletions.rows == {}


async def test_of_many_requests_of_one_caller_the_newest_counts(world: World) -> None:
    first = await asked_by(world, "carol")
    whole = await asked_by(world, "carol", TENANT)
    bobs = await asked_by(world, "bob")
    newest = await asked_by(world, "carol")

    assert {row.id for row in world.deletions.rows.values()} == {
        one.asked.deletion.id for one in (whole, bobs, newest)
    }
    with pytest.raises(NotFoundError):
        await first.confirm()
    assert (await newest.confirm()).state is DeletionState.CONFIRMED


async def test_while_one_is_carried_out_there_is_no_second(world: World) -> None:
    deleting = await asked_by(world, "carol", TENANT)
    bob = await world.signed_in("bob")
    await deleting.confirm()

    for caller, scope in ((deleting.caller, TENANT), (deleting.caller, USER), (bob, USER)):
        with pytest.raises(DeletionInProgressError):
            await world.services.request_deletion(caller, scope)


async def test_a_colleagues_deletion_stands_in_nobodys_way(world: World) -> None:
    await (await asked_by(world, "alice")).confirm()
    bob = await world.signed_in("bob")

    asked = await world.services.request_deletion(bob, USER)

    assert asked.deletion.state is DeletionState.REQUESTED


# --- confirming ----------------------------------------------------------------------------------


async def test_a_confirmation_starts_the_clock_and_ends_every_session(
    world: World, told: Told
) -> None:
    session = await world.session_of("alice")
    deleting = await asked_by(world, "alice")
    other = world.another_instance()
    await other.services.authenticate(session)

    confirmed = await deleting.confirm()

    assert confirmed.state is DeletionState.CONFIRMED
    assert confirmed.at(DeletionState.CONFIRMED) == NOON
    with pytest.raises(NotAuthenticatedError):
        await world.services.authenticate(session)
    world.clock.move(seconds=5)
    with pytest.raises(NotAuthenticatedError):
        await other.services.authenticate(session)
    assert len(told("deletion_confirmed")) == 1


async def test_a_session_of_five_minutes_confirms_and_an_older_one_does_not(world: World) -> None:
    deleting = await asked_by(world, "alice")

    world.clock.move(minutes=5, seconds=1)
    with pytest.raises(ConfirmationRequiredError):
        await deleting.confirm()

    world.clock.move(seconds=-1)
    assert (await deleting.confirm()).state is DeletionState.CONFIRMED


@pytest.mark.parametrize("code", ["x", "a" * 16, "ä"], ids=["short", "wrong", "odd"])
async def test_another_code_confirms_nothing(world: World, code: str) -> None:
    deleting = await asked_by(world, "alice")

    with pytest.raises(ConfirmationRequiredError):
        await world.services.confirm_deletion(
            deleting.caller, deleting.asked.deletion.id, Secret(code)
        )

    assert deleting.now.state is DeletionState.REQUESTED


@pytest.mark.parametrize("name", ["bob", "carol", "mallory", "dave"])
async def test_n02_nobody_else_confirms_even_with_the_code(world: World, name: str) -> None:
    deleting = await asked_by(world, "alice")
    somebody = await world.signed_in(name)

    with pytest.raises(NotFoundError):
        await world.services.confirm_deletion(
            somebody, deleting.asked.deletion.id, deleting.asked.confirmation_code
        )

    assert deleting.now.state is DeletionState.REQUESTED


async def test_n02_who_is_administrator_no_more_does_not_confirm_for_the_tenant(
    world: World,
) -> None:
    deleting = await asked_by(world, "carol", TENANT)
    world.verifier.people["carol"] = world.verifier.people["alice"].__class__(
        provider="microsoft",
        directory=world.verifier.people["carol"].directory,
        subject=world.verifier.people["carol"].subject,
        is_admin=False,
    )
    carol = await world.signed_in("carol")

    with pytest.raises(NotAdminError):
        await world.services.confirm_deletion(
            carol, deleting.asked.deletion.id, deleting.asked.confirmation_code
        )


async def test_n02_a_code_confirms_once(world: World) -> None:
    deleting = await asked_by(world, "alice")
    await deleting.confirm()

    with pytest.raises(NotFoundError):
        await deleting.confirm()


async def test_of_32_confirmations_at_once_one_counts(world: World) -> None:
    deleting = await asked_by(world, "alice")

    answers = await asyncio.gather(*(deleting.confirm() for _ in range(32)), return_exceptions=True)

    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert {type(a) for a in answers if isinstance(a, Exception)} == {NotFoundError}


async def test_an_hour_later_the_code_is_worth_nothing(world: World) -> None:
    deleting = await asked_by(world, "alice")
    world.clock.move(hours=1)
    alice = await world.signed_in("alice")

    with pytest.raises(NotFoundError):
        await world.services.confirm_deletion(
            alice, deleting.asked.deletion.id, deleting.asked.confirmation_code
        )


async def test_a_confirmation_stands_even_if_the_fence_cannot_be_set_at_once(world: World) -> None:
    deleting = await asked_by(world, "alice")
    world.gates.faults.plan("close", StorageFailedError)

    assert (await deleting.confirm()).state is DeletionState.CONFIRMED

    assert (await deleting.finish()).state is DeletionState.RECEIPTED


# --- looking -------------------------------------------------------------------------------------


async def test_the_status_token_shows_the_state_after_the_account_is_gone(world: World) -> None:
    deleting = await asked_by(world, "alice")
    await deleting.confirm()
    await deleting.finish()

    seen = await world.services.read_deletion(
        deleting.asked.status_token, deleting.asked.deletion.id
    )

    assert seen.state is DeletionState.RECEIPTED


async def test_another_token_shows_nothing(world: World) -> None:
    deleting = await asked_by(world, "alice")
    other = await asked_by(world, "bob")
    identifier = deleting.asked.deletion.id
    forged = OneTimeCode.new(deleting.caller.tenant)
    foreign = OneTimeCode.parse(
        f"g-{'a' * 26}.{deleting.asked.status_token.reveal().rpartition('.')[2]}"
    )

    for token in (other.asked.status_token, forged, foreign):
        with pytest.raises(NotFoundError):
            await world.services.read_deletion(token, identifier)
        with pytest.raises(NotFoundError):
            await world.services.read_deletion.receipt(token, identifier)


async def test_there_is_no_receipt_before_the_end(world: World) -> None:
    deleting = await asked_by(world, "alice")
    token, identifier = deleting.asked.status_token, deleting.asked.deletion.id
    await deleting.confirm()

    while await deleting.tick() is not DeletionState.RECEIPTED:
        with pytest.raises(NotFoundError):
            await world.services.read_deletion.receipt(token, identifier)
        world.clock.move(seconds=5)

    assert await world.services.read_deletion.receipt(token, identifier)
