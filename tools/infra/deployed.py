"""One resource of a deployment, everything in it evaluated."""

from dataclasses import dataclass

from tools.infra.values import Object, Position, Value, outcomes


@dataclass(frozen=True, slots=True, eq=False)
class Deployed:
    """A resource as it would be deployed, or one that is said to exist."""

    key: str
    type: str
    version: str
    existing: bool
    body: Object
    conditions: tuple[Value, ...]
    """All must hold for the resource to be there; those of its modules too."""
    at: Position

    def get(self, path: str) -> Value | None:
        """The value at `properties.encryption.keySource`; None if it is not given."""
        value: Value | None = self.body
        for step in path.split("."):
            if not isinstance(value, Object):
                return None
            value = value.get(step)
        return value

    def outcomes(self, path: str) -> tuple[Value | None, ...]:
        """What `path` can come to, both sides of each choice on the way; None: not given."""
        values: list[Value | None] = [self.body]
        for step in path.split("."):
            insides = [inside for value in values for inside in outcomes(value)]
            values = [one.get(step) if isinstance(one, Object) else None for one in insides]
        return tuple(end for value in values for end in outcomes(value))

    def where(self, path: str) -> Position:
        """The place of `path`, or of the nearest thing around it that is given."""
        value: Value | None = self.body
        at = self.at
        for step in path.split("."):
            if not isinstance(value, Object) or step not in value.entries:
                break
            at = value.entries[step].key_at
            value = value.entries[step].value
        return at

    @property
    def name(self) -> str:
        """The last part of the resource's name, as Bicep would spell it, without quotes."""
        value = self.get("name")
        return "" if value is None else str(value).strip("'")
