"""Each rule of tools/infra finds the mistake it is there for, seeded into the real templates."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.infra.mutants import alerts, app, details, entries, language, stores
from tests.infra.mutants.mutant import BICEP, Mutant
from tools.infra.checks import check

MUTANTS: Final = (
    *language.MUTANTS,
    *stores.MUTANTS,
    *app.MUTANTS,
    *details.MUTANTS,
    *alerts.MUTANTS,
    *entries.MUTANTS,
)
OF_FILES: Final = {"module-unreached", "template-missing", "golden"}
"""What no edit of a file brings about: tests/infra/test_checks.py adds and removes files; or what
every edit does: tests/infra/test_golden.py."""
CHECKER: Final = Path(__file__).parents[2] / "tools" / "infra"


type Known = frozenset[tuple[str, str, str]]


@pytest.fixture(scope="module")
def known() -> Known:
    """What is wrong without a mistake: nothing, or test_checks.py fails as well."""
    found = check(BICEP, compare=False).findings
    return frozenset((one.at.path, one.code, one.message) for one in found)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_seeded_mistake_is_found_by_name(mutant: Mutant, tmp_path: Path, known: Known) -> None:
    mutant.write(tmp_path)

    found = [
        one
        for one in check(tmp_path, compare=False).findings  # test_golden.py compares as well
        if (one.at.path, one.code, one.message) not in known
    ]

    assert mutant.code in {
        one.code for one in found if one.at.path == (mutant.found_in or mutant.file)
    }, found
    assert {one.code for one in found} - {mutant.code} == mutant.also, found


def _codes(path: Path) -> Iterator[str]:
    """The codes that a module of the checker can report."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id="Finding"), args=[_, ast.Constant(value=str(code)), *_]):
                yield code
            case ast.Call(func=ast.Name(id="Must"), args=[ast.Constant(value=str(code)), *_]):
                yield code
            case ast.Call(
                func=ast.Attribute(attr="_finding"), args=[_, ast.Constant(value=str(code)), *_]
            ):
                yield code


def test_every_code_of_the_checker_has_its_mistake() -> None:
    can_report = {
        code
        for path in CHECKER.rglob("*.py")
        if path.name != "scan.py"  # needs checkov: tests/infra/test_scan.py
        for code in _codes(path)
    }

    assert can_report - {mutant.code for mutant in MUTANTS} == OF_FILES
    assert {mutant.code for mutant in MUTANTS} - can_report == set()


def test_no_two_mistakes_have_one_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
