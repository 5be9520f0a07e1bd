"""checkov's silences do not pass for success. A program of ours says here what checkov was seen to
say; tests/infra/with_checkov.py, run by `make infra`, asks checkov itself.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tools.infra.scan import CHECKOV, main, plain_resources, run, scan, skips_in

TEMPLATE: Final = """\
resource one 'Test.Kinds/ones@2024-01-01' = {
  name: 'one'
  properties: {
    // checkov:skip=CKV_TEST_1:a reason
    open: true
  }
}

resource two 'Test.Kinds/twos@2024-01-01' = if (true) {
  name: 'two'
}
"""
FAILED: Final = {
    "check_id": "CKV_TEST_1",
    "check_name": "Ensure that it is not open",
    "file_path": "/main.bicep",
    "file_line_range": [1, 7],
    "resource": "Test.Kinds/ones.one",
}

PROGRAM: Final = """\
#!{python}
import json, os, pathlib, sys

arguments = sys.argv[1:]
folder = pathlib.Path(arguments[arguments.index("--directory") + 1])
answers = {answers}
skipped = any("checkov:skip" in path.read_text() for path in folder.rglob("*.bicep"))
out, err, code = answers["with" if skipped else "without"]
print(out.replace("FOLDER", str(folder)))
print(err, file=sys.stderr)
seen = {{"arguments": arguments, "environ": dict(os.environ)}}
pathlib.Path({seen!r}).write_text(json.dumps(seen))
sys.exit(code)
"""


def report(*, failed: list[dict[str, Any]] | None = None, **summary: int) -> str:
    """A report in checkov's form."""
    errors = ["FOLDER/main.bicep"] * summary.get("parsing_errors", 0)
    counts = {"passed": 3, "parsing_errors": 0, "resource_count": 2, **summary}
    results = {"failed_checks": failed or [], "parsing_errors": errors}
    return json.dumps({"results": results, "summary": counts})


class Pretended:
    """A checkov that answers as told, once with the skips and once without them."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "bicep"
        self.folder.mkdir()
        (self.folder / "main.bicep").write_text(TEMPLATE, encoding="utf-8")
        self.program = place / "bin" / "checkov"
        self.program.parent.mkdir()
        self.seen = place / "seen.json"
        self.answers: dict[str, tuple[str, str, int]] = {}
        self.answer("with", report())
        self.answer("without", report(failed=[FAILED]), code=1)

    def answer(self, when: str, out: str, err: str = "", code: int = 0) -> None:
        self.answers[when] = (out, err, code)
        self.program.write_text(
            PROGRAM.format(python=sys.executable, answers=self.answers, seen=str(self.seen)),
            encoding="utf-8",
        )
        self.program.chmod(0o755)

    def codes(self) -> list[str]:
        return [finding.code for finding in scan(self.program, self.folder)[1]]


@pytest.fixture
def checkov(tmp_path: Path) -> Pretended:
    return Pretended(tmp_path)


def test_a_full_run_with_a_skip_that_is_needed_has_no_finding(checkov: Pretended) -> None:
    assert checkov.codes() == []
    assert main(checkov.program, checkov.folder) == 0


def test_a_failed_check_is_a_finding(
    checkov: Pretended, capsys: pytest.CaptureFixture[str]
) -> None:
    checkov.answer("with", report(failed=[FAILED]), code=1)

    assert main(checkov.program, checkov.folder) == 1
    assert capsys.readouterr().out.startswith("main.bicep:1:1 scan-failed CKV_TEST_1 ")


@pytest.mark.parametrize(
    ("out", "err", "code"),
    [
        pytest.param(report(parsing_errors=1), "", 0, id="a file that is not parsed"),
        pytest.param(
            report().replace('"parsing_errors": 0', '"parsing_errors": 1'),
            "",
            0,
            id="a file that is not parsed, and not named",
        ),
        pytest.param(report(), "[ERROR]  Failed to run check CKV_X on y", 0, id="a check crashes"),
        pytest.param(report(resource_count=0), "", 0, id="no resource is seen"),
        pytest.param(report(passed=0), "", 0, id="no check passes"),
        pytest.param('{"passed": 0, "failed": 0}', "", 0, id="no file is found"),
        pytest.param("", "", 0, id="silence"),
        pytest.param(report(), "", 2, id="another exit code"),
        pytest.param("Traceback (most recent call last):", "", 1, id="it crashes"),
    ],
)
def test_what_checkov_passes_over_is_a_finding(
    checkov: Pretended, out: str, err: str, code: int
) -> None:
    checkov.answer("with", out, err, code)

    assert "scan-incomplete" in checkov.codes()


def test_a_skip_of_a_check_that_does_not_fail_is_a_finding(checkov: Pretended) -> None:
    checkov.answer("without", report())

    assert checkov.codes() == ["scan-skip-unneeded"]


def test_a_skip_in_another_resource_is_a_finding(checkov: Pretended) -> None:
    checkov.answer("without", report(failed=[{**FAILED, "file_line_range": [9, 11]}]), code=1)

    assert checkov.codes() == ["scan-skip-unneeded"]


def test_a_skip_without_a_reason_is_a_finding(checkov: Pretended) -> None:
    path = checkov.folder / "main.bicep"
    path.write_text(TEMPLATE.replace(":a reason", ""), encoding="utf-8")

    assert checkov.codes() == ["scan-skip-unexplained"]


def test_nothing_of_our_environment_reaches_it_and_it_downloads_nothing(
    checkov: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BC_API_KEY", "a-key")
    monkeypatch.setenv("CKV_SKIP_CHECK", "CKV_TEST_1")

    run(checkov.program, checkov.folder)

    seen = json.loads(checkov.seen.read_text(encoding="utf-8"))
    assert {"BC_API_KEY", "CKV_SKIP_CHECK"} & seen["environ"].keys() == set()
    assert "--skip-download" in seen["arguments"]


def test_a_folder_may_be_named_from_where_one_is(
    checkov: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkov.folder.parent)

    assert main(Path("bin/checkov"), Path("bicep")) == 0


def test_conditions_and_loops_do_not_count_as_certain(checkov: Pretended) -> None:
    assert plain_resources(checkov.folder) == 1


def test_every_skip_of_the_templates_has_a_reason() -> None:
    skips = list(skips_in(CHECKOV.parents[2] / "bicep"))

    assert len(skips) > 10
    assert [str(skip.at) for skip in skips if not skip.reason.strip()] == []
