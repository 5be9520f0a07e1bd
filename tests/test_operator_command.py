"""What the commands for operators share: how a tenant is named, and that services are closed."""

import argparse

import pytest

from shared.errors import StorageFailedError
from shared.model import TenantId
from shared.services import Services
from tests.fakes import World
from tools.operator_command import closing, on_services, tenant, tenant_or_all

TENANT = "ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"


class ClosingWorld(World):
    """Counts how often it is closed."""

    closed = 0

    async def close(self) -> None:
        self.closed += 1


async def done(world: ClosingWorld, code: int) -> int:
    assert world.closed == 0, "the command has not ended yet"
    return code


async def failing() -> int:
    raise StorageFailedError


async def never(_: Services) -> int:
    raise AssertionError("settings that are no good build no services")


def test_a_tenant_is_named_by_its_id() -> None:
    assert tenant(TENANT) == tenant_or_all(TENANT) == TenantId.parse(TENANT)


def test_all_are_meant_only_where_a_command_takes_all() -> None:
    assert tenant_or_all("all") is None
    with pytest.raises(argparse.ArgumentTypeError, match="all is no tenant"):
        tenant("all")


@pytest.mark.parametrize("text", ["", "ALL", "contoso.example.com", f"{TENANT}x"])
def test_what_is_no_tenant_is_told(text: str) -> None:
    for read in (tenant, tenant_or_all):
        with pytest.raises(argparse.ArgumentTypeError, match="is no tenant"):
            read(text)


@pytest.mark.parametrize("code", [0, 1])
async def test_the_services_are_closed_after_the_command_whose_code_counts(code: int) -> None:
    world = ClosingWorld()

    assert await closing(world.services, done(world, code)) == code

    assert world.closed == 1


async def test_the_services_are_closed_when_the_command_fails() -> None:
    world = ClosingWorld()

    with pytest.raises(StorageFailedError):
        await closing(world.services, failing())

    assert world.closed == 1


def test_what_is_wrong_with_the_settings_is_told_without_their_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert on_services(never, {"KEY_VAULT_URI": "http://canary.example.com"}) == 1

    told = capsys.readouterr()
    assert told.out == ""
    assert "KEY_VAULT_URI is not an https address" in told.err
    assert "TABLES_ENDPOINT is missing" in told.err
    assert "canary" not in told.err
