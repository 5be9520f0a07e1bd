"""Writes docs/data-inventory.md from the schema: `python tools/data_inventory.py [--check]`.

With `--check` nothing is written; exits 1 if the file is not what would be written.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # run as a program, it finds the service beside it

from shared.model.schema import (  # noqa: E402 - the path is set first
    BACKUPS_STATEMENT,
    CATEGORIES,
    FILES,
    LOG_DAYS,
    LOGS_STATEMENT,
    NEVER_STORED,
    READERS,
    TABLES,
    Kind,
    Table,
)
from shared.telemetry.allow_list import RULES  # noqa: E402 - the path is set first

INVENTORY: Final = ROOT / "docs" / "data-inventory.md"

_HEAD: Final = """\
# Data inventory

Everything that the service stores, where, why, and for how long. Made from `shared/model/schema` by
`python tools/data_inventory.py`; `make lint` fails when the two differ, and the service refuses to
write a column that is not listed here. What is held about one user is answered to that user by
`GET /v1/me/data`.

Every table has the tenant's id as its partition key: `ms-<Entra tenant id>`, or `g-` and a hash of
the Google Workspace domain. So a tenant id names an organisation; no column names a person.

Values marked *sealed* are encrypted with AES-256-GCM under a data key of the tenant's own, bound to
tenant, table, row and column: elsewhere they do not open. The data keys are wrapped (RSA-OAEP-256)
by a key that never leaves Key Vault, or by the customer's own. Storage is encrypted once more by
Azure. Deleting a tenant destroys its data keys.

Periods are the longest that a row is kept when nobody deletes anything; a sweep runs hourly. A
deletion request of a user or a tenant has to be carried out within 24 hours of its confirmation; at
20 hours an alarm is raised.
"""


def inventory() -> str:
    """The whole document."""
    parts = [_HEAD, "## Never stored\n", _never_stored(), "## Categories\n", _categories()]
    parts += ["## Tables\n", *(part for table in TABLES.values() for part in _table(table))]
    parts += ["## Files beside the tables\n", f"{BACKUPS_STATEMENT}\n", _files()]
    parts += ["## Logs and telemetry\n", f"{LOGS_STATEMENT}\n", _fields()]
    return "\n".join(parts)


def _never_stored() -> str:
    listed = "".join(f"- {what}\n" for what in NEVER_STORED)
    return f"Anywhere: tables, files, logs, telemetry, crash output.\n\n{listed}"


def _categories() -> str:
    rows = ((name, what, READERS[name]) for name, what in CATEGORIES.items())
    return _grid(("category", "what it is", "who can read it"), rows)


def _table(table: Table) -> Iterator[str]:
    yield f"### `{table.name}`\n"
    yield f"{table.purpose}\n"
    for kind in table.kinds:
        yield _kind(kind)


def _kind(kind: Kind) -> str:
    text = (
        f"**{kind.name}**, row key `{kind.row_key}`. {kind.purpose}\n\n*Kept:* {kind.retention}\n"
    )
    if not kind.columns:
        return f"{text}\n*Holds:* nothing but its keys.\n"
    rows = (
        (
            f"`{column.name}`",
            column.category,
            column.purpose,
            column.protection or "not sealed",
            READERS[column.category],
        )
        for column in kind.columns
    )
    head = ("column", "category", "purpose", "sealed", "who can read it")
    return f"{text}\n{_grid(head, rows)}"


def _files() -> str:
    rows = (
        (
            file.kind,
            f"`{file.name}`",
            file.category,
            file.content,
            file.protection or "not sealed",
            file.retention,
        )
        for file in FILES
    )
    return _grid(("file", "name", "category", "content", "sealed", "kept"), rows)


def _fields() -> str:
    rows = (
        (f"`{name}`", "a number" if rule.shape is None else "a text of fixed shape", rule.reason)
        for name, rule in sorted(RULES.items())
    )
    head = _grid(("field", "value", "why it may be said"), rows)
    return f"Every field that an event may carry, for {LOG_DAYS} days:\n\n{head}"


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(*arguments: str) -> int:
    """Write the document, or with `--check` compare it. 0 if it is as it should be afterwards."""
    parser = argparse.ArgumentParser(prog="data_inventory", description=__doc__, allow_abbrev=False)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    wanted = inventory()
    if parser.parse_args(arguments).check:
        found = INVENTORY.read_text(encoding="utf-8") if INVENTORY.exists() else ""
        if found != wanted:
            print(f"{INVENTORY.relative_to(ROOT)} is out of date: python tools/data_inventory.py")
        return int(found != wanted)
    INVENTORY.parent.mkdir(exist_ok=True)
    INVENTORY.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
