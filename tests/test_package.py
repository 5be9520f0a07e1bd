"""The zip that is deployed: what is in it, what is not, and that it runs without anything else."""

import importlib.util
import json
import marshal
import os
import re
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath
from types import CodeType
from typing import Final
from zipfile import ZipFile

import pytest

from tests.fakes import World
from tests.functions.host import registered
from tests.packaged_app import PackagedApp
from tools.package import DEPENDENCIES, ROOT, Package, build
from tools.packing.source import deployed_files

pytestmark = pytest.mark.timeout(300)  # it asks the package index, and compiles everything

LARGEST_ZIPPED: Final = 30_000_000
LARGEST_UNPACKED: Final = 90_000_000
"""Bytes: what is mounted at each cold start. A third more than today is worth a look."""

OURS: Final = {"function_app.py", "functions", "shared", "host.json", "requirements.txt"}
MADE: Final = {".python_packages", "__pycache__", "release.json"}
_MAGIC: Final = importlib.util.MAGIC_NUMBER
_UNCHECKED_HASH: Final = (1).to_bytes(4, "little")  # PEP 552: with a hash, never compared
_X86_64: Final = 62  # e_machine of ELF
_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}")
_SECRET_NAMES: Final = re.compile(
    r"(^|/)(\.env.*|local\.settings.*|id_[a-z0-9]+|\.netrc|\.pypirc|.*\.(key|p12|pfx|jks))$"
)
_AUTHORITIES: Final = "certifi/cacert.pem"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return build(ROOT, tmp_path_factory.mktemp("package") / "flowrunner.zip")


@pytest.fixture(scope="module")
def entries(package: Package) -> Mapping[str, bytes]:
    """Every file of the package by its name."""
    with ZipFile(package.path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def packaged(package: Package, tmp_path_factory: pytest.TempPathFactory) -> PackagedApp:
    return PackagedApp.unpack(package.path, tmp_path_factory.mktemp("unpacked"))


# --- it runs, with nothing else ----------------------------------------------------------------


def test_the_worker_indexes_every_function_and_health_answers(packaged: PackagedApp) -> None:
    ran = packaged.run()

    assert ran.functions == sorted(registered(World().services))
    assert ran.health == (200, '{"status": "ok"}')


def test_every_import_of_ours_is_satisfied_by_the_package_alone(packaged: PackagedApp) -> None:
    """A development dependency that is imported at run time is found here, and nowhere else."""
    ran = packaged.run(import_all=True)

    strangers = {
        name: origins
        for name, origins in ran.modules.items()
        if not all(belongs(Path(origin), packaged) for origin in origins)
    }
    assert strangers == {}
    sources = [PurePosixPath(name) for name in deployed_files(ROOT) if name.endswith(".py")]
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in sources}
    assert modules <= ran.modules.keys()


def belongs(origin: Path, packaged: PackagedApp) -> bool:
    """Of the package, of what the Functions host brings, or of the standard library."""
    if any(origin.is_relative_to(folder) for folder in (packaged.app, packaged.host)):
        return True
    standard = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    is_standard = any(origin.is_relative_to(folder) for folder in standard)
    return is_standard and "site-packages" not in origin.parts


def test_a_run_compiles_nothing(packaged: PackagedApp) -> None:
    """Python would write what it has to compile next to the source, where it may."""
    before = contents(packaged.app)
    packaged.run(import_all=True)

    assert contents(packaged.app) == before


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}


def test_without_bytecode_a_run_does_compile(packaged: PackagedApp, tmp_path: Path) -> None:
    """So that the test above can fail."""
    bare = packaged.without_bytecode(tmp_path / "bare")
    bare.run()

    assert list(bare.app.rglob("*.pyc"))


# --- what is in it -----------------------------------------------------------------------------


def test_nothing_but_the_service_lies_at_the_top(entries: Mapping[str, bytes]) -> None:
    """Nothing of local/, tests/, bench/, tools/, docs/, bicep/, and no folder that comes later."""
    assert {name.partition("/")[0] for name in entries} == OURS | MADE


def test_every_file_of_the_service_is_there_as_it_was_reviewed(
    entries: Mapping[str, bytes],
) -> None:
    names = deployed_files(ROOT)

    assert {name.partition("/")[0] for name in names} == OURS
    assert {name: entries[name] for name in names} == {n: (ROOT / n).read_bytes() for n in names}
    made = set(entries) - set(names) - {"release.json"}
    assert [
        n for n in made if not n.startswith(f"{DEPENDENCIES}/") and "__pycache__" not in n
    ] == []


def test_no_name_of_ours_is_also_one_of_a_dependency(entries: Mapping[str, bytes]) -> None:
    """Which one is imported would depend on the order in which the host looks."""
    within = (PurePosixPath(name) for name in entries if name.startswith(f"{DEPENDENCIES}/"))
    theirs = {path.relative_to(DEPENDENCIES).parts[0].removesuffix(".py") for path in within}

    assert theirs & {name.removesuffix(".py") for name in OURS} == set()


