"""A deletion ends every grant of its subject: connected, parked, discarded or journalled (D-05)."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import SalesforceUnavailableError, StorageFailedError
from shared.model import (
    MOST_SKEW,
    Caller,
    DataSubject,
    Deletion,
    DeletionScope,
    JournalledGrant,
)
from shared.usecases.grant_journal import GrantJournal
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, World
from tests.usecases.deleting import Deleting, asked_by

SCOPES = pytest.mark.parametrize("scope", list(DeletionScope), ids=str)
KINDS = 4
"""The places where a grant of hers lies in these tests."""


async def discarded(world: World, caller: Caller) -> None:
    world.login.faults.plan("revoke", SalesforceUnavailableError)
    await world.services.disconnect(caller, FABRIKAM_ORG)
    assert world.outbox.rows


async def journalled(world: World, caller: Caller) -> JournalledGrant:
    """Of the connection to FABRIKAM_ORG, which is gone."""
    (row,) = (
        one
        for one in world.connections.rows.values()
        if (one.user, one.org) == (caller.user, FABRIKAM_ORG)
    )
    grant = await world.login.refresh(await world.grants.open(row.place, row.sealed_grant))
    entry = JournalledGrant(
        tenant=row.tenant,
        user=row.user,
        org=row.org,
        consent=row.consent,
        generation=row.generation + 1,
        sealed_grant=await world.grants.seal(row.place, grant),
        written_at=world.clock(),
    )
    await GrantJournal(backups=world.backups).write(entry)
    del world.connections.rows[row.tenant, row.row_key]
    return entry


async def grants_everywhere(world: World, name: str) -> Caller:
    """One connected, one parked, one discarded, one in the journal: four alive."""
    caller = await world.signed_in(name)
    await world.connect(caller, FABRIKAM_ORG)
    await discarded(world, caller)
    await world.connect(caller, FABRIKAM_ORG)
    await journalled(world, caller)
    await world.connect(caller, CONTOSO_ORG)
    await world.consented(caller)
    assert world.login.living(caller.user) == KINDS
    return caller


async def deletion_of(world: World, scope: DeletionScope) -> Deleting:
    """Of Alice, or by the administrator of her tenant."""
    name = "alice" if scope is DeletionScope.USER else "carol"
    deleting = await asked_by(world, name, scope)
    await deleting.confirm()
    return deleting


def revocations_of(done: Deletion) -> dict[str, Any]:
    assert done.receipt is not None
    claims = json.loads(base64.urlsafe_b64decode(done.receipt.split(".")[1] + "=="))
    found: dict[str, Any] = claims["revocations"]
    return found


def journal_of(world: World, caller: Caller) -> list[str]:
    return [name for name in world.backups.files if f"/{caller.user}/" in name]


@SCOPES
async def test_d05_grants_are_revoked_wherever_they_lie_and_counted(
    world: World, scope: DeletionScope
) -> None:
    alice = await grants_everywhere(world, "alice")
    deleting = await deletion_of(world, scope)

    done = await deleting.finish()

    assert world.login.living(alice.user) == 0
    assert revocations_of(done) == {"revoked": KINDS, "not_confirmed": 0}
    assert journal_of(world, alice) == []
    assert world.outbox.rows == {}


async def test_d05_the_colleagues_grants_stay_wherever_they_lie(world: World) -> None:
    await grants_everywhere(world, "alice")
    bob = await grants_everywhere(world, "bob")
    deleting = await deletion_of(world, DeletionScope.USER)

    await deleting.finish()

    assert world.login.living(bob.user) == KINDS
    assert len(journal_of(world, bob)) == 1
    assert [row.user for row in world.outbox.rows.values()] == [bob.user]


async def test_d05_the_grants_of_other_tenants_stay(world: World) -> None:
    await grants_everywhere(world, "alice")
    mallory = await grants_everywhere(world, "mallory")
    deleting = await deletion_of(world, DeletionScope.TENANT)

    await deleting.finish()

    assert world.login.living(mallory.user) == KINDS
    assert len(journal_of(world, mallory)) == 1
    assert [row.user for row in world.outbox.rows.values()] == [mallory.user]


@SCOPES
async def test_d05_while_the_org_is_down_the_deletion_waits_and_then_revokes_them_all(
    world: World, scope: DeletionScope
) -> None:
    alice = await grants_everywhere(world, "alice")
    deleting = await deletion_of(world, scope)
    world.login.faults.plan("revoke", SalesforceUnavailableError, times=9)

    done = await deleting.finish()

    assert world.login.living(alice.user) == 0
    assert revocations_of(done) == {"revoked": KINDS, "not_confirmed": 0}
    assert journal_of(world, alice) == []


@SCOPES
async def test_d05_after_twenty_hours_what_was_not_revoked_is_told_and_goes(
    world: World, scope: DeletionScope
) -> None:
    alice = await grants_everywhere(world, "alice")
    deleting = await deletion_of(world, scope)
    world.login.faults.plan("revoke", SalesforceUnavailableError, times=1_000_000)

    done = await deleting.finish()

    assert revocations_of(done) == {"revoked": 0, "not_confirmed": KINDS}
    assert journal_of(world, alice) == []
    assert (world.outbox.rows, world.connections.rows) == ({}, {})


@pytest.mark.parametrize("where", ["outbox", "journal"])
async def test_d05_a_broken_seal_is_told_as_not_confirmed_and_goes(
    world: World, where: str
) -> None:
    alice = await grants_everywhere(world, "alice")
    if where == "outbox":
        ((key, row),) = world.outbox.rows.items()
        world.outbox.rows[key] = replace(row, sealed_grant=row.sealed_grant[:-1])
    else:
        journal = GrantJournal(backups=world.backups)
        ((entry,), _) = await journal.of_subject(DataSubject(tenant=alice.tenant))
        await journal.write(replace(entry, sealed_grant=entry.sealed_grant[:-1]))
    deleting = await deletion_of(world, DeletionScope.USER)

    done = await deleting.finish()

    assert revocations_of(done) == {"revoked": KINDS - 1, "not_confirmed": 1}
    assert journal_of(world, alice) == []
    assert world.outbox.rows == {}


async def test_d05_an_entry_of_the_outbox_that_cannot_be_read_is_told_as_not_confirmed(
    world: World,
) -> None:
    await grants_everywhere(world, "alice")
    world.outbox.unreadable.update(row.row_key for row in world.outbox.rows.values())
    deleting = await deletion_of(world, DeletionScope.USER)

    done = await deleting.finish()

    assert revocations_of(done) == {"revoked": KINDS - 1, "not_confirmed": 1}
    assert world.outbox.rows == {}


@pytest.mark.parametrize("content", [b"{", b"{}", b"[]", b"\xff"])
async def test_d05_a_file_of_the_journal_that_cannot_be_read_holds_no_deletion_up(
    world: World, content: bytes
) -> None:
    alice = await grants_everywhere(world, "alice")
    (name,) = journal_of(world, alice)
    world.backups.files[name.replace("00d", "00dx")] = content
    deleting = await deletion_of(world, DeletionScope.USER)

    await deleting.finish()

    assert journal_of(world, alice) == []


@SCOPES
async def test_d05_a_journal_that_is_away_makes_the_deletion_wait(
    world: World, scope: DeletionScope
) -> None:
    alice = await grants_everywhere(world, "alice")
    deleting = await deletion_of(world, scope)
    world.backups.faults.plan("names", StorageFailedError, times=3)

    done = await deleting.finish()

    assert world.login.living(alice.user) == 0
    assert revocations_of(done) == {"revoked": KINDS, "not_confirmed": 0}


async def test_d05_a_refresh_under_way_is_waited_for_and_its_journal_is_revoked(
    world: World,
) -> None:
    """Its holder got the new grant into the journal only: the row's token is spent."""
    alice = await world.signed_in("alice")
    await world.connect(alice, FABRIKAM_ORG)
    ((key, row),) = world.connections.rows.items()
    await journalled(world, alice)
    until = world.clock() + timedelta(seconds=90)
    world.connections.rows[key] = replace(row, lease_holder="dead", lease_until=until)
    deleting = await deletion_of(world, DeletionScope.USER)

    await deleting.tick()
    assert deleting.now.state == "fenced"  # the lease is respected
    await deleting.finish()

    assert world.login.living(alice.user) == 0
    assert journal_of(world, alice) == []
    assert world.connections.rows == {}


