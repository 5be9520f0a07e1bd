"""A seeded mistake: one small change of the real templates."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BICEP: Final = Path(__file__).parents[3] / "bicep"


@dataclass(frozen=True, slots=True)
class Mutant:
    """Replaces the first `old` of a file by `new`; `code` has to be found there."""

    name: str
    file: str
    old: str
    new: str
    code: str
    also: frozenset[str] = frozenset()
    """Other codes that the same mistake deserves; no code beside these may show."""
    found_in: str = ""
    """Where the code is found, if that is not the file with the mistake."""

    def write(self, folder: Path) -> None:
        """Put a copy of the templates, with this mistake, into an empty folder."""
        shutil.copytree(BICEP, folder, dirs_exist_ok=True)
        path = folder / self.file
        text = path.read_text(encoding="utf-8")
        assert self.old in text, f"the templates no longer say {self.old!r}: change this mutant"
        path.write_text(text.replace(self.old, self.new, 1), encoding="utf-8")


def also(*codes: str) -> frozenset[str]:
    return frozenset(codes)
