"""A folder of templates: every Bicep file read once, and the parameter files beside them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools.infra.findings import Finding
from tools.infra.nodes import UnreadableError
from tools.infra.reader import read
from tools.infra.template import Module, Template
from tools.infra.values import Position


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder of templates holds; paths are relative to it."""

    templates: Mapping[str, Template]
    parameter_files: Mapping[str, str]
    """The text of each JSON file."""
    unreadable: tuple[Finding, ...]
    deployed: str = ""
    """The committed list of what would be deployed (tools/infra/golden.py)."""

    def target(self, template: Template, module: Module) -> Template | None:
        """The template that a module of `template` means; None if there is no such file."""
        return self.templates.get(_resolved(template.path, module.path))

    def target_path(self, template: Template, module: Module) -> str:
        return _resolved(template.path, module.path)

    def reached(self, root: str) -> frozenset[str]:
        """The paths of the templates that a deployment of `root` takes in."""
        found: set[str] = set()
        waiting = [root]
        while waiting:
            path = waiting.pop()
            template = self.templates.get(path)
            if template is None or path in found:
                continue
            found.add(path)
            waiting += [self.target_path(template, one) for one in template.modules.values()]
        return frozenset(found)


def load(folder: Path) -> Folder:
    """Read the folder. Faults of syntax become findings."""
    templates: dict[str, Template] = {}
    unreadable: list[Finding] = []
    for path, text in _texts(folder, ".bicep"):
        try:
            templates[path] = read(path, text)
        except UnreadableError as error:
            unreadable += error.findings
    unreadable += [
        Finding(Position(path, 1, 1), "subset", "no offline parser reads this format; use JSON")
        for path, _ in _texts(folder, ".bicepparam")
    ]
    listed = folder / "deployed.txt"
    deployed = listed.read_text(encoding="utf-8") if listed.is_file() else ""
    return Folder(templates, dict(_texts(folder, ".json")), tuple(unreadable), deployed)


def _texts(folder: Path, suffix: str) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob(f"*{suffix}")):
        yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")


def _resolved(base: str, relative: str) -> str:
    """`../x.bicep` seen from `modules/y.bicep` is `x.bicep`."""
    parts: list[str] = []
    for part in (PurePosixPath(base).parent / relative).parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
