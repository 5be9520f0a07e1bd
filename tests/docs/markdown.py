"""The documents as the tests of this folder read them: blocks, spans, links, headings."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
RUNBOOKS: Final = ROOT / "docs" / "runbooks"

_FOREIGN: Final = frozenset({"node_modules", "dist"})
_FENCE: Final = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```\s*$",
    re.MULTILINE | re.DOTALL,
)
_SPAN: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK: Final = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: what stands behind the fence, and its lines without their indentation."""

    info: str
    body: str


def documents() -> list[Path]:
    """Every Markdown file of ours: not what tools keep in folders that begin with a dot."""
    return sorted(path for path in ROOT.rglob("*.md") if _is_ours(path.relative_to(ROOT).parts))


def _is_ours(parts: tuple[str, ...]) -> bool:
    hidden = {part for part in parts if part.startswith(".")} - {".github"}
    return not hidden and not _FOREIGN & set(parts)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(text: str) -> Iterator[Block]:
    for match in _FENCE.finditer(text):
        indent = match["indent"]
        lines = (line.removeprefix(indent) for line in match["body"].splitlines())
        yield Block(match["info"].strip(), "\n".join(lines) + "\n")


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", text)


def spans(text: str) -> list[str]:
    """What stands in single backticks, outside of fenced blocks."""
    return _SPAN.findall(prose(text))


def links(text: str) -> list[str]:
    """The targets of all links, outside of code."""
    return _LINK.findall(_SPAN.sub("", prose(text)))


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them: lower case, without punctuation, a hyphen
    for each space, and a number behind those that are there already."""
    seen: Counter[str] = Counter()
    found = set()
    for _, heading in _HEADING.findall(prose(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found
