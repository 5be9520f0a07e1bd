"""Every relative link leads somewhere, and so does its anchor."""

from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, anchors, documents, links, named, text_of


def broken(text: str, folder: Path) -> list[str]:
    """The links of a document in this folder that lead nowhere."""
    faults = []
    for link in links(text):
        if link.startswith(("https://", "mailto:")):
            continue
        address, _, anchor = link.partition("#")
        target = (folder / address).resolve()
        if address and not (target.exists() and target.is_relative_to(ROOT)):
            faults.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(text_of(target) if address else text):
            faults.append(f"{link}: no such heading")
    return faults


@pytest.mark.parametrize("path", documents(), ids=named)
def test_every_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    assert broken(text_of(path), path.parent) == []


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("[a](nowhere.md)", "nowhere.md: no such file"),
        ("[a](../../outside.md)", "../../outside.md: no such file"),
        ("[a](restore.md#no-such-heading)", "restore.md#no-such-heading: no such heading"),
        ("[a](#nor-here)", "#nor-here: no such heading"),
        ("[a](http://example.com)", "http://example.com: no such file"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link: str, fault: str) -> None:
    assert broken(f"# Title\n\n{link}\n", ROOT / "docs" / "runbooks") == [fault]


@pytest.mark.parametrize(
    "link",
    [
        "[a](restore.md)",
        "[a](restore.md#when-it-refuses)",
        "[a](#a-title-with-code-and-a-comma)",
        "[a](https://example.com/nowhere)",
        "`[a](nowhere.md)`",
        "```\n[a](nowhere.md)\n```",
    ],
)
def test_a_link_that_leads_somewhere_is_let_be(link: str) -> None:
    text = f"# A title, with `code` and a comma\n\n{link}\n"

    assert broken(text, ROOT / "docs" / "runbooks") == []


def test_the_same_heading_twice_has_two_anchors() -> None:
    assert anchors("## Steps\n\n## Steps\n") == {"steps", "steps-1"}
