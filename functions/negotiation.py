"""What a client can read: the headers Accept and Accept-Encoding (RFC 9110, 12.5).

Elements that cannot be read are left out; what is left decides.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import azure.functions as func

from shared.errors import InvalidRequestError

_LONGEST: Final = 2_048
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9a-z-]+"  # noqa: S105 - the grammar's word (RFC 9110, 5.6.2)
# Possessive, so that no header makes them try twice.
_PARAMETER: Final = re.compile(rf'\s*+;\s*+(?:({_TOKEN}+)=(?:"({_TOKEN}+)"|({_TOKEN}+)))?+')
_WHOLE: Final = re.compile(rf"\s*+({_TOKEN}+(?:/{_TOKEN}+)?+)((?:{_PARAMETER.pattern})*+)\s*+")
_QUALITY: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@dataclass(frozen=True, slots=True)
class _Element:
    """`name;parameter=...;q=0.5`, in lower case: neither types nor codings know another."""

    name: str
    parameters: frozenset[tuple[str, str]]
    quality: float


def chosen_media_type(req: func.HttpRequest, offered: Sequence[str]) -> str:
    """Which of the offered types the client likes best: by quality, then by how exactly it is
    named, then by our own order. Raises InvalidRequestError if it takes none.

    A parameter must be one that we send, and that is `charset=utf-8` of texts.
    """
    accepted = tuple(_elements(req.headers.get("Accept", "")))
    if not req.headers.get("Accept", "").strip():
        return offered[0]
    ranked = [(*_liking(media_type, accepted), media_type) for media_type in offered]
    quality, _, best = max(ranked, key=lambda liking: liking[:2])  # of equals, the first
    if not quality:
        raise InvalidRequestError
    return best


def takes_gzip(req: func.HttpRequest) -> bool:
    """Whether gzip is named, or covered by `*`, and liked no less than no coding at all."""
    named = {e.name: e.quality for e in _elements(req.headers.get("Accept-Encoding", ""))}
    gzip = named.get("gzip", named.get("x-gzip", named.get("*", 0.0)))
    return 0 < gzip >= named.get("identity", 0.0)


def _liking(media_type: str, accepted: Sequence[_Element]) -> tuple[float, int]:
    """Quality and exactness of the most exact range that holds the type (RFC 9110, 12.5.1)."""
    group = media_type.partition("/")[0]
    ours = frozenset({("charset", "utf-8")}) if group == "text" else frozenset()
    exactness = {"*/*": 1, f"{group}/*": 2, media_type: 3}
    found = [
        (exactness[element.name] + len(element.parameters), element.quality)
        for element in accepted
        if element.name in exactness and element.parameters <= ours
    ]
    exact, quality = max(found, default=(0, 0.0))
    return quality, exact


def _elements(header: str) -> Iterator[_Element]:
    """Raises InvalidRequestError for a header that nobody sends."""
    if len(header) > _LONGEST:
        raise InvalidRequestError
    for part in header.lower().split(","):
        match = _WHOLE.fullmatch(part)
        if match is None:
            continue
        given = {name: a or b for name, a, b in _PARAMETER.findall(match[2]) if name}
        quality = given.pop("q", "1")
        if _QUALITY.fullmatch(quality):
            yield _Element(match[1], frozenset(given.items()), float(quality))
