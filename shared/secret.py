"""A value that must not reach a log, a repr or a response by accident."""

import hmac
from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVersion:
    """One version of a secret that rotates, with the times that its vault has for it.

    The vault hands a secret out whatever these times say (of secrets, they are for information
    only: https://learn.microsoft.com/azure/key-vault/secrets/about-secrets): who uses it looks.
    """

    id: str
    secret: Secret
    created_at: datetime
    updated_at: datetime | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None

    @property
    def offered_since(self) -> datetime:
        """Since when whoever reads the vault has surely found it there, usable.

        The vault does not say when a version was enabled, but when it was last changed: that was
        then or later."""
        times = (self.created_at, self.updated_at, self.not_before)
        return max(time for time in times if time is not None)

    def is_usable(self, now: datetime) -> bool:
        """Whether it is valid now: the beginning belongs to it, the end does not."""
        has_begun = self.not_before is None or self.not_before <= now
        return has_begun and (self.expires_at is None or now < self.expires_at)
