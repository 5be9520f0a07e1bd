"""The two apps: the package that is deployed, and the least that azure.functions answers with."""

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from tests.packaged_app import PackagedApp
from tools.package import DEPENDENCIES, ROOT

ON_THE_STACK: Final = "function_app_on_the_stack.py"
_PROCESS: Final = Path(__file__).parent / "process.py"
_MINIMAL: Final = Path(__file__).parent / "minimal_app.py"
_OF_AZURE_FUNCTIONS: Final = ("azure/functions", "werkzeug", "markupsafe")
_OF_THE_STACK: Final = ("__init__", "environment", "network", "scene", "stack_info")
_DEADLINE_SECONDS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """For one function, as the Functions host gives it to a worker."""

    function: str
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: str = ""

    def told(self) -> str:
        http = {
            "method": self.method,
            "url": f"https://flowrunner.example.com{self.path}",
            "headers": {"host": "flowrunner.example.com", **self.headers},
            "params": dict(self.parameters),
            "body": self.body,
        }
        return json.dumps({"function": self.function, "http": http})

    def of_the_minimal_app(self) -> "Request":
        """As large, for its only function."""
        return replace(self, function="answer", path="/api/v1/answer", parameters={})


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAnswer:
    """Seconds since the start of the process."""

    answered_after: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Apps:
    deployed: PackagedApp
    minimal: PackagedApp

    @classmethod
    def unpack(cls, package: Path, folder: Path) -> "Apps":
        """Both with the bytecode that a package has, into an empty folder."""
        deployed = PackagedApp.unpack(package, folder / "deployed")
        # The app as it is, but for the network that is handed to it.
        shutil.copyfile(ROOT / "local" / "function_app.py", deployed.app / ON_THE_STACK)
        for name in _OF_THE_STACK:
            target = deployed.host / "local" / f"{name}.py"
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(ROOT / "local" / f"{name}.py", target)
        minimal = PackagedApp(app=folder / "minimal", host=deployed.host)
        for name in _OF_AZURE_FUNCTIONS:
            shutil.copytree(deployed.app / DEPENDENCIES / name, minimal.app / DEPENDENCIES / name)
        shutil.copyfile(_MINIMAL, minimal.app / "function_app.py")
        compiled = [deployed.host, minimal.app / "function_app.py", deployed.app / ON_THE_STACK]
        _compile(*compiled)
        return cls(deployed=deployed, minimal=minimal)

    def without_bytecode(self, folder: Path) -> "Apps":
        return Apps(
            deployed=self.deployed.without_bytecode(folder / "deployed"),
            minimal=self.minimal.without_bytecode(folder / "minimal"),
        )


def _compile(*paths: Path) -> None:
    command: list[str | Path] = [sys.executable, "-I", "-m", "compileall", "-q", *paths]
    subprocess.run(command, capture_output=True, timeout=_DEADLINE_SECONDS, check=True)


def first_answer(
    app: PackagedApp,
    asked: Request,
    environment: Mapping[str, str],
    *,
    flags: tuple[str, ...] = (),
) -> FirstAnswer:
    """Of a process of its own, that has nothing but `environment`. Fails with its own words, and
    where the answer is not 200."""
    command: list[str | Path] = [sys.executable, "-I", "-S", *flags, _PROCESS, app.app, app.host]
    cpu_before = _cpu_of_children()
    began = time.monotonic()
    finished = subprocess.run(
        command,
        env=dict(environment),
        input=asked.told(),
        capture_output=True,
        text=True,
        timeout=_DEADLINE_SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    told: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    assert told["status"] == HTTPStatus.OK, told
    return FirstAnswer(
        answered_after=told["answered_at"] - began,
        cpu_seconds=_cpu_of_children() - cpu_before,
    )


def _cpu_of_children() -> float:
    """Of those that have ended: the stack's, which go on, are not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
