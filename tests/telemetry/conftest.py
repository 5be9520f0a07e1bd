"""Sinks that are detached at the end, and sessions that end in a receiver."""

from collections.abc import Callable, Iterator

import pytest

from shared.telemetry.events import attach, detach
from shared.telemetry.losses import Loss, losses
from shared.telemetry.sinks import Sink
from tests.telemetry.receiver import Receiver


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def attached() -> Iterator[Callable[[Sink], None]]:
    """Attach a sink for the length of a test."""
    sinks: list[Sink] = []

    def remember(sink: Sink) -> None:
        sinks.append(sink)
        attach(sink)

    yield remember
    for sink in sinks:
        detach(sink, 10)


@pytest.fixture
def lost() -> Callable[[Loss], int]:
    """How much was lost for a reason since the test began."""
    before = losses()
    return lambda loss: losses().get(loss, 0) - before.get(loss, 0)
