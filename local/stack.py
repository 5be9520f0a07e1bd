"""The whole local stack as child processes: Azurite, the simulators, the service."""

import fcntl
import os
import ssl
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self, TextIO

from local import azurite, scene
from local.authority import Authority, Leaf
from local.child import Child
from local.environment import service_environment
from local.ports import Ports
from local.preparation import prepare_blobs, prepare_tables
from local.readiness import NotReadyError, wait_for
from local.simulators import PRODUCTION_HOSTS
from local.stack_info import IDENTITY_PATH, StackInfo

_START_SECONDS: Final = 60.0

# All that a child gets of the starter's environment. Proxies, certificate bundles, credentials and
# settings of other programs stay outside: the stack is the same whoever starts it.
_INHERITED: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")


class StackError(Exception):
    """The stack cannot start, or a part of it has ended. The text is for the person at the
    terminal: one line, and for an ended process the end of its log."""


class Stack:
    """Starts everything on entry and ends it on exit, in reverse order.

    `port` is the service's, `base_port` the first of all others; without them, free ones.
    `data` is the folder for logs and addresses. Rows are kept there if `keep`, else in memory.
    Without timers, a timer runs only when it is asked for (`POST /admin/functions/{name}`).
    """

    def __init__(
        self,
        *,
        data: Path,
        port: int | None = None,
        base_port: int | None = None,
        keep: bool = False,
        with_timers: bool = True,
    ) -> None:
        self._data = data.resolve()
        self._port = port
        self._base_port = base_port
        self._keep = keep
        self._with_timers = with_timers
        self._children: list[Child] = []
        self._running = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.info = self._start()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def check(self) -> None:
        """Raises StackError if one of the processes has ended by itself."""
        for child in self._children:
            code = child.exit_code()
            if code is not None:
                raise StackError(
                    f"{child.name} ended with exit code {code}; the end of {child.log}:\n"
                    f"{child.last_lines()}"
                )

    def _start(self) -> StackInfo:
        """Raises StackError, PortInUseError, AzuriteMissingError."""
        deadline = time.monotonic() + _START_SECONDS
        with Ports(self._base_port) as ports:
            info = _addresses(ports, self._port, self._data, keeps=self._keep)
            self._running.enter_context(_locked(self._data))
            authority = Authority.create(self._data)
            self._running.callback(authority.forget_private_keys)
            file = self._data / "stack.json"
            info.save(file)
            leaf = authority.issue("azurite")
            self._start_azurite("azurite", "table", info.azurite, leaf)
            self._start_python("simulators", "local.simulators", str(file), environment={})
            tls = ssl.create_default_context(cafile=authority.certificate)
            try:
                wait_for(f"{info.control}/_sim/info", deadline=deadline, check=self.check)
                # Two processes at a time, for two cores: the blobs are wanted last.
                self._start_azurite("azurite_blobs", "blob", info.azurite_blobs, leaf)
                wait_for(info.azurite, deadline=deadline, tls=tls, check=self.check)
                prepare_tables(info)
                self._start_service(info, file)
                wait_for(info.azurite_blobs, deadline=deadline, tls=tls, check=self.check)
                prepare_blobs(info)
                for origin in (info.service, info.service_https):
                    health = f"{origin}/api/v1/health"
                    wait_for(health, deadline=deadline, tls=tls, status=200, check=self.check)
            except (NotReadyError, OSError) as exc:
                raise StackError(str(exc)) from exc
        return info

    def _start_azurite(
        self, name: str, service: azurite.AzuriteService, url: str, leaf: Leaf
    ) -> None:
        kept_in = self._data / name if self._keep else None
        command = azurite.command(service, url=url, leaf=leaf, kept_in=kept_in)
        self._start_child(name, command, environment={}, stop_signal="SIGINT")

    def _start_service(self, info: StackInfo, file: Path) -> None:
        environment = {**service_environment(info), "FLOWRUNNER_LOCAL_STACK": str(file)}
        if not self._with_timers:
            environment["FLOWRUNNER_TIMERS"] = "off"
        self._start_python("service", "local.serve", environment=environment)

    def _start_python(
        self, name: str, module: str, *args: str, environment: dict[str, str]
    ) -> None:
        self._start_child(name, [sys.executable, "-m", module, *args], environment=environment)

    def _start_child(
        self,
        name: str,
        command: list[str],
        *,
        environment: dict[str, str],
        stop_signal: str = "SIGTERM",
    ) -> None:
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        child = Child(
            name,
            command,
            environment={**inherited, **environment},
            log=self._data / f"{name}.log",
            stop_signal=stop_signal,
        )
        self._children.append(child)
        self._running.callback(child.stop)


def _locked(data: Path) -> TextIO:
    """The data folder, readable by its owner only, and ours until the file is closed."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = (data / "lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        lock.close()
        raise StackError(f"another stack uses the folder {data}: stop it, or name another") from exc
    return lock


def _addresses(ports: Ports, port: int | None, data: Path, *, keeps: bool) -> StackInfo:
    """A port for everybody; `port` is the service's. Raises PortInUseError."""

    def origin(scheme: str, number: int | None = None) -> str:
        return f"{scheme}://127.0.0.1:{ports.take(number)}"

    service = origin("http", port)
    pins: dict[str, int] = {}
    for hosts in PRODUCTION_HOSTS.values():
        pins |= dict.fromkeys(hosts, ports.take())
    return StackInfo(
        service=service,
        service_https=origin("https"),
        sidebar=origin("https"),
        control=origin("http"),
        tables=f"{origin('https')}/{scene.STORAGE_ACCOUNT}",
        blobs=f"{origin('https')}/{scene.STORAGE_ACCOUNT}",
        identity_endpoint=origin("http") + IDENTITY_PATH,
        authority=Authority.certificate_in(data),
        data=data,
        pins=pins,
        keeps=keeps,
        azurite=f"{origin('https')}/{scene.STORAGE_ACCOUNT}",
        azurite_blobs=f"{origin('https')}/{scene.STORAGE_ACCOUNT}",
    )
