"""Time that stands still until a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

NOON: Final = datetime(2026, 1, 15, 12, tzinfo=UTC)


class FakeClock:
    """Satisfies `ports.Clock`. `monotonic` and `sleep` are the same time for caches and waits."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def move(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None:
        """Later by so much; earlier, if negative."""
        self._now += timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)

    def monotonic(self) -> float:
        """Seconds, for what takes `time.monotonic`."""
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        """For what takes `asyncio.sleep`: the others get their turn, and then the time has come.
        Of several sleepers each wakes at its own time, as they do by a real clock."""
        wakes = self._now + timedelta(seconds=seconds)
        await asyncio.sleep(0)
        self._now = max(self._now, wakes)
