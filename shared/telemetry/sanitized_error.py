"""What is told of an exception: the names of its classes, and the places that it passed.

Never its text, arguments, notes or local variables: an exception's text may quote a token or a
mail. What stands here is made of strings only, so nothing keeps the exception alive either.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from traceback import walk_tb
from typing import Final, Self

from shared.telemetry.allow_list import PYTHON_NAME, fitting

_OWN: Final = ("functions", "shared", "function_app")
_MOST_LINKS: Final = 8  # of a chain
_MOST_FRAMES: Final = 32  # of one exception: the innermost ones
_MOST_PLACES: Final = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in source code."""

    module: str
    function: str
    line: int
    is_own: bool
    """Whether this is our code, not a library's."""


@dataclass(frozen=True, slots=True)
class Link:
    """One exception of a chain: its class, and its frames from the outermost to the innermost."""

    module: str
    name: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class SanitizedError:
    """A chain of exceptions: first the one that was caught, last the one that began it."""

    chain: tuple[Link, ...]

    @classmethod
    def of(cls, exc: BaseException) -> Self:
        return cls(tuple(_link(each) for each in _chain(exc)))

    @property
    def cause(self) -> str:
        """The class that began it, as `module.Name`."""
        first = self.chain[-1]
        return first.name if first.module == "builtins" else f"{first.module}.{first.name}"

    @property
    def where(self) -> str:
        """`module:function:line` of our own frames, by commas, at most 8: the innermost ones."""
        frames = [frame for link in reversed(self.chain) for frame in link.frames if frame.is_own]
        return ",".join(
            f"{frame.module}:{frame.function}:{frame.line}" for frame in frames[-_MOST_PLACES:]
        )

    def fields(self) -> dict[str, str]:
        """`cause`, and `where` if any of our code took part."""
        where = self.where
        return {"cause": self.cause, "where": where} if where else {"cause": self.cause}


def where_of(exc: BaseException) -> str:
    """The places of our own code that this exception passed; see `SanitizedError.where`."""
    return SanitizedError.of(exc).where


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """The exception and what led to it, as a traceback would show it."""
    seen: set[int] = set()
    link: BaseException | None = exc
    while link is not None and id(link) not in seen and len(seen) < _MOST_LINKS:
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup) and link.__cause__ is None:
            link = link.exceptions[0]  # of several tasks that failed, one tells what it was
        elif link.__cause__ is not None or link.__suppress_context__:
            link = link.__cause__
        else:
            link = link.__context__


def _link(exc: BaseException) -> Link:
    kind = type(exc)
    frames = tuple(
        _frame(frame.f_globals.get("__name__"), frame.f_code.co_qualname, line)
        for frame, line in walk_tb(exc.__traceback__)
    )
    return Link(_name(kind.__module__), _name(kind.__qualname__), frames[-_MOST_FRAMES:])


def _frame(module: object, function: str, line: int | None) -> Frame:
    name = _name(module)
    own = name.partition(".")[0] in _OWN
    return Frame(name, _name(function.replace(".<locals>", "")), line or 0, own)


def _name(text: object) -> str:
    return fitting(text, PYTHON_NAME) if isinstance(text, str) else "withheld"
