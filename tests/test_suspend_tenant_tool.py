"""`python -m tools.suspend_tenant`: what it takes, what it prints, how it exits."""

import pytest

from shared.errors import (
    DeletionInProgressError,
    SessionExpiredError,
    StorageFailedError,
    TenantNotAllowedError,
)
from shared.model import TenantId, TenantStatus
from tests.fakes import World
from tests.fakes.identity import CONTOSO_DIRECTORY, GOOGLE_DIRECTORY
from tools.suspend_tenant import Options, main, options_from, run

TENANT = TenantId.parse(f"ms-{CONTOSO_DIRECTORY}")
SUSPEND = Options(tenant=TENANT, status=TenantStatus.DISABLED)
RESUME = Options(tenant=TENANT, status=TenantStatus.ACTIVE)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_suspended_tenant_is_served_no_more_and_no_other_is(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    alice, mallory = await world.session_of("alice"), await world.session_of("mallory")

    assert await run(world.services, SUSPEND) == 0

    assert capsys.readouterr().out.startswith(f"{TENANT} suspended")
    with pytest.raises(SessionExpiredError):
        await world.services.authenticate(alice)
    with pytest.raises(TenantNotAllowedError):
        await world.sign_in("bob")
    await world.services.authenticate(mallory)


async def test_a_resumed_tenant_is_served_and_its_old_sessions_stay_over(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    before = await world.session_of("alice")
    await run(world.services, SUSPEND)

    assert await run(world.services, RESUME) == 0

    assert "resumed" in capsys.readouterr().out
    await world.services.authenticate(await world.session_of("alice"))
    with pytest.raises(SessionExpiredError):
        await world.services.authenticate(before)


@pytest.mark.parametrize(
    ("options", "times", "told"),
    [
        pytest.param(SUSPEND, 2, "was suspended already", id="suspended-twice"),
        pytest.param(RESUME, 1, "was not suspended", id="resumed-unsuspended"),
    ],
)
async def test_what_is_so_already_is_left_as_it_is(
    world: World, capsys: pytest.CaptureFixture[str], options: Options, times: int, told: str
) -> None:
    await world.sign_in("alice")
    for _ in range(times - 1):
        await run(world.services, options)
    before = world.tenants.rows[TENANT]

    assert await run(world.services, options) == 0

    assert told in capsys.readouterr().out
    assert world.tenants.rows[TENANT] == before


@pytest.mark.parametrize("options", [SUSPEND, RESUME], ids=["suspend", "resume"])
async def test_a_tombstone_is_not_taken_away(
    world: World, capsys: pytest.CaptureFixture[str], options: Options
) -> None:
    await world.sign_in("alice")
    await world.tenants.begin_deletion(TENANT)

    assert await run(world.services, options) == 1

    assert "FAILED deletion_in_progress" in capsys.readouterr().out
    assert world.tenants.rows[TENANT].status is TenantStatus.DELETING
    with pytest.raises(DeletionInProgressError):
        await world.sign_in("alice")


async def test_a_tenant_that_nobody_signed_in_from_is_told_and_not_made(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(world.services, SUSPEND) == 1

    assert "ALLOWED_TENANTS" in capsys.readouterr().out
    assert world.tenants.rows == {}


async def test_an_outage_is_no_success(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    await world.sign_in("alice")
    world.tenants.faults.plan("change_status", StorageFailedError)

    assert await run(world.services, SUSPEND) == 1

    assert "FAILED storage_failed: try again" in capsys.readouterr().out


async def test_a_google_tenant_is_named_as_in_the_settings(world: World) -> None:
    stored = (await world.signed_in("dave")).tenant

    assert options_from(["--tenant", f"g:{GOOGLE_DIRECTORY}"]).tenant == stored
    assert options_from(["--tenant", stored]).tenant == stored


def test_suspending_is_what_it_does_unless_told_otherwise() -> None:
    assert options_from(["--tenant", TENANT]) == SUSPEND
    assert options_from(["--tenant", TENANT, "--resume"]) == RESUME


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--resume",
        "--tenant all",
        f"--tenant {CONTOSO_DIRECTORY}",
        f"--tenant {TENANT.upper()}",
        "--tenant g:fabrikam",
        f"--tenant {TENANT} --force",
    ],
)
def test_what_is_not_understood_is_refused(arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        options_from(arguments.split())

    assert ended.value.code == 2


def test_a_missing_setting_ends_it_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tenant", TENANT], {}) == 1
    assert "TABLES_ENDPOINT is missing" in capsys.readouterr().err
