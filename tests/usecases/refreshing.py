"""A connected user whose access token is over, for the tests of the refresh."""

from collections.abc import Callable
from dataclasses import replace

from shared.model import Access, Connection, Grant
from tests.fakes import World
from tests.fakes.stores import new_etag


class Alice:
    """A connected user whose access token is over: what she needs is a refresh."""

    def __init__(self, world: World, row: Connection) -> None:
        self.world, self._first = world, row

    @property
    def row(self) -> Connection:
        """Her connection as it is stored now."""
        (row,) = self.world.connections.rows.values()
        return row

    async def refresh(self, generation: int = 1) -> Access:
        """As an instance does that holds an access token of this generation."""
        row = self._first
        return await self.world.refresh_grant(
            row.tenant, row.user, row.org, stale_generation=generation
        )

    async def stored_grant(self) -> Grant:
        return await self.world.grants.open(self.row.place, self.row.sealed_grant)

    async def can_still_refresh(self) -> bool:
        """Whether what is stored is a living refresh token, in nobody's hands."""
        before = self.world.login.redemptions
        access = await self.refresh(self.row.generation)
        return access.generation == self.row.generation and (
            self.world.login.redemptions == before + 1
        )

    def living(self) -> int:
        return self.world.login.living(self._first.user)

    def change(self, **changes: object) -> None:
        """Somebody else writes the row."""
        row = replace(self.row, **changes, etag=new_etag())  # type: ignore[arg-type]
        self.world.connections.rows[row.tenant, row.row_key] = row


async def expired(world: World) -> Alice:
    """Alice has connected an org, and then her access token expired."""
    caller = await world.signed_in("alice")
    connected = await world.connect(caller)
    world.login.expire_access_tokens()
    return Alice(world, connected.connection)


def during_refresh(alice: Alice, happens: Callable[[], object]) -> None:
    """While Salesforce redeems the token, this happens."""

    async def happen() -> None:
        happens()

    alice.world.login.faults.meanwhile("refresh", happen)
