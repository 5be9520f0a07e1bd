"""The values that the service speaks of. Each is made by parsing, and then cannot be wrong."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, Self

from shared.errors import InvalidRequestError, InvalidStateError, Json
from shared.secret import Secret

type Provider = Literal["microsoft", "google"]


# --- Who -----------------------------------------------------------------------------------------


class TenantId(str):
    """A customer: `ms-<Entra tenant id>`, or `g-<26 characters>` hashed from a Google domain.

    It is the partition key of every table; the Google domain itself is kept only sealed.
    """

    __slots__ = ()
    _FORM: Final = re.compile(r"ms-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|g-[a-z2-7]{26}")

    @classmethod
    def parse(cls, text: str) -> Self:
        if not cls._FORM.fullmatch(text):
            raise InvalidRequestError
        return cls(text)


class UserId(str):
    """A person inside one tenant: `u-<26 characters>`, a keyed hash that means nothing outside."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who an identity provider says this is. Made only by `shared.identity`, after verification.

    `directory` is the Entra tenant id or the Google Workspace domain; `subject` the `oid` or `sub`.
    Never a name, an address or a user principal name.
    """

    provider: Provider
    directory: str
    subject: str = field(repr=False)
    is_admin: bool

    @property
    def tenant(self) -> TenantId:
        if self.provider == "microsoft":
            return TenantId.parse(f"ms-{self.directory}")
        return TenantId.parse(f"g-{base32(hashlib.sha256(self.directory.encode()).digest())[:26]}")

    @property
    def tenant_as_configured(self) -> str:
        """The tenant as operators write it in ALLOWED_TENANTS: `ms-<tid>` or `g:<domain>`."""
        prefix = "ms-" if self.provider == "microsoft" else "g:"
        return prefix + self.directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The signed-in user behind a request, from a verified session that has not been ended."""

    tenant: TenantId
    user: UserId
    provider: Provider
    is_admin: bool
    signed_in_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClaims:
    """What a session token says. `epochs` are the counters that end sessions when they move on."""

    caller: Caller
    tenant_epoch: int
    user_epoch: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether a user's sessions still hold: the state and the epochs of tenant and user."""

    tenant_is_active: bool
    tenant_epoch: int
    user_epoch: int


# --- Salesforce -----------------------------------------------------------------------------------


