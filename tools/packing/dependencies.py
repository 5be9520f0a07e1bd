"""The run-time dependencies as on the machine that will run them, whatever this one is.

pip listens to its environment and to its files of settings, which can name more requirements and
other platforms. The environment is cut down; what a file did is seen in what was installed.
"""

import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, parse_tag
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tools.packing.process import PackageError, run

PYTHON: Final = (3, 13)
# pip takes no tag for another: each that a wheel of an x86-64 Linux with glibc 2.28 may bear.
_PLATFORMS: Final = (
    "manylinux_2_28_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux_2_12_x86_64",
    "manylinux2010_x86_64",
    "manylinux_2_5_x86_64",
    "manylinux1_x86_64",
)
_MARKERS: Final = {
    "implementation_name": "cpython",
    "implementation_version": platform.python_version(),
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": platform.python_version(),
    "python_version": "3.13",
    "sys_platform": "linux",
}
"""The machine that will run them, in the terms of requirements (PyPA, "Environment Markers")."""

_WAY_TO_THE_INDEX: Final = frozenset(
    f"PIP_{name}"
    for name in (
        *("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "CONFIG_FILE", "CACHE_DIR"),
        *("PROXY", "CERT", "CLIENT_CERT", "TRUSTED_HOST", "DEFAULT_TIMEOUT", "RETRIES"),
    )
)
_NATIVE_NAME: Final = re.compile(r"\.(so|pyd|dll|dylib|exe)(\.|$)", re.IGNORECASE)
_NAME_HERE: Final = re.compile(r"\.(cpython-313-x86_64-linux-gnu|abi3)\.so$")
_ELF_64_LITTLE_ENDIAN: Final = b"\x7fELF\x02\x01"
_X86_64: Final = 62  # e_machine of ELF

type Pin = tuple[str, Version]


def install(requirements: Path, to: Path, folder: Path) -> None:
    """What `requirements` pins, into `to`; pip runs in `folder`, an empty one.

    The list is complete, so nothing is resolved; a wheel that does not fit its hash, and one that
    would have to be built, are refused. Raises PackageError, also where something else was
    installed than is pinned, or something for another machine.
    """
    wanted = list(_pinned(requirements.read_text(encoding="utf-8")))
    inherited = os.environ.items()  # noqa: TID251 - to leave out what misleads pip
    environment = {
        name: value
        for name, value in inherited
        if not name.upper().startswith("PIP_") or name in _WAY_TO_THE_INDEX
    }
    # -I: the pip of this Python, not one that lies in PYTHONPATH or in the working folder.
    command = [sys.executable, "-I", "-m", "pip", "install", "--quiet"]
    command += ["--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile"]
    command += ["--implementation", "cp", "--python-version", ".".join(map(str, PYTHON))]
    command += [part for name in _PLATFORMS for part in ("--platform", name)]
    command += ["--target", str(to), "--requirement", str(requirements)]
    run(*command, folder=folder, environment=environment)
    _require_as_pinned(wanted, to)


def _pinned(text: str) -> Iterator[Pin]:
    """Of each line `name==version ; markers --hash=...` that is for the target, name and version.

    Raises PackageError for any other line, such as an option or another list.
    """
    for line in text.replace("\\\n", " ").splitlines():
        told = re.sub(r"(^|\s)#.*", "", line).split(" --hash=")[0].strip()
        if not told:
            continue
        try:
            requirement = Requirement(told)
            operator, _, version = str(requirement.specifier).rpartition("==")
            pin = canonicalize_name(requirement.name), Version(version)
        except (InvalidRequirement, InvalidVersion):
            raise PackageError(f"requirements.txt: {told!a} pins no version") from None
        if operator or requirement.extras:
            raise PackageError(f"requirements.txt: {told!a} is more than a version")
        if requirement.marker is None or requirement.marker.evaluate(_MARKERS):
            yield pin


def _require_as_pinned(wanted: Iterable[Pin], folder: Path) -> None:
    installed = list(distributions(path=[str(folder)]))
    found = sorted((canonicalize_name(each.name), Version(each.version)) for each in installed)
    if found != sorted(wanted):
        missing, strange = set(wanted) - set(found), set(found) - set(wanted)
        told = [f"{name} {version} is missing" for name, version in sorted(missing)]
        told += [f"{name} {version} is not in it" for name, version in sorted(strange)]
        raise PackageError(
            "\n".join(["pip installed something else than requirements.txt:", *told])
        )
    fits = {
        *cpython_tags(PYTHON, abis=["cp313"], platforms=_PLATFORMS),
        *compatible_tags(PYTHON, interpreter="cp313", platforms=_PLATFORMS),
    }
    for each in installed:
        if fits.isdisjoint(_tags(each)):
            raise PackageError(f"{each.name}: its wheel is for another machine or Python")


def _tags(distribution: Distribution) -> Iterator[Tag]:
    """For what its wheel is, in its own words (PyPA, "Binary distribution format", `WHEEL`)."""
    for line in (distribution.read_text("WHEEL") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "Tag":
            yield from parse_tag(value.strip())


def require_fitting_machine_code(site_packages: Path) -> None:
    """Raises PackageError for code of another machine, system or Python."""
    for path in sorted(site_packages.rglob("*")):
        if not path.is_file():
            continue
        with path.open("rb") as file:
            head = file.read(20)
        is_elf = head.startswith(_ELF_64_LITTLE_ENDIAN)
        fits = is_elf and int.from_bytes(head[18:20], "little") == _X86_64
        if (is_elf or _NATIVE_NAME.search(path.name)) and not (
            fits and _NAME_HERE.search(path.name)
        ):
            name = path.relative_to(site_packages).as_posix()
            raise PackageError(f"{name}: machine code, but not of x86-64 Linux and Python 3.13")
