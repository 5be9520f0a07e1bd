"""Salesforce's identifiers: 15 characters that tell case apart, and 18 that need not."""

import hashlib
import re
import string
from typing import Final

_SUFFIX: Final = string.ascii_uppercase + "012345"
_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FIFTEEN: Final = re.compile(r"[0-9A-Za-z]{15}")


def with_suffix(short: str) -> str:
    """The 18 characters of a 15-character id.

    Each of the three characters added encodes which of five characters are capitals, the first
    of the five being the lowest bit
    (https://help.salesforce.com/s/articleView?id=000385585&type=1).
    """
    if not _FIFTEEN.fullmatch(short):
        raise ValueError("an id has 15 letters and digits")
    chunks = (short[0:5], short[5:10], short[10:15])
    return short + "".join(
        _SUFFIX[sum(1 << place for place, letter in enumerate(chunk) if letter in _SUFFIX[:26])]
        for chunk in chunks
    )


def is_id(text: str) -> bool:
    """Whether this is a 15-character id, or one of 18 whose suffix fits."""
    short = text[:15]
    if not _FIFTEEN.fullmatch(short):
        return False
    return text in (short, with_suffix(short))


def derived(prefix: str, *parts: str) -> str:
    """An 18-character id with this key prefix that is the same for the same parts."""
    number = int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest())
    letters = []
    for _ in range(9):
        number, digit = divmod(number, 62)
        letters.append(_BASE62[digit])
    return with_suffix(f"{prefix}5g0" + "".join(letters))
