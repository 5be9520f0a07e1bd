"""`python -m tests.attacks.killable_worker STACK_JSON`: deletion workers that die when told to.

Everything is imported once. Each line of the standard input is an `Order` as JSON, for which a
child is forked, before any loop or connection exists: it does what the worker does in three
minutes, and kills itself (SIGKILL) when so many outgoing requests have been answered. One line of
JSON answers each order: how it ended, and which requests were answered, in order.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final, NoReturn, Self

import aiohttp

# Imported here, and not at first use as `shared.outside` does: the children are forked after it.
import shared.azure_transport
import shared.crypto.key_vault
import shared.crypto.signing
import shared.crypto.tenant_vault
import shared.salesforce.oauth
import shared.storage.backups
import shared.storage.connections
import shared.storage.erasure
import shared.storage.gates
import shared.storage.leases
import shared.storage.pending
import shared.storage.tenant_keys
import shared.storage.tenants
import shared.storage.users  # noqa: F401 - as said above
from local import scene
from local.network import pinned_network
from local.stack_info import StackInfo
from shared import ports
from shared.model import Deletion
from shared.outside import Azure
from shared.services import Services
from shared.storage.deletions import TableDeletionStore
from tests.attacks.worker_settings import settings_on

_MINUTES: Final = 3
"""More than an undisturbed deletion takes: two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    only: str | None
    """The id of the one deletion that is worked on; None: all."""
    kill_after: int | None
    """So many requests; None: not at all."""
    ahead: float
    """How many seconds the worker's clock is ahead."""

    def as_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        return cls(**json.loads(line))


class ShiftedAzure(Azure):
    """The adapters as deployed, with a clock that can be moved, so that nothing has to sleep."""

    ahead = timedelta()

    @cached_property
    def clock(self) -> ports.Clock:
        return lambda: datetime.now(UTC) + self.ahead


class _OneDeletion(TableDeletionStore):
    """Several workers are tested at once: each sees its own deletion alone."""

    only: str | None = None

    async def open_ones(self) -> Sequence[Deletion]:
        found = await super().open_ones()
        return [one for one in found if self.only in (None, one.id)]


class _Worker(ShiftedAzure):
    only: str | None = None

    @cached_property
    def deletions(self) -> ports.DeletionStore:
        store = _OneDeletion(self._tables)
        store.only = self.only
        return store


def kind_of(info: StackInfo, host: str, port: int | None) -> str:
    """Which of the dependencies answers there."""
    ports_of = {
        int(url.rpartition(":")[2].partition("/")[0]): kind
        for kind, url in (
            ("store", info.tables),
            ("blob", info.blobs),
            ("identity", info.identity_endpoint),
        )
    }
    if host == "127.0.0.1":
        return ports_of[port or 0]
    return {scene.KEY_VAULT_HOST: "key vault"}.get(host, "salesforce")


def watched(
    session: aiohttp.ClientSession, answered: Callable[[aiohttp.TraceRequestEndParams], None]
) -> None:
    """From now on each request of the session that was answered is told."""

    async def tell(_: object, __: object, params: aiohttp.TraceRequestEndParams) -> None:
        answered(params)

    tracing = aiohttp.TraceConfig()
    tracing.on_request_end.append(tell)
    tracing.freeze()
    session.trace_configs.append(tracing)


async def _work(info: StackInfo, order: Order, told: int) -> None:
    network = pinned_network(info)
    outside = _Worker(settings_on(info), network)
    outside.only = order.only
    answers = 0

    def answered(params: aiohttp.TraceRequestEndParams) -> None:
        nonlocal answers
        answers += 1
        kind = kind_of(info, params.url.host or "", params.url.port)
        os.write(told, f"{kind}\n".encode())
        if answers == order.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    watched(network.session(), answered)
    services = Services(outside._settings, outside)
    for minute in range(_MINUTES):
        outside.ahead = timedelta(seconds=order.ahead, minutes=minute)
        await services.work_off_deletions()
    await outside.close()


def _child(info: StackInfo, order: Order, told: int) -> NoReturn:
    code = 1
    try:
        asyncio.run(_work(info, order, told))
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it is: it must not return into the parent's loop
        traceback.print_exc()
    os._exit(code)


def _carried_out(info: StackInfo, order: Order) -> dict[str, object]:
    reading, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(info, order, told)
    os.close(told)
    with os.fdopen(reading, "rb") as lines:
        answered = lines.read().decode().splitlines()
    _, status = os.waitpid(child, 0)
    return {"exit": os.waitstatus_to_exitcode(status), "answered": answered}


def main() -> None:
    info = StackInfo.load(Path(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(_carried_out(info, Order.parse(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
