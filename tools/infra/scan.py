"""Runs checkov over the templates: `python -m tools.infra.scan <checkov> [folder]`.

checkov alone proves little: it exits 0 on a file that it cannot parse, drops what it cannot read,
and goes on when a check of its own crashes. So its report is held against what our reader counts,
and every skip in the templates against a second run without skips. checkov runs offline: it is
given no API key, no part of our environment, and no download. Prints a line for each finding and
one with counts; exits 1 if there is a finding.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.infra.findings import Finding
from tools.infra.folder import load
from tools.infra.values import Position

ROOT: Final = Path(__file__).parent.parent.parent
CHECKOV: Final = ROOT / ".venv-infra" / "bin" / "checkov"
DEADLINE: Final = 300
"""Seconds for one run; it takes about 3."""

UNSTABLE: Final = ("CKV_AZURE_189",)
"""Checks that crash or pass on the same template, as checkov happens to render a ternary first or
last. Our own `public-access` asks the same: private endpoints close the public address."""

_SKIP: Final = re.compile(r"//\s*checkov:skip=(?P<id>\w+)(?::(?P<reason>.*))?$")
_CRASHED: Final = re.compile(r"Failed to run check (?P<what>.*)")


@dataclass(frozen=True, slots=True)
class Skip:
    """A comment in a template that switches a check off for the resource around it."""

    at: Position
    check: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A check that failed, and the lines of its resource."""

    path: str
    check: str
    about: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of checkov said."""

    failures: tuple[Failure, ...]
    passed: int
    resources: int
    troubles: tuple[str, ...]
    """Files it could not parse, checks that crashed, answers that are no report."""


def scan(checkov: Path, folder: Path) -> tuple[Outcome, tuple[Finding, ...]]:
    """Two runs, one of them without the skips, and everything that is wrong with them."""
    outcome = run(checkov, folder)
    found = list(_faults(outcome, folder))
    skips = list(skips_in(folder))
    with tempfile.TemporaryDirectory() as scratch:
        bare = Path(scratch) / "bicep"
        shutil.copytree(folder, bare)
        for path in bare.rglob("*.bicep"):
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(r"//\s*checkov:skip=.*", "//", text), encoding="utf-8")
        without = run(checkov, bare)
    for skip in skips:
        if not skip.reason.strip():
            message = f"{skip.check} has no reason"
            found.append(Finding(skip.at, "scan-skip-unexplained", message))
        if not any(_covers(failure, skip) for failure in without.failures):
            message = f"{skip.check} does not fail here without it"
            found.append(Finding(skip.at, "scan-skip-unneeded", message))
    return outcome, tuple(sorted(set(found)))


def run(checkov: Path, folder: Path) -> Outcome:
    """One run. What keeps it from being a full one is in `troubles`."""
    folder = folder.absolute()  # checkov is run elsewhere
    command = (
        *(
            str(checkov.absolute()),
            "--directory",
            str(folder),
            "--framework",
            "bicep",
            "--output",
            "json",
        ),
        *("--skip-download", "--skip-check", ",".join(UNSTABLE)),
    )
    with tempfile.TemporaryDirectory() as home:
        finished = subprocess.run(  # noqa: S603 - the path is ours or the caller's own
            command,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
            cwd=home,
            env={"HOME": home, "PATH": str(checkov.parent), "LOG_LEVEL": "WARNING"},
        )
    troubles = [f"crashed: {found['what']}" for found in _CRASHED.finditer(finished.stderr)]
    try:
        report = json.loads(finished.stdout)
        results, summary = report["results"], report["summary"]
        failures = tuple(map(_failure, results["failed_checks"]))
        troubles += [
            f"not parsed: {Path(path).relative_to(folder)}" for path in results["parsing_errors"]
        ]
        passed, resources = int(summary["passed"]), int(summary["resource_count"])
        errors = int(summary["parsing_errors"])
    except (ValueError, KeyError, TypeError):
        troubles.append(f"no report (exit code {finished.returncode})")
        return Outcome((), 0, 0, tuple(troubles))
    if errors != len(results["parsing_errors"]):
        troubles.append(f"{errors} parsing errors")
    if finished.returncode != (1 if failures else 0):
        troubles.append(f"exit code {finished.returncode}")
    return Outcome(failures, passed, resources, tuple(troubles))


def _failure(record: Mapping[str, Any]) -> Failure:
    first, last = record["file_line_range"]
    return Failure(
        str(record["file_path"]).lstrip("/"),
        str(record["check_id"]),
        f"{record['check_name']} ({record['resource']})",
        int(first),
        int(last),
    )


def _faults(outcome: Outcome, folder: Path) -> Iterator[Finding]:
    for failure in outcome.failures:
        at = Position(failure.path, failure.first, 1)
        yield Finding(at, "scan-failed", f"{failure.check} {failure.about}")
    for trouble in outcome.troubles:
        yield Finding(Position(".", 1, 1), "scan-incomplete", trouble)
    least = plain_resources(folder)
    if outcome.resources < least or not outcome.passed:
        message = f"checkov saw {outcome.resources} resources and passed {outcome.passed} checks"
        yield Finding(Position(".", 1, 1), "scan-incomplete", f"{message}; there are {least}")


def plain_resources(folder: Path) -> int:
    """How many resources every reader must see: those outside conditions and loops.

    checkov counts more than these (symbols that its graph checks touch, some of them twice), so
    this is a lower bound against an empty run; files left out show as parsing errors.
    """
    return sum(
        not resource.existing and resource.block.condition is None and resource.block.loop is None
        for template in load(folder).templates.values()
        for resource in template.resources.values()
    )


def skips_in(folder: Path) -> Iterator[Skip]:
    """Every skip comment in the folder."""
    for path in sorted(folder.rglob("*.bicep")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, start=1):
            if found := _SKIP.search(line):
                at = Position(path.relative_to(folder).as_posix(), number, found.start() + 1)
                yield Skip(at, found["id"], found["reason"] or "")


def _covers(failure: Failure, skip: Skip) -> bool:
    return (
        failure.check == skip.check
        and failure.path == skip.at.path
        and failure.first <= skip.at.line <= failure.last
    )


def main(checkov: Path, folder: Path) -> int:
    """Print what was found; 1 if there is anything, else 0."""
    outcome, findings = scan(checkov, folder)
    for finding in findings:
        print(finding)
    skips = sum(1 for _ in skips_in(folder))
    print(f"{outcome.passed} checks passed, {skips} skipped with reasons, {len(findings)} findings")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(
        main(
            Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOV,
            Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "bicep",  # noqa: PLR2004 - the second argument
        )
    )
