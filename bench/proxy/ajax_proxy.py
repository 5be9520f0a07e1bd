"""npm's jsforce-ajax-proxy, the proxy of JSforce for browsers: its own server, as it is started."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

from bench.proxy.places import Places

_FOLDER: Final = Path(__file__).parent / "peers"
_SERVER: Final = _FOLDER / "node_modules/jsforce-ajax-proxy/lib/server.js"
_INSTALL_SECONDS: Final = 300


class NpmError(Exception):
    """The package could not be installed; the text says why, as a rule in npm's words."""


def install() -> None:
    """As the lock file says; does nothing where it is installed. Raises NpmError."""
    if _SERVER.is_file():
        return
    command = [_program("npm"), "ci", "--ignore-scripts", "--loglevel=error"]
    try:
        subprocess.run(
            command,
            cwd=_FOLDER,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as exc:
        raise NpmError(str(exc.stderr).strip()) from exc
    except subprocess.TimeoutExpired as exc:
        raise NpmError(f"npm has not ended within {_INSTALL_SECONDS} seconds") from exc


def command() -> list[str]:
    return [_program("node"), "--require", str(_FOLDER / "pins.cjs"), str(_SERVER)]


def environment(places: Places, port: int, authority: Path) -> dict[str, str]:
    return {
        "PORT": str(port),
        "PINS": json.dumps(places.pins),
        "NODE_EXTRA_CA_CERTS": str(authority),
        "NODE_ENV": "production",
    }


def _program(name: str) -> str:
    """Raises NpmError."""
    found = shutil.which(name)
    if found is None:
        raise NpmError(f"{name} is missing")
    return found
