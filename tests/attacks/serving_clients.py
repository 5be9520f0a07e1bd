"""Clients that use a tenant on several instances of the service, and keep count of what failed."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from shared import ports
from shared.model import Caller, FlowName, Health, OneTimeCode, Place
from shared.secret import Secret
from shared.services import Services
from shared.usecases.invoke_flow import Invocation
from tests.contract.salesforce import SimulatedScene
from tests.control_client import ControlClient

FLOW: Final = "Log_Email"


@dataclass(slots=True)
class Tally:
    """How often each thing was done, how often it failed and why, and the slowest, in seconds."""

    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    under_way: dict[int, asyncio.Event] = field(default_factory=dict)
    """What each client is doing now; set when it is over."""

    async def drained(self) -> None:
        """Wait until everything is over that is under way now."""
        for over in list(self.under_way.values()):
            await over.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A user on one instance."""

    caller: Caller
    services: Services
    outside: ports.Outside
    tally: Tally

    async def work(self, until: Callable[[], bool]) -> None:
        works: Mapping[str, Callable[[], Awaitable[None]]] = {
            "seal and open": self.seal_and_open,
            "read": self.read,
            "call the org": self.call,
            "run a Flow": self.run,
            "begin to connect": self.begin,
        }
        while not until():
            name, work = random.choice(list(works.items()))  # noqa: S311 - which is all the same
            self.tally.under_way[id(self)] = over = asyncio.Event()
            began = time.monotonic()
            try:
                await work()
            except Exception as exc:  # noqa: BLE001 - every failure counts
                self.tally.failed[f"{name}: {type(exc).__name__} {exc}"] += 1
            over.set()
            self.tally.done[name] += 1
            self.tally.slowest = max(self.tally.slowest, time.monotonic() - began)
            await asyncio.sleep(2 * random.random())  # noqa: S311 - two cores serve everything

    async def seal_and_open(self) -> None:
        plain = uuid4().bytes
        place = Place(tenant=self.caller.tenant, table="users", row_key=uuid4().hex, column="c")
        sealed = await self.outside.vault.seal(place, plain)
        await asyncio.sleep(random.random())  # noqa: S311 - as between a read and its use
        assert await self.outside.vault.open(place, sealed) == plain

    async def read(self) -> None:
        listed = await self.services.list_connections(self.caller)
        assert [one.health for one in listed] == [Health.ACTIVE]

    async def call(self) -> None:
        assert await self.services.list_flows(self.caller, None)

    async def run(self) -> None:
        asked = Invocation(
            flow=FlowName.parse(FLOW), org=None, email={}, inputs={}, idempotency_key=None
        )
        await self.services.invoke_flow(self.caller, asked)

    async def begin(self) -> None:
        await self.services.begin_connection(self.caller, None, None)


async def connected(
    services: Services, control: ControlClient, scene: SimulatedScene, tid: str, name: str
) -> Caller:
    """Signed in, and connected as the Salesforce user of that name."""
    token = control.post("/_sim/entra/token", {"tid": tid, "oid": str(uuid4())})["token"]
    caller = (await services.sign_in("microsoft", Secret(token))).caller
    ticket = await services.begin_connection(caller, None, None)
    departure = await services.start_connection(ticket)
    back = await asyncio.to_thread(scene.approve, departure.authorize_url, name)
    arrival = await services.finish_connection(
        OneTimeCode.parse(back.state), back.code, departure.browser_nonce
    )
    assert arrival.completion is not None, arrival.failure
    await services.complete_connection(caller, arrival.completion)
    return caller


async def expiring(scene: SimulatedScene, names: Sequence[str], until: Callable[[], bool]) -> int:
    """Each second somebody's access token ends, so that grants are refreshed all the time. It is
    everybody's turn before it is anybody's again: a call may take a while. How many have ended."""
    for ended, name in enumerate(itertools.cycle(names)):
        if until():
            return ended
        await asyncio.to_thread(scene.expire_access_tokens, name)
        await asyncio.sleep(1)
    return 0
