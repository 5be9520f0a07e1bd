"""`python -m tests.attacks.key_set_workers WORKERS PORT CA_FILE`: processes that verify tokens.

Everything is imported once, and a child is forked for each worker, before any loop or connection
exists. Each has its own `KeySets` and Microsoft's policy, as an instance of the service has. Each
line of the standard input is an `Order` as JSON for all workers at once; a line of JSON answers
it, with what each of them saw.
"""

import asyncio
import json
import os
import ssl
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Final, Self, TextIO
from uuid import uuid4

from local import scene
from local.network import pinned
from shared.errors import FlowRunnerError
from shared.identity.key_sets import KeySets
from shared.identity.microsoft import MicrosoftPolicy
from shared.network import Network
from shared.secret import Secret
from tests.identity.tokens import NOON, header, part

_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    ahead: float
    """Where the workers' clocks are to stand, in seconds after the first order."""
    invented: int
    """So many tokens with invented key ids, each worker."""
    good: str
    """A good token, which is shown once beside every fifty of those."""

    def as_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        return cls(**json.loads(line))


class _Worker:
    def __init__(self, port: int, ca_file: str) -> None:
        self._now = 0.0
        tls = ssl.create_default_context(cafile=ca_file)
        network = Network(tls=tls, resolve=pinned({scene.ENTRA_HOST: port}))
        self._policy = MicrosoftPolicy(
            KeySets(network, clock=lambda: self._now),
            audience=scene.ENTRA_API_CLIENT_ID,
            addin_clients=frozenset({scene.ENTRA_ADDIN_CLIENT_ID}),
            accept_v1=False,
            clock=lambda: NOON,
        )

    async def carry_out(self, order: Order) -> dict[str, Any]:
        self._now = order.ahead
        invented, good = Counter[str](), Counter[str]()
        slowest = 0.0
        rest = order.good.partition(".")[2]
        for first in range(0, order.invented, _AT_ONCE):
            number = min(_AT_ONCE, order.invented - first)
            forged = [f"{part(header(kid=uuid4().hex))}.{rest}" for _ in range(number)]
            began = perf_counter()
            *codes, code = await asyncio.gather(*map(self._code, [*forged, order.good]))
            slowest = max(slowest, perf_counter() - began)
            invented.update(codes)
            good[code] += 1
        return {"invented": invented, "good": good, "slowest": slowest}

    async def _code(self, token: str) -> str:
        try:
            await self._policy.verify(Secret(token))
        except FlowRunnerError as exc:
            return exc.code
        return "accepted"


async def _work(orders: TextIO, answers: TextIO, worker: _Worker) -> None:
    for line in orders:  # nothing else runs between two orders
        print(json.dumps(await worker.carry_out(Order.parse(line))), file=answers, flush=True)


def _forked(port: int, ca_file: str) -> tuple[TextIO, TextIO, int]:
    """Where to write orders, where to read answers, and the child's id."""
    orders, to_child = os.pipe()
    from_child, answers = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(to_child)
        os.close(from_child)
        code = 1
        try:
            asyncio.run(_work(os.fdopen(orders), os.fdopen(answers, "w"), _Worker(port, ca_file)))
            code = 0
        except BaseException:  # noqa: BLE001 - it must not return into the parent's loop
            traceback.print_exc()
        os._exit(code)
    os.close(orders)
    os.close(answers)
    return os.fdopen(to_child, "w"), os.fdopen(from_child), child


def main(arguments: Sequence[str]) -> None:
    workers, port, ca_file = int(arguments[0]), int(arguments[1]), arguments[2]
    children = [_forked(port, ca_file) for _ in range(workers)]
    for line in sys.stdin:
        for orders, _, _ in children:
            print(line, end="", file=orders, flush=True)
        seen = [json.loads(answers.readline()) for _, answers, _ in children]
        print(json.dumps(seen), flush=True)  # noqa: T201 - the answer
    for orders, answers, _ in children:
        orders.close()
        answers.close()
    for _, _, child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