def test_the_pinned_dependencies_are_there_with_metadata_and_licences(
    entries: Mapping[str, bytes],
) -> None:
    pinned = re.findall(r"^([a-z0-9-]+)==(\S+)", entries["requirements.txt"].decode(), re.MULTILINE)
    infos = {
        f"{name.replace('-', '_')}-{version}.dist-info".lower(): False for name, version in pinned
    }
    has_licence = {PurePosixPath(n).parts[3] for n in entries if "/licenses/" in n or "LICEN" in n}
    found = {
        PurePosixPath(name).parent.name.lower() for name in entries if name.endswith("/METADATA")
    }

    assert found == set(infos)
    assert len(pinned) > 40
    assert len(has_licence) > 40


def test_the_release_says_from_what_it_was_made(
    package: Package, entries: Mapping[str, bytes]
) -> None:
    head = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    names = sorted(deployed_files(ROOT))
    listed = "".join(f"{sha256(entries[name]).hexdigest()}  {name}\n" for name in names)

    assert json.loads(entries["release.json"]) == {
        "commit": head.stdout.strip(),
        "modified": package.modified,
        "python": sys.version.split()[0],
        "requirements_sha256": sha256(entries["requirements.txt"]).hexdigest(),
        "source_sha256": sha256(listed.encode()).hexdigest(),
    }


def test_every_source_has_the_bytecode_that_python_takes_without_a_look_at_times(
    entries: Mapping[str, bytes],
) -> None:
    sources = [PurePosixPath(name) for name in entries if name.endswith(".py")]
    bytecode = {
        path: path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc" for path in sources
    }

    assert {str(path) for path in bytecode.values()} == {n for n in entries if n.endswith(".pyc")}
    for source, compiled in bytecode.items():
        data = entries[str(compiled)]
        assert data[:8] == _MAGIC + _UNCHECKED_HASH, compiled
        assert data[8:16] == importlib.util.source_hash(entries[str(source)]), compiled
        code = marshal.loads(data[16:])  # noqa: S302 - made a moment ago
        assert {each.co_filename for each in code_of(code)} == {str(source)}


def code_of(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from code_of(constant)


def test_native_code_is_for_the_machines_of_azure(entries: Mapping[str, bytes]) -> None:
    native = {name: data for name, data in entries.items() if data[:4] == b"\x7fELF"}

    assert len(native) > 10
    assert {n for n in entries if re.search(r"\.(so|pyd|dll|dylib)(\.|$)", n)} == set(native)
    for name, data in native.items():
        assert int.from_bytes(data[18:20], "little") == _X86_64, name
        assert re.search(r"\.(cpython-313-x86_64-linux-gnu|abi3)\.so$", name), name


def test_nothing_in_it_looks_like_a_secret(entries: Mapping[str, bytes]) -> None:
    pem = [name for name in entries if name.endswith(".pem")]

    assert [name for name in entries if _SECRET_NAMES.search(name)] == []
    assert pem == [f"{DEPENDENCIES}/{_AUTHORITIES}"]
    assert b"PRIVATE KEY" not in entries[pem[0]]
    assert [name for name, data in entries.items() if _PRIVATE_KEY.search(data)] == []


def test_no_path_of_the_building_machine_is_in_it(entries: Mapping[str, bytes]) -> None:
    traces = [str(ROOT).encode(), b"flowrunner-package-", sys.prefix.encode()]

    assert [n for n, data in entries.items() if any(trace in data for trace in traces)] == []


def test_nothing_in_it_is_only_for_building(entries: Mapping[str, bytes]) -> None:
    needless = re.compile(r"/site-packages/bin/|/(RECORD|INSTALLER)$|\.(pyi|pyx|pxd|pxi|h|proto)$")

    assert [name for name in entries if needless.search(name)] == []


def test_it_is_small_enough(package: Package) -> None:
    assert package.zipped < LARGEST_ZIPPED
    assert package.unpacked < LARGEST_UNPACKED


# --- the same again ----------------------------------------------------------------------------


def test_a_second_build_elsewhere_is_equal_byte_for_byte(package: Package, tmp_path: Path) -> None:
    """By the command, in another process, with other settings of Python, from another folder."""
    elsewhere = tmp_path / "a folder with a longer name"
    elsewhere.mkdir()
    out = tmp_path / "dist" / "again.zip"
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "2"}
    finished = run_package(["--out", str(out)], {**environment, "TMPDIR": str(elsewhere)})

    assert finished.returncode == 0, finished.stderr
    assert out.read_bytes() == package.path.read_bytes()
    assert f"sha256    {package.sha256}\n" in finished.stdout
    assert list(out.parent.iterdir()) == [out]


def test_order_times_and_modes_are_fixed(package: Package) -> None:
    with ZipFile(package.path) as archive:
        infos = archive.infolist()

    assert [info.filename for info in infos] == sorted({info.filename for info in infos})
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {stat.filemode(info.external_attr >> 16) for info in infos} == {"-rw-r--r--"}
    assert {info.create_system for info in infos} == {3}


def run_package(
    arguments: list[str], environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """The command as a person runs it; the settings of pip are those of the machine."""
    return subprocess.run(
        [sys.executable, "-m", "tools.package", *arguments],
        env={**os.environ, **environment},
        cwd=environment.get("TMPDIR"),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
