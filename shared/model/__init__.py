"""The values that the service speaks of. Each is made by parsing, and then cannot be wrong."""

from shared.model.codes import OneTimeCode, Pending, PendingKind, pending_place
from shared.model.connections import Access, ConnectedOrg, Connection, Grant, Health, OrgId
from shared.model.encodings import base32
from shared.model.places import Place, flow_name_place
from shared.model.runs import (
    LONGEST_RUN,
    FlowDescription,
    FlowKind,
    FlowName,
    FlowResult,
    FlowSummary,
    FlowVariable,
    Idempotency,
    Run,
    RunOutcome,
    RunPage,
)
from shared.model.tenants import Tenant, User, WrappedKey
from shared.model.who import Caller, Identity, Provider, SessionClaims, Standing, TenantId, UserId

__all__ = [
    "LONGEST_RUN",
    "Access",
    "Caller",
    "ConnectedOrg",
    "Connection",
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
    "OneTimeCode",
    "OrgId",
    "Pending",
    "PendingKind",
    "Place",
    "Provider",
    "Run",
    "RunOutcome",
    "RunPage",
    "SessionClaims",
    "Standing",
    "Tenant",
    "TenantId",
    "User",
    "UserId",
    "WrappedKey",
    "base32",
    "flow_name_place",
    "pending_place",
]
