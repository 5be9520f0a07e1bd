"""Between templates: what modules are given, and what is read of them."""

from collections.abc import Iterator, Sequence

from tools.infra.findings import Finding
from tools.infra.folder import Folder
from tools.infra.symbols import mismatch, nearest
from tools.infra.template import Module, Param, Template
from tools.infra.values import Entry, Literal, Member, Name, Object, Position, walk


def check(template: Template, folder: Folder) -> Iterator[Finding]:
    """Every fault in how the template uses its modules."""
    for module in template.modules.values():
        target = folder.target(template, module)
        if module.path.startswith(("br:", "br/", "ts:", "ts/")):
            message = f"{module.path}: modules of a registry cannot be checked, and may call home"
            yield Finding(module.path_at, "module-registry", message)
        elif target is None:
            unreadable = {finding.at.path for finding in folder.unreadable}
            if folder.target_path(template, module) not in unreadable:
                yield Finding(module.path_at, "module-path", f"there is no {module.path}")
        else:
            yield from _arguments(template, module, target, folder)
    yield from _outputs(template, folder)
    yield from _conditional(template)


def unreached(folder: Folder, roots: Sequence[str]) -> Iterator[Finding]:
    """Templates that no deployment takes in: nothing would check what they come to."""
    reached = {path for root in roots for path in folder.reached(root)}
    for root in roots:
        if root not in folder.templates:
            yield Finding(Position(root, 1, 1), "template-missing", "there is no such template")
    for path in folder.templates:
        if path not in reached:
            yield Finding(Position(path, 1, 1), "module-unreached", "no deployment takes this in")


def _arguments(
    template: Template, module: Module, target: Template, folder: Folder
) -> Iterator[Finding]:
    params = module.block.body.get("params")
    given = params.entries if isinstance(params, Object) else {}
    for name, param in target.params.items():
        if param.required and name not in given:
            message = f"{module.symbol} needs {name}"
            yield Finding(module.at, "module-parameter-missing", message)
    for name, entry in given.items():
        if name not in target.params:
            message = f"{module.symbol} has no {name}{nearest(name, target.params)}"
            yield Finding(entry.key_at, "module-parameter-unknown", message)
        else:
            param = target.params[name]
            yield from mismatch(name, param.type, entry.value, template, folder)
            yield from _not_allowed(name, param, entry)


def _not_allowed(name: str, param: Param, entry: Entry) -> Iterator[Finding]:
    value = entry.value
    if param.allowed is None or not isinstance(value, Literal):
        return
    if value.value not in param.allowed:
        message = f"{name}: {value} is none of {list(param.allowed)}"
        yield Finding(value.at, "module-parameter-value", message)


def _outputs(template: Template, folder: Folder) -> Iterator[Finding]:
    for value in template.values():
        for part in walk(value):
            match part:
                case Member(of=Member(of=Name(name=symbol), name="outputs"), name=name):
                    module = template.modules.get(symbol)
                    target = folder.target(template, module) if module else None
                    if target and name not in target.outputs:
                        message = f"{symbol} has no output {name}{nearest(name, target.outputs)}"
                        yield Finding(part.at, "module-output-unknown", message)
                case _:
                    pass


def _conditional(template: Template) -> Iterator[Finding]:
    """What is read of a thing that may not be there fails when it is not (BCP318)."""
    perhaps = {name for name, one in template.modules.items() if one.block.condition}
    perhaps |= {name for name, one in template.resources.items() if one.block.condition}
    for value in template.values():
        for part in walk(value):
            match part:
                case Member(of=Name(name=symbol), name="outputs" | "properties"):
                    if symbol in perhaps:
                        yield Finding(part.at, "read-of-nothing", f"{symbol} may not be there")
                case _:
                    pass
