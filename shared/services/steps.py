"""What the service is put together from, and the steps that several use cases share."""

# ruff: noqa: PLC0415 - imported at first use: see shared/services/__init__.py

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared import ports
    from shared.limits import RateLimit
    from shared.model import Access, OrgId, TenantId, UserId
    from shared.settings import Settings
    from shared.usecases.fence import Fence
    from shared.usecases.grant_journal import GrantJournal
    from shared.usecases.org_access import OrgAccess
    from shared.usecases.refresh_grant import RefreshGrant
    from shared.usecases.revocation import Revocations
    from shared.usecases.sealed_grants import SealedGrants


class Steps:
    """Every part of `Services` inherits from this, so that a step is made once for all of them."""

    def __init__(self, settings: "Settings", outside: "ports.Outside") -> None:
        self.settings = settings
        self._outside = outside

    @cached_property
    def _guesses(self) -> "RateLimit[TenantId]":
        """One-time codes that were not there when they were looked up, by the tenant that they
        name. Each has cost its look into the store: this refuses no code that is there."""
        from shared.limits import RateLimit

        return RateLimit(per_minute=600, burst=100)

    @cached_property
    def _fence(self) -> "Fence":
        from shared.usecases.fence import Fence

        return Fence(
            tenants=self._outside.tenants, users=self._outside.users, gates=self._outside.gates
        )

    @cached_property
    def _grants(self) -> "SealedGrants":
        from shared.usecases.sealed_grants import SealedGrants

        return SealedGrants(vault=self._outside.vault)

    @cached_property
    def _access(self) -> "OrgAccess":
        from shared.usecases.org_access import OrgAccess

        return OrgAccess(
            tenants=self._outside.tenants,
            connections=self._outside.connections,
            grants=self._grants,
            refresh=self._refresh_when_needed,
            clock=self._outside.clock,
        )

    async def _refresh_when_needed(
        self, tenant: "TenantId", user: "UserId", org: "OrgId", *, stale_generation: int
    ) -> "Access":
        """Most calls need none; and what a refresh needs, Salesforce's OAuth and the journal among
        the backups, takes a fifth of the imports of a first call."""
        return await self._refresh(tenant, user, org, stale_generation=stale_generation)

    @cached_property
    def _refresh(self) -> "RefreshGrant":
        from shared.usecases.refresh_grant import RefreshGrant

        return RefreshGrant(
            connections=self._outside.connections,
            grants=self._grants,
            journal=self._journal,
            login=self._outside.login,
            revocations=self._revocations,
            clock=self._outside.clock,
        )

    @cached_property
    def _revocations(self) -> "Revocations":
        from shared.usecases.revocation import Revocations

        return Revocations(
            outbox=self._outside.outbox,
            grants=self._grants,
            login=self._outside.login,
            clock=self._outside.clock,
        )

    @cached_property
    def _journal(self) -> "GrantJournal":
        from shared.usecases.grant_journal import GrantJournal

        return GrantJournal(backups=self._outside.backups)
