"""How much one caller may ask of one instance: token buckets, in memory, bounded.

Counted per instance, and said so: it keeps one caller from starving the others here; it is no
quota across the deployment.

A bucket wants a key that cannot be made up. A session is one, and so is a verified identity. Where
nobody has said yet who they are, each key would do harm: addresses are personal data, and not
stored; a header is whatever the client writes; and one bucket for all lets anybody refuse everybody
by filling it. So there are no limits

- on tokens that do not verify (`POST /v1/sso/exchange`): what they cost is bounded by itself. Size
  and form are looked at first; refusing an ordinary forged one takes 0.15 ms, and the most that a
  form of 15 KB was seen to take is 3.3 ms; and the name of an unknown key fetches keys once a
  cooldown, whoever sends how many. Nothing of ours is read or written for them;
- on one-time codes that cannot be read: they cost no more than the reading;
- on one-time codes that are right. Each that can be read is looked up, at the cost of one row in
  the partition of the tenant that it names, which serves all of that tenant's users (2,000 rows a
  second); other tenants do not notice. No limit spares that row: to refuse unseen is to refuse the
  right code as well, whenever anybody sends enough wrong ones.

What is counted are the codes that were not there, by the tenant that they name (`StartConnection`,
`FinishConnection`): above the limit their sender is told 429, and when to come again, instead of
what was wrong. The codes are 256 random bits: not this limit keeps them from being guessed.
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
