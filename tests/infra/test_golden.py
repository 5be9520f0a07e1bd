"""The committed list of what would be deployed: whatever changes that shows in it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.infra.mutants.mutant import BICEP, Mutant
from tests.infra.test_mutants import MUTANTS
from tools.infra.checks import check
from tools.infra.folder import load
from tools.infra.frames import CycleError
from tools.infra.golden import FILE, compare, main, render

ROOT: Final = Path(__file__).parents[2]

UNREADABLE: Final = {"subset", "syntax"}
DEPLOY_THE_SAME: Final = frozenset(
    {
        "user-defined type",
        "duplicate symbol",
        "output given twice",
        "unknown decorator",
        "no description",
        "parameter used by nobody",
        "variable used by nobody",
        "output of another type",
        "GRS",  # offered by a module, to nobody
    }
)
"""Mistakes within a module that change nothing of what is deployed, by name."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the templates, to be changed."""
    return Path(shutil.copytree(BICEP, tmp_path / "bicep"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_list_is_what_the_templates_say() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "tools.infra.golden"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (finished.stdout, finished.stderr) == ("", "")
    assert finished.returncode == 0


def test_a_change_is_printed_as_a_difference(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder / "modules" / "guard.bicep", "threshold: 80\n", "threshold: 90\n")

    failed = main(folder, write=False)

    lines = capsys.readouterr().out.splitlines()
    path = "properties.notifications.spent80.threshold"
    assert failed == 1
    assert [line for line in lines if line[:1] in "+-"][2:] == [f"-  {path}: 80", f"+  {path}: 90"]


def test_the_finding_names_the_first_line_that_differs(folder: Path) -> None:
    change(folder / "modules" / "guard.bicep", "notes: 'Every tenant,", "notes: 'No tenant,")

    (finding,) = check(folder).findings

    listed = (BICEP / FILE).read_text(encoding="utf-8").splitlines()
    assert (finding.at.path, finding.code) == (FILE, "golden")
    assert "Every tenant," in listed[finding.at.line - 1]
    assert finding.message.startswith("resource guard/dataLock: Microsoft.Authorization/locks@")
    assert "No tenant," in finding.message


def test_a_written_list_is_no_finding(folder: Path) -> None:
    change(folder / "modules" / "guard.bicep", "notes: 'Every tenant,", "notes: 'No tenant,")

    assert main(folder, write=True) == 0
    assert check(folder).findings == ()


def test_a_list_that_is_gone_is_a_finding(folder: Path) -> None:
    (folder / FILE).unlink()

    assert {one.code for one in check(folder).findings} == {"golden"}


def test_templates_that_cannot_be_read_are_not_written(folder: Path) -> None:
    (folder / "modules" / "guard.bicep").write_text("resource {", encoding="utf-8")

    assert main(folder, write=True) == 1
    assert (folder / FILE).read_text(encoding="utf-8") == (BICEP / FILE).read_text(encoding="utf-8")


def test_texts_that_would_look_alike_are_told_apart(folder: Path) -> None:
    before = render(load(folder))
    change(folder / "modules" / "guard.bicep", "name: 'flowrunner'", r"name: 'a\n  b: \'c'")

    after = render(load(folder))

    assert len(after.splitlines()) == len(before.splitlines())
    assert r"  name: 'a\n  b: \'c'" in after.splitlines()


def test_what_only_main_says_of_the_stack_is_listed(folder: Path) -> None:
    change(
        folder / "main.bicep",
        "    privateEndpoints: privateEndpoints",
        "    privateEndpoints: true",
    )

    (finding,) = (one for one in check(folder).findings if one.code == "golden")

    listed = (BICEP / FILE).read_text(encoding="utf-8").splitlines()
    assert listed.index("=== main.bicep, deployed into a subscription ===") < finding.at.line


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mistake_that_changes_what_is_deployed_shows(mutant: Mutant, tmp_path: Path) -> None:
    mutant.write(tmp_path)

    loaded = load(tmp_path)

    if loaded.unreadable:
        assert mutant.code in UNREADABLE
        return
    try:
        shows = any(compare(loaded))
    except CycleError:
        assert mutant.code == "symbol-cycle"
    else:
        assert shows is (mutant.name not in DEPLOY_THE_SAME)
