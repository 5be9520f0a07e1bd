"""`python -m local run`, as a person starts and ends it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.data.tables import TableServiceClient

from local import scene
from local.child import ROOT
from local.ports import Ports
from local.stack_info import StackInfo

pytestmark = pytest.mark.stack

PATIENCE_SECONDS = 60


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Started from another folder, as `make -C` would."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "local", "run", *arguments],
        env=environment,
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until_ready(process: subprocess.Popen[str]) -> list[str]:
    """The lines that are printed up to the last one of the start."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("ready"):
            return lines
    raise AssertionError(process.stderr.read() if process.stderr else "")


def ports_of(info: StackInfo) -> set[int]:
    urls: Sequence[str] = (
        info.service, info.service_https, info.sidebar, info.control, info.tables,
        info.blobs, info.identity_endpoint, info.azurite, info.azurite_blobs,
    )  # fmt: skip
    return {*info.pins.values(), *(urlsplit(url).port or 0 for url in urls)}


def listening(ports: set[int]) -> set[int]:
    def answers(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return {port for port in ports if answers(port)}


def wait_until_silent(ports: set[int]) -> set[int]:
    """The ports on which somebody still listens after ten seconds."""
    deadline = time.monotonic() + 10
    while listening(ports) and time.monotonic() < deadline:
        time.sleep(0.05)
    return listening(ports)


def process_of(starter: int, module: str) -> int:
    """The id of the process that runs `module` for this starter, two generations down."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [
        (int(pid), int(parent), args) for pid, parent, args in map(_fields, listed.splitlines())
    ]
    leashes = {pid for pid, parent, _ in rows if parent == starter}
    (found,) = [pid for pid, parent, args in rows if parent in leashes and module in args]
    return found


def _fields(row: str) -> list[str]:
    return row.split(maxsplit=2)


def free_port() -> str:
    with Ports() as ports:
        return str(ports.take())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_serves_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "data"
    with running("--port", free_port(), "--data", str(data)) as process:
        printed = "\n".join(until_ready(process))
        info = StackInfo.load(data / "stack.json")
        served = listening(ports_of(info))
        process.send_signal(number)
        code = process.wait(PATIENCE_SECONDS)

    assert code == 0
    assert served == ports_of(info)
    assert re.search(r"^ready in \d+\.\d s", printed, re.MULTILINE)
    for address in (info.service, info.service_https, info.sidebar, info.control):
        assert address in printed
    assert str(info.authority) in printed
    assert listening(ports_of(info)) == set()
    assert not (data / "private").exists()


def test_a_killed_stack_leaves_nothing_listening(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running("--port", free_port(), "--data", str(data)) as process:
        until_ready(process)
        ports = ports_of(StackInfo.load(data / "stack.json"))
        process.kill()

    assert wait_until_silent(ports) == set()


def test_a_part_that_ends_by_itself_ends_the_stack_and_is_named(tmp_path: Path) -> None:
    with running("--port", free_port(), "--data", str(tmp_path)) as process:
        until_ready(process)
        ports = ports_of(StackInfo.load(tmp_path / "stack.json"))
        os.kill(process_of(process.pid, "local.simulators"), signal.SIGKILL)
        told = process.communicate(timeout=PATIENCE_SECONDS)[1]

    assert process.returncode == 1
    log = tmp_path / "simulators.log"
    assert told.startswith(f"simulators ended with exit code 137; the end of {log}:\n")
    assert listening(ports) == set()


def test_what_is_stored_is_kept_in_the_folder_that_was_asked_for(tmp_path: Path) -> None:
    for known in (set(), {"kept"}):
        with running("--port", free_port(), "--data", str(tmp_path)) as process:
            until_ready(process)
            with table_service(StackInfo.load(tmp_path / "stack.json")) as tables:
                found = {table.name for table in tables.list_tables()}
                tables.create_table_if_not_exists("kept")
            process.terminate()
            process.wait(PATIENCE_SECONDS)

        assert known <= found
        assert ("kept" in found) is bool(known)


@contextmanager
def table_service(info: StackInfo) -> Iterator[TableServiceClient]:
    query = {"resource": "https://storage.azure.com", "api-version": "2019-08-01"}
    header = {"X-IDENTITY-HEADER": scene.IDENTITY_HEADER}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(info.identity_endpoint, params=query, headers=header, timeout=10)
    token = AccessToken(answer.json()["access_token"], int(answer.json()["expires_on"]))
    with TableServiceClient(
        info.tables, credential=_Issued(token), connection_verify=str(info.authority)
    ) as client:
        yield client


class _Issued:
    """A credential that has its token already."""

    def __init__(self, token: AccessToken) -> None:
        self._token = token

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return self._token


def test_a_busy_port_is_told_in_one_line_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        with running("--port", str(port), "--data", str(tmp_path)) as process:
            printed, told = process.communicate(timeout=PATIENCE_SECONDS)

    assert (process.returncode, printed) == (1, "")
    assert told == (f"port {port} is in use: stop what uses it or run `make run PORT={port + 1}`\n")


def test_a_folder_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with running("--port", free_port(), "--data", str(tmp_path)) as first:
        until_ready(first)
        with running("--port", free_port(), "--data", str(tmp_path)) as second:
            told = second.communicate(timeout=PATIENCE_SECONDS)[1]
        still_there = first.poll() is None
        first.terminate()
        first.wait(PATIENCE_SECONDS)

    assert (second.returncode, told.count("\n")) == (1, 1)
    assert f"another stack uses the folder {tmp_path}" in told
    assert still_there
