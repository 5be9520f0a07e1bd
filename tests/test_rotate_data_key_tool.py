"""`python -m tools.rotate_data_key`: what it takes, what it prints, how it exits."""

import pytest

from shared.errors import KeyVaultFailedError, StorageFailedError
from shared.model import TenantId, TenantStatus
from tests.fakes import World
from tests.fakes.identity import CONTOSO_DIRECTORY
from tests.usecases.rotating import keys
from tools.rotate_data_key import Options, main, options_from, run

TENANT = TenantId.parse(f"ms-{CONTOSO_DIRECTORY}")
ALL = Options(tenant=None)


@pytest.fixture
async def world() -> World:
    """Two tenants, whose keys were made a minute ago."""
    made = World()
    await made.signed_in("alice")
    await made.signed_in("mallory")
    made.clock.move(minutes=1)
    return made


def count(world: World) -> list[int]:
    """How many data keys each tenant has, the one that is named last."""
    others = sorted(set(world.tenants.rows) - {TENANT})
    return [len(keys(world, tenant)) for tenant in (*others, TENANT)]


async def test_the_tenant_that_is_named_has_a_new_key_and_no_other(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(world.services, Options(tenant=TENANT)) == 0

    newest = keys(world, TENANT)[-1]
    assert capsys.readouterr().out == (
        f"{TENANT} seals by data key v{newest}\n1 tenants, 0 failed\n"
    )
    assert count(world) == [1, 2]


async def test_all_have_a_new_key(world: World) -> None:
    assert await run(world.services, ALL) == 0

    assert count(world) == [2, 2]


async def test_one_that_fails_does_not_stop_the_others(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.key_wrapper.faults.plan("wrap", KeyVaultFailedError)

    assert await run(world.services, ALL) == 1

    assert sorted(count(world)) == [1, 2]
    told = capsys.readouterr().out
    assert "FAILED key_vault_failed: the key that wraps its data keys does not serve" in told
    assert "2 tenants, 1 failed" in told


async def test_a_tenant_that_is_being_deleted_gets_none(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.tenants.change(TENANT, status=TenantStatus.DELETING)

    assert await run(world.services, Options(tenant=TENANT)) == 1

    assert "FAILED deletion_in_progress: it is being deleted" in capsys.readouterr().out
    assert count(world) == [1, 1]


async def test_without_the_list_of_tenants_nothing_is_done(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.tenants.faults.plan("ids", StorageFailedError)

    assert await run(world.services, ALL) == 1

    assert "FAILED storage_failed" in capsys.readouterr().out


def test_a_tenant_is_named_or_all() -> None:
    assert options_from(["--tenant", TENANT]) == Options(tenant=TENANT)
    assert options_from(["--tenant", "all"]) == ALL


@pytest.mark.parametrize("arguments", [[], ["--tenant", "contoso"], ["--tenant", ""]])
def test_what_names_no_tenant_is_not_understood(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        options_from(arguments)

    assert ended.value.code == 2
    assert "usage: rotate_data_key" in capsys.readouterr().err


def test_without_settings_nothing_is_begun(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tenant", "all"], {}) == 1

    assert capsys.readouterr().err
