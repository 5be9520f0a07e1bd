"""`python -m bench.mutation [FILE ...]`: alters the code that keeps grants, one small change at a
time, and counts how many of the changes a test notices.

mutmut (https://github.com/boxed/mutmut) makes the changes and runs, for each, those tests that come
by the changed function. It does so in a copy of the tree. It leaves decorated functions and what
stands outside functions as they are: `bench/mutation_outside.py` changes those.

Exits with 1 if of the changes to a file's functions less than 90 % were noticed.
`bench/README.md` says why each survivor may live.
"""

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.mutation_outside import Outside, changed_outside

ROOT: Final = Path(__file__).parent.parent
FILES: Final = (
    "shared/crypto/envelope.py",
    "shared/crypto/key_vault.py",
    "shared/crypto/pseudonyms.py",
    "shared/crypto/signing.py",
    "shared/crypto/tenant_vault.py",
    "shared/usecases/refresh_grant.py",
)
TESTS: Final = (
    "tests/crypto",
    "tests/test_azure_redirects.py",
    *(
        str(file.relative_to(ROOT))
        for file in sorted(ROOT.glob("tests/usecases/test_refresh_*.py"))
    ),
)
"""Those that need no other process: a changed function is tried in a second or two."""
SLOW: Final = ("tests/crypto/test_wycheproof.py",)
"""Left out: it takes longer than all the others, and kills nothing that they do not."""
PYTEST: Final = ("-p", "no:cacheprovider", *(f"--ignore={one}" for one in SLOW), *TESTS)
LEAST: Final = 0.90
_COPIED: Final = ("shared", "functions", "local", "tests", "bench", "tools")
_SECONDS: Final = 1_500
_KILLED: Final = frozenset({1, 3, 24, 36, -24, 37})
"""Exit codes of mutmut's workers: a test failed, pytest itself did, or time ran out."""
_TIMEOUT: Final = frozenset({24, 36, -24})


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    place: str
    """`file:line`"""
    change: str

    def __str__(self) -> str:
        return f"{self.place}: {self.change}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    file: str
    results: Counter[str]
    survivors: Sequence[Survivor]

    @property
    def killed(self) -> float:
        """Of all changes, those that were noticed; a test that never ends is noticed."""
        total = self.results.total()
        return (self.results["killed"] + self.results["timeout"]) / total if total else 1.0


def files_from(arguments: Sequence[str]) -> Sequence[str]:
    """Ends the program with a usage message if one of them is no file that can be changed."""
    parser = argparse.ArgumentParser(
        prog="mutation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"else {', '.join(FILES)}")
    files: Sequence[str] = parser.parse_args(arguments).files or FILES
    for file in files:
        if not (file.startswith("shared/") and file.endswith(".py") and (ROOT / file).is_file()):
            parser.error(f"{file}: no such file below shared/")
    return files


def main(files: Sequence[str]) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder), files)
        run_mutmut(copy)
        scores = [score(copy, file) for file in files]
        outside = [changed_outside(copy, file, PYTEST) for file in files]
    report(scores, outside)
    print(f"\n{time.monotonic() - began:.0f} seconds")
    return 0 if all(one.killed >= LEAST for one in scores) else 1


def copied(folder: Path, files: Sequence[str]) -> Path:
    for name in _COPIED:
        ignored = shutil.ignore_patterns("node_modules", "__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("function_app.py", "host.json"):
        shutil.copy(ROOT / name, folder / name)
    settings = {
        "source_paths": ["shared"],
        "only_mutate": list(files),
        "also_copy": [*_COPIED[1:], "function_app.py", "host.json"],
        "pytest_add_cli_args_test_selection": list(TESTS),
        "pytest_add_cli_args": list(PYTEST[: -len(TESTS)]),
    }
    listed = "\n".join(f"{name} = {json.dumps(value)}" for name, value in settings.items())
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(f"{project}\n[tool.mutmut]\n{listed}\n", "utf-8")
    return folder


def run_mutmut(folder: Path) -> None:
    """Raises RuntimeError with the end of what it printed, if it could not do its work."""
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", "run", "--max-children", str(os.cpu_count() or 1)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if "Running mutation testing" not in done.stdout or done.returncode != 0:
        raise RuntimeError(f"{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}")


def score(folder: Path, file: str) -> Score:
    found = json.loads((folder / "mutants" / f"{file}.meta").read_text(encoding="utf-8"))
    codes: Mapping[str, int] = found["exit_code_by_key"]
    results = Counter(_result(code) for code in codes.values())
    alive = [key for key, code in codes.items() if _result(code) not in ("killed", "timeout")]
    return Score(file=file, results=results, survivors=[shown(folder, file, key) for key in alive])


def _result(code: int | None) -> str:
    if code in _TIMEOUT:
        return "timeout"
    return "killed" if code in _KILLED else "survived" if code == 0 else "not run"


def shown(folder: Path, file: str, key: str) -> Survivor:
    """Where the change is, and what: from mutmut's diff, whose lines count from the function."""
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", "show", key],
        cwd=folder, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    line, old, new = first_line(file, key), "", ""
    for text in done.stdout.splitlines():
        hunk = re.match(r"@@ -(\d+)", text)
        if hunk:
            at = int(hunk[1]) - 1
        elif text.startswith("-") and not text.startswith("---"):
            line, old = first_line(file, key) + at, old or text[1:].strip()
        elif text.startswith("+") and not text.startswith("+++"):
            new = new or text[1:].strip()
        if not text.startswith(("@@", "+")) and not old:
            at = at + 1 if text.startswith(" ") else 0
    return Survivor(place=f"{file}:{line}", change=f"{old}  ->  {new}")


def first_line(file: str, key: str) -> int:
    """Of the function: mutmut calls it `module.x_function__mutmut_1`, and methods
    `module.xǁClassǁmethod__mutmut_1`."""
    name = key.rpartition("__mutmut_")[0].rpartition(".")[2]
    *classes, function = name.removeprefix("x").strip("ǁ").split("ǁ")
    wanted = [*classes, function if classes else function.removeprefix("_")]
    return next(line for path, line in functions(ROOT / file) if path == wanted)


def functions(file: Path) -> Iterator[tuple[list[str], int]]:
    """Every function and method, with the names that lead to it."""
    waiting: list[tuple[list[str], ast.AST]] = [([], ast.parse(file.read_bytes()))]
    while waiting:
        path, node = waiting.pop()
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                yield [*path, inner.name], inner.lineno
            elif isinstance(inner, ast.ClassDef):
                waiting.append(([*path, inner.name], inner))


def report(scores: Sequence[Score], outside: Sequence[Outside]) -> None:
    print(f"{'file':34} mutants  killed  timeout  survived  not run  percent")
    for one in scores:
        row = one.results
        print(
            f"{one.file:34} {row.total():7} {row['killed']:7} {row['timeout']:8} "
            f"{row['survived']:9} {row['not run']:8} {one.killed:8.1%}"
        )
    print("\noutside functions, and in decorated ones")
    for other in outside:
        print(
            f"{other.file:34} {other.total:7} {other.total - len(other.survivors):7} "
            f"{'':8} {len(other.survivors):9} {'':8} {other.killed:8.1%}"
        )
    print("\nsurvivors")
    for one in scores:
        for survivor in one.survivors:
            print(survivor)
    for other in outside:
        for text in other.survivors:
            print(text)


if __name__ == "__main__":
    sys.exit(main(files_from(sys.argv[1:])))
