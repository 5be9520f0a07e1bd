"""Servers as processes on a core of their own, and what they have cost."""

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.child import Child

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_INHERITED: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")
# Of /proc/PID/stat, after the name in brackets: utime, stime, cutime, cstime (proc(5)).
_TIMES: Final = slice(11, 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Which processors are for whom: the server that is measured has one of its own."""

    server: frozenset[int]
    others: frozenset[int]

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """The first that we may use, and the next. With one alone, everybody shares it."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(server=frozenset(usable[:1]), others=frozenset(usable[1:2] or usable))


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """What is started meanwhile runs there, and so do its own children."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Server(Child):
    """A process whose time on the processor can be read."""

    def cpu_seconds(self) -> float:
        """Of the process, its children, and those that they have waited for."""
        return sum(_ticks(pid) for pid in _family(self._process.pid)) / _TICKS

    def signal(self, number: signal.Signals) -> None:
        """To the program itself, which the leash has started."""
        os.kill(list(_family(self._process.pid))[1], number)


def start(
    name: str, command: Sequence[str], environment: Mapping[str, str], *, logs: Path
) -> Server:
    """With nothing of this process's environment but what every program wants."""
    inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
    return Server(
        name,
        command,
        environment={**inherited, **environment},
        log=logs / f"{name.replace(' ', '_')}.log",
    )


def python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _family(pid: int) -> Iterator[int]:
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in tasks.read_text().split():
            yield from _family(int(child))


def _ticks(pid: int) -> int:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in after_name[_TIMES])
