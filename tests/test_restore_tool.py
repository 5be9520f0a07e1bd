"""`python -m tools.restore`: what it takes, what it prints, how it exits; and its runbook."""

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from shared.errors import StorageFailedError
from shared.model.backups import manifest_name
from shared.usecases.read_backup import Refusal
from tests.fakes import World
from tests.fakes.identity import CONTOSO_DIRECTORY as TENANT
from tests.usecases.backing_up import TODAY, loss, rows_of, tenant_with_rows
from tools.restore import Options, main, options_from, restore

ROOT: Final = Path(__file__).parent.parent
RUNBOOK: Final = (ROOT / "docs/runbooks/restore.md").read_text(encoding="utf-8")
EVERYBODY: Final = Options(tenant=None, day=None, dry_run=False)


@pytest.fixture
def world() -> World:
    return World()


async def lost(world: World, *names: str) -> World:
    for name in names:
        await tenant_with_rows(world, name)
    await world.services.back_up_tenants()
    return await loss(world)


async def test_every_tenant_has_a_line_with_its_counts(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    after = await lost(world, "alice", "grace")

    code = await restore(after.services, EVERYBODY)

    head, *lines, end = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert head == ["tenant", "date", "outcome", "tenants", "users", "runs", "held", "back"]
    assert [line[1:] for line in lines] == [["2026-01-15", "restored", "3", "2", "4", "0"]] * 2
    assert {line[0] for line in lines} == set(await world.tenants.ids())
    assert " ".join(end) == "2 tenants, 0 refused or failed"
    assert code == 0


async def test_one_refusal_stops_no_other_tenant_and_is_the_exit_code(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    after = await lost(world, "alice", "grace")
    first, second = await after.services.restore_backup.tenants()
    del world.backups.files[manifest_name(first, TODAY)]

    code = await restore(after.services, EVERYBODY)

    printed = capsys.readouterr().out
    assert (code, "REFUSED no_backup" in printed) == (1, True)
    assert rows_of(after, first) == {}
    assert rows_of(after, second) != {}


async def test_an_outage_is_told_by_its_code(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    after = await lost(world, "alice")
    after.copies.faults.plan("is_empty", StorageFailedError)

    code = await restore(after.services, EVERYBODY)

    assert (code, "FAILED storage_failed" in capsys.readouterr().out) == (1, True)


async def test_backups_that_cannot_be_listed_are_told_by_the_code(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    after = await lost(world, "alice")
    after.backups.faults.plan("names", StorageFailedError)

    code = await restore(after.services, EVERYBODY)

    assert (code, "FAILED storage_failed" in capsys.readouterr().out) == (1, True)


async def test_nothing_to_restore_is_no_success_and_is_told(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await restore(world.services, EVERYBODY) == 1
    assert capsys.readouterr().out.endswith("nothing to restore: no tenant in the backup account\n")


async def test_a_dry_run_writes_nothing(world: World) -> None:
    after = await lost(world, "alice")
    (tenant,) = await after.services.restore_backup.tenants()

    assert await restore(after.services, Options(tenant=tenant, day=TODAY, dry_run=True)) == 0

    assert rows_of(after, tenant) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--tenant all",
        "--date latest",
        "--tenant everybody --date latest",
        "--tenant all --date yesterday",
        "--tenant all --date latest --force",
    ],
)
def test_what_is_not_understood_is_refused(arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        options_from(arguments.split())

    assert ended.value.code == 2


def test_a_missing_setting_ends_it_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--tenant", "all", "--date", "latest"], {}) == 1
    assert "BACKUP_ENDPOINT is missing" in capsys.readouterr().err


def commands(program: str) -> list[list[str]]:
    """The arguments of each such command in the runbook."""
    found = re.findall(rf"-m {re.escape(program)}((?: --?[a-z-]+(?: [\w-]+)?)+)", RUNBOOK)
    return [shlex.split(arguments) for arguments in found]


def test_the_runbooks_commands_are_understood() -> None:
    given = [*commands("tools.restore"), *commands("local.restore")]

    assert len(given) == 4
    for arguments in given:
        known = [one.replace("ms-TENANT", f"ms-{TENANT}") for one in arguments]
        options_from(known)


def test_the_runbook_explains_every_refusal() -> None:
    for refusal in Refusal:
        assert f"`{refusal.value}`" in RUNBOOK, refusal


def test_the_files_that_the_runbook_names_are_there() -> None:
    named = re.findall(r"(?<![\w./])(?:local|shared|tests|docs)/[\w/.]+\.(?:py|md|json)", RUNBOOK)

    assert named
    for path in named:
        assert (ROOT / path).is_file(), path
