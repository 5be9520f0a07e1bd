"""Every Mermaid diagram can be drawn: by Mermaid itself, in mermaidx's embedded engine."""

from typing import Final

import mermaidx  # type: ignore[import-untyped]
import pytest

from tests.docs.markdown import blocks, documents, named, text_of

DIAGRAMS: Final = {
    f"{named(path)}[{number}]": block.body
    for path in documents()
    for number, block in enumerate(blocks(text_of(path)), 1)
    if block.info == "mermaid"
}


def fault_of(diagram: str) -> str | None:
    """Mermaid's own words if it cannot read the diagram."""
    try:
        mermaidx.render(diagram).svg()
    except RuntimeError as exc:  # what mermaidx raises for everything that its engine throws
        return str(exc)
    return None


def test_there_are_diagrams() -> None:
    assert DIAGRAMS


@pytest.mark.parametrize("name", DIAGRAMS)
def test_every_diagram_can_be_drawn(name: str) -> None:
    assert fault_of(DIAGRAMS[name]) is None


@pytest.mark.parametrize(
    "diagram",
    [
        "flowchart LR\n  A--[>B(",
        "flowchart LR\n  subgraph region\n  A-->B",
        "flowchrt LR\n  A-->B",
        "sequenceDiagram\n  Alice-)>Bob",
    ],
)
def test_a_diagram_that_cannot_be_drawn_is_found(diagram: str) -> None:
    assert fault_of(diagram)


def test_a_diagram_that_can_be_drawn_is_let_be() -> None:
    assert fault_of("flowchart LR\n  subgraph region\n  A-->B\n  end\n") is None
