"""The table `users`: the sealed identity, and the epoch that ends the user's sessions."""

from shared.errors import StorageFailedError
from shared.model import TenantId, User, UserId
from shared.storage.gates import TENANT_GATE, insert_through
from shared.storage.tables import Entity, Tables, etag_of, get, merge, row_is_readable, utc

_ATTEMPTS = 5


class TableUserStore:
    """Satisfies `ports.UserStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def load(self, tenant: TenantId, user: UserId) -> User | None:
        entity = await get(self._tables["users"], tenant, user)
        if entity is None:
            return None
        with row_is_readable():
            return User(
                id=user,
                tenant=tenant,
                sealed_identity=bytes(entity["sealed_identity"]),
                epoch=int(entity["epoch"]),
                created_at=utc(entity["created_at"]),
                last_seen_day=str(entity["last_seen_day"]),
                is_leaving=bool(entity.get("is_leaving", False)),
                etag=etag_of(entity),
            )

    async def create(self, user: User) -> bool:
        return await insert_through(
            self._tables["users"],
            TENANT_GATE,
            {
                "PartitionKey": user.tenant,
                "RowKey": user.id,
                "sealed_identity": user.sealed_identity,
                "epoch": user.epoch,
                "created_at": user.created_at,
                "last_seen_day": user.last_seen_day,
            },
        )

    async def saw(self, tenant: TenantId, user: UserId, day: str) -> None:
        row = {"PartitionKey": tenant, "RowKey": user, "last_seen_day": day}
        await merge(self._tables["users"], row)

    async def end_sessions(self, tenant: TenantId, user: UserId) -> None:
        await self._move_on(tenant, user, {})

    async def begin_deletion(self, tenant: TenantId, user: UserId) -> None:
        await self._move_on(tenant, user, {"is_leaving": True})

    async def _move_on(self, tenant: TenantId, user: UserId, columns: Entity) -> None:
        """Count the epoch up by one conditional write, so that no two callers lose a step."""
        for _ in range(_ATTEMPTS):
            found = await self.load(tenant, user)
            if found is None:
                return
            row = {"PartitionKey": tenant, "RowKey": user, "epoch": found.epoch + 1, **columns}
            if await merge(self._tables["users"], row, etag=found.etag):
                return
        raise StorageFailedError
