"""What a deployment of one template comes to: its resources through all modules, loops laid out.

Variables, module parameters and module outputs are followed to the end; what stays open are the
parameters of the template that is deployed (`Parameter`) and what only Azure knows.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property

from tools.infra.deployed import Deployed
from tools.infra.folder import Folder
from tools.infra.frames import Frame
from tools.infra.template import Module
from tools.infra.values import Call, Index, Literal, Member, Name, Position, Reference, Value, walk


class Deployment:
    """A deployment of the template at `root`, with parameters left open. Raises CycleError."""

    def __init__(self, folder: Folder, root: str) -> None:
        self.folder = folder
        self.root = folder.templates[root]
        self._frames: dict[str, Frame | None] = {"": Frame(self, self.root, "", {})}

    @cached_property
    def resources(self) -> tuple[Deployed, ...]:
        """Every resource, in the order of the modules."""
        return tuple(one for frame in self.frames for one in frame.resources())

    @cached_property
    def frames(self) -> tuple[Frame, ...]:
        """The deployed template and those of its modules, each where it is used."""
        return tuple(self._all_frames(""))

    @cached_property
    def outputs(self) -> Mapping[str, Value]:
        """The outputs of the deployed template, evaluated."""
        root = self._frames[""]
        outputs = self.root.outputs.items()
        return {} if root is None else {k: root.evaluate(one.value) for k, one in outputs}

    def created(self, *types: str) -> Iterator[Deployed]:
        """The resources of these types that the deployment makes."""
        return (one for one in self.resources if one.type in types and not one.existing)

    def target(self, value: Value | None) -> Deployed | None:
        """The resource that a value refers to: itself, its id, or one of its properties.

        An `existing` one is followed to the resource of the same type, name and parent that the
        deployment makes.
        """
        while isinstance(value, Member):
            value = value.of
        match value:
            case Call(function="resourceId", arguments=(Literal(value=str(kind)), name)):
                made = (one for one in self.created(kind) if one.get("name") == name)
                return next(made, None)
            case Reference(key=key):
                number = 0
            case Index(of=Reference(key=key), index=Literal(value=int(number))):
                pass
            case _:
                return None
        rounds = [one for one in self.resources if one.key == key]
        found = rounds[number] if number < len(rounds) else None
        if found is None or not found.existing:
            return found
        return next(
            (one for one in self.created(found.type) if self.is_the_same(one, found)), found
        )

    def is_the_same(self, one: Deployed, other: Deployed) -> bool:
        return one.name == other.name and (
            self.target(one.get("parent")) is self.target(other.get("parent"))
        )

    def module_dependencies(self, above: str, symbol: str) -> frozenset[str]:
        """What the module `symbol` of the template at `above` waits for: the symbols that it names
        in `dependsOn` or uses.
        """
        module = self._module(above, symbol)
        if module is None:
            return frozenset()
        return frozenset(part.name for part in walk(module.block.body) if isinstance(part, Name))

    def module_at(self, above: str, symbol: str) -> Position | None:
        """Where that module is declared."""
        module = self._module(above, symbol)
        return module.at if module else None

    def _module(self, above: str, symbol: str) -> Module | None:
        frame = self._frame(f"{above}/" if above else "")
        return frame.template.modules.get(symbol) if frame else None

    def name_of(self, key: str) -> Value | None:
        """The name of a resource, evaluated."""
        frame, symbol = self._owner(key)
        resource = frame.template.resources.get(symbol) if frame else None
        if frame is None or resource is None or resource.block.loop is not None:
            return None
        name = resource.block.body.get("name")
        return None if name is None else frame.evaluate(name)

    def output_of(self, key: str, name: str) -> Value | None:
        """An output of a module, evaluated."""
        frame = self._frame(f"{key}/")
        output = frame.template.outputs.get(name) if frame else None
        return None if frame is None or output is None else frame.evaluate(output.value)

    def _owner(self, key: str) -> tuple[Frame | None, str]:
        """The frame that `stack/storage/data` is declared in, and the symbol there."""
        above, slash, symbol = key.rpartition("/")
        return self._frame(above + slash), symbol

    def _frame(self, key: str) -> Frame | None:
        if key not in self._frames:
            above, symbol = self._owner(key.removesuffix("/"))
            module = above.template.modules.get(symbol) if above else None
            self._frames[key] = above.frame_of(module) if above and module else None
        return self._frames[key]

    def _all_frames(self, key: str) -> Iterator[Frame]:
        frame = self._frame(key)
        if frame is None:
            return
        yield frame
        for symbol in frame.template.modules:
            yield from self._all_frames(f"{key}{symbol}/")
