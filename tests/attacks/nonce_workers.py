"""`python -m tests.attacks.nonce_workers PROCESSES ENVELOPES [--copied-by-fork]`: seals in forked
processes, and writes the nonces of all envelopes to the standard output, one after the other.

The parent seals before it forks, and the children do not execute anything anew: whatever state a
source of nonces had in memory, all of them have the same. The clock stands still.
`--copied-by-fork` takes the nonces from such a source: the control.
"""

import os
import random
import sys
import time
from typing import Final

from shared.crypto import envelope
from shared.model import Place, TenantId

KEY: Final = bytes(range(32))
PLACE: Final = Place(
    tenant=TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"),
    table="connections",
    row_key="u-x|00d",
    column="sealed_grant",
)
_NONCE: Final = slice(5, 17)
_COPIED: Final = random.Random(0)  # noqa: S311 - the control


def nonces(number: int, *, copied_by_fork: bool) -> bytes:
    if copied_by_fork:
        return b"".join(_COPIED.randbytes(12) for _ in range(number))
    return b"".join(envelope.seal(KEY, 1, PLACE, b"plain")[_NONCE] for _ in range(number))


def forked(number: int, *, copied_by_fork: bool) -> int:
    """A child that seals; where its nonces can be read."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        with os.fdopen(writing, "wb") as out:
            out.write(nonces(number, copied_by_fork=copied_by_fork))
        os._exit(0)
    os.close(writing)
    return reading


def main(processes: int, number: int, *, copied_by_fork: bool) -> None:
    now = time.time()
    time.time = time.monotonic = lambda: now
    time.time_ns = time.monotonic_ns = lambda: int(now)
    nonces(100, copied_by_fork=copied_by_fork)  # nobody's: the children begin where this ends
    children = [forked(number, copied_by_fork=copied_by_fork) for _ in range(processes)]
    for child in children:
        with os.fdopen(child, "rb") as found:
            sys.stdout.buffer.write(found.read())
    for _ in children:
        assert os.wait()[1] == 0


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), copied_by_fork="--copied-by-fork" in sys.argv)
