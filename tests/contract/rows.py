"""Rows as the service writes them, for tests of the stores."""

from datetime import UTC, datetime, timedelta

from shared.model import (
    Connection,
    Deletion,
    DeletionScope,
    DeletionState,
    DiscardedGrant,
    Health,
    Idempotency,
    OrgId,
    Pending,
    PendingKind,
    Run,
    SettingsChange,
    Tenant,
    TenantId,
    TenantSettings,
    TenantStatus,
    User,
    UserId,
    WrappedKey,
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
        consent="consent",
        connected_at=EXACT,
        refreshed_at=EXACT,
        last_used_day="2026-01-15",
    )


def discarded_row(
    tenant: TenantId,
    name: str = "0123456789abcdef",
    *,
    user: UserId = ALICE,
    org: OrgId = CONTOSO_ORG,
    sealed: bytes = b"\x01",
) -> DiscardedGrant:
    return DiscardedGrant(
        tenant=tenant,
        user=user,
        org=org,
        id=name,
        sealed_grant=sealed,
        discarded_at=EXACT,
        next_try_at=EXACT + timedelta(minutes=1),
    )


def pending_row(
    tenant: TenantId,
    digest: str,
    *,
    user: UserId = ALICE,
    kind: PendingKind = PendingKind.TICKET,
) -> Pending:
    return Pending(
        kind=kind, tenant=tenant, digest=digest, user=user, sealed=b"\x01", expires_at=EXACT
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


def wrapped_key(tenant: TenantId, version: int, wrapped: bytes = b"\x00\xff") -> WrappedKey:
    return WrappedKey(
        tenant=tenant, version=version, wrapped=wrapped, kek_id="kek/1", created_at=EXACT
    )


def settings_change(name: str, *, by: str = ALICE, later: int = 0) -> SettingsChange:
    """A change made `later` milliseconds after noon."""
    return SettingsChange(
        id=f"c-{name}",
        changed_at=NOON + timedelta(milliseconds=later),
        changed_by=by,
        changed=("retention_days", "allowed_orgs"),
    )


def deletion_row(
    tenant: TenantId,
    name: str,
    *,
    user: UserId | None = ALICE,
    state: DeletionState = DeletionState.REQUESTED,
) -> Deletion:
    """A deletion that has come to this state, a minute for each step; with nothing else set."""
    states = list(DeletionState)
    passed = states[: states.index(state) + 1]
    return Deletion(
        id=f"d-{name}",
        tenant=tenant,
        scope=DeletionScope.TENANT if user is None else DeletionScope.USER,
        state=state,
        times={step: EXACT + timedelta(minutes=n) for n, step in enumerate(passed)},
        requested_by=ALICE,
        user=user,
        subject_sha256=None,
        code_digest="code",
        status_digest="status",
    )
