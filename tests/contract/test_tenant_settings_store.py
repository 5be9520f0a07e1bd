"""How settings of tenants are kept and changed: the fake, and the table `tenants`."""

import asyncio
from dataclasses import replace

import pytest

from shared import ports
from shared.errors import StorageFailedError
from shared.model import OrgId, Tenant, TenantId, TenantSettings
from shared.outside import Azure
from tests.contract.rows import settings_change, tenant_row
from tests.contract.test_unreadable_rows import MISSING, spoil
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG

EVERYTHING = TenantSettings(
    retention_days=30,
    allowed_orgs=(CONTOSO_ORG, FABRIKAM_ORG),
    idle_grants="keep_alive",
    input_aliases={"Log_Email": {"Betreff": "subject", "An \u201ealle\u201c": "to"}, "Other": {}},
    customer_key="https://contoso.vault.azure.net/keys/ours/0123456789abcdef",
)


@pytest.fixture
def store(outside: ports.Outside, admitted: None) -> ports.TenantStore:
    return outside.tenants


async def stored(store: ports.TenantStore, tenant: TenantId) -> Tenant:
    """A tenant in the store, as read."""
    assert await store.create(tenant_row(tenant))
    found = await store.load(tenant)
    assert found is not None
    return found


@pytest.mark.parametrize("settings", [EVERYTHING, TenantSettings()], ids=["set", "defaults"])
async def test_settings_come_back_as_created(
    store: ports.TenantStore, tenant: TenantId, settings: TenantSettings
) -> None:
    row = replace(tenant_row(tenant), settings=settings)
    await store.create(row)

    assert await store.load(tenant) == row


