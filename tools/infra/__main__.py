"""Checks the Bicep templates offline: `python -m tools.infra [folder]`.

Prints a line for each finding and one with counts; exits 1 if there is a finding. The templates are
not compiled here, there is no compiler to be had: the workflow on GitHub does that.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from tools.infra.checks import check

ROOT: Final = Path(__file__).parent.parent.parent


def main(folder: Path) -> int:
    """Print what was found; 1 if there is anything, else 0."""
    report = check(folder)
    for finding in report.findings:
        path = (folder / finding.at.path).as_posix()
        print(replace(finding, at=replace(finding.at, path=path)))
    counts = f"{report.files} files, {report.resources} resources"
    print(f"{counts}, {len(report.findings)} findings")
    return int(bool(report.findings))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "bicep"))
