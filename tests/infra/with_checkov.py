"""With checkov itself, from the infra environment: `pytest tests/infra/with_checkov.py`.

Its name keeps it out of `make test`, which has no such environment; `make infra` names it.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.infra.mutants.mutant import BICEP
from tools.infra.scan import CHECKOV, UNSTABLE, run, scan


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BICEP, tmp_path / "bicep"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


BROKEN: Final = {
    "a decorator that nobody knows": ("param token string", "@nonsense(\nparam token string"),
    "a brace that is missing": ("properties: {", "properties: "),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_file_that_checkov_drops_in_silence_is_a_finding(folder: Path, mistake: str) -> None:
    edit(folder / "modules" / "network.bicep", *BROKEN[mistake])
    alone = subprocess.run(
        [
            CHECKOV,
            "-d",
            folder,
            "--framework",
            "bicep",
            "--skip-download",
            "--output",
            "json",
            "--skip-check",
            ",".join(UNSTABLE),
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert alone.returncode == 0  # the trap
    assert "not parsed: modules/network.bicep" in run(CHECKOV, folder).troubles


def test_a_mistake_that_checkov_knows_fails(folder: Path) -> None:
    edit(folder / "modules" / "storage.bicep", "'TLS1_2'", "'TLS1_0'")

    _, findings = scan(CHECKOV, folder)

    assert {(finding.at.path, finding.code) for finding in findings} == {
        ("modules/storage.bicep", "scan-failed")
    }
    assert "CKV_AZURE_44" in findings[0].message


def test_a_skip_too_many_fails(folder: Path) -> None:
    edit(
        folder / "modules" / "keyvault.bicep",
        "    enableRbacAuthorization: true\n",
        "    // checkov:skip=CKV_AZURE_42:no reason at all\n    enableRbacAuthorization: true\n",
    )

    _, findings = scan(CHECKOV, folder)

    assert [finding.code for finding in findings] == ["scan-skip-unneeded"]
