"""Makes the package that is deployed to Azure Functions (Flex Consumption): one zip.

    python -m tools.package [--out dist/flowrunner.zip] [--measure]

In it: what git tracks, less `.funcignore`; the run-time dependencies of `requirements.txt`, the
same whatever machine builds it (wheels for Linux x86-64 and CPython 3.13, by their hashes); the
bytecode of both; and `release.json`, which says from what it was made. Nothing is left to build in
Azure. Two builds of one commit with the same Python are equal, byte for byte.

`release.json` has `commit`; `modified`, false only if each deployed file is that commit's, byte for
byte, and git tells of no other change; `python`; `requirements_sha256`; and `source_sha256`, a hash
over our own files in the package: tools/packing/source.py says how to compute it by hand.

`--measure` starts it as Azure would, and prints how long that takes, with and without bytecode.
Needs git, Python 3.13 with pip, and the package index. Exits 1 and says in a line what is wrong.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from tools.packing.dependencies import PYTHON, install, require_fitting_machine_code
from tools.packing.process import PackageError, run
from tools.packing.source import copy, deployed_files, forgotten_files, release

ROOT: Final = Path(__file__).parent.parent
DEPENDENCIES: Final = PurePosixPath(".python_packages/lib/site-packages")
"""Where the Functions host looks for packages that come with the app."""

_NEVER_RUN: Final = frozenset({".h", ".proto", ".pxd", ".pxi", ".pyi", ".pyx"})
# RECORD lists the scripts with their hashes, and those name the Python of this machine.
_OF_THE_INSTALLER: Final = frozenset({"INSTALLER", "RECORD", "REQUESTED"})

_TIME: Final = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell
_MODE: Final = 0o100644  # a file, read by all
_UNIX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that was made. Sizes in bytes."""

    path: Path
    files: int
    unpacked: int
    zipped: int
    sha256: str
    modified: bool  # made from a tree with changes that are not in the commit
    untracked: tuple[str, ...]  # files that would be deployed, if git knew them


# --- the steps ---------------------------------------------------------------------------------


def _prune(site_packages: Path) -> None:
    """Take out what never runs. Metadata and licences stay: they are read, and they are due."""
    shutil.rmtree(site_packages / "bin", ignore_errors=True)
    for path in list(site_packages.rglob("*")):
        of_the_installer = path.parent.suffix == ".dist-info" and path.name in _OF_THE_INSTALLER
        if path.is_file() and (path.suffix in _NEVER_RUN or of_the_installer):
            path.unlink()


def _compile(folder: Path) -> None:
    """Bytecode next to each source. Without it every cold start compiles everything anew, because
    the package is mounted read-only and the result cannot be kept.

    Unchecked hashes instead of times, for a zip does not keep the times of its files well enough
    for Python, which then takes the bytecode for old. Paths begin at the package's root; Python
    puts the real ones in when it loads a module. In a process of its own: what marshal writes
    depends on which strings the process has met before.
    """
    command = [sys.executable, "-I", "-m", "compileall", "-q", "-f", "-o", "0"]
    command += ["--invalidation-mode", "unchecked-hash", "-s", str(folder), str(folder)]
    run(*command)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file with its name in the package, in the order of the names."""
    found = ((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*"))
    yield from sorted((name, path) for name, path in found if path.is_file())


def _zip(folder: Path, to: Path) -> None:
    """The same bytes for the same files: order, times, modes and compression are fixed."""
    with ZipFile(to, "w") as archive:
        for name, path in _files(folder):
            entry = ZipInfo(name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes(), compresslevel=9)


# --- all of it ---------------------------------------------------------------------------------


def build(root: Path, out: Path) -> Package:
    """Make the package of the tree at `root`: `out` whole, or as it was. Raises PackageError."""
    if sys.version_info[:2] != PYTHON:
        running = platform.python_version()
        raise PackageError(f"bytecode of Python 3.13 is made by Python 3.13; this is {running}")
    names = deployed_files(root)
    with tempfile.TemporaryDirectory(prefix="flowrunner-package-") as scratch:
        staging, empty = Path(scratch, "package").resolve(), Path(scratch, "empty")
        copy(root, names, staging)
        made_from = release(root, staging, names)
        (staging / "release.json").write_text(
            json.dumps(made_from, indent=2) + "\n", encoding="utf-8"
        )
        site_packages = staging / DEPENDENCIES
        empty.mkdir()
        install(staging / "requirements.txt", site_packages, empty)
        _prune(site_packages)
        require_fitting_machine_code(site_packages)
        _compile(staging)
        sizes = [path.stat().st_size for _, path in _files(staging)]
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = out.with_name(f".{out.name}.{os.getpid()}.zip")
        try:
            _zip(staging, draft)
            draft.replace(out)
        finally:
            draft.unlink(missing_ok=True)
    data = out.read_bytes()
    return Package(
        path=out,
        files=len(sizes),
        unpacked=sum(sizes),
        zipped=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        modified=made_from["modified"] is True,
        untracked=tuple(forgotten_files(root)),
    )


def told(package: Package) -> Iterator[str]:
    """The package as lines for a person."""
    yield f"package   {package.path}"
    yield f"files     {package.files:,}"
    yield f"size      {package.zipped / 1e6:.1f} MB, unpacked {package.unpacked / 1e6:.1f} MB"
    yield f"sha256    {package.sha256}"
    if package.modified:
        yield "made from a tree with uncommitted changes; release.json says so"
    for name in package.untracked:
        yield f"not in it, because git does not track it: {name}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="package", description="Make the package to deploy.")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "flowrunner.zip")
    parser.add_argument("--measure", action="store_true", help="print the cold start, too")
    options = parser.parse_args(arguments)
    try:
        package = build(ROOT, options.out)
    except (PackageError, OSError) as exc:
        print(exc, file=sys.stderr)
        return 1
    print("\n".join(told(package)))
    if options.measure:
        from bench.cold_start import measure  # noqa: PLC0415 - wanted by no build, has more needs

        measure(package.path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
