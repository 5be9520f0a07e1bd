"""What the service may ask of the outside world. Adapters and the tests' fakes both satisfy these.

Each method names the errors that a caller must expect beyond the adapter's own `UpstreamError`
(StorageFailedError for stores, KeyVaultFailedError for keys, and so on), which any call may raise.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from shared.errors import Json
from shared.model import (
    Access,
    Connection,
    FlowDescription,
    FlowName,
    FlowResult,
    FlowSummary,
    Grant,
    Idempotency,
    Identity,
    OrgId,
    Pending,
    PendingKind,
    Place,
    Provider,
    Run,
    RunPage,
    SessionClaims,
    Standing,
    Tenant,
    TenantId,
    User,
    UserId,
    WrappedKey,
)
from shared.secret import Secret


class Clock(Protocol):
    """The time of day, in UTC. Nothing in the service asks the system for it directly."""

    def __call__(self) -> datetime: ...


# --- Identity ----------------------------------------------------------------------------------


class IdentityVerifier(Protocol):
    """Foreign tokens in, identities out."""

    async def verify(self, provider: Provider, unverified_token: Secret) -> Identity:
        """Raises NotAuthenticatedError, PersonalAccountError, IdentityProviderFailedError."""
        ...


class OnBehalfOf(Protocol):
    """Takes a Microsoft sign-in back to Entra ID, where conditional access and MFA bite."""

    async def confirm(self, identity: Identity, token: Secret) -> None:
        """Raises InteractionRequiredError, NotAuthenticatedError, IdentityProviderFailedError."""
        ...


class Sessions(Protocol):
    """Our own session tokens: signed, short, and worth nothing once their epochs have passed."""

    async def issue(self, claims: SessionClaims) -> Secret: ...

    async def read(self, unverified_token: Secret) -> SessionClaims:
        """Verify signature and lifetime. Raises NotAuthenticatedError, SessionExpiredError."""
        ...


class Standings(Protocol):
    """Whether sessions still hold; may lag the store by a few seconds, and says by how many."""

    async def of(self, tenant: TenantId, user: UserId) -> Standing | None: ...

    def forget(self, tenant: TenantId, user: UserId) -> None:
        """What this instance remembers of the user is out of date."""
        ...


# --- Stores ------------------------------------------------------------------------------------


class TenantStore(Protocol):
    """The table `tenants`."""

    async def load(self, tenant: TenantId) -> Tenant | None: ...

    async def create(self, tenant: Tenant) -> bool:
        """Whether the row was created; False if there is one already."""
        ...

    async def remember_flow_name(self, tenant: TenantId, flow_id: str, sealed: bytes) -> None:
        """Keep the sealed readable name of a Flow beside the tenant; the first one stays."""
        ...

    async def sealed_flow_names(self, tenant: TenantId) -> Mapping[str, bytes]: ...


class TenantKeyStore(Protocol):
    """The table `tenantkeys`: wrapped data keys, by version."""

    async def load(self, tenant: TenantId, version: int) -> WrappedKey | None: ...

    async def newest(self, tenant: TenantId) -> WrappedKey | None: ...

    async def create(self, key: WrappedKey) -> bool:
        """Whether the row was created; False if that version exists already."""
        ...


class UserStore(Protocol):
    """The table `users`."""

    async def load(self, tenant: TenantId, user: UserId) -> User | None: ...

    async def create(self, user: User) -> bool: ...

    async def saw(self, tenant: TenantId, user: UserId, day: str) -> None:
        """Remember the day of the last sign-in."""
        ...

    async def end_sessions(self, tenant: TenantId, user: UserId) -> None:
        """Move the user's epoch on: every session issued before is over."""
        ...


class ConnectionStore(Protocol):
    """The table `connections`."""

    async def load(self, tenant: TenantId, user: UserId, org: OrgId) -> Connection | None: ...

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[Connection]: ...

    async def create(self, connection: Connection) -> bool: ...

    async def replace(self, connection: Connection) -> Connection | None:
        """Write the row if it still is as read (`connection.etag`), and answer it as it now is.

        None if it is not as read any more, or gone: nothing was written.
        """
        ...

    async def delete(self, connection: Connection) -> bool:
        """Delete the row if it still is as read; False if it is not, or gone."""
        ...


class PendingStore(Protocol):
    """The table `pending`: hashed one-time codes and what is sealed for whoever brings one."""

    async def put(self, pending: Pending) -> None: ...

    async def take(self, tenant: TenantId, kind: PendingKind, digest: str) -> Pending | None:
        """Read and delete in one atomic step: of many callers, exactly one gets it.

        What has expired is deleted all the same, and handed out: the caller compares the time,
        because what is parked must then be revoked.
        """
        ...


