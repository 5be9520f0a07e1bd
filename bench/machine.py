"""What a table of figures was measured on, for `--markdown`."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_CPUS: Final = Path("/proc/cpuinfo")


def measured_on(command: str) -> str:
    """The machine, the day, and the command that measures it again."""
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return "\n".join(
        [
            f"- machine: {_processor()}, {cores} cores, {system}",
            f"- date: {datetime.now(UTC):%Y-%m-%d}",
            f"- command: `{command}`",
        ]
    )


def _processor() -> str:
    """As Linux names it; elsewhere the machine's kind alone."""
    if _CPUS.exists():
        for line in _CPUS.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """Columns are as wide as they have to be, so that it reads in a terminal, too. The first is
    text, and the others are figures."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: list[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]
        return f"| {' | '.join(padded)} |"

    ruler = "|".join(
        ["", f":{'-' * (widths[0] + 1)}", *(f"{'-' * (width + 1)}:" for width in widths[1:]), ""]
    )
    return "\n".join([line(head), ruler, *(line(row) for row in rows)])
