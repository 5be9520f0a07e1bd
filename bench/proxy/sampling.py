"""Where a process spends its time on the processor, by samples of what it is doing.

A profiler that counts calls makes the small ones dear, and mixes threads. Here the kernel
interrupts every millisecond or few of the process's own time (setitimer(2), ITIMER_PROF), and the
time since the last sample goes to the functions that are running in the main thread; what other
threads have used is told apart.
"""

import json
import signal
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

_EVERY_SECONDS: Final = 0.001
OTHER_THREADS: Final = "other threads"


class Sampler:
    """From `start` to `stop`; both are to be called in the main thread."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.cumulative: Counter[str] = Counter()
        self._main = self._all = 0

    def start(self) -> None:
        self._main, self._all = time.thread_time_ns(), time.process_time_ns()
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def save(self, path: Path) -> None:
        """Nanoseconds by `path:line name`, in one step: a reader never sees half a file."""
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps({"own": self.own, "cumulative": self.cumulative}))
        draft.replace(path)

    def _sample(self, _: int, frame: FrameType | None) -> None:
        main, everything = time.thread_time_ns(), time.process_time_ns()
        mine, all_threads = main - self._main, everything - self._all
        self._main, self._all = main, everything
        self.own[OTHER_THREADS] += max(0, all_threads - mine)
        if frame is None:
            return
        self.own[_name(frame)] += mine
        seen = set()
        running: FrameType | None = frame
        while running is not None:
            seen.add(_name(running))
            running = running.f_back
        for name in seen:
            self.cumulative[name] += mine


def _name(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename}:{code.co_firstlineno} {code.co_qualname}"
