"""What the caller's tenant has settled, and for its administrators who changed it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.errors import DeletionInProgressError
from shared.model import Caller, SettingsChange, TenantSettings
from shared.ports import TenantStore
from shared.tenant_settings import revision_of

_CHANGES: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSettings:
    """The settings as the caller may see them.

    `changes` are the newest, newest first; None for who is no administrator, who does not see the
    customer's key either.
    """

    settings: TenantSettings
    revision: str
    changes: Sequence[SettingsChange] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSettings:
    tenants: TenantStore

    async def __call__(self, caller: Caller) -> SeenSettings:
        """Raises DeletionInProgressError where the tenant is gone."""
        tenant = await self.tenants.load(caller.tenant)
        if tenant is None:
            raise DeletionInProgressError
        return await self.seen(caller, tenant.settings)

    async def seen(self, caller: Caller, settings: TenantSettings) -> SeenSettings:
        """The revision is of what is seen: a user cannot try guesses of the key against it."""
        if not caller.is_admin:
            shown = replace(settings, customer_key=None)
            return SeenSettings(settings=shown, revision=revision_of(shown), changes=None)
        changes = await self.tenants.settings_changes(caller.tenant, limit=_CHANGES)
        return SeenSettings(settings=settings, revision=revision_of(settings), changes=changes)
