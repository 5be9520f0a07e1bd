"""`python -m bench.race.racing STACK_JSON PROCESSES`: the processes of a race.

Everything is imported once, and each process is forked before any loop or connection exists. Each
has its own `Services` over its own adapters, as an instance of the service has; they know of each
other only what is stored. Each line of the standard input is an order for all of them at once
(`bench/race/messages.py`), prefixed by whom it is for; a line of JSON answers it, with what each
of them did: null from those that were not asked, or are dead.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Final, NoReturn, TextIO

# Imported here, and not at first use as `shared.outside` does: the processes are forked after it.
import shared.azure_transport
import shared.crypto.key_vault
import shared.crypto.tenant_vault
import shared.storage.connections
import shared.storage.tenant_keys
import shared.storage.tenants  # noqa: F401 - as said above
from bench.race.messages import SUCCEEDED, Call, Prepare, Race, Ran, order_of
from bench.race.watched import Watch, WatchedAzure, watching
from local.stack_info import StackInfo
from shared.model import Caller
from shared.services import Services
from tests.attacks.worker_settings import settings_on

_DEADLINE: Final = 60.0
"""Seconds. Longer than the service lets a caller wait: whoever is still there is stuck."""


class Racer:
    """One process of the service."""

    def __init__(self, info: StackInfo) -> None:
        self._info = info
        self._ahead = 0.0
        self._started_anew()

    def _started_anew(self) -> None:
        self._azure = WatchedAzure(self._info, ahead=self._ahead)
        self._azure.count_store_calls()
        self._services = Services(settings_on(self._info), self._azure)

    async def close(self) -> None:
        await self._azure.close()

    async def prepare(self, order: Prepare) -> None:
        if order.caches == "new" or order.ahead != self._ahead:
            await self.close()
            self._ahead = order.ahead
            self._started_anew()
        elif order.caches == "emptied":
            self._services = Services(settings_on(self._info), self._azure)

    async def race(self, order: Race) -> Ran:
        azure, login = self._azure, self._azure.login
        login.before_redeeming = _die if order.killed else None
        before = (login.redemptions, azure.store_calls)
        await asyncio.sleep(order.start - monotonic())
        started = monotonic()
        calls = await asyncio.gather(*(self._call(order) for _ in range(order.callers)))
        return Ran(
            calls=calls,
            redemptions=login.redemptions - before[0],
            store_calls=azure.store_calls - before[1],
            started=started,
            ended=monotonic(),
        )

    async def _call(self, order: Race) -> Call:
        watch = Watch()
        watching.set(watch)  # each caller is a task, and has a context of its own
        caller = Caller(
            tenant=order.tenant,
            user=order.user,
            provider="microsoft",
            is_admin=False,
            signed_in_at=datetime.now(UTC),
        )
        try:
            async with asyncio.timeout(_DEADLINE):
                await self._services.list_flows(caller, order.org)
            outcome = SUCCEEDED
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is counted
            outcome = str(getattr(exc, "code", type(exc).__name__))
        return Call(outcome=outcome, waited=watch.waited, redeemed=watch.redeemed)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def _work(orders: TextIO, answers: TextIO, info: StackInfo) -> None:
    racer = Racer(info)
    # In a thread, so that connections which the other side closes meanwhile are seen to be closed.
    while line := await asyncio.to_thread(orders.readline):
        order = order_of(line)
        if isinstance(order, Prepare):
            await racer.prepare(order)
            print("null", file=answers, flush=True)
        else:
            answers.write((await racer.race(order)).as_line())
            answers.flush()
    await racer.close()


class Process:
    """A forked one, as its parent sees it."""

    def __init__(self, info: StackInfo, others: Sequence["Process"]) -> None:
        orders, to_child = os.pipe()
        from_child, answers = os.pipe()
        self.ends: tuple[int, int] = (to_child, from_child)
        self.id = os.fork()
        if self.id == 0:
            for end in chain(self.ends, *(other.ends for other in others)):
                os.close(end)  # with those of its parent, it would not see the end of its orders
            _child(os.fdopen(orders), os.fdopen(answers, "w"), info)
        os.close(orders)
        os.close(answers)
        self._orders, self._answers = os.fdopen(to_child, "w"), os.fdopen(from_child)
        self._is_dead = False

    def tell(self, line: str) -> None:
        if not self._is_dead:
            print(line, file=self._orders, flush=True)

    def answer(self) -> object:
        """None from a process that has died."""
        line = "" if self._is_dead else self._answers.readline()
        self._is_dead = not line
        return json.loads(line) if line else None

    def end(self) -> None:
        self._orders.close()
        os.waitpid(self.id, 0)
        self._answers.close()


def _child(orders: TextIO, answers: TextIO, info: StackInfo) -> NoReturn:
    code = 1
    try:
        asyncio.run(_work(orders, answers, info))
        code = 0
    except BaseException:  # noqa: BLE001 - it must not return into the parent's loop
        traceback.print_exc()
    os._exit(code)


def main(arguments: Sequence[str]) -> None:
    info = StackInfo.load(Path(arguments[0]))
    processes: list[Process] = []
    for _ in range(int(arguments[1])):
        processes.append(Process(info, processes))
    for line in sys.stdin:
        whom, _, order = line.rstrip("\n").partition(" ")
        asked = processes if whom == "all" else [processes[int(whom)]]
        for process in asked:
            process.tell(order)
        answers = [process.answer() if process in asked else None for process in processes]
        print(json.dumps(answers), flush=True)
    for process in processes:
        process.end()


if __name__ == "__main__":
    main(sys.argv[1:])
