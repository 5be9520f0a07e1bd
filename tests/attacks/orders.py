"""Orders to workers that die when told to, and what came of each: the starter's side of
`tests.attacks.killable_worker`."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple, Self

from local.child import ROOT
from local.stack_info import StackInfo
from tests.attacks.outgoing import Kill, Moment

SECONDS: Final = 60.0

_PATIENCE: Final = 300.0  # a worker may have to do its work for many

type Json = Any  # what json.loads answers: whoever reads it knows its shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    work: str
    """A name in `killable_works.WORKS`."""
    each: Sequence[Mapping[str, str]] = ()
    """The arguments of the work, once for everybody for whom it is done."""
    kill: Kill | None = None
    ahead: float = 0
    """How many seconds the worker's clock is ahead."""

    def as_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        fields = json.loads(line)
        if fields["kill"] is not None:
            fields["kill"] = Kill(**fields["kill"])
        return cls(**fields)


class Told(NamedTuple):
    """A request left, or was answered."""

    moment: Moment
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a worker ended. `result` is what it had to say, if it came to that."""

    code: int
    requests: tuple[Told, ...]
    result: Json

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def answered(self) -> list[str]:
        """Whose answers it had, in order."""
        return [step for moment, step in self.requests if moment == "after"]

    @classmethod
    def of(cls, code: int, lines: list[str]) -> Self:
        told = [line.split("\t", 1) for line in lines]
        results = [json.loads(text) for kind, text in told if kind == "result"]
        return cls(
            code=code,
            requests=tuple(
                Told("before" if kind == "before" else "after", text)
                for kind, text in told
                if kind != "result"
            ),
            result=results[-1] if results else None,
        )


class Workers:
    """One process that forks a worker for each order, one after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._answers = process.stdin, process.stdout

    async def work(self, order: Order) -> Ended:
        self._orders.write(order.as_line().encode())
        line = await asyncio.wait_for(self._answers.readline(), _PATIENCE)
        told = json.loads(line)
        return Ended.of(told["exit"], told["lines"])


@asynccontextmanager
async def workers(info: StackInfo) -> AsyncIterator[Workers]:
    """A process of its own, gone at the end."""
    command = [sys.executable, "-m", "tests.attacks.killable_worker", str(info.data / "stack.json")]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, limit=2**20, cwd=ROOT
    )
    try:
        yield Workers(process)
    finally:
        process.kill()
        await process.wait()
