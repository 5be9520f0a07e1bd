"""Every command that a document tells somebody to type exists."""

from pathlib import Path

import pytest

from tests.docs.commands import commands, faults
from tests.docs.markdown import RUNBOOKS, documents, named, text_of


@pytest.mark.parametrize("path", documents(), ids=named)
def test_every_command_of_a_document_exists(path: Path) -> None:
    assert faults(text_of(path)) == []


def test_the_commands_of_runbooks_are_seen() -> None:
    seen = [command for path in RUNBOOKS.glob("*.md") for command in commands(text_of(path))]

    assert len(seen) > 50


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("make rewrap", "make: no target rewrap"),
        ("make run COLOUR=red", "make: no variable COLOUR"),
        ("python -m tools.rewrap --all", "python: no module tools.rewrap"),
        ("python tools/rewrap.py", "python: no script tools/rewrap.py"),
        ("az functionapp halt --name APP", "az: no command functionapp halt"),
        ("az functionapp stop --app APP", "az functionapp stop: no option --app"),
        ("azd rollback", "azd: no command rollback"),
        ("gh run undo 1", "gh: no command run undo 1"),
        ("flowrunner-admin disable TENANT", "flowrunner-admin: no such program"),
        ("curl --fail ADDRESS | jsonpp", "jsonpp: no such program"),
        ("KEY=$(az functionapp key --name APP)", "az: no command functionapp key"),
        ("for table in a b; do az storage wipe $table; done", "az: no command storage wipe $table"),
        ("rm 'session", "rm 'session: No closing quotation"),
    ],
)
def test_a_command_that_is_none_is_found(command: str, fault: str) -> None:
    assert faults(f"```\n{command}\n```\n") == [fault]


def test_one_in_the_middle_of_a_sentence_is_found_as_well() -> None:
    assert faults("Then `make rewrap`, and `make demo`.") == ["make: no target rewrap"]


def test_a_diagram_a_query_and_an_answer_are_no_commands() -> None:
    text = "```kql\nAppTraces\n```\n```mermaid\nflowchart LR\n```\n```json\n{}\n```\n"

    assert commands(text) == []


def test_a_command_may_go_on_in_the_next_line() -> None:
    assert commands("```\naz login \\\n    --tenant T\n```\n") == ["az login --tenant T"]
