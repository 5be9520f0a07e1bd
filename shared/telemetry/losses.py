"""How much telemetry was lost, by reason. Losing some is allowed; not knowing of it is not."""

from collections import Counter
from threading import RLock
from typing import Final, Literal

Loss = Literal[
    "unknown_event",  # no name of the allow-list
    "unknown_field",  # no field of the allow-list
    "wrong_type",  # a field of another type than the allow-list says
    "withheld",  # a text that does not have the shape of its field
    "not_checked",  # the check itself failed, so nothing was said
    "not_logged",  # a log handler raised
    "queue_full",  # a sink did not keep up
    "sink_failed",  # a sink raised: no SDK, no connection, no answer
    "not_delivered",  # the service answered, and refused
]

_counts: Final[Counter[Loss]] = Counter()
# Reentrant: asyncio logs from finalizers, which may run in the middle of `count` in its own thread.
_lock: Final = RLock()


def count(loss: Loss, number: int = 1) -> None:
    with _lock:
        _counts[loss] += number


def losses() -> dict[Loss, int]:
    """The numbers since start, of this instance."""
    with _lock:
        return dict(_counts)
