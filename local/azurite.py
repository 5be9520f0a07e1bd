"""Azurite, Microsoft's storage emulator: its Table and its Blob service, each a process of its own,
started over HTTPS with bearer tokens."""

import shutil
import subprocess
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from local.authority import Leaf

_SOURCE: Final = Path(__file__).parent / "node_modules/azurite/dist/src"
_OLDEST_NODE: Final = 20  # what azurite 3.35 runs on
_KEEP_ALIVE_SECONDS: Final = 60  # longer than the proxy keeps an idle connection


type AzuriteService = Literal["table", "blob"]  # the name of its folder, and of its options


class AzuriteMissingError(Exception):
    """Azurite cannot be started here; the text says in one line what is missing."""


def command(service: AzuriteService, *, url: str, leaf: Leaf, kept_in: Path | None) -> list[str]:
    """How to start it, so that it answers at `url`. What is stored lives in memory, or in the
    folder `kept_in`: then only SIGINT saves it, every other end loses up to five seconds of writes.

    Raises AzuriteMissingError.
    """
    persistence = ["--inMemoryPersistence"] if kept_in is None else ["-l", str(kept_in)]
    return [
        _node(),
        str(_main(service)),
        *persistence,
        *(f"--{service}Host", "127.0.0.1", f"--{service}Port", str(urlsplit(url).port)),
        *(f"--{service}KeepAliveTimeout", str(_KEEP_ALIVE_SECONDS)),
        *("--oauth", "basic", "--cert", str(leaf.chain), "--key", str(leaf.key)),
        *("--silent", "--disableTelemetry"),
    ]


def _main(service: AzuriteService) -> Path:
    main = _SOURCE / service / "main.js"
    if not main.is_file():
        raise AzuriteMissingError("Azurite is not installed: `make run` does it, by npm")
    return main


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        raise AzuriteMissingError(f"Node.js {_OLDEST_NODE} or newer is needed, and there is none")
    version = subprocess.run(  # takes 5 ms and cannot block
        [node, "--version"], capture_output=True, text=True, timeout=10, check=True
    ).stdout.strip()
    if int(version.lstrip("v").partition(".")[0]) < _OLDEST_NODE:
        raise AzuriteMissingError(f"Node.js {_OLDEST_NODE} or newer is needed; {node} is {version}")
    return node