async def test_d05_a_discarded_grant_whose_token_may_be_spent_is_told_as_not_confirmed(
    world: World,
) -> None:
    """It was disconnected while a refresh was under way that never told: the receipt says no more
    than is known."""
    await grants_everywhere(world, "alice")
    ((key, row),) = world.outbox.rows.items()
    world.outbox.rows[key] = replace(row, may_be_spent=True)
    await world.login.refresh(await world.grants.open(row.place, row.sealed_grant))
    deleting = await deletion_of(world, DeletionScope.USER)

    done = await deleting.finish()

    assert revocations_of(done) == {"revoked": KINDS - 1, "not_confirmed": 1}


@pytest.mark.parametrize("tries", [1, 2], ids=["at-once", "after-a-failure"])
@pytest.mark.parametrize(
    "left",
    [
        pytest.param({"lease_holder": "dead"}, id="its-holder-died"),
        pytest.param({"answer_lost": True}, id="its-answer-was-lost"),
    ],
)
async def test_d05_a_connection_whose_token_may_be_spent_is_told_as_not_confirmed(
    world: World, left: dict[str, Any], tries: int
) -> None:
    """The deletion's own lease, which takes the place of the dead holder's, forgets none of it."""
    alice = await grants_everywhere(world, "alice")
    ((key, row),) = world.connections.rows.items()
    await world.login.refresh(await world.grants.open(row.place, row.sealed_grant))
    lapsed = world.clock() - MOST_SKEW if "lease_holder" in left else None
    world.connections.rows[key] = replace(row, **left, lease_until=lapsed)
    deleting = await deletion_of(world, DeletionScope.USER)
    for _ in range(1, tries):
        world.login.faults.plan("revoke", SalesforceUnavailableError, times=KINDS)
        await deleting.tick()
        assert world.connections.rows[key].is_being_deleted

    done = await deleting.finish()

    assert revocations_of(done) == {"revoked": KINDS - 1, "not_confirmed": 1}
    assert world.login.living(alice.user) == 1, "which is what the receipt says"


async def test_d05_what_was_revoked_though_the_answer_was_lost_is_told_as_revoked(
    world: World,
) -> None:
    """The lease that the deletion finds in the row is its own, and no sign of a refresh."""
    alice = await grants_everywhere(world, "alice")
    deleting = await deletion_of(world, DeletionScope.USER)
    lost = SalesforceUnavailableError
    world.login.faults.plan("revoke", lost, times=KINDS, carried_out=True)
    await deleting.tick()
    assert [row.is_being_deleted for row in world.connections.rows.values()] == [True]
    assert world.login.living(alice.user) == 0

    done = await deleting.finish()

    assert revocations_of(done) == {"revoked": KINDS, "not_confirmed": 0}
