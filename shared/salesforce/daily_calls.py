"""What an org says of its day's API calls: one that has none left is not called for a minute.

Salesforce goes on serving some orgs above their limit, and settles that with the customer later; so
an add-in that did not stop would spend what other integrations of the same customer live on. After
the minute a call learns whether there are some again: the limit is of a rolling 24 hours. A refusal
without the header (REQUEST_LIMIT_EXCEEDED) may also be one of too many calls at the same time, and
pauses nothing.
Source: REST API Developer Guide, "Limit Info Header"; Salesforce Developer Limits, "API Requests".
"""

import math
import re
from collections.abc import Callable
from time import monotonic
from typing import Final

from shared.cache import TimedCache
from shared.errors import SalesforceLimitError
from shared.model import OrgId

PAUSE_SECONDS: Final = 60.0
_MOST_ORGS: Final = 5_000
_USAGE: Final = re.compile(r"api-usage=(\d{1,12})/(\d{1,12})", re.ASCII)
"""Of the org (`api-usage=…`), or of our app alone (`per-app-api-usage=…(appName=…)`)."""


class DailyCalls:
    """Remembers, in this process, which orgs have said that they have none left."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._used_up: TimedCache[OrgId, float] = TimedCache(
            size=_MOST_ORGS, seconds=PAUSE_SECONDS, clock=clock
        )

    def require_some(self, org: OrgId) -> None:
        """Raises SalesforceLimitError, with the seconds after which to ask again."""
        noted_at = self._used_up.peek(org)
        if noted_at is not None:
            left = math.ceil(noted_at + PAUSE_SECONDS - self._clock())
            raise SalesforceLimitError(max(1, left))

    def note(self, org: OrgId, limit_info: str | None) -> None:
        """Read the header `Sforce-Limit-Info` of an answer. Without it, or in a form that is not
        known, it says nothing, and nothing is noted."""
        usages = _USAGE.findall(limit_info or "")
        if any(int(used) >= int(allowed) for used, allowed in usages):
            self._used_up.put(org, self._clock())
