"""The inventory that people read is the schema that the service keeps to."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from shared.model.schema import FILES, NEVER_STORED, TABLES
from shared.telemetry.allow_list import RULES

ROOT: Final = Path(__file__).parent.parent
TOOL: Final = "tools/data_inventory.py"
INVENTORY: Final = "docs/data-inventory.md"


def run(house: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, TOOL, *arguments],
        cwd=house,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The schema, the tool and the inventory, to be changed."""
    for folder in ("shared", "tools", "docs"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def test_the_inventory_is_what_the_schema_says() -> None:
    finished = run(ROOT, "--check")

    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_a_schema_that_says_something_else_fails_the_check(house: Path) -> None:
    schema = house / "shared/model/schema/proof.py"
    text = schema.read_text(encoding="utf-8")
    assert text.count('"24 hours."') == 1
    schema.write_text(text.replace('"24 hours."', '"48 hours."'), encoding="utf-8")

    finished = run(house, "--check")

    assert finished.returncode == 1
    assert INVENTORY in finished.stdout


@pytest.mark.parametrize("how", ["changed", "missing"])
def test_an_inventory_that_is_not_as_written_fails_the_check_until_it_is_written(
    house: Path, how: str
) -> None:
    inventory = house / INVENTORY
    before = inventory.read_text(encoding="utf-8")
    if how == "missing":
        inventory.unlink()
    else:
        inventory.write_text(before + "\n", encoding="utf-8")

    assert run(house, "--check").returncode == 1
    assert inventory.exists() is (how == "changed")  # checking writes nothing
    assert run(house).returncode == 0
    assert inventory.read_text(encoding="utf-8") == before
    assert run(house, "--check").returncode == 0


def test_every_table_kind_column_file_and_field_is_in_it() -> None:
    text = (ROOT / INVENTORY).read_text(encoding="utf-8")
    wanted = [f"### `{name}`" for name in TABLES]
    for table in TABLES.values():
        for kind in table.kinds:
            wanted += [f"**{kind.name}**", kind.row_key, kind.purpose, kind.retention]
            wanted += [f"| `{column.name}` | {column.category} |" for column in kind.columns]
    wanted += [f"`{file.name}`" for file in FILES]
    wanted += [f"- {what}" for what in NEVER_STORED]
    wanted += [f"| `{name}` |" for name in RULES]

    assert [one for one in wanted if one not in text] == []


def test_its_tables_are_whole() -> None:
    """Every line of a table in Markdown has as many cells as its head."""
    text = (ROOT / INVENTORY).read_text(encoding="utf-8")
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block
