"""The runbooks have one shape, say when they were looked at and drilled, and name no machine."""

import re
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from tests.docs.markdown import RUNBOOKS, documents, named, text_of

NAMES: Final = (
    "breach-notice",
    "deploy",
    "incident",
    "key-rotation",
    "region-move",
    "restore",
    "tenant-offboarding",
)
_DATE: Final = r"\d{4}-\d\d-\d\d"
_HEAD: Final = re.compile(
    rf"\*\*Owner:\*\* [^*]+\. \*\*Last reviewed:\*\* ({_DATE})\."
    rf" \*\*Last drilled:\*\* (never|{_DATE})\b"
)
_SECTIONS: Final = ("When", "You need", "Steps", "How to see that it worked", "How to go back")
_MACHINE: Final = re.compile(
    r"(?<![\w.:~$/-])/(?:home|root|tmp|work|Users|opt|mnt|srv)\b|\b[A-Z]:\\|file://"
)


def shape_faults(text: str) -> list[str]:
    """What a runbook lacks. `Steps` may be several sections, with more behind the word."""
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    faults = [
        f"no section {wanted}"
        for wanted in _SECTIONS
        if not any(heading == wanted or heading.startswith(f"{wanted}:") for heading in headings)
    ]
    head = _HEAD.search(" ".join(text.split()))
    if head is None:
        return [*faults, "no owner, review and drill"]
    for day in head.groups():
        if day != "never":
            date.fromisoformat(day)
    return faults


def machine_paths(text: str) -> list[str]:
    """Paths of the machine that somebody wrote the document on."""
    return _MACHINE.findall(text)


def test_the_runbooks_are_these() -> None:
    assert sorted(path.stem for path in RUNBOOKS.iterdir()) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_has_its_sections_owner_review_and_drill(name: str) -> None:
    assert shape_faults(text_of(RUNBOOKS / f"{name}.md")) == []


@pytest.mark.parametrize(
    ("gone", "put", "fault"),
    [
        ("## When\n", "", "no section When"),
        ("## You need\n", "## Needed\n", "no section You need"),
        ("## How to go back\n", "", "no section How to go back"),
        ("**Owner:**", "Owner:", "no owner, review and drill"),
        ("**Last drilled:** never", "**Last drilled:** recently", "no owner, review and drill"),
        ("**Last reviewed:** 2026-", "**Last reviewed:** in 2026-", "no owner, review and drill"),
    ],
)
def test_what_a_runbook_lacks_is_found(gone: str, put: str, fault: str) -> None:
    text = text_of(RUNBOOKS / "region-move.md")
    assert gone in text

    assert shape_faults(text.replace(gone, put)) == [fault]


@pytest.mark.parametrize("path", documents(), ids=named)
def test_no_document_names_a_path_of_a_machine(path: Path) -> None:
    assert machine_paths(text_of(path)) == []


@pytest.mark.parametrize(
    "form", ["{}", "see {}", "`{}`", "({})", r"C:\keys", "file://{}"], ids=repr
)
@pytest.mark.parametrize("folder", ["home", "root", "tmp", "work", "Users", "opt", "mnt", "srv"])
def test_a_path_of_a_machine_is_found(form: str, folder: str) -> None:
    """Put together here: no file of the tree, not even this one, names such a path."""
    assert machine_paths(form.format(f"/{folder}/a"))


@pytest.mark.parametrize("text", ["a/tmp/b", "https://x.example/home", "GET /v1/me/data", "~/tmp"])
def test_an_address_is_no_path_of_a_machine(text: str) -> None:
    assert machine_paths(text) == []
