"""O-17: what the journal of refreshed grants promises over every store of backups: the fake, and
the container in Azurite."""

import json
import logging
from dataclasses import replace
from typing import Any, Final

import pytest

from local import scene
from shared import ports
from shared.errors import StorageFailedError
from shared.model import (
    Connection,
    DataSubject,
    JournalledGrant,
    OrgId,
    TenantId,
    UserId,
)
from shared.model.backups import BACKED_UP, day_of, journal_folder, journal_name
from shared.outside import Azure
from shared.usecases.grant_journal import GrantJournal
from tests.contract.rows import connection_row
from tests.control_client import ControlClient
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, NOON

ALICE: Final = UserId("u-" + "a" * 26)
BOB: Final = UserId("u-" + "b" * 26)


@pytest.fixture
def journal(outside: ports.Outside) -> GrantJournal:
    return GrantJournal(backups=outside.backups)


def entry_of(
    tenant: TenantId, user: UserId = ALICE, org: OrgId = CONTOSO_ORG, *, generation: int = 2
) -> JournalledGrant:
    return JournalledGrant(
        tenant=tenant,
        user=user,
        org=org,
        consent="consent",
        generation=generation,
        sealed_grant=bytes(range(256)),
        written_at=NOON,
    )


def row_of(entry: JournalledGrant) -> Connection:
    return connection_row(entry.tenant, entry.user, entry.org)


async def test_what_was_written_is_read_for_its_connection(
    journal: GrantJournal, tenant: TenantId
) -> None:
    await journal.write(entry_of(tenant))

    found = await journal.read(connection_row(tenant, ALICE))

    assert found == entry_of(tenant)
    assert found.place == connection_row(tenant, ALICE).place


async def test_of_what_was_never_written_nothing_is_read(
    journal: GrantJournal, tenant: TenantId, other_tenant: TenantId
) -> None:
    await journal.write(entry_of(tenant))

    for other in (
        entry_of(tenant, org=FABRIKAM_ORG),
        entry_of(tenant, BOB),
        entry_of(other_tenant),
    ):
        assert await journal.read(row_of(other)) is None


async def test_what_another_consent_left_there_is_another_entry(
    journal: GrantJournal, tenant: TenantId
) -> None:
    """It still has to be revoked, while the newer one may have to be adopted."""
    older, newer = entry_of(tenant), replace(entry_of(tenant), consent="newer")
    await journal.write(older)
    await journal.write(newer)

    found = {
        (await journal.read(replace(row_of(older), consent=e.consent))) for e in (older, newer)
    }

    assert found == {older, newer}


async def test_a_later_generation_is_another_entry_and_forgetting_one_leaves_the_other(
    journal: GrantJournal, tenant: TenantId
) -> None:
    """Whoever works off the older one knows nothing of the newer, the only copy of its grant."""
    older = entry_of(tenant)
    newer = replace(entry_of(tenant, generation=3), sealed_grant=b"\x01")
    await journal.write(older)
    await journal.write(newer)

    await journal.forget(older)

    assert list((await journal.of_subject(DataSubject(tenant=tenant)))[0]) == [newer]


async def test_the_same_generation_written_again_takes_the_place_of_the_first(
    journal: GrantJournal, tenant: TenantId
) -> None:
    again = replace(entry_of(tenant), sealed_grant=b"\x01")
    await journal.write(entry_of(tenant))

    await journal.write(again)

    assert list((await journal.of_subject(DataSubject(tenant=tenant)))[0]) == [again]


async def test_entries_are_those_of_a_user_or_of_the_whole_tenant_or_all(
    journal: GrantJournal, tenant: TenantId, other_tenant: TenantId
) -> None:
    own = [entry_of(tenant, org=org) for org in (CONTOSO_ORG, FABRIKAM_ORG)]
    theirs, elsewhere = entry_of(tenant, BOB), entry_of(other_tenant)
    for entry in (*own, theirs, elsewhere):
        await journal.write(entry)

    async def found(subject: DataSubject) -> set[JournalledGrant]:
        return set((await journal.of_subject(subject))[0])

    assert await found(DataSubject(tenant=tenant, user=ALICE)) == set(own)
    assert await found(DataSubject(tenant=tenant, user=BOB)) == {theirs}
    assert await found(DataSubject(tenant=tenant)) == {*own, theirs}
    assert await found(DataSubject(tenant=other_tenant, user=ALICE)) == {elsewhere}
    names = await journal.names()
    assert len(set(names)) == len(names)
    assert {await journal.at(name) for name in names} >= {*own, theirs, elsewhere}


