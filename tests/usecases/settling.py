"""Short ways to settle things in tests."""

from dataclasses import replace
from typing import Any

from shared.model import Caller, TenantSettings
from shared.tenant_settings import revision_of
from shared.usecases.read_settings import SeenSettings
from tests.fakes import World


def settle(world: World, caller: Caller, **changes: Any) -> None:  # noqa: ANN401 - any field's type
    """Past the service, as if an administrator had done it some time ago."""
    world.tenants.change(caller.tenant, settings=replace(settings_of(world, caller), **changes))


def settings_of(world: World, caller: Caller) -> TenantSettings:
    return world.tenants.rows[caller.tenant].settings


async def change(world: World, caller: Caller, **changes: Any) -> SeenSettings:  # noqa: ANN401
    """What an administrator does who has just read the settings."""
    settings = settings_of(world, caller)
    wanted = replace(settings, **changes)
    return await world.services.change_settings(caller, wanted, revision=revision_of(settings))
