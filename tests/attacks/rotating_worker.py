"""`python -m tests.attacks.rotating_worker STACK_JSON TENANT VALUES`: one run of the key rotation,
for one tenant, that kills itself (SIGKILL) when so many values have been sealed anew."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from local.network import pinned_network
from local.stack_info import StackInfo
from shared import ports
from shared.model import TenantId
from shared.model.places import SealedValue
from shared.services import Services
from shared.storage.sealed_values import TableSealedValues
from shared.storage.tenants import TableTenantStore
from tests.attacks.shifted_azure import ShiftedAzure
from tests.attacks.worker_settings import settings_on


class RotatingAzure(ShiftedAzure):
    """The stack is shared: of its tenants, the timer sees one."""

    only: TenantId
    kill_after: int | None = None

    @cached_property
    def tenants(self) -> ports.TenantStore:
        store = _OneTenant(self._tables)
        store.only = self.only
        return store

    @cached_property
    def sealed_values(self) -> ports.SealedValues:
        values = _KilledValues(self._tables)
        values.left = self.kill_after
        return values


class _OneTenant(TableTenantStore):
    only: TenantId

    async def ids(self) -> Sequence[TenantId]:
        return [self.only]


class _KilledValues(TableSealedValues):
    left: int | None

    async def replace(self, value: SealedValue, sealed: bytes) -> bool:
        is_written = await super().replace(value, sealed)
        if self.left is not None:
            self.left -= is_written
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return is_written


def rotating(info: StackInfo, tenant: TenantId) -> RotatingAzure:
    """An instance that remembers nothing."""
    outside = RotatingAzure(settings_on(info), pinned_network(info))
    outside.only = tenant
    return outside


async def main(stack: Path, tenant: TenantId, values: int) -> None:
    outside = rotating(StackInfo.load(stack), tenant)
    outside.kill_after = values
    await Services(outside._settings, outside).rotate_keys()
    await outside.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), TenantId.parse(sys.argv[2]), int(sys.argv[3])))
