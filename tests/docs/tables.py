"""Tables of a document, as rows of cells by the names of their columns."""

import re
from typing import Final

_ROW: Final = re.compile(r"^\|(.+)\|\s*$")
_CODE: Final = re.compile(r"`([^`]+)`")


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of the same level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    match = re.search(
        rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{level}}} |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert match is not None, heading
    return match[1]


def tables(text: str) -> list[list[dict[str, str]]]:
    """Every table of the text, in order."""
    found: list[list[dict[str, str]]] = []
    head: list[str] | None = None
    for line in text.splitlines():
        match = _ROW.match(line)
        if match is None:
            head = None
            continue
        cells = [cell.strip() for cell in match[1].split("|")]
        if head is None:
            head = cells
            found.append([])
        elif not all(set(cell) <= set("-:") for cell in cells):
            found[-1].append(dict(zip(head, cells, strict=True)))
    return found


def code_spans(cell: str) -> list[str]:
    return _CODE.findall(cell)
