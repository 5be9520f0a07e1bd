"""What the service may ask of the outside world. Adapters and the tests' fakes both satisfy these.

Each method names the errors that a caller must expect beyond the adapter's own `UpstreamError`
(StorageFailedError for stores, KeyVaultFailedError for keys, and so on), which any call may raise.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from shared.errors import Json
from shared.model import (
    ALL_TIME,
    EVERY_RUN,
    Access,
    Connection,
    DataSubject,
    Deletion,
    FlowDescription,
    FlowName,
    FlowResult,
    FlowSummary,
    Grant,
    Idempotency,
    Identity,
    Lease,
    OrgId,
    Pending,
    PendingKind,
    Period,
    Place,
    Provider,
    Run,
    RunFilter,
    RunPage,
    SessionClaims,
    SettingsChange,
    SigningKey,
    Standing,
    Swept,
    Tenant,
    TenantId,
    User,
    UserId,
    WrappedKey,
)
from shared.model.backups import Row
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


class Gates(Protocol):
    """What an insert must find open, in the same transaction, in the same partition.

    A tombstone elsewhere would not do: whoever read it before it was set could still write after
    everything was deleted. Stores that insert through a gate raise DeletionInProgressError where
    it is closed.
    """

    async def open(self, tenant: TenantId) -> None:
        """Let rows of this tenant be inserted. What is open stays open."""
        ...

    async def open_for(self, tenant: TenantId, user: UserId) -> None:
        """Let rows of this user be inserted. Raises DeletionInProgressError where the tenant's
        gates are closed."""
        ...

    async def close(self, subject: DataSubject) -> None:
        """From now on nothing of this subject is inserted into any table; what was inserted
        before is there to be found. A tenant's gates take its users' with them."""
        ...

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[str]:
        """The tables that hold a gate of this user."""
        ...


class Leases(Protocol):
    """Who does a tenant's housekeeping at the moment. A dead holder's lease lapses."""

    async def take(
        self, tenant: TenantId, name: str, *, holder: str, until: datetime
    ) -> Lease | None:
        """The lease; None while somebody else holds it, or where the tenant is gone."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give it back, if it is still ours."""
        ...

    async def held_until(self, tenant: TenantId, name: str) -> datetime | None:
        """Until when somebody holds it, or held it; None if nobody ever did, or gave it back."""
        ...


class TenantStore(Protocol):
    """The table `tenants`. Inserts go through the tenant's gate, but for the tenant's own row."""

    async def load(self, tenant: TenantId) -> Tenant | None: ...

    async def ids(self) -> Sequence[TenantId]:
        """Every tenant that has a row, whatever its status."""
        ...

    async def create(self, tenant: Tenant) -> bool:
        """Whether the row was created; False if there is one already."""
        ...

    async def change_settings(self, tenant: Tenant, change: SettingsChange) -> Tenant | None:
        """Write the settings of a row that still is as read, and the change, in one transaction.

        The row as it now is; None if it is not as read any more, or gone: nothing was written.
        """
        ...

    async def settings_changes(self, tenant: TenantId, *, limit: int) -> Sequence[SettingsChange]:
        """The newest changes, newest first."""
        ...

    async def settings_changes_by(self, tenant: TenantId, user: UserId) -> Sequence[SettingsChange]:
        """All changes that this user made, newest first."""
        ...

    async def begin_deletion(self, tenant: TenantId) -> None:
        """Set the tombstone and end every session. A tenant that is gone is no error."""
        ...

    async def remember_flow_name(self, tenant: TenantId, flow_id: str, sealed: bytes) -> None:
        """Keep the sealed readable name of a Flow beside the tenant; the first one stays."""
        ...

    async def sealed_flow_names(self, tenant: TenantId) -> Mapping[str, bytes]: ...


class TenantKeyStore(Protocol):
    """The table `tenantkeys`: wrapped data keys, by version."""

    async def all(self, tenant: TenantId) -> Sequence[WrappedKey]:
        """Every version, oldest first."""
        ...

    async def create(self, key: WrappedKey) -> bool:
        """Whether the row was created; False if that version exists already."""
        ...

    async def rewrap(self, key: WrappedKey) -> bool:
        """Write the same data key, wrapped anew; False if the version is gone."""
        ...

    async def destroy(self, tenant: TenantId) -> None:
        """Delete every version: what they sealed never opens again."""
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

    async def begin_deletion(self, tenant: TenantId, user: UserId) -> None:
        """Set the tombstone and end every session. A user who is gone is no error."""
        ...


