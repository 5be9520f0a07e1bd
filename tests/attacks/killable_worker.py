"""`python -m tests.attacks.killable_worker STACK_JSON`: workers that die when told to.

Everything is imported once. Each line of the standard input is an `Order` as JSON, for which a
child is forked, before any loop or connection exists: it does its one piece of work, and kills
itself (SIGKILL) before or after the request that it was told. One line of JSON answers each order:
how it ended, and what it told until then: its requests, in order, and its result.
"""

import asyncio
import json
import os
import sys
import traceback
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

# Imported here, and not at first use as `shared.outside` does: the children are forked after it.
import azure.identity.aio  # noqa: F401 - as said above

import shared.azure_transport
import shared.crypto.key_vault
import shared.crypto.pseudonyms
import shared.crypto.signing
import shared.crypto.tenant_vault
import shared.salesforce.flows
import shared.salesforce.oauth
import shared.storage.backups
import shared.storage.connections
import shared.storage.erasure
import shared.storage.gates
import shared.storage.leases
import shared.storage.outbox
import shared.storage.pending
import shared.storage.runs
import shared.storage.sealed_values
import shared.storage.sweeper
import shared.storage.tenant_keys
import shared.storage.tenants
import shared.storage.users  # noqa: F401 - as said above
from local.stack_info import StackInfo
from shared.services import Services
from tests.attacks.killable_works import WORKS, KillableAzure
from tests.attacks.orders import Order
from tests.attacks.outgoing import Outgoing
from tests.attacks.worker_settings import settings_on


async def _work(info: StackInfo, order: Order, told: int) -> None:
    network = Outgoing(info, told, order.kill).network()
    outside = KillableAzure(settings_on(info), network)
    outside.ahead = timedelta(seconds=order.ahead)
    result = await WORKS[order.work](outside, Services(outside._settings, outside), order.each)
    await outside.close()
    os.write(told, f"result\t{json.dumps(result)}\n".encode())


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
        said = lines.read().decode().splitlines()
    _, status = os.waitpid(child, 0)
    return {"exit": os.waitstatus_to_exitcode(status), "lines": said}


def main() -> None:
    info = StackInfo.load(Path(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(_carried_out(info, Order.parse(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
