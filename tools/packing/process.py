"""Runs git, pip and Python for a package: with the environment that it is given, and a deadline."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_DEADLINE_SECONDS: Final = 600


class PackageError(Exception):
    """Why there is no package, for the person at the terminal."""


def run(
    *command: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """What it printed. Raises PackageError with its last lines.

    Without a `folder` or an `environment` it has those of this process.
    """
    tool = "pip" if "pip" in command else Path(command[0]).name
    try:
        finished = subprocess.run(  # noqa: S603 - git, and this Python
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_DEADLINE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise PackageError(f"{tool}: {exc}") from exc
    if finished.returncode != 0:
        told = (finished.stdout + finished.stderr).strip().splitlines()[-8:]
        raise PackageError("\n".join([f"{tool} failed:", *told]))
    return finished.stdout
