"""Leaving a provider alone for as long as it asked, one user at a time.

A refusal for one user says nothing of the next one, so each has a pause of their own.
"""

import math
import re
from collections import OrderedDict
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from shared.ports import Clock

UNSAID_SECONDS: Final = 5
"""The pause where the provider names none."""
LONGEST_SECONDS: Final = 300
"""No answer locks a user out for longer, whatever it says."""
_MOST_PAUSES: Final = 10_000
_SECONDS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class BackOff[K: Hashable]:
    """Who has to wait, and for how long. Bounded: the pause set longest ago is forgotten first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: OrderedDict[K, datetime] = OrderedDict()

    def begin(self, key: K, retry_after: str | None) -> int:
        """Begin a pause as a Retry-After header asks for it: its whole seconds."""
        now = self._clock()
        seconds = pause_seconds(retry_after, now)
        self._until[key] = now + timedelta(seconds=seconds)
        self._until.move_to_end(key)
        while len(self._until) > _MOST_PAUSES:
            self._until.popitem(last=False)
        return seconds

    def seconds_left(self, key: K) -> int:
        """0 if there is no pause, or it has passed."""
        until = self._until.get(key)
        if until is None:
            return 0
        left = math.ceil((until - self._clock()).total_seconds())
        if left <= 0:
            del self._until[key]
            return 0
        return left


def pause_seconds(retry_after: str | None, now: datetime) -> int:
    """The seconds that a Retry-After header asks for, from 1 to `LONGEST_SECONDS`.

    Seconds or a date (RFC 9110, section 10.2.3); what is neither counts as not said.
    """
    if retry_after is None:
        return UNSAID_SECONDS
    text = retry_after.strip()
    if _SECONDS.fullmatch(text):
        return min(max(int(text), 1), LONGEST_SECONDS)
    try:
        date = parsedate_to_datetime(text)
        left = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return UNSAID_SECONDS
    return min(max(math.ceil(left.total_seconds()), 1), LONGEST_SECONDS)