class RunStore(Protocol):
    """The table `runs`."""

    async def start(self, run: Run, idempotency: Idempotency | None) -> Run | None:
        """Write the run before its call leaves; with a key, both rows in one transaction.

        None if it was written. The earlier run if the key was used before, for the same request;
        raises IdempotencyKeyReusedError if for another.
        """
        ...

    async def finish(self, run: Run) -> None:
        """Add how the run ended."""
        ...

    async def page(
        self, tenant: TenantId, user: UserId | None, *, after: str | None, limit: int
    ) -> RunPage:
        """Runs of one user, or (None) of the whole tenant, newest first."""
        ...


# --- Keys and seals ------------------------------------------------------------------------------


class KeyWrapper(Protocol):
    """Wraps data keys with a key that never leaves Key Vault (RSA-OAEP-256)."""

    async def wrap(self, data_key: bytes) -> tuple[bytes, str]:
        """The wrapped key, and the identifier (with version) of the key that wrapped it."""
        ...

    async def unwrap(self, wrapped: bytes, kek_id: str) -> bytes: ...


class Vault(Protocol):
    """Seals values with the tenant's data key, bound to the place where they are kept."""

    async def create_key(self, tenant: TenantId) -> None:
        """Give a new tenant its first data key. A tenant that has one keeps it."""
        ...

    async def seal(self, place: Place, plain: bytes) -> bytes: ...

    async def open(self, place: Place, sealed: bytes) -> bytes:
        """Raises SealBrokenError if it does not open: moved, altered, or of another tenant."""
        ...


class Pseudonyms(Protocol):
    """Keyed hashes that are stable inside one tenant and mean nothing outside it."""

    async def user_id(self, identity: Identity) -> UserId: ...

    async def flow_id(self, tenant: TenantId, org: OrgId, flow: FlowName) -> str: ...

    async def digest(self, tenant: TenantId, purpose: str, data: bytes) -> str: ...


# --- Salesforce ----------------------------------------------------------------------------------


class SalesforceLogin(Protocol):
    """Salesforce's OAuth endpoints."""

    def authorize_url(self, login_host: str, *, state: str, verifier: Secret) -> str: ...

    async def redeem_code(self, login_host: str, *, code: Secret, verifier: Secret) -> Grant:
        """Raises InvalidStateError (the code is not good), SalesforceFailedError."""
        ...

    async def refresh(self, grant: Grant) -> Grant:
        """Redeem the refresh token, once.

        Raises NotConnectedError (the grant has ended, with its health), RefreshInProgressError
        (transient), SalesforceUnavailableError (nothing was carried out), SalesforceTimeoutError
        (sent, and no answer that can be used: the token may be spent), SalesforceFailedError (ours
        to mend: nothing has ended).
        """
        ...

    async def revoke(self, grant: Grant) -> None:
        """End the grant at its own instance. One that is over already is no error."""
        ...


class SalesforceFlows(Protocol):
    """The Flow part of Salesforce's REST API, as the user whose token it is.

    Raises AccessRefusedError (the access token is not taken: nothing was carried out),
    SalesforceForbiddenError, SalesforceLimitError, SalesforceFailedError and its kinds.
    """

    async def list(self, access: Access) -> Sequence[FlowSummary]: ...

    async def describe(self, access: Access, flow: FlowName) -> FlowDescription:
        """Raises NotFoundError, too."""
        ...

    async def invoke(
        self, access: Access, flow: FlowName, inputs: Mapping[str, Json]
    ) -> FlowResult:
        """Raises FlowFailedError, too. Never sends twice."""
        ...


class Outside(Protocol):
    """Everything outside the service at once: what `Services` is wired to."""

    @property
    def clock(self) -> Clock: ...
    @property
    def verifier(self) -> IdentityVerifier: ...
    @property
    def on_behalf_of(self) -> OnBehalfOf | None: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def standings(self) -> Standings: ...
    @property
    def tenants(self) -> TenantStore: ...
    @property
    def users(self) -> UserStore: ...
    @property
    def connections(self) -> ConnectionStore: ...
    @property
    def pending(self) -> PendingStore: ...
    @property
    def runs(self) -> RunStore: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def pseudonyms(self) -> Pseudonyms: ...
    @property
    def login(self) -> SalesforceLogin: ...
    @property
    def flows(self) -> SalesforceFlows: ...
    async def close(self) -> None: ...