class OrgId(str):
    """A Salesforce org: always the 18-character form, which survives lower-casing."""

    __slots__ = ()
    _FORM: Final = re.compile(r"00D[A-Za-z0-9]{12}(?:[A-Z0-5]{3})?", re.ASCII)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Take 15 or 18 characters; a wrong check suffix is refused (InvalidRequestError)."""
        if not cls._FORM.fullmatch(text):
            raise InvalidRequestError
        full = text[:15] + _check_suffix(text[:15])
        if len(text) == 18 and text != full:  # noqa: PLR2004 - the two lengths of the form above
            raise InvalidRequestError
        return cls(full)


class FlowName(str):
    """The API name of a Flow, with its namespace: `Log_Email`, `ns__Log_Email`.

    It becomes part of an address, so nothing but letters, digits and underscores passes.
    """

    __slots__ = ()
    _FORM: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}", re.ASCII)

    @classmethod
    def parse(cls, text: str) -> Self:
        if not cls._FORM.fullmatch(text):
            raise InvalidRequestError
        return cls(text)


class Health(StrEnum):
    """How a grant stands, and if it has ended, why."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"
    USER_INACTIVE = "user_inactive"
    APP_NOT_APPROVED = "app_not_approved"
    IP_NOT_ALLOWED = "ip_not_allowed"
    ROTATION_LOST = "rotation_lost"
    ORG_UNAVAILABLE = "org_unavailable"
    KEY_UNAVAILABLE = "key_unavailable"

    @property
    def action(self) -> Literal["none", "reconnect", "ask_admin", "wait"]:
        """The one thing that mends it."""
        match self:
            case Health.ACTIVE:
                return "none"
            case Health.EXPIRED | Health.REVOKED | Health.ROTATION_LOST:
                return "reconnect"
            case Health.USER_INACTIVE | Health.APP_NOT_APPROVED | Health.IP_NOT_ALLOWED:
                return "ask_admin"
            case Health.ORG_UNAVAILABLE | Health.KEY_UNAVAILABLE:
                return "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A user's Salesforce OAuth grant, opened. Lives in memory only; at rest it is sealed."""

    org: OrgId
    salesforce_user: str = field(repr=False)
    instance_host: str
    login_host: str
    refresh_token: Secret
    access_token: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A stored grant: what may be read without opening it, and the sealed grant itself.

    `generation` counts the refreshes and fences late writers; `lease_until` says how long whoever
    holds `lease_holder` may be redeeming the refresh token.
    """

    tenant: TenantId
    user: UserId
    org: OrgId
    health: Health
    generation: int
    sealed_grant: bytes = field(repr=False)
    connected_at: datetime
    last_used_day: str
    lease_holder: str | None = None
    lease_until: datetime | None = None
    etag: str | None = field(default=None, compare=False)

    @property
    def row_key(self) -> str:
        """`<user>|<org id in lower case>`: the 18-character form survives lower-casing."""
        return f"{self.user}|{self.org.lower()}"

    @property
    def place(self) -> "Place":
        """Where the sealed grant lives."""
        return Place(
            tenant=self.tenant,
            table="connections",
            row_key=self.row_key,
            column="sealed_grant",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedOrg:
    """A connection as its owner sees it. The host is None while the tenant's key is away."""

    connection: Connection
    instance_host: str | None
    health: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a call to the org needs: where, with which token, of which generation of the grant."""

    org: OrgId
    instance_host: str
    token: Secret
    generation: int


# --- One-time codes ------------------------------------------------------------------------------


class PendingKind(StrEnum):
    """The three stops of connecting an org, each guarded by a one-time code of its own."""

    TICKET = "ticket"
    STATE = "state"
    PARKED = "parked"


class OneTimeCode:
    """`<tenant id>.<256 random bits>`: it finds its partition by itself, without a session.

    Only the hash of the random part is ever stored.
    """

    __slots__ = ("_random", "tenant")
    _FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)

    def __init__(self, tenant: TenantId, random: Secret) -> None:
        self.tenant = tenant
        self._random = random

    @classmethod
    def new(cls, tenant: TenantId) -> Self:
        return cls(tenant, Secret(secrets.token_urlsafe(32)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidStateError, which is also what an unknown code gets."""
        tenant, _, random = text.partition(".")
        if not cls._FORM.fullmatch(random):
            raise InvalidStateError
        try:
            return cls(TenantId.parse(tenant), Secret(random))
        except InvalidRequestError:
            raise InvalidStateError from None

    @property
    def digest(self) -> str:
        """What is stored and looked up: SHA-256 of the random part, in hexadecimal."""
        return hashlib.sha256(self._random.reveal().encode()).hexdigest()

    def reveal(self) -> str:
        """The whole code, for the one who is meant to have it."""
        return f"{self.tenant}.{self._random.reveal()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A stop on the way to a connection: who, until when, and what is sealed for the next stop."""

    kind: PendingKind
    tenant: TenantId
    digest: str
    user: UserId
    sealed: bytes = field(repr=False)
    expires_at: datetime

    @property
    def place(self) -> "Place":
        """Where `sealed` lives."""
        return pending_place(self.tenant, self.kind, self.digest)


def pending_place(tenant: TenantId, kind: PendingKind, digest: str) -> "Place":
    """The place of what waits under a one-time code, known before anything is sealed for it."""
    row_key = f"{kind.value}|{digest}"
    return Place(tenant=tenant, table="pending", row_key=row_key, column="sealed")


