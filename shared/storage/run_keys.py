"""Row keys that sort by time, the newest first."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_LATEST_MS: Final = 9_999_999_999_999  # in the year 2286: 13 digits sort as text until then
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMED: Final = re.compile(r"(?:run|audit)\|([0-9]{13})\|[a-z0-9-]+", re.ASCII)


def descending_time(at: datetime) -> str:
    """13 digits that are the smaller, the later the time: reading forwards is reading from the
    newest. Exact to the millisecond."""
    return f"{_LATEST_MS - milliseconds(at):013d}"


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def time_in(row_key: str) -> int | None:
    """The milliseconds since 1970 that a row key tells; None if it is no key of ours."""
    match = _TIMED.fullmatch(row_key)
    return None if match is None else _LATEST_MS - int(match[1])
