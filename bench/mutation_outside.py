"""Changes to what mutmut leaves as it is: what stands outside functions, and decorated functions.

Each change is small: a number is one more, a truth value the other one, a text has one letter more,
a kind of failure is not caught any more, `raise` is `pass`. The tests run in a process of their own
on a copy of the tree whose file has the change.
"""

import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SECONDS: Final = 300
type Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What became of a file's changes."""

    file: str
    total: int
    survivors: Sequence[str]

    @property
    def killed(self) -> float:
        return (self.total - len(self.survivors)) / self.total if self.total else 1.0


def changed_outside(tree: Path, file: str, pytest: Sequence[str]) -> Outside:
    """Every change, tried in a copy of `tree`; the tests pass with those that survive."""
    changes = list(mutants((tree / file).read_text(encoding="utf-8")))

    def survives(change: tuple[str, str]) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            changed = Path(folder) / "tree"
            shutil.copytree(tree, changed, ignore=shutil.ignore_patterns("mutants"))
            (changed / file).write_text(change[1], encoding="utf-8")
            return _passes(changed, pytest)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        alive = list(pool.map(survives, changes))
    survivors = [f"{file}:{what}" for (what, _), one in zip(changes, alive, strict=True) if one]
    return Outside(file=file, total=len(changes), survivors=survivors)


def _passes(folder: Path, pytest: Sequence[str]) -> bool:
    """A test that never ends has noticed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", *pytest]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Each change as `line: old -> new`, and the source with it."""
    module = ast.parse(source)
    for number, node in enumerate(ast.walk(module)):
        if not _is_outside(module, node):
            continue
        for changed in _changes(node):
            anew = copy.deepcopy(module)
            target = list(ast.walk(anew))[number]
            target.__dict__.update(copy.deepcopy(changed).__dict__)
            target.__class__ = changed.__class__
            line = getattr(node, "lineno", 0)
            yield f"{line}: {ast.unparse(node)}  ->  {ast.unparse(changed)}", ast.unparse(anew)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Constant(value=bool() as value):
            yield ast.Constant(value=not value)
        case ast.Constant(value=int() | float() as number):
            yield ast.Constant(value=number + 1)
        case ast.Constant(value=str() as text):
            yield ast.Constant(value=text + "x")
        case ast.Tuple(elts=[_, _, *_] as elements, ctx=ast.Load()):
            for left_out in range(len(elements)):
                kept = [one for at, one in enumerate(elements) if at != left_out]
                yield ast.Tuple(elts=kept, ctx=ast.Load())
        case ast.Raise():
            yield ast.Pass()
        case _:
            pass


def _is_outside(module: ast.Module, node: ast.AST) -> bool:
    """Neither in a function that mutmut changes, nor a docstring, an annotation or an import."""
    for statement in module.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        for function in _functions(statement):
            inside = any(inner is node for inner in ast.walk(function))
            if inside:
                return bool(function.decorator_list) and not _is_text_alone(function, node)
        if any(inner is node for inner in ast.walk(statement)):
            is_value = isinstance(statement, ast.Assign | ast.AnnAssign) and any(
                inner is node for inner in ast.walk(statement.value or statement)
            )
            return is_value and not _is_text_alone(module, node)
    return False


def _functions(statement: ast.stmt) -> Iterator[Function]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        yield statement
    elif isinstance(statement, ast.ClassDef):
        yield from (
            one for one in statement.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        )


def _is_text_alone(body: ast.Module | Function, node: ast.AST) -> bool:
    """A docstring is a statement of nothing but a text."""
    return any(isinstance(one, ast.Expr) and one.value is node for one in body.body)