# --- Flows and runs ------------------------------------------------------------------------------

LONGEST_RUN: Final = timedelta(seconds=240)
"""Longer than any call to an org is waited for, with all that comes before and after it."""

type FlowKind = Literal["autolaunched", "screen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowSummary:
    """A line in the list of Flows that a user can run."""

    name: FlowName
    label: str
    description: str | None
    kind: FlowKind
    org: OrgId


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowVariable:
    """An input or output of a Flow. `type` is Salesforce's word in upper case (`STRING`, …)."""

    name: str
    type: str
    is_collection: bool
    record_type: str | None
    description: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowDescription:
    """What a Flow takes and gives."""

    name: FlowName
    label: str
    kind: FlowKind
    inputs: tuple[FlowVariable, ...]
    outputs: tuple[FlowVariable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowResult:
    """A Flow that came to an end, or waits. The outputs pass through memory only."""

    status: Literal["succeeded", "waiting"]
    outputs: Mapping[str, Json] = field(repr=False)


class RunOutcome(StrEnum):
    """How a run ended, as far as is known. `STARTED` is written before the call leaves."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    WAITING = "waiting"
    FLOW_FAILED = "flow_failed"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    OUTCOME_UNKNOWN = "outcome_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The metadata of one run: ids, times and an outcome code; never a name, an input or a text."""

    id: str
    tenant: TenantId
    user: UserId
    org: OrgId
    flow_id: str
    started_at: datetime
    finished_at: datetime | None = None
    outcome: RunOutcome = RunOutcome.STARTED
    duration_ms: int | None = None

    def as_of(self, now: datetime) -> Self:
        """A run that never told its end is, after the longest a call can take, unknown."""
        if self.outcome is RunOutcome.STARTED and self.started_at + LONGEST_RUN < now:
            return replace(self, outcome=RunOutcome.OUTCOME_UNKNOWN)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """An idempotency key and the request it was used for, both as keyed hashes."""

    key_digest: str
    body_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """One page of runs, newest first. `next` continues it; None on the last page."""

    runs: tuple[Run, ...]
    next: str | None


# --- Tenants, users and their keys ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A customer's own row. `epoch` ends all its sessions when it moves on."""

    id: TenantId
    provider: Provider
    region: str
    is_active: bool
    epoch: int
    created_at: datetime
    allowed_orgs: tuple[OrgId, ...]
    floor_key_version: int
    sealed_directory: bytes = field(repr=False)
    sealed_pseudonym_key: bytes = field(repr=False)
    etag: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user's row: the sealed identity and the epoch that ends the user's sessions."""

    id: UserId
    tenant: TenantId
    sealed_identity: bytes = field(repr=False)
    epoch: int
    created_at: datetime
    last_seen_day: str
    etag: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A tenant's data key, wrapped by a key in Key Vault that never leaves it."""

    tenant: TenantId
    version: int
    wrapped: bytes = field(repr=False)
    kek_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a sealed value lives. It is bound into the seal: elsewhere the value does not open."""

    tenant: TenantId
    table: str
    row_key: str
    column: str


def flow_name_place(tenant: TenantId, flow_id: str) -> Place:
    """Where the sealed readable name of a Flow lives."""
    return Place(tenant=tenant, table="tenants", row_key=f"flow|{flow_id}", column="sealed_name")


# --- Small encodings -----------------------------------------------------------------------------


def base32(data: bytes) -> str:
    """Base32 in lower case without padding: safe in row keys and host names alike (RFC 4648)."""
    return base64.b32encode(data).decode().rstrip("=").lower()


def _check_suffix(id15: str) -> str:
    """Salesforce's case check: for each five characters, which of them are upper-case letters."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    chunks = (id15[start : start + 5] for start in (0, 5, 10))
    return "".join(
        letters[sum(1 << bit for bit, char in enumerate(chunk) if char.isupper())]
        for chunk in chunks
    )
