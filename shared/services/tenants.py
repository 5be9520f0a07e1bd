"""What a tenant has settled, what is held about a user, and what operators ask."""

# ruff: noqa: PLC0415 - imported at first use: see shared/services/__init__.py

from functools import cached_property
from typing import TYPE_CHECKING

from shared.services.steps import Steps

if TYPE_CHECKING:
    from shared.usecases.change_settings import ChangeSettings
    from shared.usecases.check_readiness import CheckReadiness
    from shared.usecases.my_data import MyData
    from shared.usecases.read_settings import ReadSettings
    from shared.usecases.suspend_tenant import SuspendTenant


class TenantServices(Steps):
    @cached_property
    def read_settings(self) -> "ReadSettings":
        from shared.usecases.read_settings import ReadSettings

        return ReadSettings(tenants=self._outside.tenants)

    @cached_property
    def change_settings(self) -> "ChangeSettings":
        from shared.usecases.change_settings import ChangeSettings

        return ChangeSettings(
            tenants=self._outside.tenants,
            leases=self._outside.leases,
            vault=self._outside.vault,
            read=self.read_settings,
            own_vault=self.settings.key_vault_uri,
            clock=self._outside.clock,
        )

    @cached_property
    def my_data(self) -> "MyData":
        from shared.usecases.my_data import MyData

        return MyData(
            gates=self._outside.gates,
            tenants=self._outside.tenants,
            users=self._outside.users,
            connections=self._outside.connections,
            outbox=self._outside.outbox,
            pending=self._outside.pending,
            runs=self._outside.runs,
            deletions=self._outside.deletions,
            vault=self._outside.vault,
            grants=self._grants,
            clock=self._outside.clock,
        )

    @cached_property
    def suspend_tenant(self) -> "SuspendTenant":
        from shared.usecases.suspend_tenant import SuspendTenant

        return SuspendTenant(tenants=self._outside.tenants)

    @cached_property
    def check_readiness(self) -> "CheckReadiness":
        from shared.usecases.check_readiness import CheckReadiness

        return CheckReadiness(probes=self._outside.probes, clock=self._outside.clock)
