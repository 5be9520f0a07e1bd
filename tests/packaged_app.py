"""Unpacks the package that is deployed, and runs it in a process that sees nothing else."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Final, Self
from zipfile import ZipFile

ROOT: Final = Path(__file__).parent.parent
_PROCESS: Final = Path(__file__).parent / "packaged_app_process.py"
_WORKER: Final = ("azure-functions-runtime", "azurefunctions-extensions-base")
_DEADLINE_SECONDS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a process with the app came to. Seconds since its start."""

    indexed_after: float
    answered_after: float
    imported_after: float  # with `import_all`: all that requests import is there
    functions: list[str]
    health: tuple[int, str]  # status and body
    modules: Mapping[str, list[str]]  # name -> where it was loaded from


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedApp:
    """An unpacked package, and beside it what the Functions host would bring."""

    app: Path
    host: Path

    @classmethod
    def unpack(cls, package: Path, folder: Path) -> Self:
        """Into an empty folder."""
        app, host = folder / "app", folder / "host"
        with ZipFile(package) as archive:
            archive.extractall(app)
        host.mkdir()
        _add_worker(host)
        return cls(app=app, host=host)

    def without_bytecode(self, folder: Path) -> "PackagedApp":
        """A copy in which everything has to be compiled."""
        shutil.copytree(self.app, folder, ignore=shutil.ignore_patterns("__pycache__"))
        return PackagedApp(app=folder, host=self.host)

    def run(self, *, keep_bytecode: bool = True, import_all: bool = False) -> Run:
        """Index the app and ask for health, in a process of its own with the sample's settings.

        Fails with the process' own words.
        """
        sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
        flags = ["-I", "-S", *([] if keep_bytecode else ["-B"])]
        more = ["--import-all"] if import_all else []
        begun = time.monotonic()
        finished = subprocess.run(
            [sys.executable, *flags, _PROCESS, self.app, self.host, *more],
            env=sample["Values"],
            capture_output=True,
            text=True,
            timeout=_DEADLINE_SECONDS,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        told = json.loads(finished.stdout.splitlines()[-1])
        return Run(
            indexed_after=told["indexed_at"] - begun,
            answered_after=told["answered_at"] - begun,
            imported_after=told["imported_at"] - begun,
            functions=told["functions"],
            health=(told["health"]["status"], told["health"]["body"]),
            modules=told["modules"],
        )


def _add_worker(host: Path) -> None:
    """Microsoft's worker library as it is installed here, and stand-ins for the host's messages."""
    for name in _WORKER:
        installed = distribution(name)
        for file in installed.files or ():
            if file.suffix == ".py":
                target = host / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(installed.locate_file(file)), target)
    shutil.copyfile(ROOT / "tests" / "local" / "worker_protos.py", host / "worker_protos.py")
    compile_all = [sys.executable, "-I", "-m", "compileall", "-q", str(host)]
    subprocess.run(compile_all, capture_output=True, timeout=_DEADLINE_SECONDS, check=True)
