"""Rows as the service writes them, for tests of the stores."""

from datetime import UTC, datetime, timedelta

from shared.model import (
    Connection,
    Health,
    Idempotency,
    OrgId,
    Pending,
    PendingKind,
    Run,
    Tenant,
    TenantId,
    TenantSettings,
    TenantStatus,
    User,
    UserId,
)
from tests.fakes import CONTOSO_ORG, NOON

ALICE = UserId("u-alicealicealicealicealiceal")
BOB = UserId("u-bobbobbobbobbobbobbobbobbo")
LONGER = UserId(ALICE + "2")
"""An id that begins like hers."""
EXACT = datetime(2026, 1, 15, 12, 30, 15, 123456, tzinfo=UTC)
"""A time with microseconds: what the service's clock gives."""


def tenant_row(tenant: TenantId, *, directory: bytes = b"sealed directory") -> Tenant:
    return Tenant(
        id=tenant,
        provider="microsoft",
        region="westeurope",
        status=TenantStatus.ACTIVE,
        epoch=0,
        created_at=EXACT,
        settings=TenantSettings(allowed_orgs=(CONTOSO_ORG,)),
        floor_key_version=1,
        sealed_directory=directory,
        sealed_pseudonym_key=b"\x00sealed\xff",
    )


def user_row(tenant: TenantId, user: UserId = ALICE, *, sealed: bytes = b"\x01sealed") -> User:
    return User(
        id=user,
        tenant=tenant,
        sealed_identity=sealed,
        epoch=0,
        created_at=EXACT,
        last_seen_day="2026-01-15",
    )


def connection_row(
    tenant: TenantId, user: UserId = ALICE, org: OrgId = CONTOSO_ORG, *, sealed: bytes = b"\x01"
) -> Connection:
    return Connection(
        tenant=tenant,
        user=user,
        org=org,
        health=Health.ACTIVE,
        generation=1,
        sealed_grant=sealed,
        connected_at=EXACT,
        last_used_day="2026-01-15",
    )


def pending_row(
    tenant: TenantId, digest: str, *, kind: PendingKind = PendingKind.TICKET
) -> Pending:
    return Pending(
        kind=kind, tenant=tenant, digest=digest, user=ALICE, sealed=b"\x01", expires_at=EXACT
    )


def run_row(
    tenant: TenantId, name: str, *, user: UserId = ALICE, started: datetime = NOON, later: int = 0
) -> Run:
    """A run that began `later` milliseconds after `started`."""
    return Run(
        id=f"r-{name}",
        tenant=tenant,
        user=user,
        org=CONTOSO_ORG,
        flow_id="f-flow",
        started_at=started + timedelta(milliseconds=later),
    )


def idempotency(key: str, body: str = "body") -> Idempotency:
    return Idempotency(key_digest=key, body_digest=body)
