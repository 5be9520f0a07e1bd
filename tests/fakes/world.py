"""Everything outside the service, in memory, and the service wired to it."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property

from shared import ports
from shared.crypto.pseudonyms import KeyedPseudonyms
from shared.crypto.tenant_vault import TenantVault
from shared.identity.sessions import SignedSessions
from shared.model import Caller, ConnectedOrg, OneTimeCode, OrgId
from shared.secret import Secret
from shared.services import Services
from shared.settings import Settings
from shared.storage.standings import StoredStandings
from shared.usecases.grant_journal import GrantJournal
from shared.usecases.refresh_grant import RefreshGrant
from shared.usecases.revocation import Revocations
from shared.usecases.sealed_grants import SealedGrants
from shared.usecases.sign_in import SignedIn
from tests.fakes.backups import MemoryBackupStore, MemoryTableCopies
from tests.fakes.clock import FakeClock
from tests.fakes.erasure import MemoryErasure, MemorySweeper, MemoryTables
from tests.fakes.gates import MemoryGates, MemoryLeases
from tests.fakes.identity import FakeOnBehalfOf, FakeVerifier
from tests.fakes.keys import LocalKeyWrapper, LocalSigner, MemorySecrets
from tests.fakes.readiness import FakeDependencies
from tests.fakes.runs import MemoryRunStore
from tests.fakes.salesforce_flows import FakeFlows
from tests.fakes.salesforce_login import CONTOSO_ORG, FakeLogin
from tests.fakes.salesforce_sessions import FakeSessions
from tests.fakes.sealed_values import MemorySealedValues
from tests.fakes.stores import (
    MemoryConnectionStore,
    MemoryDeletionStore,
    MemoryPendingStore,
    MemoryRevocationOutbox,
    MemoryTenantKeyStore,
    MemoryTenantStore,
    MemoryUserStore,
)
from tests.settings import settings

DEPENDENCIES = ("storage", "backups", "key_vault", "microsoft", "google", "salesforce")


class World:
    """Satisfies `ports.Outside`. What does no I/O itself is the real thing, over the fakes.

    Time stands still until `world.clock.move(...)`; the rate limits alone run by the real clock.
    """

    def __init__(self, chosen: Settings | None = None) -> None:
        self.settings = chosen or settings()
        self.clock = FakeClock()
        self.verifier = FakeVerifier()
        self.entra = FakeOnBehalfOf()
        self.secrets = MemorySecrets(self.clock)
        self.gates = MemoryGates()
        self.leases = MemoryLeases(self.gates, self.clock)
        self.tenants = MemoryTenantStore(self.gates)
        self.tenant_keys = MemoryTenantKeyStore(self.tenants)
        self.users = MemoryUserStore(self.gates)
        self.outbox = MemoryRevocationOutbox(self.gates)
        self.connections = MemoryConnectionStore(self.gates, self.outbox)
        self.pending = MemoryPendingStore(self.gates)
        self.runs = MemoryRunStore(self.gates)
        self.deletions = MemoryDeletionStore()
        tables = MemoryTables(
            gates=self.gates,
            leases=self.leases,
            tenants=self.tenants,
            tenant_keys=self.tenant_keys,
            users=self.users,
            connections=self.connections,
            pending=self.pending,
            runs=self.runs,
        )
        self.sweeper = MemorySweeper(tables)
        self.erasure = MemoryErasure(tables)
        self.sealed_values = MemorySealedValues(
            tenants=self.tenants,
            users=self.users,
            connections=self.connections,
            pending=self.pending,
        )
        self.backups = MemoryBackupStore()
        self.copies = MemoryTableCopies()
        self.key_wrapper = LocalKeyWrapper()
        self.signer = LocalSigner()
        self.login = FakeLogin()
        self.flows = FakeFlows(self.login)
        self.lightning = FakeSessions(self.login)
        self.dependencies = FakeDependencies(DEPENDENCIES)

    # --- the real thing, over the fakes ---

    @property
    def on_behalf_of(self) -> ports.OnBehalfOf | None:
        return self.entra if self.settings.entra_on_behalf_of else None

    @property
    def probes(self) -> Sequence[ports.Probe]:
        return self.dependencies.probes

    @cached_property
    def sessions(self) -> SignedSessions:
        return SignedSessions(secrets=self.secrets, clock=self.clock)

    @cached_property
    def standings(self) -> StoredStandings:
        return StoredStandings(
            tenants=self.tenants, users=self.users, monotonic_clock=self.clock.monotonic
        )

    @cached_property
    def vault(self) -> TenantVault:
        return self.vaults(self.tenant_keys)

    def vaults(self, keys: ports.TenantKeyStore) -> TenantVault:
        return TenantVault(
            keys=keys,
            wrapper=self.key_wrapper,
            clock=self.clock,
            monotonic_clock=self.clock.monotonic,
        )

    @cached_property
    def pseudonyms(self) -> KeyedPseudonyms:
        return KeyedPseudonyms(
            tenants=self.tenants, vault=self.vault, monotonic_clock=self.clock.monotonic
        )

    @cached_property
    def grants(self) -> SealedGrants:
        return SealedGrants(vault=self.vault)

    @cached_property
    def refresh_grant(self) -> RefreshGrant:
        """Waits by the fake clock, so that no test waits."""
        return RefreshGrant(
            connections=self.connections,
            grants=self.grants,
            journal=GrantJournal(backups=self.backups),
            login=self.login,
            revocations=self.revocations,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    @cached_property
    def revocations(self) -> Revocations:
        return Revocations(
            outbox=self.outbox, grants=self.grants, login=self.login, clock=self.clock
        )

    @cached_property
    def services(self) -> Services:
        return Services(self.settings, self)

    def another_instance(self) -> "World":
        """The same outside and the same time, and the service on another machine: what it keeps in
        memory is its own."""
        other = copy(self)
        for name, value in vars(World).items():
            if isinstance(value, cached_property):
                other.__dict__.pop(name, None)
        return other

    async def close(self) -> None:
        """Nothing here is open."""

    # --- the short way to a scene ---

    async def sign_in(self, name: str) -> SignedIn:
        """Sign in one of `verifier.people`: the caller, and the session token for requests."""
        identity = self.verifier.people[name]
        return await self.services.sign_in(identity.provider, Secret(name))

    async def signed_in(self, name: str) -> Caller:
        return (await self.sign_in(name)).caller

    async def session_of(self, name: str) -> Secret:
        return (await self.sign_in(name)).session

    async def consented(
        self, caller: Caller, org: OrgId = CONTOSO_ORG, *, return_to: str | None = None
    ) -> OneTimeCode:
        """Connect an org up to the completion code that the pane gets."""
        services = self.services
        ticket = await services.begin_connection(caller, None, return_to)
        departure = await services.start_connection(ticket)
        back = self.login.approve(departure.authorize_url, user=caller.user, org=org)
        arrival = await services.finish_connection(
            OneTimeCode.parse(back.state), back.code, departure.browser_nonce
        )
        assert arrival.completion is not None, arrival.failure
        return arrival.completion

    async def connect(self, caller: Caller, org: OrgId = CONTOSO_ORG) -> ConnectedOrg:
        """Connect an org, all the way. The Salesforce user is called like `caller.user`."""
        return await self.services.complete_connection(caller, await self.consented(caller, org))
