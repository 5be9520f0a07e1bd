"""What the tables do not take after a rotation goes to the journal, and comes back (O-17)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import (
    KeyVaultFailedError,
    NotConnectedError,
    SalesforceUnavailableError,
    StorageFailedError,
)
from shared.model import MOST_SKEW, Access, Health, JournalledGrant
from shared.model.backups import journal_name
from shared.usecases.grant_journal import GrantJournal
from shared.usecases.refresh_grant import LEASE
from tests.fakes import CONTOSO_ORG, World
from tests.usecases.conftest import Told
from tests.usecases.refreshing import Alice, during_refresh, expired
from tests.usecases.stored import holds

MARGIN = timedelta(seconds=20)
LAPSED = LEASE + MOST_SKEW


@pytest.fixture
async def alice(world: World) -> Alice:
    return await expired(world)


def tables_away(alice: Alice, *, times: int = 1_000) -> None:
    """From the rotation on, the tables take nothing."""
    alice.world.connections.faults.plan("replace", StorageFailedError, times=times)


async def journalled(alice: Alice) -> Access:
    """A refresh whose outcome only the journal has taken; the tables are well again."""
    during_refresh(alice, lambda: tables_away(alice))
    access = await alice.refresh()
    alice.world.connections.faults.clear()
    return access


async def entries(alice: Alice) -> list[JournalledGrant]:
    journal = GrantJournal(backups=alice.world.backups)
    found = [await journal.at(name) for name in await journal.names()]
    return [entry for entry in found if entry is not None]


async def test_o17_the_caller_is_served_and_the_journal_has_the_grant(
    alice: Alice, told: Told
) -> None:
    before = alice.row

    access = await journalled(alice)

    assert access.generation == 2
    assert alice.world.login.require_alive(access.token, access.instance_host)
    (entry,) = await entries(alice)
    assert (entry.user, entry.org, entry.consent) == (before.user, before.org, before.consent)
    assert (entry.generation, entry.continues(alice.row)) == (2, True)
    assert (await alice.world.grants.open(entry.place, entry.sealed_grant)).access_token == (
        access.token
    )
    assert (alice.row.generation, alice.row.sealed_grant) == (1, before.sealed_grant)
    assert [(one["tenant"], one["user"], one["level"]) for one in told("grant_journalled")] == [
        (before.tenant, before.user, "ERROR")
    ]
    assert told("grant_lost") == []


async def test_o17_the_journal_is_asked_after_three_failures_of_the_tables(alice: Alice) -> None:
    during_refresh(alice, lambda: tables_away(alice, times=3))

    await alice.refresh()

    assert len(await entries(alice)) == 1
    assert alice.world.connections.faults.left("replace") == 0


async def test_o17_the_journal_holds_no_token_in_clear(alice: Alice) -> None:
    await journalled(alice)

    (content,) = alice.world.backups.files.values()
    for secret in ("refresh-token-", "access-token-", "contoso.my.salesforce.com"):
        assert not holds(content, secret)


async def test_o17_until_the_lease_lapses_nobody_asks_salesforce(alice: Alice) -> None:
    await journalled(alice)

    with pytest.raises(SalesforceUnavailableError):
        await alice.refresh()

    assert alice.world.login.redemptions == 1


async def test_o17_then_the_next_caller_adopts_it_and_nothing_is_redeemed(alice: Alice) -> None:
    access = await journalled(alice)
    refreshed_at = alice.world.clock()
    alice.world.clock.move(seconds=LAPSED.total_seconds())

    adopted = await alice.refresh()

    assert adopted == access
    assert (alice.world.login.redemptions, alice.world.login.replays) == (1, 0)
    assert (alice.row.generation, alice.row.health) == (2, Health.ACTIVE)
    assert (alice.row.lease_holder, alice.row.answer_lost) == (None, False)
    assert alice.row.refreshed_at >= refreshed_at
    assert alice.world.backups.files == {}
    assert await alice.can_still_refresh()


async def test_o17_the_timer_adopts_it_where_nobody_calls(alice: Alice) -> None:
    access = await journalled(alice)
    alice.world.clock.move(minutes=5)

    await alice.world.another_instance().services.work_off_revocations()

    assert (await alice.stored_grant()).access_token == access.token
    assert (alice.row.generation, alice.row.lease_holder) == (2, None)
    assert alice.world.backups.files == {}
    assert (alice.world.login.redemptions, alice.living()) == (1, 1)


async def test_o17_an_entry_that_cannot_be_taken_away_harms_nothing(alice: Alice) -> None:
    await journalled(alice)
    alice.world.clock.move(minutes=5)
    alice.world.backups.faults.plan("delete", StorageFailedError)
    await alice.refresh()
    assert len(await entries(alice)) == 1

    assert await alice.can_still_refresh()
    await alice.world.another_instance().services.work_off_revocations()

    assert alice.world.backups.files == {}
    assert alice.living() == 1
    assert await alice.can_still_refresh()


async def test_o17_where_the_journal_cannot_be_read_the_next_caller_is_served(
    alice: Alice,
) -> None:
    await journalled(alice)
    alice.world.clock.move(seconds=LAPSED.total_seconds())
    alice.world.backups.faults.plan("get", StorageFailedError)

    with pytest.raises(StorageFailedError):
        await alice.refresh()
    assert alice.row.lease_holder is None
    assert alice.row.answer_lost

    assert (await alice.refresh()).generation == 2
    assert alice.world.login.redemptions == 1
    assert await alice.can_still_refresh()


async def test_o17_where_the_key_is_away_it_is_adopted_later(alice: Alice) -> None:
    await journalled(alice)
    alice.world.clock.move(seconds=LAPSED.total_seconds())
    row, cold = alice.row, alice.world.another_instance()
    alice.world.key_wrapper.faults.plan("unwrap", KeyVaultFailedError)

    with pytest.raises(KeyVaultFailedError):
        await cold.refresh_grant(row.tenant, row.user, row.org, stale_generation=1)

    assert len(await entries(alice)) == 1
    assert (await alice.refresh()).generation == 2
    assert alice.world.login.redemptions == 1


async def test_o17_an_entry_whose_seal_is_broken_is_nobodys_grant(alice: Alice) -> None:
    """Then the old token is all there is; and it is spent."""
    await journalled(alice)
    (entry,) = await entries(alice)
    journal = GrantJournal(backups=alice.world.backups)
    await journal.write(replace(entry, sealed_grant=entry.sealed_grant[:-1]))
    alice.world.clock.move(seconds=LAPSED.total_seconds())

    with pytest.raises(NotConnectedError) as caught:
        await alice.refresh()

    assert (caught.value.health, alice.row.health) == ("rotation_lost", Health.ROTATION_LOST)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda entry: replace(entry, consent="0" * 64), id="of-another-consent"),
        pytest.param(lambda entry: replace(entry, generation=1), id="of-this-generation"),
        pytest.param(lambda entry: replace(entry, generation=3), id="of-a-later-generation"),
    ],
)
async def test_o17_an_entry_that_does_not_continue_the_row_is_not_adopted(
    alice: Alice, change: Callable[[JournalledGrant], JournalledGrant]
) -> None:
    """A holder died before it sent anything; the entry is from another time."""
    entry = JournalledGrant(
        tenant=alice.row.tenant,
        user=alice.row.user,
        org=alice.row.org,
        consent=alice.row.consent,
        generation=2,
        sealed_grant=alice.row.sealed_grant,
        written_at=alice.world.clock(),
    )
    await GrantJournal(backups=alice.world.backups).write(change(entry))
    alice.change(lease_holder="dead", lease_until=alice.world.clock() - MOST_SKEW)

    access = await alice.refresh()

    assert alice.world.login.redemptions == 1
    assert alice.world.login.require_alive(access.token, access.instance_host)
    assert len(await entries(alice)) == 1


async def test_o17_without_a_sign_of_an_unfinished_refresh_the_journal_is_not_read(
    alice: Alice,
) -> None:
    alice.world.backups.faults.plan("get", lambda: AssertionError("read"))

    assert (await alice.refresh()).generation == 2


async def test_o17_the_entry_lies_in_the_users_own_folder(alice: Alice) -> None:
    await journalled(alice)

    assert list(alice.world.backups.files) == [
        journal_name(alice.row.tenant, alice.row.user, CONTOSO_ORG, alice.row.consent, 2)
    ]


async def test_o17_a_disconnect_before_the_adoption_ends_what_the_journal_has(
    alice: Alice,
) -> None:
    await journalled(alice)
    user = alice.row.user
    await alice.world.services.disconnect(await alice.world.signed_in("alice"), CONTOSO_ORG)
    alice.world.clock.move(minutes=5)

    await alice.world.another_instance().services.work_off_revocations()

    assert alice.world.login.living(user) == 0
    assert (alice.world.backups.files, alice.world.outbox.rows) == ({}, {})


async def test_o17_a_disconnect_during_the_adoption_ends_it_as_well(alice: Alice) -> None:
    await journalled(alice)
    user = alice.row.user
    alice.world.clock.move(seconds=LAPSED.total_seconds())
    caller = await alice.world.signed_in("alice")

    async def disconnect() -> None:
        await alice.world.services.disconnect(caller, CONTOSO_ORG)

    alice.world.backups.faults.meanwhile("get", disconnect)
    with pytest.raises(NotConnectedError):
        await alice.refresh()
    alice.world.clock.move(minutes=5)
    await alice.world.another_instance().services.work_off_revocations()

    assert alice.world.connections.rows == {}
    assert alice.world.login.living(user) == 0
    assert (alice.world.backups.files, alice.world.outbox.rows) == ({}, {})


async def test_o17_whoever_takes_the_lease_over_during_the_adoption_still_finds_the_grant(
    alice: Alice,
) -> None:
    """The first stalls for longer than its lease; the grant is not revoked under the second."""
    access = await journalled(alice)
    alice.world.clock.move(seconds=LAPSED.total_seconds())

    async def taken_over() -> None:
        alice.change(lease_holder="another", lease_until=alice.world.clock() + LEASE)

    alice.world.backups.faults.meanwhile("get", taken_over)
    with suppress(SalesforceUnavailableError):  # it may wait for the other one in vain
        await alice.refresh()
    alice.change(lease_until=alice.world.clock() - MOST_SKEW)

    assert (await alice.refresh()).generation == 2
    assert alice.world.login.require_alive(access.token, access.instance_host)
    assert await alice.can_still_refresh()


async def test_o17_where_both_stores_are_away_the_loss_is_an_alarm(
    alice: Alice, told: Told
) -> None:
    during_refresh(alice, lambda: tables_away(alice))
    alice.world.backups.faults.plan("put", StorageFailedError, times=1_000)

    with pytest.raises(StorageFailedError):
        await alice.refresh()

    (lost,) = told("grant_lost")
    assert (lost["level"], lost["step"]) == ("ERROR", "commit")
    assert (lost["tenant"], lost["user"]) == (alice.row.tenant, alice.row.user)


async def test_o17_where_both_stores_are_away_for_a_while_nothing_is_lost(
    alice: Alice, told: Told
) -> None:
    during_refresh(alice, lambda: tables_away(alice, times=6))
    alice.world.backups.faults.plan("put", StorageFailedError, times=1_000)

    assert (await alice.refresh()).generation == 2
    assert (alice.row.generation, told("grant_lost")) == (2, [])
    assert await alice.can_still_refresh()


@pytest.mark.parametrize("seconds", [0.5, 1.5, 4.0, 5.5, 7.0, 9.9])
async def test_o19_no_write_begins_when_the_lease_is_nearly_over(
    alice: Alice, seconds: float
) -> None:
    """However slowly the stores fail: a write that outlives the lease would meet the next one."""
    begun: list[timedelta] = []

    async def slowly() -> None:
        lease_until = alice.row.lease_until
        assert lease_until is not None
        begun.append(lease_until - alice.world.clock())
        alice.world.clock.move(seconds=seconds)

    def stores_away() -> None:
        tables_away(alice)
        for _ in range(200):
            alice.world.connections.faults.meanwhile("replace", slowly)
            alice.world.backups.faults.meanwhile("put", slowly)

    during_refresh(alice, stores_away)
    alice.world.backups.faults.plan("put", StorageFailedError, times=1_000)
    with pytest.raises(StorageFailedError):
        await alice.refresh()

    assert len(begun) > 5
    assert min(begun) >= MARGIN
