"""What a worker that may be killed can be told to do: one piece of the service's work each."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from shared import ports
from shared.errors import FlowRunnerError
from shared.model import Caller, Deletion, FlowName, OneTimeCode, OrgId, TenantId, UserId
from shared.secret import Secret
from shared.services import Services
from shared.storage.deletions import TableDeletionStore
from shared.storage.tenants import TableTenantStore
from shared.usecases.finish_connection import Arrival
from shared.usecases.invoke_flow import Invocation
from tests.attacks.shifted_azure import ShiftedAzure

type Json = Any
type Arguments = Mapping[str, str]

_AT_A_TIME: Final = 4
_MINUTES: Final = 3
"""More than an undisturbed deletion takes: two."""


class _SomeDeletions(TableDeletionStore):
    only: AbstractSet[str] = frozenset()

    async def open_ones(self) -> Sequence[Deletion]:
        found = await super().open_ones()
        return [one for one in found if not self.only or one.id in self.only]


class _SomeTenants(TableTenantStore):
    only: AbstractSet[str] = frozenset()

    async def ids(self) -> Sequence[TenantId]:
        return [one for one in await super().ids() if one in self.only]


class KillableAzure(ShiftedAzure):
    """Several workers are tested at once: each timer sees some deletions, or tenants, alone."""

    only: AbstractSet[str] = frozenset()

    @cached_property
    def deletions(self) -> ports.DeletionStore:
        store = _SomeDeletions(self._tables)
        store.only = self.only
        return store

    @cached_property
    def tenants(self) -> ports.TenantStore:
        store = _SomeTenants(self._tables)
        store.only = self.only
        return store


type Work = Callable[[KillableAzure, Services, Sequence[Arguments]], Awaitable[Json]]
"""Done for somebody, or for several; the result is one of each."""

type _One = Callable[[Services, Caller, Arguments], Awaitable[Json]]
type _Timer = Callable[[Services], Awaitable[None]]


# --- what users do ---


async def call(services: Services, caller: Caller, of: Arguments) -> Json:
    """The user asks the org for something."""
    flows = await services.list_flows(caller, OrgId.parse(of["org"]))
    return {"flows": len(flows)}


async def invoke(services: Services, caller: Caller, of: Arguments) -> Json:
    """The user runs a Flow that takes the subject of a mail, with a key of their own."""
    run, result = await services.invoke_flow(
        caller,
        Invocation(
            flow=FlowName.parse(of["flow"]),
            org=OrgId.parse(of["org"]),
            email={"subject": of["subject"]},
            inputs={},
            idempotency_key=of["key"],
        ),
    )
    return {"run_id": run.id, "status": result.status}


async def callback(services: Services, caller: Caller, of: Arguments) -> Json:
    """The browser comes back from Salesforce, and the pane claims what it brings."""
    arrival = await _arrival(services, of)
    assert arrival.completion is not None
    await services.complete_connection(caller, arrival.completion)


async def abandoned_callback(services: Services, _: Caller, of: Arguments) -> Json:
    """The browser comes back from Salesforce, and nobody claims what it brings."""
    await _arrival(services, of)


async def disconnect(services: Services, caller: Caller, of: Arguments) -> Json:
    await services.disconnect(caller, OrgId.parse(of["org"]))


async def _arrival(services: Services, of: Arguments) -> Arrival:
    arrival = await services.finish_connection(
        OneTimeCode.parse(of["state"]), Secret(of["code"]), Secret(of["nonce"])
    )
    if arrival.failure is not None:
        raise arrival.failure
    return arrival


# --- what timers do ---


async def deletions(outside: KillableAzure, services: Services, each: Sequence[Arguments]) -> Json:
    """The worker of three minutes, for some deletions or, without any, for all."""
    outside.only = {of["id"] for of in each}
    began = outside.ahead
    for minute in range(_MINUTES):
        outside.ahead = began + timedelta(minutes=minute)
        await services.work_off_deletions()


async def timers(outside: KillableAzure, services: Services, each: Sequence[Arguments]) -> Json:
    """Every timer that has to do with grants, twice: what one leaves for another is done then."""
    outside.only = {of["tenant"] for of in each}
    began = outside.ahead
    for hour in range(2):
        outside.ahead = began + timedelta(hours=hour)
        for timer in TIMERS.values():
            await timer(services)


async def key_rotation(
    outside: KillableAzure, services: Services, each: Sequence[Arguments]
) -> Json:
    """The hourly runs that a rotation takes; and the one after the backups have gone."""
    outside.only = {of["tenant"] for of in each}
    began = outside.ahead
    for after in (*(timedelta(hours=hour) for hour in range(3)), timedelta(days=33)):
        outside.ahead = began + after
        await services.rotate_keys()


TIMERS: Final[Mapping[str, _Timer]] = {
    "clean_up": lambda services: services.clean_up(),
    "work_off_revocations": lambda services: services.work_off_revocations(),
    "keep_alive": lambda services: services.keep_alive(),
    "rotate_keys": lambda services: services.rotate_keys(),
}


# --- what a worker is told ---


def _by_users(one: _One) -> Work:
    """A refusal is a result as well, in the words of the contract."""

    async def work(outside: KillableAzure, services: Services, each: Sequence[Arguments]) -> Json:
        running = asyncio.Semaphore(_AT_A_TIME)

        async def told(of: Arguments) -> Json:
            async with running:
                try:
                    return await one(services, _caller(outside, of), of)
                except FlowRunnerError as refusal:
                    return {"refused": refusal.code, **refusal.members()}

        return await asyncio.gather(*(told(of) for of in each))

    return work


def _by_a_timer(timer: _Timer) -> Work:
    async def work(outside: KillableAzure, services: Services, each: Sequence[Arguments]) -> Json:
        outside.only = {of["tenant"] for of in each}
        await timer(services)
        return [None for _ in each]

    return work


def _caller(outside: KillableAzure, of: Arguments) -> Caller:
    return Caller(
        tenant=TenantId.parse(of["tenant"]),
        user=UserId.parse(of["user"]),
        provider="microsoft",
        is_admin=True,
        signed_in_at=outside.clock(),
    )


WORKS: Final[Mapping[str, Work]] = {
    **{
        one.__name__: _by_users(one)
        for one in (call, invoke, callback, abandoned_callback, disconnect)
    },
    **{name: _by_a_timer(timer) for name, timer in TIMERS.items()},
    **{work.__name__: work for work in (deletions, key_rotation, timers)},
}