class ConnectionStore(Protocol):
    """The table `connections`."""

    async def load(self, tenant: TenantId, user: UserId, org: OrgId) -> Connection | None: ...

    async def of_user(self, tenant: TenantId, user: UserId) -> Sequence[Connection]: ...

    async def of_subject(self, subject: DataSubject) -> Sequence[Connection]:
        """The connections of a user, or of a whole tenant."""
        ...

    async def ended(self, tenant: TenantId, *, before: datetime) -> Sequence[Connection]:
        """Those whose grant ended at this time or earlier."""
        ...

    async def create(self, connection: Connection) -> bool:
        """Through the user's gate."""
        ...

    async def renew(self, connection: Connection) -> Connection | None:
        """As `replace`, for a new consent: through the user's gate."""
        ...

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

    async def put(self, pending: Pending) -> None:
        """Through the user's gate."""
        ...

    async def of_subject(self, subject: DataSubject) -> tuple[Sequence[Pending], int]:
        """What waits for a user, or in a whole tenant; and how many rows cannot be read."""
        ...

    async def delete(self, pending: Pending) -> None: ...

    async def take(self, tenant: TenantId, kind: PendingKind, digest: str) -> Pending | None:
        """Read and delete in one atomic step: of many callers, exactly one gets it.

        What has expired is deleted all the same, and handed out: the caller compares the time,
        because what is parked must then be revoked.
        """
        ...


class RunStore(Protocol):
    """The table `runs`."""

    async def start(self, run: Run, idempotency: Idempotency | None) -> Run | None:
        """Write the run before its call leaves; with a key, both rows in one transaction. Through
        the user's gate.

        None if it was written. The earlier run if the key was used before, for the same request;
        raises IdempotencyKeyReusedError if for another.
        """
        ...

    async def finish(self, run: Run) -> None:
        """Add how the run ended."""
        ...

    async def page(
        self,
        tenant: TenantId,
        user: UserId | None,
        *,
        after: str | None,
        limit: int,
        period: Period = ALL_TIME,
        where: RunFilter = EVERY_RUN,
    ) -> RunPage:
        """Runs of one user, or (None) of the whole tenant, that started in the period, newest
        first. `after` continues a page from where it ended, whatever the filter.

        A page is short where few of many runs are wanted: looking for more ends after a while.
        Raises InvalidRequestError if `after` is none of ours, or of another tenant.
        """
        ...

    async def keys_used(self, tenant: TenantId, user: UserId) -> Sequence[datetime]:
        """When the user's idempotency keys that are still kept were used, newest first."""
        ...


class Sweeper(Protocol):
    """Deletes rows that have outlived their time, by key range and in transactions.

    Rows whose time cannot be read, or does not agree with their key, are kept and counted.
    """

    async def runs(self, tenant: TenantId, *, before: datetime) -> Swept:
        """Runs that started at this time or earlier."""
        ...

    async def idempotency(self, tenant: TenantId, *, before: datetime) -> Swept:
        """Idempotency rows of this age or older."""
        ...

    async def settings_changes(self, tenant: TenantId, *, before: datetime) -> Swept:
        """Changes of settings of this age or older."""
        ...


class DeletionStore(Protocol):
    """The table `deletions`."""

    async def create(self, deletion: Deletion) -> bool: ...

    async def load(self, tenant: TenantId, deletion_id: str) -> Deletion | None: ...

    async def of_tenant(self, tenant: TenantId) -> Sequence[Deletion]: ...

    async def open_ones(self) -> Sequence[Deletion]:
        """Those of all tenants that have no receipt yet, confirmed or not."""
        ...

    async def replace(self, deletion: Deletion) -> Deletion | None:
        """Write the row if it still is as read, and answer it as it now is; None if it is not."""
        ...

    async def delete(self, deletion: Deletion) -> bool:
        """Delete the row if it still is as read; False if it is not, or gone."""
        ...

    async def forget(self, *, before: datetime) -> None:
        """Delete what was receipted at this time or earlier."""
        ...


class Erasure(Protocol):
    """All tables at once, but for `deletions`: what a deletion finds and takes away."""

    async def count(self, subject: DataSubject) -> Mapping[str, int]:
        """How many rows each table holds of the subject, by a full listing. Tables that hold none
        are named as well."""
        ...

    async def delete(self, subject: DataSubject) -> None:
        """Delete all of them, but for the wrapped data keys, which come last (`destroy`)."""
        ...


# --- Backups -------------------------------------------------------------------------------------