async def test_a_change_is_written_with_who_made_it(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    wanted = replace(row, settings=EVERYTHING)

    written = await store.change_settings(wanted, settings_change("one"))

    assert written == wanted
    assert written.etag != row.etag
    assert await store.load(tenant) == wanted
    assert await store.settings_changes(tenant, limit=9) == [settings_change("one")]


async def test_what_was_answered_can_be_changed_again(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    first = await store.change_settings(replace(row, settings=EVERYTHING), settings_change("one"))
    assert first is not None

    wanted = replace(first, settings=TenantSettings())
    assert await store.change_settings(wanted, settings_change("two", later=1)) is not None

    assert await store.load(tenant) == wanted


async def test_d13_what_is_not_as_read_any_more_is_changed_in_nothing(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    newer = await store.change_settings(replace(row, settings=EVERYTHING), settings_change("one"))

    late = replace(row, settings=TenantSettings())
    assert await store.change_settings(late, settings_change("late", later=1)) is None

    assert await store.load(tenant) == newer
    assert await store.settings_changes(tenant, limit=9) == [settings_change("one")]


async def test_d01_of_32_changes_with_one_etag_one_is_made(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    rivals = [replace(row, settings=TenantSettings(retention_days=n)) for n in range(1, 33)]

    written = await asyncio.gather(
        *(
            store.change_settings(rival, settings_change(f"{n}", later=n))
            for n, rival in enumerate(rivals)
        )
    )

    (winner,) = [one for one in written if one is not None]
    assert await store.load(tenant) == winner
    (change,) = await store.settings_changes(tenant, limit=99)
    assert change.id == f"c-{written.index(winner)}"


async def test_d05_the_tombstone_stops_a_change_that_is_under_way(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    await store.begin_deletion(tenant)

    assert await store.change_settings(row, settings_change("late")) is None
    assert list(await store.settings_changes(tenant, limit=9)) == []


async def test_a_tenant_that_is_gone_is_not_changed(
    outside: ports.Outside, store: ports.TenantStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    """Not even by somebody who has read another one."""
    row = await stored(store, other_tenant)

    assert await store.change_settings(replace(row, id=tenant), settings_change("one")) is None
    assert await store.load(tenant) is None
    assert list(await store.settings_changes(tenant, limit=9)) == []


async def test_changes_are_listed_newest_first_and_no_more_than_asked_for(
    store: ports.TenantStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    for owner in (tenant, other_tenant):
        row: Tenant | None = await stored(store, owner)
        for later in (5, 1, 3):
            assert row is not None
            row = await store.change_settings(row, settings_change(f"{later}", later=later))

    listed = await store.settings_changes(tenant, limit=2)

    assert list(listed) == [settings_change("5", later=5), settings_change("3", later=3)]
    assert len(await store.settings_changes(tenant, limit=3)) == 3


async def test_changing_settings_changes_nothing_else(
    store: ports.TenantStore, tenant: TenantId, other_tenant: TenantId
) -> None:
    row = await stored(store, tenant)
    await stored(store, other_tenant)
    await store.change_settings(replace(row, settings=EVERYTHING), settings_change("one"))

    assert await store.load(tenant) == replace(tenant_row(tenant), settings=EVERYTHING)
    assert await store.load(other_tenant) == tenant_row(other_tenant)


@pytest.mark.stack
@pytest.mark.parametrize(
    ("text", "settings"),
    [
        pytest.param("{}", TenantSettings(), id="nothing"),
        pytest.param(
            f'{{"allowed_orgs": ["{CONTOSO_ORG}"]}}',
            TenantSettings(allowed_orgs=(CONTOSO_ORG,)),
            id="of-the-first-release",
        ),
        pytest.param(
            '{"retention_days": 1, "of_a_later_release": [1]}',
            TenantSettings(retention_days=1),
            id="of-a-later-release",
        ),
    ],
)
async def test_settings_of_another_release_have_defaults_for_what_is_missing(
    azure: Azure, tenant: TenantId, text: str, settings: TenantSettings
) -> None:
    await azure.tenants.create(tenant_row(tenant))
    await spoil(azure, "tenants", "tenant", tenant, "settings", text)

    found = await azure.tenants.load(tenant)

    assert found is not None
    assert found.settings == settings


@pytest.mark.stack
@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        '"text"',
        '{"retention_days": 0}',
        '{"retention_days": -1}',
        '{"retention_days": 1.5}',
        '{"retention_days": true}',
        '{"retention_days": "30"}',
        '{"idle_grants": "for ever"}',
        '{"idle_grants": null}',
        '{"allowed_orgs": null}',
        '{"allowed_orgs": [5]}',
        '{"input_aliases": []}',
        '{"input_aliases": {"Flow": "text"}}',
    ],
)
async def test_d07_settings_that_make_no_sense_are_a_failure_of_the_store(
    azure: Azure, tenant: TenantId, text: str
) -> None:
    """Above all they are no shorter retention."""
    await azure.tenants.create(tenant_row(tenant))
    await spoil(azure, "tenants", "tenant", tenant, "settings", text)

    with pytest.raises(StorageFailedError):
        await azure.tenants.load(tenant)


@pytest.mark.stack
@pytest.mark.parametrize(
    ("column", "to"),
    [
        ("changed_at", MISSING),
        ("changed_at", "noon"),
        ("changed_by", MISSING),
        ("changed", MISSING),
    ],
)
async def test_d12_a_change_that_cannot_be_read_is_a_failure_of_the_store(
    azure: Azure, tenant: TenantId, column: str, to: object, admitted_azure: None
) -> None:
    row = await stored(azure.tenants, tenant)
    await azure.tenants.change_settings(row, settings_change("one"))
    keys = azure._tables["tenants"].query_entities(
        "PartitionKey eq @tenant", parameters={"tenant": str(tenant)}, select=["RowKey"]
    )
    (key,) = [row["RowKey"] async for row in keys if row["RowKey"].startswith("audit|")]
    await spoil(azure, "tenants", key, tenant, column, to)

    with pytest.raises(StorageFailedError):
        await azure.tenants.settings_changes(tenant, limit=9)


async def test_an_org_of_fifteen_characters_becomes_the_whole_one(
    store: ports.TenantStore, tenant: TenantId
) -> None:
    short = TenantSettings(allowed_orgs=(OrgId.parse(CONTOSO_ORG[:15]),))
    await store.create(replace(tenant_row(tenant), settings=short))

    found = await store.load(tenant)

    assert found is not None
    assert found.settings.allowed_orgs == (CONTOSO_ORG,)
