"""A tenant with rows to back up, and the ledger of deletions beside the backups."""

import json
from datetime import datetime
from typing import Final

from shared.model import TenantId, UserId, subject_hash
from shared.model.backups import Row, ledger_name
from tests.contract.rows import ALICE, BOB
from tests.fakes import NOON, World

TODAY: Final = NOON.date()
NIGHT: Final = {"days": 1}


def run(number: int, user: UserId = ALICE, *, started: datetime = NOON) -> Row:
    return {
        "RowKey": f"run|{number:013}|r-{number}",
        "run_id": f"r-{number}",
        "user_id": str(user),
        "started_at": started,
        "outcome": "succeeded",
        "duration_ms": number,
    }


def user(name: UserId, *, created: datetime = NOON) -> Row:
    return {
        "RowKey": str(name),
        "sealed_identity": b"\x01sealed " + name.encode(),
        "epoch": 0,
        "created_at": created,
    }


def change(number: int, by: UserId) -> Row:
    key = f"audit|{number:013}|c-{number}"
    return {"RowKey": key, "changed_at": NOON, "changed_by": str(by), "changed": "retention_days"}


ROWS: Final[dict[str, list[Row]]] = {
    "tenants": [
        change(1, BOB),
        {"RowKey": "flow|f-1", "sealed_name": b"\x01sealed name"},
        {"RowKey": "tenant", "status": "active", "sealed_directory": b"\x00\xff", "epoch": 3},
    ],
    "users": [user(ALICE), user(BOB)],
    "runs": [
        run(1),
        run(2, BOB),
        run(3),
        run(4, BOB),
    ],
}
"""What is backed up of a tenant."""

TECHNICAL: Final[dict[str, list[Row]]] = {
    "tenants": [{"RowKey": "gate"}, {"RowKey": "lease|backup", "holder": "me", "until": NOON}],
    "users": [{"RowKey": "gate"}],
    "runs": [
        {"RowKey": "gate"},
        {"RowKey": f"gate|{ALICE}"},
        {"RowKey": "idem|key", "user_id": str(BOB), "created_at": NOON, "body_digest": "b"},
    ],
    "connections": [{"RowKey": "gate"}, {"RowKey": f"{ALICE}|00d", "sealed_grant": b"grant"}],
    "pending": [{"RowKey": "ticket|1", "sealed": b"grant"}],
    "deletions": [{"RowKey": "d-1", "receipt": "receipt"}],
}
"""What is not."""


async def tenant_with_rows(world: World, name: str = "alice") -> TenantId:
    """Sign somebody in, so that there is a tenant with a key; and give it rows."""
    tenant = (await world.signed_in(name)).tenant
    for rows in (ROWS, TECHNICAL):
        for table, several in rows.items():
            await world.copies.insert(table, tenant, several)
    return tenant


async def loss(world: World) -> World:
    """Another machine and empty tables; what is left are the backups and Key Vault."""
    after = World()
    after.backups, after.key_wrapper = world.backups, world.key_wrapper
    after.clock.move(seconds=(world.clock() - after.clock()).total_seconds())
    return after


def record_deletion(
    world: World, tenant: TenantId, user: UserId | None, *, confirmed: datetime, name: str = "d-7"
) -> None:
    """As the deletion worker does."""
    entry = {
        "deletion_id": name,
        "tenant": tenant,
        "scope": "tenant" if user is None else "user",
        "subject_sha256": None if user is None else subject_hash(user),
        "requested_at": confirmed.isoformat(),
        "confirmed_at": confirmed.isoformat(),
        "user_id": None,
        "status_digest": "0" * 64,
        "receipted_at": confirmed.isoformat(),
        "receipt": "a receipt",
    }
    world.backups.files[ledger_name(tenant, name)] = json.dumps(entry).encode()


def rows_of(world: World, tenant: TenantId) -> dict[str, list[Row]]:
    """All rows of the tenant by table, in the order of their keys; empty tables left out."""
    held = {table: rows.get(tenant, {}) for table, rows in world.copies.tables.items()}
    return {table: [rows[key] for key in sorted(rows)] for table, rows in held.items() if rows}