class BackupStore(Protocol):
    """The container of the backups: files by name, in an account of its own.

    Each call ends within half a minute, so that a lease can outlast it. A missing container is a
    failure, not an absent file.
    """

    async def put(self, name: str, data: bytes) -> None:
        """Write the file, in the place of one of that name."""
        ...

    async def get(self, name: str) -> bytes | None:
        """The whole file, of at most 256 MiB; None if there is none."""
        ...

    async def names(self, prefix: str) -> Sequence[str]:
        """Every name that begins so, in order."""
        ...

    async def delete(self, name: str) -> None:
        """Delete the file. One that is gone is no error."""
        ...


class TableCopies(Protocol):
    """Rows as they are, of any table, for backups and their restoration."""

    def rows(self, table: str, tenant: TenantId) -> AsyncIterator[Row]:
        """Every row of the tenant, in the order of their keys, with the types of its columns."""
        ...

    async def insert(self, table: str, tenant: TenantId, rows: Iterable[Row]) -> None:
        """Write rows of this tenant, a hundred in a transaction. Through no gate.

        Raises StorageFailedError if one of their keys is taken; others may have been written.
        """
        ...

    async def is_empty(self, tenant: TenantId) -> bool:
        """Whether no table has a row of the tenant, `deletions` left aside."""
        ...


class Vaults(Protocol):
    """Makes a vault over other wrapped keys than those in the table."""

    def __call__(self, keys: TenantKeyStore) -> "Vault": ...


class RecordedDeletions(Protocol):
    """Puts deletions that were recorded beside the backups back into the table `deletions`."""

    async def put_back(self, tenant: TenantId, entries: Sequence[bytes]) -> None:
        """Each entry as it was written; those that the table has already are no error."""
        ...


# --- Keys and seals ------------------------------------------------------------------------------


class KeyWrapper(Protocol):
    """Wraps data keys with a key that never leaves Key Vault (RSA-OAEP-256)."""

    async def wrap(self, data_key: bytes, *, by: str | None = None) -> tuple[bytes, str]:
        """The wrapped key, and the identifier (with version) of the key that wrapped it: the
        newest version of ours, or of the customer's key `by`."""
        ...

    async def unwrap(self, wrapped: bytes, kek_id: str) -> bytes: ...


class Vault(Protocol):
    """Seals values with the tenant's data key, bound to the place where they are kept."""

    async def create_key(self, tenant: TenantId) -> int:
        """Give a new tenant its first data key; a tenant that has one keeps it. The version of the
        newest."""
        ...

    async def rewrap(self, tenant: TenantId, *, by: str | None) -> None:
        """Wrap the tenant's data keys anew, by the customer's key `by` or (None) by ours.

        Raises KeyVaultFailedError if that key does not wrap, or does not unwrap: then nothing was
        changed.
        """
        ...

    async def destroy_keys(self, tenant: TenantId) -> None:
        """Nothing that was sealed for the tenant ever opens again."""
        ...

    async def seal(self, place: Place, plain: bytes) -> bytes: ...

    async def open(self, place: Place, sealed: bytes) -> bytes:
        """Raises SealBrokenError if it does not open: moved, altered, or of another tenant."""
        ...


class Signer(Protocol):
    """Signs what others verify without us (ES256), with a key that never leaves Key Vault."""

    async def newest(self) -> SigningKey:
        """The version to sign with; at most ten minutes behind the vault."""
        ...

    async def sign(self, key: SigningKey, digest: bytes) -> bytes:
        """r and s, 32 bytes each, over a SHA-256 digest. A version that is not the newest any
        more goes on signing."""
        ...

    async def public_keys(self) -> Sequence[Mapping[str, str]]:
        """The public JWK of every version there ever was, newest first.

        What the vault does not show is left out, and an alarm. At most five minutes old.
        """
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
    def gates(self) -> Gates: ...
    @property
    def leases(self) -> Leases: ...
    @property
    def tenants(self) -> TenantStore: ...
    @property
    def tenant_keys(self) -> TenantKeyStore: ...
    @property
    def users(self) -> UserStore: ...
    @property
    def connections(self) -> ConnectionStore: ...
    @property
    def pending(self) -> PendingStore: ...
    @property
    def runs(self) -> RunStore: ...
    @property
    def sweeper(self) -> Sweeper: ...
    @property
    def deletions(self) -> DeletionStore: ...
    @property
    def erasure(self) -> Erasure: ...
    @property
    def backups(self) -> BackupStore: ...
    @property
    def copies(self) -> TableCopies: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def vaults(self) -> Vaults: ...
    @property
    def pseudonyms(self) -> Pseudonyms: ...
    @property
    def signer(self) -> Signer: ...
    @property
    def login(self) -> SalesforceLogin: ...
    @property
    def flows(self) -> SalesforceFlows: ...
    async def close(self) -> None: ...
