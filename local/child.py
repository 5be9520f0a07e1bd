"""One process of the stack: started on a leash, its output in a log file, ended by its own id."""

import contextlib
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
_LEASH: Final = Path(__file__).parent / "leash.py"
_LAST_LINES: Final = 15
_STOP_SECONDS: Final = 10  # more than the leash's grace


class Child:
    """A running process. `stop_signal` is the one it ends on in good order."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        stop_signal: str = "SIGTERM",
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LEASH), stop_signal, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=ROOT,
                start_new_session=True,  # Ctrl-C is for the starter, which ends us in order
            )

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Let go of the leash, and wait until the process has ended."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait(_STOP_SECONDS)

    def last_lines(self) -> str:
        """The end of its log, for a person who wants to know why it ended."""
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            return "".join(deque(lines, _LAST_LINES)).rstrip()
