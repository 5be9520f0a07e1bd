"""The rules of the house that no linter knows, and that the linters are there at all."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
LONGEST_FILE: Final = 450


def sources(*folders: str) -> Iterator[Path]:
    """Every Python file of ours in these folders."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "node_modules" not in path.parts and "__pycache__" not in path.parts:
                yield path


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


DEPLOYED: Final = [*sources("functions", "shared"), ROOT / "function_app.py"]
OURS: Final = [*DEPLOYED, *sources("local", "tests", "tools", "bench")]


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """The syntax tree of a file, node by node."""
    return tuple(ast.walk(ast.parse(text_of(path))))


def imported(path: Path) -> Iterator[str]:
    """The full names that a file imports, wherever in it."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nothing_is_mocked() -> None:
    """Fakes hold state and pass the contract suite; mocks pass whatever they are told."""
    guilty = [named(path) for path in OURS for name in imported(path) if name == "unittest.mock"]

    assert guilty == []


def test_nothing_of_the_service_is_patched() -> None:
    """`monkeypatch` is for the environment; code under test is given its collaborators."""
    patching = re.compile(r"""monkeypatch\.(set|del)(attr|item)\(\s*["']?(shared|functions)\b""")
    guilty = [named(path) for path in sources("tests") if patching.search(text_of(path))]

    assert guilty == []


def test_nothing_is_left_undone() -> None:
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XXX|HACK)\b")
    undone = [
        f"{named(path)}:{number}"
        for path in OURS
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if marks.search(line) and path.name != "test_house.py"
    ]
    unwritten = [
        f"{named(path)}:{node.lineno}"
        for path in OURS
        for node in nodes_of(path)
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node)
    ]

    assert undone + unwritten == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    marks = re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b")
    guilty = [
        named(path)
        for path in sources("tests")
        if path.name != "test_house.py" and marks.search(text_of(path))
    ]

    assert guilty == []


@pytest.mark.parametrize("path", DEPLOYED, ids=named)
def test_no_deployed_file_is_too_long_to_read(path: Path) -> None:
    assert len(text_of(path).splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", [p for p in DEPLOYED if text_of(p).strip()], ids=named)
def test_every_deployed_module_says_what_it_is(path: Path) -> None:
    module = nodes_of(path)[0]

    assert isinstance(module, ast.Module)
    assert ast.get_docstring(module)


def test_no_file_is_a_drawer_for_everything() -> None:
    guilty = [named(path) for path in OURS if path.stem in ("utils", "helpers", "misc", "common")]

    assert guilty == []


def test_the_environment_is_read_at_the_start_alone() -> None:
    reading = re.compile(r"\bos\.(environ|getenv|putenv)\b")
    guilty = [
        named(path)
        for path in DEPLOYED
        if reading.search(text_of(path)) and path.name != "function_app.py"
    ]

    assert guilty == []


def test_what_is_deployed_imports_nothing_of_the_tests_or_the_local_stack() -> None:
    guilty = [
        f"{named(path)}: {name}"
        for path in DEPLOYED
        for name in imported(path)
        if name.partition(".")[0] in ("tests", "local", "tools", "bench", "pytest")
    ]

    assert guilty == []


def test_every_noqa_names_its_rule() -> None:
    bare = re.compile(r"#\s*noqa(?!: ?[A-Z]+[0-9]+)|#\s*type: ignore(?!\[)")
    guilty = [
        f"{named(path)}:{number}"
        for path in OURS
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if bare.search(line) and path.name != "test_house.py"
    ]

    assert guilty == []


# --- the linters ---------------------------------------------------------------------------------


def recipe(target: str) -> list[str]:
    """The commands of a target of the Makefile."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text_of(ROOT / "Makefile"), re.MULTILINE)
    assert found is not None
    return [line.strip().lstrip("@") for line in found[1].splitlines()]


def test_make_lint_runs_every_check() -> None:
    commands = recipe("lint")

    for wanted in (
        "ruff format --check .",
        "ruff check .",
        "mypy",
        "lint-imports",
        "tools/check_handlers.py",
        "tools/data_inventory.py --check",
    ):
        assert any(command.endswith(wanted) for command in commands), wanted


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the Python files that the contracts are about, with their settings."""
    for folder in ("functions", "shared", "local"):
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            ignore=shutil.ignore_patterns("node_modules", "__pycache__", "sidebar", ".*"),
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "function_app.py", tmp_path)
    return tmp_path


def lint_imports(house: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"],
        cwd=house,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(house)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_import_contracts_hold_as_the_house_stands(house: Path) -> None:
    finished = lint_imports(house)

    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("shared/usecases/sign_out.py", "import azure.identity", "no I/O"),
        ("shared/usecases/sign_out.py", "import aiohttp", "no I/O"),
        ("shared/model/who.py", "import msal", "no I/O"),
        ("shared/usecases/sign_out.py", "from shared import storage", "inwards"),
        ("shared/identity/claims.py", "from shared.usecases import sign_out", "inwards"),
        ("shared/errors.py", "from shared import model", "inwards"),
        ("functions/runs.py", "from shared.storage import runs", "only through Services"),
        ("shared/outside.py", "from local import scene", "nothing of the local stack"),
    ],
)
def test_an_import_the_wrong_way_fails_lint(
    house: Path, file: str, line: str, contract: str
) -> None:
    path = house / file
    path.write_text(f"{text_of(path)}\n\n{line}\n", encoding="utf-8")

    finished = lint_imports(house)

    assert finished.returncode == 1, finished.stdout + finished.stderr
    broken = re.findall(r"^(.*) BROKEN$", finished.stdout, re.MULTILINE)
    assert any(contract in name for name in broken), finished.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("shared/usecases/sign_out.py", "import azure.functions"),
        ("shared/model/who.py", "import os\n\nX = os.environ"),
        ("shared/model/who.py", "from unittest.mock import Mock"),
        ("shared/model/who.py", "import os\n\nX = os.getenv('X')"),
    ],
    ids=["the-host", "the-environment", "a-mock", "a-variable"],
)
def test_a_banned_api_fails_lint(house: Path, file: str, line: str) -> None:
    path = house / file
    path.write_text(f"{text_of(path)}\n\n{line}\n", encoding="utf-8")

    finished = subprocess.run(
        [str(Path(sys.executable).parent / "ruff"), "check", "--no-cache", "--select=TID251", "."],
        cwd=house,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert finished.returncode == 1
    assert f"{file}:" in finished.stdout
