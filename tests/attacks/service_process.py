"""A process of the service, looked at from outside: its memory, and its sudden end. As on the
platform that the service is deployed to, this is Linux, with /proc."""

import os
import signal
import time
from pathlib import Path
from typing import Final, Self

from local.stack_info import StackInfo

_PROCESSES: Final = Path("/proc")
_STACK_FILE: Final = "FLOWRUNNER_LOCAL_STACK"
_SERVICE: Final = (b"-m", b"local.serve")
_RESET_PEAK: Final = "5"  # proc(5), clear_refs
_END_SECONDS: Final = 10.0
_KIB: Final = 1024


class ServiceProcess:
    """`python -m local.serve`, found by the file with the addresses that it was started with."""

    def __init__(self, pid: int) -> None:
        self._folder = _PROCESSES / str(pid)
        self._pid = pid

    @classmethod
    def of(cls, stack_file: Path) -> Self:
        wanted = f"{_STACK_FILE}={stack_file}".encode()
        (pid,) = (
            int(folder.name)
            for folder in _PROCESSES.iterdir()
            if folder.name.isdecimal() and _is_service(folder) and wanted in _environment(folder)
        )
        return cls(pid)

    @classmethod
    def of_stack(cls, stack: StackInfo) -> Self:
        """The stack's own."""
        return cls.of(stack.data / "stack.json")

    def forget_peak(self) -> None:
        (self._folder / "clear_refs").write_text(_RESET_PEAK)

    def peak_bytes(self) -> int:
        """The most memory that it had at once, of its own and shared, since it was forgotten."""
        return self._status("VmHWM")

    def resident_bytes(self) -> int:
        return self._status("VmRSS")

    def kill(self) -> None:
        """SIGKILL, and it is gone on return."""
        os.kill(self._pid, signal.SIGKILL)
        until = time.monotonic() + _END_SECONDS
        while _is_service(self._folder):
            assert time.monotonic() < until, "it lives on"
            time.sleep(0.01)

    def _status(self, name: str) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        (found,) = (line.split() for line in lines if line.startswith(f"{name}:"))
        return int(found[1]) * _KIB


def _is_service(folder: Path) -> bool:
    """Not the leash, whose command line names the service's as well. A dead one has none left."""
    try:
        words = (folder / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return tuple(words[1:3]) == _SERVICE


def _environment(folder: Path) -> list[bytes]:
    try:
        return (folder / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
