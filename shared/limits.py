"""How much one caller may ask of one instance: token buckets, in memory, bounded.

Counted per instance, and said so: it keeps one caller from starving the others here; it is no
quota across the deployment.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Final

from shared.errors import TooManyRequestsError

_MOST_BUCKETS: Final = 50_000


class RateLimit[K: Hashable]:
    """`per_minute` calls in the long run, and `burst` at once, for each key."""

    def __init__(
        self, *, per_minute: float, burst: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._per_second, self._burst, self._clock = per_minute / 60, burst, clock
        self._buckets: OrderedDict[K, tuple[float, float]] = OrderedDict()

    def take(self, key: K) -> None:
        """Count one call. Raises TooManyRequestsError, with the seconds until the next is free."""
        now = self._clock()
        left, at = self._buckets.pop(key, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) * self._per_second)
        is_allowed = left >= 1
        self._buckets[key] = (left - 1 if is_allowed else left, now)
        while len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        if not is_allowed:
            raise TooManyRequestsError(math.ceil((1 - left) / self._per_second))
