"""What the checks report."""

from dataclasses import dataclass

from tools.infra.values import Position


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A fault: where, which rule (a fixed code), and what is wrong."""

    at: Position
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.at.path}:{self.at.line}:{self.at.column} {self.code} {self.message}"
