"""`python -m tools.infra`: what it prints, when it fails, and mistakes beyond one file's edit."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.infra.mutants.mutant import BICEP
from tools.infra.checks import check

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the templates, to be changed."""
    return Path(shutil.copytree(BICEP, tmp_path / "bicep"))


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tools.infra", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def codes(folder: Path) -> set[tuple[str, str]]:
    return {(finding.at.path, finding.code) for finding in check(folder).findings}


def test_it_says_how_much_it_looked_at_and_succeeds() -> None:
    finished = run()
    report = check(BICEP)

    assert finished.stdout == f"{report.files} files, {report.resources} resources, 0 findings\n"
    assert (finished.returncode, finished.stderr) == (0, "")


def test_it_prints_each_finding_with_its_place_and_fails(folder: Path) -> None:
    path = folder / "modules" / "keyvault.bicep"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("enablePurgeProtection: true", "enablePurgeProtection: false"))
    line = text[: text.index("enablePurgeProtection")].count("\n") + 1

    finished = run(str(folder))

    changed, first, last = finished.stdout.splitlines()
    assert changed.startswith(f"{folder / 'deployed.txt'}:")
    assert first.startswith(f"{path}:{line}:5 vault-purge-protection ")
    assert last.endswith(", 2 findings")
    assert finished.returncode == 1


def test_an_empty_folder_is_no_success(tmp_path: Path) -> None:
    finished = run(str(tmp_path))

    assert finished.returncode == 1
    assert "template-missing" in finished.stdout


def test_a_template_that_no_deployment_takes_in_is_a_finding(folder: Path) -> None:
    shutil.copy(folder / "modules" / "guard.bicep", folder / "modules" / "spare.bicep")

    assert codes(folder) == {("modules/spare.bicep", "module-unreached")}


def test_an_entry_that_is_gone_is_a_finding(folder: Path) -> None:
    (folder / "main.bicep").unlink()

    assert ("main.bicep", "template-missing") in codes(folder)


def test_parameters_in_a_format_that_nothing_reads_offline_are_a_finding(folder: Path) -> None:
    (folder / "main.bicepparam").write_text("using 'main.bicep'\n", encoding="utf-8")

    assert codes(folder) == {("main.bicepparam", "subset")}


@pytest.mark.parametrize(
    "declaration",
    [
        "type region = 'westeurope' | 'northeurope'",
        "import * as shared from 'shared.bicep'",
        "func twice(text string) string => '${text}${text}'",
        "var short = filter(['a'], one => length(one) == 1)",
        "var more = { ...tags }",
        "var sure = tags!.application",
        "var typed string = 'a'",
        "var ids = [\n  resourceGroup().id\n  location\n]",
        "var sum = ()",
    ],
)
def test_what_not_every_offline_parser_reads_is_a_finding(folder: Path, declaration: str) -> None:
    path = folder / "modules" / "stack.bicep"
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{declaration}\n", encoding="utf-8")

    (finding,) = {(at, code) for at, code in codes(folder) if at == "modules/stack.bicep"}

    assert finding[1] in {"subset", "syntax"}


def test_two_symbols_made_of_each_other_are_a_finding(folder: Path) -> None:
    path = folder / "modules" / "guard.bicep"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("  name: 'flowrunner'\n", "  name: one\n")
        + "\nvar one = two\nvar two = one\n",
        encoding="utf-8",
    )

    assert ("modules/guard.bicep", "symbol-cycle") in codes(folder)
