"""A process of the stack ends with whoever started it, in good order if it can."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.child import Child

# Prints its own id, then ends on one of the signals, or ignores it.
OBEDIENT = """
import os, signal, sys, time
def leave(number, frame):
    # Not print: the signal may arrive in the middle of the print below, which refuses a second.
    os.write(1, f"left on {signal.Signals(number).name}\\n".encode())
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
signal.signal(signal.SIGINT, leave)
print(os.getpid(), flush=True)
time.sleep(60)
"""
STUBBORN = OBEDIENT.replace(", leave)", ", signal.SIG_IGN)")

# Starts a child, prints its log's path, and waits to be killed.
STARTER = """
import sys, time
from pathlib import Path
from local.child import Child
child = Child("c", [sys.executable, "-c", sys.argv[1]], environment={}, log=Path(sys.argv[2]))
time.sleep(60)
"""


def started(log: Path, script: str, *, stop_signal: str = "SIGTERM") -> Child:
    command = [sys.executable, "-c", script]
    return Child("child", command, environment={}, log=log, stop_signal=stop_signal)


def first_line(log: Path) -> str:
    """Waits for it: the process writes it when its handlers stand."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if log.exists() and "\n" in log.read_text():
            return log.read_text().splitlines()[0]
        time.sleep(0.01)
    raise TimeoutError(f"{log} stayed empty")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_process_is_ended_by_the_signal_that_it_wants(tmp_path: Path, number: str) -> None:
    child = started(tmp_path / "log", OBEDIENT, stop_signal=number)
    pid = int(first_line(child.log))

    child.stop()

    assert child.last_lines().splitlines()[-1] == f"left on {number}"
    assert not is_running(pid)


def test_a_process_that_ignores_its_signal_is_killed_after_a_grace(tmp_path: Path) -> None:
    child = started(tmp_path / "log", STUBBORN)
    pid = int(first_line(child.log))

    child.stop()

    assert not is_running(pid)


def test_stopping_twice_is_no_error(tmp_path: Path) -> None:
    child = started(tmp_path / "log", OBEDIENT)
    first_line(child.log)

    child.stop()
    child.stop()

    assert child.exit_code() == 0


def test_a_process_that_ends_by_itself_leaves_its_exit_code_and_last_words(tmp_path: Path) -> None:
    script = "import sys; [print(n) for n in range(100)]; sys.exit(3)"
    child = started(tmp_path / "log", script)

    deadline = time.monotonic() + 20
    while child.exit_code() is None and time.monotonic() < deadline:
        time.sleep(0.01)

    assert child.exit_code() == 3
    assert child.last_lines().splitlines() == [str(n) for n in range(85, 100)]
    child.stop()


def test_a_process_sees_only_the_environment_it_is_given(tmp_path: Path) -> None:
    script = "import os; print(sorted(os.environ), flush=True)"
    child = Child(
        "child",
        [sys.executable, "-c", script],
        environment={"GIVEN": "1"},
        log=tmp_path / "log",
    )

    seen = first_line(child.log)

    assert "GIVEN" in seen
    assert "PATH" not in seen
    child.stop()


def test_a_killed_starter_leaves_no_process_behind(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", STARTER, OBEDIENT, str(log)]) as starter:
        pid = int(first_line(log))
        starter.send_signal(signal.SIGKILL)
        starter.wait(10)

    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pid)
    assert log.read_text().splitlines()[-1] == "left on SIGTERM"
