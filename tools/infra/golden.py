"""What exactly would be deployed, as a list that a reviewer reads: `python -m tools.infra.golden`.

Every parameter, resource, property and output of both entry templates is a line of
bicep/deployed.txt, which is committed, so each change of one shows as a line of a diff. Without
`--write` the list is compared with the templates: a unified diff, and exit 1, if they differ.
"""

import difflib
import json
import sys
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Final

from tools.infra.deployed import Deployed
from tools.infra.deployment import Deployment
from tools.infra.findings import Finding
from tools.infra.folder import Folder, load
from tools.infra.frames import Frame
from tools.infra.template import Block, Param
from tools.infra.values import Array, Call, Object, Position, Value

FILE: Final = "deployed.txt"
ROOTS: Final = ("modules/stack.bicep", "main.bicep")
"""The stack first: what main deploys of it is not listed twice."""

_STACK: Final = "stack/"
_INTRODUCTION: Final = """\
What would be deployed, line by line, as far as the templates say it; <a/b> is the resource b of the
module a. Written by `python -m tools.infra.golden --write`, never by hand; `make infra` compares.
"""

type Listed = tuple[str, tuple[str, ...]]
"""A heading, and the lines under it."""


def render(folder: Folder) -> str:
    """The list, from templates that can be read. Raises CycleError."""
    lines = [_INTRODUCTION]
    known: dict[str, tuple[str, ...]] = {}
    for root in ROOTS:
        if root not in folder.templates:
            continue
        scope = folder.templates[root].scope
        lines += [f"=== {root}, deployed into a {scope} ===", ""]
        for heading, inside in _blocks(Deployment(folder, root)):
            bare = heading.replace(f" {_STACK}", " ", 1)
            if known.get(bare) == tuple(line.replace(f"<{_STACK}", "<") for line in inside):
                lines.append(f"{heading}, as in {ROOTS[0]}")
            else:
                lines += [heading, *(f"  {line}" for line in inside), ""]
            known.setdefault(heading, inside)
        lines.append("")
    for path, text in folder.parameter_files.items():
        lines += [f"=== {path} ===", "", *_values(text), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def compare(folder: Folder) -> Iterator[Finding]:
    """A finding at the first line that is another than the committed list has it."""
    wanted, given = folder.deployed.splitlines(), render(folder).splitlines()
    heading = ""
    for number, (old, new) in enumerate(zip_longest(wanted, given), start=1):
        if new is not None and not new.startswith(" "):
            heading = new
        if old != new:
            message = f"{heading}: {_quoted(new)}, where the list has {_quoted(old)}"
            yield Finding(Position(FILE, number, 1), "golden", message)
            return


def _quoted(line: str | None) -> str:
    return "nothing" if line is None else f"`{line.strip()}`"


def _blocks(deployment: Deployment) -> Iterator[Listed]:
    for param in deployment.root.params.values():
        yield f"parameter {param.name}: {param.type}", tuple(_param(param))
    for frame in deployment.frames:
        for module in frame.template.modules.values():
            heading = f"module {frame.key}{module.symbol}: {module.path}"
            yield heading, tuple(_declared(frame, module.block, module.decorators))
        yield from _resources(frame)
    for name, output in deployment.root.outputs.items():
        decorators = [f"@{one}" for one in output.decorators]
        value = deployment.outputs[name]
        yield f"output {name}: {output.type}", (*decorators, *_leaves(value, "value"))


def _param(param: Param) -> Iterator[str]:
    yield from (f"@{one}" for one in param.decorators)
    if param.nullable:
        yield "may be null"
    if param.default is not None:
        yield from _leaves(param.default, "default")


def _declared(frame: Frame, block: Block, decorators: tuple[Call, ...]) -> Iterator[str]:
    """A module, but for its parameters: these are followed to where they are used."""
    yield from _around(frame, block, decorators)
    if block.condition is not None:
        yield f"if: {frame.evaluate(block.condition)}"
    for name, entry in block.body.entries.items():
        if name != "params":
            yield from _leaves(frame.evaluate(entry.value), name)


def _around(frame: Frame, block: Block, decorators: tuple[Call, ...]) -> Iterator[str]:
    yield from (f"@{one}" for one in decorators if one.function != "description")
    items = frame.open_items(block)
    if items is not None:
        yield f"for each of: {items}"


def _resources(frame: Frame) -> Iterator[Listed]:
    rounds: dict[str, int] = {}
    for one in frame.resources():
        resource = frame.template.resources[one.key.removeprefix(frame.key)]
        number = rounds[one.key] = rounds.get(one.key, -1) + 1
        place = f"[{number}]" if resource.block.loop is not None else ""
        kind = "existing" if one.existing else "resource"
        around = _around(frame, resource.block, resource.decorators)
        yield f"{kind} {one.key}{place}: {one.type}@{one.version}", (*around, *_inside(one))


def _inside(resource: Deployed) -> Iterator[str]:
    yield from (f"if: {one}" for one in resource.conditions)
    for name, entry in resource.body.entries.items():
        yield from _leaves(entry.value, name)


def _leaves(value: Value, path: str) -> Iterator[str]:
    """A line for each thing that the value says, with the way to it."""
    match value:
        case Object(entries=entries) if entries:
            for key, entry in entries.items():
                plain = key.replace("_", "").isalnum()
                yield from _leaves(entry.value, f"{path}.{key if plain else repr(key)}")
        case Array(items=items) if items:
            for number, item in enumerate(items):
                yield from _leaves(item, f"{path}[{number}]")
        case _:
            yield f"{path}: {value}"


def _values(text: str) -> Iterator[str]:
    """What a parameter file gives; a name given twice is there twice."""
    try:
        content = json.loads(text, object_pairs_hook=_pairs)
    except ValueError:
        yield "not readable"
        return
    yield from _json_leaves(content, "")


def _pairs(pairs: list[tuple[str, object]]) -> object:
    return {f"{key}{'' if first else ' (again)'}": value for first, key, value in _first(pairs)}


def _first(pairs: list[tuple[str, object]]) -> Iterator[tuple[bool, str, object]]:
    seen: set[str] = set()
    for key, value in pairs:
        yield key not in seen, key, value
        seen.add(key)


def _json_leaves(value: object, path: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key, inside in value.items():
            yield from _json_leaves(inside, f"{path}.{key}" if path else key)
    else:
        yield f"{path.removeprefix('parameters.').removesuffix('.value')}: {json.dumps(value)}"


def main(folder: Path, *, write: bool) -> int:
    """Compare, or write; 1 if the templates cannot be read or say something else."""
    loaded = load(folder)
    if loaded.unreadable:
        print(*loaded.unreadable, sep="\n")
        return 1
    given = render(loaded)
    if write:
        (folder / FILE).write_text(given, encoding="utf-8")
        return 0
    old, new = loaded.deployed.splitlines(), given.splitlines()
    difference = list(difflib.unified_diff(old, new, FILE, "the templates", lineterm=""))
    print(*difference, sep="\n", end="\n" if difference else "")
    return int(bool(difference))


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parents[2] / "bicep", write="--write" in sys.argv[1:]))
