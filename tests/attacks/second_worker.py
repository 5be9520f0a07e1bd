"""Another process of the service beside a running stack's own, on the same stores: in Azure a
function app has as many as it needs, and they know of each other only what is stored."""

import os
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from local.child import Child
from local.environment import service_environment
from local.ports import Ports
from local.readiness import wait_for
from local.stack_info import StackInfo

_START_SECONDS: Final = 60.0
NOTHING_MORE: Final[Mapping[str, str]] = {}
_INHERITED: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")


@contextmanager
def worker_beside(
    stack: StackInfo, folder: Path, *, environment: Mapping[str, str] = NOTHING_MORE
) -> Iterator[StackInfo]:
    """The same stack, as seen by whoever is sent to the new process. Logs are in the folder.

    `environment` is what the process finds besides its settings.
    """
    with ExitStack() as running, Ports() as ports:
        info = replace(
            stack,
            service=f"http://127.0.0.1:{ports.take()}",
            service_https=f"https://127.0.0.1:{ports.take()}",
        )
        file = folder / "stack.json"
        info.save(file)
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        child = Child(
            "worker",
            [sys.executable, "-m", "local.serve"],
            environment={
                **inherited,
                **service_environment(info),
                "FLOWRUNNER_LOCAL_STACK": str(file),
                "FLOWRUNNER_TIMERS": "off",
                **environment,
            },
            log=folder / "worker.log",
        )
        running.callback(child.stop)

        def check() -> None:
            assert child.exit_code() is None, child.last_lines()

        wait_for(
            f"{info.service_https}/api/v1/health",
            deadline=time.monotonic() + _START_SECONDS,
            tls=ssl.create_default_context(cafile=stack.authority),
            status=200,
            check=check,
        )
        yield info
