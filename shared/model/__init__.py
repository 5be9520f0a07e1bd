"""The values that the service speaks of. Each is made by parsing, and then cannot be wrong."""

from shared.model.backups import BACKUP_DAYS
from shared.model.codes import OneTimeCode, Pending, PendingKind, pending_place
from shared.model.connections import Access, ConnectedOrg, Connection, Grant, Health, OrgId
from shared.model.deletions import (
    CONFIRMATION_LIFETIME,
    REVOCATION_LIMIT,
    SETTLING,
    DataSubject,
    Deletion,
    DeletionScope,
    DeletionState,
    subject_hash,
)
from shared.model.encodings import base32
from shared.model.housekeeping import Lease, Swept
from shared.model.places import Place, flow_name_place
from shared.model.runs import (
    ALL_TIME,
    LONGEST_RUN,
    FlowDescription,
    FlowKind,
    FlowName,
    FlowResult,
    FlowSummary,
    FlowVariable,
    Idempotency,
    Period,
    Run,
    RunOutcome,
    RunPage,
)
from shared.model.signing import SigningKey
from shared.model.tenants import (
    DEFAULT_RETENTION_DAYS,
    IdleGrants,
    SettingsChange,
    Tenant,
    TenantSettings,
    TenantStatus,
    User,
    WrappedKey,
)
from shared.model.times import rfc3339
from shared.model.who import Caller, Identity, Provider, SessionClaims, Standing, TenantId, UserId

__all__ = [
    "ALL_TIME",
    "BACKUP_DAYS",
    "CONFIRMATION_LIFETIME",
    "DEFAULT_RETENTION_DAYS",
    "LONGEST_RUN",
    "REVOCATION_LIMIT",
    "SETTLING",
    "Access",
    "Caller",
    "ConnectedOrg",
    "Connection",
    "DataSubject",
    "Deletion",
    "DeletionScope",
    "DeletionState",
    "FlowDescription",
    "FlowKind",
    "FlowName",
    "FlowResult",
    "FlowSummary",
    "FlowVariable",
    "Grant",
    "Health",
    "Idempotency",
    "Identity",
    "IdleGrants",
    "Lease",
    "OneTimeCode",
    "OrgId",
    "Pending",
    "PendingKind",
    "Period",
    "Place",
    "Provider",
    "Run",
    "RunOutcome",
    "RunPage",
    "SessionClaims",
    "SettingsChange",
    "SigningKey",
    "Standing",
    "Swept",
    "Tenant",
    "TenantId",
    "TenantSettings",
    "TenantStatus",
    "User",
    "UserId",
    "WrappedKey",
    "base32",
    "flow_name_place",
    "pending_place",
    "rfc3339",
    "subject_hash",
]
