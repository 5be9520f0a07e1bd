"""The racing processes as the harness sees them: one program that forks them all."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from bench.race.messages import Prepare, Race, Ran
from local.child import ROOT
from local.stack_info import StackInfo
from tests.attacks.worker_settings import identity_environment

_SECONDS: Final = 90.0
"""More than the deadline of a caller: whoever answers later is stuck."""
_INHERITED: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")
_LONGEST_LINE: Final = 2**20


class Processes:
    """`prepare`, then `race`; for all of them, or for the one with that number."""

    def __init__(self, program: asyncio.subprocess.Process) -> None:
        assert program.stdin is not None
        assert program.stdout is not None
        self._orders, self._answers = program.stdin, program.stdout

    async def prepare(self, order: Prepare) -> None:
        await self._ask("all", order.as_line())

    async def race(self, order: Race, *, only: int | None = None) -> list[Ran]:
        """What each of them did. Those that have died answer nothing, and are left out."""
        told = await self._ask("all" if only is None else str(only), order.as_line())
        return [Ran.of(fields) for fields in told if fields is not None]

    async def _ask(self, whom: str, line: str) -> Sequence[Mapping[str, Any] | None]:
        self._orders.write(f"{whom} {line}".encode())
        answer = await asyncio.wait_for(self._answers.readline(), _SECONDS)
        told: Sequence[Mapping[str, Any] | None] = json.loads(answer)
        return told


@asynccontextmanager
async def processes(info: StackInfo, count: int) -> AsyncIterator[Processes]:
    """So many, until the end; then they are gone, whatever they are doing."""
    environment = {key: os.environ[key] for key in _INHERITED if key in os.environ}
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.race.racing", str(info.data / "stack.json"), str(count)),
        stdin=pipe,
        stdout=pipe,
        limit=_LONGEST_LINE,
        cwd=ROOT,
        env=environment | identity_environment(info),
    )
    try:
        yield Processes(program)
        assert program.stdin is not None
        program.stdin.close()
        await asyncio.wait_for(program.wait(), _SECONDS)
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
