"""`python -m tests.attacks.crashing_worker raise|abort`: dies with a tenant's data key in memory.

`raise`: in the middle of sealing, by an exception that nobody catches; `abort`: by a signal, of
which the interpreter prints where it was. The key is made of letters, so that it is seen wherever
it is printed.
"""

import asyncio
import faulthandler
import os
import sys
from dataclasses import replace
from typing import Final

from shared.crypto.tenant_vault import TenantVault
from shared.model import Place, TenantId, WrappedKey
from tests.fakes import NOON, FakeClock
from tests.fakes.keys import LocalKeyWrapper
from tests.fakes.stores import MemoryTenantKeyStore

DATA_KEY: Final = b"canary-data-key-of-32-characters"
PLACE: Final = Place(
    tenant=TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"),
    table="connections",
    row_key="u-x|00d",
    column="sealed_grant",
)
UNUTTERABLE: Final = replace(PLACE, row_key="x" * 70_000)
"""Longer than the seal can bind: a bug, not a failure that anybody expects."""


async def vault_in_use() -> TenantVault:
    """It has the key in memory."""
    keys, wrapper, clock = MemoryTenantKeyStore(), LocalKeyWrapper(), FakeClock()
    wrapped, kek_id = await wrapper.wrap(DATA_KEY)
    await keys.create(
        WrappedKey(tenant=PLACE.tenant, version=1, wrapped=wrapped, kek_id=kek_id, created_at=NOON)
    )
    vault = TenantVault(keys=keys, wrapper=wrapper, clock=clock, monotonic_clock=clock.monotonic)
    assert await vault.open(PLACE, await vault.seal(PLACE, b"plain")) == b"plain"
    return vault


async def main(how: str) -> None:
    vault = await vault_in_use()
    if how == "abort":
        faulthandler.enable()
        os.abort()
    await vault.seal(UNUTTERABLE, b"plain")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