async def test_at_a_name_that_is_free_by_now_there_is_nothing(
    journal: GrantJournal, tenant: TenantId, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flowrunner")
    await journal.write(entry_of(tenant))
    (name,) = [name for name in await journal.names() if str(tenant) in name]
    await journal.forget(entry_of(tenant))

    assert await journal.at(name) is None
    assert told_of(caplog) == []


async def test_a_user_or_tenant_whose_id_begins_alike_is_another(
    outside: ports.Outside, tenant: TenantId
) -> None:
    """By the names alone: a deletion takes away whatever lies in the folder."""
    longer_user, longer_tenant = UserId(ALICE + "2"), TenantId(tenant + "2")
    names = [
        journal_name(tenant, longer_user, CONTOSO_ORG, "consent", 2),
        journal_name(longer_tenant, ALICE, CONTOSO_ORG, "consent", 2),
    ]
    for name in names:
        await outside.backups.put(name, b"{}")

    assert list(await outside.backups.names(journal_folder(tenant, ALICE))) == []
    assert list(await outside.backups.names(journal_folder(tenant))) == names[:1]


async def test_what_is_forgotten_is_gone_and_forgetting_it_again_is_no_error(
    journal: GrantJournal, tenant: TenantId
) -> None:
    await journal.write(entry_of(tenant))
    await journal.write(entry_of(tenant, BOB))

    for _ in range(2):
        await journal.forget(entry_of(tenant))

    assert await journal.read(row_of(entry_of(tenant))) is None
    assert list((await journal.of_subject(DataSubject(tenant=tenant)))[0]) == [
        entry_of(tenant, BOB)
    ]


async def test_of_a_grant_the_journal_holds_what_is_sealed_alone(
    outside: ports.Outside, journal: GrantJournal, tenant: TenantId
) -> None:
    await journal.write(entry_of(tenant))

    (name,) = await outside.backups.names(journal_folder(tenant))
    content = json.loads(await outside.backups.get(name) or b"")

    assert set(content) == {"org", "consent", "generation", "sealed_grant", "written_at"}
    assert name == f"journal/{tenant}/{ALICE}/{CONTOSO_ORG.lower()}-consent-2.json"


async def test_no_backup_is_taken_for_the_journal_or_the_other_way_round(
    outside: ports.Outside, journal: GrantJournal, tenant: TenantId
) -> None:
    await outside.backups.put(f"{tenant}/2026-01-15/users.0001.sealed", b"\x01")
    await journal.write(entry_of(tenant))

    assert list((await journal.of_subject(DataSubject(tenant=tenant)))[0]) == [entry_of(tenant)]
    assert len(await outside.backups.names(f"{tenant}/")) == 1
    assert day_of(journal_name(tenant, ALICE, CONTOSO_ORG, "consent", 2)) is None


def test_no_grant_is_backed_up() -> None:
    """Connections and what was discarded are in one table, which no backup holds."""
    assert {"connections", "pending"} & set(BACKED_UP) == set()


# --- files that cannot be read -------------------------------------------------------------------


def spoilt(**changed: Any) -> bytes:  # noqa: ANN401 - whatever JSON holds
    """An entry with other members; None: without that one."""
    good = {"org": CONTOSO_ORG, "consent": "c", "generation": 2, "sealed_grant": "AQ=="}
    members = {**good, "written_at": int(NOON.timestamp()), **changed}
    return json.dumps({k: v for k, v in members.items() if v is not None}).encode()


BROKEN: Final = {
    "empty": b"",
    "no-json": b"{",
    "not-utf-8": b"\xff\xfe\xfd",
    "a-list": b"[]",
    "a-number": b"5",
    "no-org": spoilt(org=None),
    "no-such-org": spoilt(org="00D"),
    "an-org-that-is-a-number": spoilt(org=5),
    "the-org-of-another-file": spoilt(org=FABRIKAM_ORG),
    "no-consent": spoilt(consent=None),
    "no-generation": spoilt(generation=None),
    "a-generation-that-is-none": spoilt(generation="two"),
    "a-generation-without-end": spoilt(generation=float("inf")),
    "no-grant": spoilt(sealed_grant=None),
    "a-grant-that-is-no-base64": spoilt(sealed_grant="\u00e4"),
    "no-time": spoilt(written_at=None),
    "a-time-that-is-text": spoilt(written_at="noon"),
    "a-time-that-never-comes": spoilt(written_at=1e30),
}


def told_of(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    lines = [json.loads(record.getMessage()) for record in caplog.records]
    return [line for line in lines if line["event"] == "row_unreadable"]


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
async def test_d12_a_broken_file_is_told_and_is_in_the_way_of_no_other(
    outside: ports.Outside,
    journal: GrantJournal,
    tenant: TenantId,
    caplog: pytest.LogCaptureFixture,
    content: bytes,
) -> None:
    caplog.set_level(logging.INFO, "flowrunner")
    await journal.write(entry_of(tenant, BOB))
    await outside.backups.put(journal_name(tenant, ALICE, CONTOSO_ORG, "consent", 2), content)

    assert list((await journal.of_subject(DataSubject(tenant=tenant)))[0]) == [
        entry_of(tenant, BOB)
    ]
    assert [
        entry
        for name in await journal.names()
        if str(tenant) in name and (entry := await journal.at(name)) is not None
    ] == [entry_of(tenant, BOB)]
    assert await journal.read(connection_row(tenant, ALICE)) is None

    _, unreadable = await journal.of_subject(DataSubject(tenant=tenant))
    assert unreadable == 1
    told = told_of(caplog)[:3]
    assert [line["step"] for line in told] == ["journal"] * 3
    assert (told[0]["count"], told[2]["count"]) == (1, 1)


async def test_an_entry_under_the_name_of_another_user_is_none(
    outside: ports.Outside, journal: GrantJournal, tenant: TenantId
) -> None:
    await outside.backups.put(f"journal/{tenant}/somebody/{CONTOSO_ORG.lower()}.json", spoilt())
    await outside.backups.put(f"journal/{tenant}/{CONTOSO_ORG.lower()}.json", spoilt())

    assert list((await journal.of_subject(DataSubject(tenant=tenant)))[0]) == []


async def test_a_file_that_was_forgotten_meanwhile_is_nothing_to_tell(
    tenant: TenantId, caplog: pytest.LogCaptureFixture, outside: ports.Outside
) -> None:
    caplog.set_level(logging.INFO, "flowrunner")

    assert await GrantJournal(backups=outside.backups).read(connection_row(tenant, ALICE)) is None

    assert told_of(caplog) == []


# --- the real one alone --------------------------------------------------------------------------


@pytest.mark.stack
@pytest.mark.parametrize("fault", [{"fault": "status", "value": 503}, {"fault": "html"}])
async def test_a_store_that_is_away_is_not_taken_for_an_empty_journal(
    azure: Azure, control: ControlClient, tenant: TenantId, fault: dict[str, object]
) -> None:
    """Else a refresh would ask Salesforce with a token that is spent."""
    journal = GrantJournal(backups=azure.backups)
    await journal.write(entry_of(tenant))
    away = {"target": "blobs", "match": f"/{scene.STORAGE_ACCOUNT}/", "times": 50, **fault}
    control.post("/_sim/faults", away)
    try:
        with pytest.raises(StorageFailedError):
            await journal.read(connection_row(tenant, ALICE))
        with pytest.raises(StorageFailedError):
            await journal.of_subject(DataSubject(tenant=tenant))
        with pytest.raises(StorageFailedError):
            await journal.write(entry_of(tenant, BOB))
        with pytest.raises(StorageFailedError):
            await journal.forget(entry_of(tenant))
    finally:
        control.clear_faults()

    assert await journal.read(connection_row(tenant, ALICE)) == entry_of(tenant)
