"""Whatever is sealed in the tables, without a word of what it means."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from shared.model import TenantId
from shared.model.places import SealedValue


class SealedValues(Protocol):
    """Every sealed column of every row of a tenant, as the schema lists them."""

    def pages(self, tenant: TenantId) -> AsyncIterator[Sequence[SealedValue]]:
        """All of them. What is moved to another row meanwhile, unopened, is still met once: it is
        looked for where it came from before it is looked for where it went."""
        ...

    async def replace(self, value: SealedValue, sealed: bytes) -> bool:
        """Write that one column if the row still is as read: whether that was done."""
        ...
