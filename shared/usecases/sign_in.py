"""Sign in with the identity that the user already has: a foreign token in, a session out."""

import os
import secrets
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta

from shared.errors import (
    DeletionInProgressError,
    OtherRegionError,
    StorageFailedError,
    TenantNotAllowedError,
)
from shared.limits import RateLimit
from shared.model import (
    Caller,
    Connection,
    DataSubject,
    Identity,
    Place,
    Provider,
    SessionClaims,
    Tenant,
    TenantId,
    TenantSettings,
    TenantStatus,
    User,
    UserId,
)
from shared.ports import (
    Clock,
    ConnectionStore,
    DeletionStore,
    Gates,
    IdentityVerifier,
    OnBehalfOf,
    Pseudonyms,
    Sessions,
    TenantStore,
    UserStore,
    Vault,
)
from shared.secret import Secret
from shared.telemetry.events import event

SESSION_LIFETIME = timedelta(minutes=15)
_PSEUDONYM_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session, whose it is, and what is connected."""

    session: Secret
    caller: Caller
    region: str
    connections: Sequence[Connection]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Verify, ask whether they may, remember who they are, and open a session."""

    verifier: IdentityVerifier
    on_behalf_of: OnBehalfOf | None
    allowed_tenants: AbstractSet[str] | None
    tenant_regions: Mapping[str, tuple[str, str]]
    region: str
    gates: Gates
    deletions: DeletionStore
    tenants: TenantStore
    users: UserStore
    connections: ConnectionStore
    vault: Vault
    pseudonyms: Pseudonyms
    sessions: Sessions
    limit: RateLimit[tuple[str, str, str]]
    clock: Clock

    async def __call__(self, provider: Provider, unverified_token: Secret) -> SignedIn:
        identity = await self.verifier.verify(provider, unverified_token)
        self.limit.take((identity.provider, identity.directory, identity.subject))
        self._require_ours(identity)
        if self.on_behalf_of is not None and identity.provider == "microsoft":
            await self.on_behalf_of.confirm(identity, unverified_token)
        tenant = await self._tenant_of(identity)
        user = await self._user_of(identity)
        return await self._open_session(identity, tenant, user)

    def _require_ours(self, identity: Identity) -> None:
        """Only now is the directory a verified one; nothing has been stored yet."""
        configured = identity.tenant_as_configured
        if configured in self.tenant_regions:
            region, base_url = self.tenant_regions[configured]
            if region != self.region:
                raise OtherRegionError(base_url)
        if self.allowed_tenants is not None and configured not in self.allowed_tenants:
            raise TenantNotAllowedError

    async def _tenant_of(self, identity: Identity) -> Tenant:
        """The tenant's row, created at its first allowed sign-in."""
        tenant = await self.tenants.load(identity.tenant)
        if tenant is None:
            tenant = await self._create_tenant(identity)
        if tenant.status is TenantStatus.DELETING:
            raise DeletionInProgressError
        if not tenant.is_active:
            raise TenantNotAllowedError
        return tenant

    async def _require_no_deletion(self, subject: DataSubject) -> None:
        """Whoever has no row yet may be somebody whose rows are just being deleted."""
        for deletion in await self.deletions.of_tenant(subject.tenant):
            if deletion.is_under_way and deletion.user in (None, subject.user):
                raise DeletionInProgressError

    async def _create_tenant(self, identity: Identity) -> Tenant:
        """Of several first sign-ins at once one writes the row, and all read that one."""
        tenant_id = identity.tenant
        await self._require_no_deletion(DataSubject(tenant=tenant_id))
        key_version = await self.vault.create_key(tenant_id)
        await self.gates.open(tenant_id)
        created = await self.tenants.create(
            Tenant(
                id=tenant_id,
                provider=identity.provider,
                region=self.region,
                status=TenantStatus.ACTIVE,
                epoch=_first_epoch(),
                created_at=self.clock(),
                settings=TenantSettings(),
                floor_key_version=key_version,
                sealed_directory=await self.vault.seal(
                    _place(tenant_id, "sealed_directory"), identity.directory.encode()
                ),
                sealed_pseudonym_key=await self.vault.seal(
                    _place(tenant_id, "sealed_pseudonym_key"), os.urandom(_PSEUDONYM_KEY_BYTES)
                ),
            )
        )
        if created:
            event("tenant_created", tenant=tenant_id, provider=identity.provider)
        tenant = await self.tenants.load(tenant_id)
        if tenant is None:
            raise StorageFailedError
        return tenant

    async def _user_of(self, identity: Identity) -> User:
        """The user's row, created at the first sign-in. Nothing in it can be read by itself."""
        user_id = await self.pseudonyms.user_id(identity)
        today = self.clock().date().isoformat()
        user = await self.users.load(identity.tenant, user_id)
        if user is None:
            await self._require_no_deletion(DataSubject(tenant=identity.tenant, user=user_id))
            await self.gates.open_for(identity.tenant, user_id)
            await self.users.create(await self._new_user(identity, user_id, today))
            user = await self.users.load(identity.tenant, user_id)
        elif user.last_seen_day != today:
            await self.users.saw(identity.tenant, user_id, today)
        if user is None:
            raise StorageFailedError
        if user.is_leaving:
            raise DeletionInProgressError
        return user

    async def _new_user(self, identity: Identity, user_id: UserId, today: str) -> User:
        place = Place(
            tenant=identity.tenant, table="users", row_key=user_id, column="sealed_identity"
        )
        plain = f"{identity.provider}|{identity.subject}".encode()
        return User(
            id=user_id,
            tenant=identity.tenant,
            sealed_identity=await self.vault.seal(place, plain),
            epoch=_first_epoch(),
            created_at=self.clock(),
            last_seen_day=today,
        )

    async def _open_session(self, identity: Identity, tenant: Tenant, user: User) -> SignedIn:
        now = self.clock()
        caller = Caller(
            tenant=tenant.id,
            user=user.id,
            provider=identity.provider,
            is_admin=identity.is_admin,
            signed_in_at=now,
        )
        claims = SessionClaims(
            caller=caller,
            tenant_epoch=tenant.epoch,
            user_epoch=user.epoch,
            expires_at=now + SESSION_LIFETIME,
        )
        session = await self.sessions.issue(claims)
        connections = await self.connections.of_user(tenant.id, user.id)
        event("signed_in", tenant=tenant.id, user=user.id, provider=identity.provider)
        return SignedIn(
            session=session, caller=caller, region=tenant.region, connections=connections
        )


def _first_epoch() -> int:
    """At random: a session of somebody who was deleted and came back is none of the new one's."""
    return secrets.randbelow(2**30)


def _place(tenant: TenantId, column: str) -> Place:
    return Place(tenant=tenant, table="tenants", row_key="tenant", column=column)
