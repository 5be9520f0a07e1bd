"""The time of day."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day, in UTC. Nothing in the service asks the system for it directly."""

    def __call__(self) -> datetime: ...
