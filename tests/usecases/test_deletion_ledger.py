"""The ledger of deletions, written and put back: what a restore makes of it."""

import json

import pytest

from shared.errors import StorageFailedError
from shared.model import DeletionState
from shared.model.backups import ledger_name
from shared.usecases.deletion_ledger import PutBackDeletions
from tests.fakes import World
from tests.fakes.stores import MemoryDeletionStore
from tests.usecases.deleting import Deleting, asked_by


@pytest.fixture
async def deleting(world: World) -> Deleting:
    made = await asked_by(world, "alice")
    await made.confirm()
    return made


async def put_back(world: World, deleting: Deleting, **changes: object) -> None:
    """The table is lost, and the entry is put back."""
    name = ledger_name(deleting.caller.tenant, deleting.asked.deletion.id)
    entry = json.loads(world.backups.files[name]) | changes
    world.deletions.rows.clear()
    await PutBackDeletions(deletions=world.deletions).put_back(
        deleting.caller.tenant, [json.dumps(entry).encode()]
    )


async def test_a_receipt_is_there_again_for_who_holds_the_status_token(
    world: World, deleting: Deleting
) -> None:
    done = await deleting.finish()

    await put_back(world, deleting)

    token, identifier = deleting.asked.status_token, deleting.asked.deletion.id
    assert await world.services.read_deletion.receipt(token, identifier) == done.receipt
    assert deleting.now.at(DeletionState.RECEIPTED) == done.at(DeletionState.RECEIPTED)


async def test_one_that_was_under_way_is_carried_out_after_all(
    world: World, deleting: Deleting
) -> None:
    await deleting.tick()

    await put_back(world, deleting)

    assert (deleting.now.state, deleting.now.user) == (
        DeletionState.CONFIRMED,
        deleting.caller.user,
    )
    assert (await deleting.finish()).state is DeletionState.RECEIPTED


async def test_one_that_lost_its_user_is_refused_and_never_taken_for_the_whole_tenants(
    world: World, deleting: Deleting
) -> None:
    await deleting.tick()

    with pytest.raises(StorageFailedError):
        await put_back(world, deleting, user_id=None)

    assert world.deletions.rows == {}


async def test_what_is_there_already_stays_as_it_is(world: World, deleting: Deleting) -> None:
    done = await deleting.finish()
    name = ledger_name(deleting.caller.tenant, deleting.asked.deletion.id)
    entries = [world.backups.files[name]]

    await PutBackDeletions(deletions=world.deletions).put_back(deleting.caller.tenant, entries)

    assert deleting.now == done


@pytest.mark.parametrize("entry", [b"", b"{}", b"[]", b"\xff", b'{"scope": "all"}'])
async def test_what_is_no_entry_is_refused(deleting: Deleting, entry: bytes) -> None:
    with pytest.raises(StorageFailedError):
        await PutBackDeletions(deletions=MemoryDeletionStore()).put_back(
            deleting.caller.tenant, [entry]
        )


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "u-" + "b" * 26},
        {"subject_sha256": "0" * 64},
        {"scope": "tenant"},
        {"tenant": "ms-00000000-0000-4000-8000-00000000000a"},
        {"deletion_id": "../../x"},
        {"requested_at": "2026-01-15T12:00:00"},
        {"receipted_at": "2026-01-15T12:00:00"},
        {"receipted_at": 5},
        {"receipted_at": "2026-01-15T12:00:00+00:00"},
        {"receipt": "forged"},
        {"status_digest": None},
    ],
    ids=lambda changes: f"{next(iter(changes.items()))}",
)
async def test_n02_an_entry_that_the_service_did_not_write_is_refused(
    world: World, deleting: Deleting, changes: dict[str, object]
) -> None:
    """Whoever can write files must not choose who is deleted."""
    await deleting.tick()

    with pytest.raises(StorageFailedError):
        await put_back(world, deleting, **changes)

    assert world.deletions.rows == {}
