"""Reads a JSON object of the control surface field by field, and refuses what it does not know."""

from typing import Any

from local.simulators.salesforce.variables import Json

_MISSING: Any = object()


class Fields:
    """Every reader raises `ValueError` with a sentence about what is wrong."""

    def __init__(self, value: Json) -> None:
        if not isinstance(value, dict):
            raise ValueError("an object is needed")  # noqa: TRY004 - one error for callers
        self._left = dict(value)

    def text(self, name: str, default: str = _MISSING) -> str:
        return self._typed(name, str, "a text", default)

    def flag(self, name: str, *, default: bool) -> bool:
        return self._typed(name, bool, "true or false", default)

    def whole(self, name: str, default: int = _MISSING) -> int:
        value = self._typed(name, int, "a whole number", default)
        if isinstance(value, bool):
            raise ValueError(f"{name} must be a whole number")  # noqa: TRY004 - as above
        return value

    def number(self, name: str, default: float = _MISSING) -> float:
        value = self._left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f"{name} must be a number, zero or more")
        return float(value)

    def optional_text(self, name: str) -> str | None:
        return None if self._left.get(name) is None and not self._drop(name) else self.text(name)

    def optional_texts(self, name: str) -> list[str] | None:
        value = self._left.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, list):
            raise ValueError(f"{name} must be a list of texts")  # noqa: TRY004 - as above
        texts = [each for each in value if isinstance(each, str)]
        if len(texts) != len(value):
            raise ValueError(f"{name} must be a list of texts")
        return texts

    def objects(self, name: str) -> list["Fields"]:
        value = self._left.pop(name, [])
        if not isinstance(value, list):
            raise ValueError(f"{name} must be a list of objects")  # noqa: TRY004 - as above
        return [Fields(each) for each in value]

    def any(self, name: str) -> Json:
        return self._left.pop(name, None)

    def done(self) -> None:
        if self._left:
            raise ValueError(f"unknown: {', '.join(sorted(self._left))}")

    def _drop(self, name: str) -> bool:
        self._left.pop(name, None)
        return False

    def _typed[T](self, name: str, kind: type[T], described: str, default: T) -> T:
        value = self._left.pop(name, default)
        if not isinstance(value, kind):
            raise ValueError(f"{name} must be {described}")  # noqa: TRY004 - as above
        return value
