"""People who leave: with rows of every kind, living grants at Salesforce, and a deletion that is
confirmed and not begun."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from uuid import uuid4

from local.network import pinned_network
from local.stack_info import StackInfo
from shared import ports
from shared.model import (
    Caller,
    Connection,
    DataSubject,
    DeletionScope,
    DeletionState,
    DiscardedGrant,
    Grant,
    Health,
    Idempotency,
    Identity,
    OneTimeCode,
    OrgId,
    Pending,
    PendingKind,
    Provider,
    Run,
    grant_place,
    pending_place,
)
from shared.secret import Secret
from shared.services import Services
from shared.usecases.request_deletion import DeletionAsked
from shared.usecases.sealed_grants import SealedGrants
from tests.attacks.azurite_rows import AzuriteRows, Rows, counts, naming
from tests.attacks.shifted_azure import ShiftedAzure
from tests.attacks.worker_settings import settings_on
from tests.contract.salesforce import SimulatedScene, connected
from tests.control_client import ControlClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaver:
    """Who is deleted, and what there was of them before."""

    asked: DeletionAsked
    callers: tuple[Caller, ...]
    orgs: frozenset[OrgId]
    grants: int
    held: Mapping[str, int]
    """Rows by table, without gates."""

    @property
    def subject(self) -> DataSubject:
        return self.asked.deletion.subject

    @property
    def deletion_id(self) -> str:
        return self.asked.deletion.id


class _Believing:
    """Satisfies `ports.IdentityVerifier`: a token is `directory subject`, and never a lie."""

    async def verify(self, provider: Provider, unverified_token: Secret) -> Identity:
        directory, _, subject = unverified_token.reveal().partition(" ")
        return Identity(provider=provider, directory=directory, subject=subject, is_admin=True)


class _Outside(ShiftedAzure):
    @cached_property
    def verifier(self) -> ports.IdentityVerifier:
        return _Believing()


class Leavers:
    """Makes them, in the stores and the orgs of a running stack, by the service's own adapters."""

    def __init__(self, info: StackInfo, control: ControlClient, rows: AzuriteRows) -> None:
        self.azure = _Outside(settings_on(info), pinned_network(info))
        self.services = Services(self.azure._settings, self.azure)
        self._control, self._rows = control, rows

    async def close(self) -> None:
        await self.services.close()

    async def sign_in(self, directory: str) -> Caller:
        """Somebody new in a Microsoft tenant, which is new as well if nobody was there before."""
        token = Secret(f"{directory} {uuid4()}")
        return (await self.services.sign_in("microsoft", token)).caller

    async def lived(self, caller: Caller) -> OrgId:
        """A row of every kind, and three grants in an org of their own: one connected, one parked,
        one that was discarded and is still to be revoked."""
        scene = SimulatedScene(self.azure, self._control)
        await self._connect(caller, await connected(scene))
        await self._park(caller, await connected(scene))
        await self._discard(caller, await connected(scene))
        for key in (None, uuid4().hex):
            await self._run(caller, scene.org, key)
        await self.services.begin_connection(caller, None, None)
        return scene.org

    async def user(self, directory: str) -> Leaver:
        """One user of a tenant in which others stay."""
        caller = await self.sign_in(directory)
        org = await self.lived(caller)
        return await self._leaving((caller,), {org}, DeletionScope.USER)

    async def tenant(self, people: int = 2) -> Leaver:
        """A whole tenant, with backups."""
        directory = str(uuid4())
        callers = [await self.sign_in(directory) for _ in range(people)]
        orgs = {await self.lived(caller) for caller in callers}
        for name in ("keys.json", "2026-01-14/users.0001.sealed"):
            await self.azure.backups.put(f"{callers[0].tenant}/{name}", b"sealed")
        return await self._leaving(tuple(callers), orgs, DeletionScope.TENANT)

    def rows_of(self, leaver: Leaver) -> Rows:
        """What Azurite holds of them now, gates included."""
        rows = self._rows.of(leaver.subject.tenant)
        return rows if leaver.subject.user is None else naming(rows, leaver.subject.user)

    async def _leaving(
        self, callers: tuple[Caller, ...], orgs: set[OrgId], scope: DeletionScope
    ) -> Leaver:
        """Confirmed without the first fence, as where the store was away for that moment."""
        asked = await self.services.request_deletion(callers[0], scope)
        now = self.azure.clock()
        loaded = await self.azure.deletions.load(callers[0].tenant, asked.deletion.id)
        assert loaded is not None
        assert await self.azure.deletions.replace(loaded.moved_to(DeletionState.CONFIRMED, now))
        leaver = Leaver(
            asked=asked, callers=callers, orgs=frozenset(orgs), grants=3 * len(orgs), held={}
        )
        return replace(leaver, held=counts(self.rows_of(leaver)))

    async def _connect(self, caller: Caller, grant: Grant) -> None:
        now = self.azure.clock()
        bare = Connection(
            tenant=caller.tenant,
            user=caller.user,
            org=grant.org,
            health=Health.ACTIVE,
            generation=1,
            sealed_grant=b"",
            consent=uuid4().hex,
            connected_at=now,
            refreshed_at=now,
            last_used_day=now.date().isoformat(),
        )
        sealed = await SealedGrants(vault=self.azure.vault).seal(bare.place, grant)
        assert await self.azure.connections.create(replace(bare, sealed_grant=sealed))

    async def _park(self, caller: Caller, grant: Grant) -> None:
        code = OneTimeCode.new(caller.tenant)
        place = pending_place(caller.tenant, PendingKind.PARKED, code.digest)
        await self.azure.pending.put(
            Pending(
                kind=PendingKind.PARKED,
                tenant=caller.tenant,
                digest=code.digest,
                user=caller.user,
                sealed=await SealedGrants(vault=self.azure.vault).seal(place, grant),
                expires_at=self.azure.clock() + timedelta(minutes=10),
            )
        )

    async def _discard(self, caller: Caller, grant: Grant) -> None:
        place = grant_place(caller.tenant, caller.user, grant.org)
        sealed = await SealedGrants(vault=self.azure.vault).seal(place, grant)
        now = self.azure.clock()
        entry = DiscardedGrant.new(caller.tenant, caller.user, grant.org, sealed=sealed, now=now)
        await self.azure.outbox.put(entry)

    async def _run(self, caller: Caller, org: OrgId, key: str | None) -> None:
        run = Run(
            id=f"r-{uuid4().hex[:26]}",
            tenant=caller.tenant,
            user=caller.user,
            org=org,
            flow_id=f"f-{uuid4().hex[:26]}",
            started_at=self.azure.clock(),
        )
        await self.azure.tenants.remember_flow_name(caller.tenant, run.flow_id, b"sealed")
        used = None if key is None else Idempotency(key_digest=key, body_digest="a digest")
        assert await self.azure.runs.start(run, used) is None
