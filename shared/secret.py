"""A value that must not reach a log, a repr or a response by accident."""

import hmac
from typing import NoReturn


class Secret:
    """Wraps a secret text. The only way to the text is `reveal()`, a word that can be searched."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not text:
            raise ValueError("a secret cannot be empty")
        self._text = text

    def reveal(self) -> str:
        """The secret text itself. Every caller of this is worth a reviewer's look."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # a secret is never a dictionary key
