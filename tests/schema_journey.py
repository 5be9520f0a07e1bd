"""Everything that the service does for two tenants, against the real stores of the local stack.

After each step the tables are looked at, because many a row lives for a moment only.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final
from uuid import uuid4

from shared import ports
from shared.errors import CompletionNotYoursError, FlowRunnerError
from shared.model import (
    Caller,
    DeletionScope,
    DeletionState,
    FlowName,
    OneTimeCode,
    Provider,
    TenantSettings,
    UserId,
)
from shared.model.schema import TABLES
from shared.outside import Azure
from shared.secret import Secret
from shared.services import Services
from shared.usecases.invoke_flow import Invocation
from shared.usecases.rotate_keys import SETTLING
from tests.attacks.places import Places
from tests.contract.salesforce import REVOKE, TOKEN, SimulatedScene
from tests.control_client import ControlClient
from tests.fakes import FakeFlow, variable

FLOW: Final = "Log_Email"
_REFRESH_SECONDS: Final = 2.0
_EXPIRED: Final = timedelta(minutes=11)
"""Longer than a parked grant waits to be claimed."""
_LAPSED: Final = timedelta(minutes=3)
"""Longer than the lease of a refresh."""
_A_CONNECTION: Final = "/devstoreaccount1/connections(PartitionKey"


class AzureAtAnyTime(Azure):
    """The adapters as deployed, on a clock that a test puts forward."""

    later = timedelta(0)

    @cached_property
    def clock(self) -> ports.Clock:
        return lambda: datetime.now(UTC) + self.later


class Journey:
    """`seen[table]`: each row of the journey's tenants, as it was at each look."""

    def __init__(self, outside: AzureAtAnyTime, control: ControlClient, places: Places) -> None:
        self.seen: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.files: dict[str, bytes] = {}
        self.tenants: set[str] = set()
        self._unclaimed: dict[str, OneTimeCode] = {}
        self._outside, self._control, self._places = outside, control, places
        self.services = Services(outside._settings, outside)
        self._scene = SimulatedScene(outside, control)
        self._scene.put(FakeFlow(name=FLOW, inputs=(variable("subject"),)))

    def look(self) -> None:
        for table, rows in self.seen.items():
            rows += [row for row in self._places.rows(table) if row["PartitionKey"] in self.tenants]

    def _saw(self, table: str, column: str) -> bool:
        return any(column in row for row in self.seen[table])

    def found(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for table, rows in self.seen.items():
            for row in rows:
                yield table, row

    async def walk(self) -> None:
        alice, carol, dave = await self._sign_ins()
        await self._connect(alice)
        await self._run_flows(alice)
        await self._connect(dave)
        await self._run_flows(dave)
        await self._change_settings(carol)
        await self._housekeeping(alice)
        await self._rotate_keys(alice)
        await self._disconnect(alice)
        await self._connect(alice)
        await self._refresh_into_the_journal(alice)
        await self._lose_an_answer(alice)
        await self._delete(dave, DeletionScope.USER)
        await self._delete(carol, DeletionScope.TENANT)

    async def _sign_ins(self) -> tuple[Caller, Caller, Caller]:
        tid, domain = str(uuid4()), f"{uuid4().hex}.example.com"
        admin = {"roles": ["FlowRunner.Admin"]}
        alice = await self._sign_in("microsoft", tid=tid, oid=str(uuid4()))
        carol = await self._sign_in("microsoft", tid=tid, oid=str(uuid4()), overrides=admin)
        dave = await self._sign_in("google", hd=domain, sub=str(uuid4().int)[:21])
        assert carol.is_admin
        self.tenants |= {alice.tenant, dave.tenant}
        self.look()
        return alice, carol, dave

    async def _sign_in(self, provider: Provider, **whom: object) -> Caller:
        simulator = {"microsoft": "entra", "google": "google"}[provider]
        token = self._control.post(f"/_sim/{simulator}/token", whom)["token"]
        return (await self.services.sign_in(provider, Secret(token))).caller

    async def _connect(self, caller: Caller) -> None:
        """All the way, with a look at each stop; a second way is left at its parked grant."""
        completions = [await self._consented(caller) for _ in range(2)]
        self.look()
        await self.services.complete_connection(caller, completions[0])
        self._unclaimed[caller.user] = completions[1]
        self.look()

    async def _consented(self, caller: Caller) -> OneTimeCode:
        services = self.services
        ticket = await services.begin_connection(caller, None, None)
        self.look()
        departure = await services.start_connection(ticket)
        self.look()
        back = self._scene.approve(departure.authorize_url, "alice")
        arrival = await services.finish_connection(
            OneTimeCode.parse(back.state), back.code, departure.browser_nonce
        )
        assert arrival.completion is not None, arrival.failure
        return arrival.completion

    async def _run_flows(self, caller: Caller) -> None:
        for key in (None, "the user's own key"):
            asked = Invocation(
                flow=FlowName.parse(FLOW),
                org=None,
                email={"subject": "canary@example.com"},
                inputs={},
                idempotency_key=key,
            )
            await self.services.invoke_flow(caller, asked)
        self.look()

    async def _change_settings(self, carol: Caller) -> None:
        before = await self.services.read_settings(carol)
        wanted = TenantSettings(retention_days=90)
        await self.services.change_settings(carol, wanted, revision=before.revision)
        self.look()

    async def _rotate_keys(self, alice: Caller) -> None:
        """A data key of some minutes ago; when all is sealed by it, the older one is retired."""
        self._outside.later -= SETTLING
        await self._outside.vault.add_key(alice.tenant, by=None)
        self._outside.later += SETTLING
        for _ in range(5):
            await self.services.rotate_keys()
            if any(key.retired_at for key in await self._outside.tenant_keys.all(alice.tenant)):
                self.look()
                return
        raise AssertionError("the older key is not retired")

    async def _housekeeping(self, alice: Caller) -> None:
        await self.services.clean_up()
        await self.services.back_up_tenants()
        until = self._outside.clock() + timedelta(minutes=1)
        lease = await self._outside.leases.take(
            alice.tenant, "journey", holder=uuid4().hex, until=until
        )
        assert lease is not None
        self.look()
        await self._outside.leases.release(lease)
        await self._collect_files()

    async def _collect_files(self) -> None:
        for tenant in self.tenants:
            for prefix in (f"{tenant}/", f"deletions/{tenant}/", f"journal/{tenant}/"):
                for name in await self._outside.backups.names(prefix):
                    self.files[name] = await self._outside.backups.get(name) or b""

    async def _disconnect(self, alice: Caller) -> None:
        """While the org is down, which also keeps the grant that nobody claimed."""
        (connected,) = await self.services.list_connections(alice)
        self._scene.unavailable(REVOKE)
        await self.services.disconnect(alice, connected.connection.org)
        self.look()
        self._scene.unavailable(REVOKE)
        stranger = replace(alice, user=UserId(f"u-{'z' * 26}"))
        with suppress(CompletionNotYoursError):
            await self.services.complete_connection(stranger, self._unclaimed[alice.user])
        self.look()
        for _ in range(2):
            self._scene.unavailable(REVOKE)
        self._outside.later += _EXPIRED
        await self.services.work_off_revocations()
        self.look()
        self._control.clear_faults()
        self._outside.later -= _EXPIRED

    async def _refresh_into_the_journal(self, alice: Caller) -> None:
        """Looks in the middle of it, until its lease is seen; then the table takes nothing."""
        self._scene.expire_access_tokens("alice")
        self._scene.refresh_takes(_REFRESH_SECONDS)
        refreshing = asyncio.create_task(self.services.list_flows(alice, None))
        while not refreshing.done() and not self._saw("connections", "lease_holder"):
            await asyncio.to_thread(self.look)
        away = {"target": "tables", "match": _A_CONNECTION, "fault": "status", "value": 503}
        self._control.post("/_sim/faults", {**away, "times": 99})
        await refreshing
        self._control.clear_faults()
        self._scene.refresh_takes(0)
        await self._collect_files()
        self._outside.later += _LAPSED
        await self.services.work_off_revocations()
        self._outside.later -= _LAPSED
        assert await self._outside.backups.names(f"journal/{alice.tenant}/") == []

    async def _lose_an_answer(self, alice: Caller) -> None:
        """After the rotation: the grant is in nobody's hands, and has ended."""
        self._scene.expire_access_tokens("alice")
        self._scene.answer_lost(TOKEN)
        try:
            await self.services.list_flows(alice, None)
        except FlowRunnerError:
            self.look()
        else:
            raise AssertionError("the grant is lost, and serves")

    async def _delete(self, caller: Caller, scope: DeletionScope) -> None:
        """Asked, confirmed, held up once by an org that does not answer, and carried out."""
        asked = await self.services.request_deletion(caller, scope)
        self.look()
        self._scene.unavailable(REVOKE)
        deletion = await self.services.confirm_deletion(
            caller, asked.deletion.id, asked.confirmation_code
        )
        self.look()
        for _ in range(20):
            current = await self._outside.deletions.load(caller.tenant, deletion.id)
            assert current is not None
            if current.state is DeletionState.RECEIPTED:
                await self._collect_files()
                return
            await self.services.carry_out_deletion(current)
            self.look()
            self._outside.later += timedelta(seconds=30)
        raise AssertionError("the deletion does not end")
