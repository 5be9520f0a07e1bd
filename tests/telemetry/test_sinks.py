"""The way from the request path to a sink: never waits, never raises, counts what it loses."""

from collections.abc import Callable, Iterator, Mapping
from threading import Event, get_ident
from time import monotonic, sleep

import pytest

from shared.telemetry.allow_list import Value
from shared.telemetry.events import alarm, event, flush
from shared.telemetry.losses import Loss, count
from shared.telemetry.sanitized_error import SanitizedError
from shared.telemetry.sinks import CAPACITY, Forwarder, Sink


class Held:
    """A sink that stands still until it is released, and raises where it is told to."""

    def __init__(self, *, alarms_only: bool = False) -> None:
        self.alarms_only = alarms_only
        self.release = Event()
        self.names: list[Value] = []
        self.counts: list[Value] = []
        self.threads: set[int] = set()
        self.is_closed = False
        self.refuses_counts = False

    def emit(self, event: Mapping[str, Value], error: SanitizedError | None) -> None:
        self.release.wait(30)
        self.threads.add(get_ident())
        if event["event"] == "seal_broken" or (self.refuses_counts and "count" in event):
            raise RuntimeError
        self.names.append(event["event"])
        if "count" in event:
            self.counts.append(event["count"])

    def flush(self, seconds: float) -> None: ...

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def held() -> Iterator[Held]:
    sink = Held()
    yield sink
    sink.release.set()


def test_a_hung_sink_never_blocks_the_service(
    held: Held, attached: Callable[[Sink], None], lost: Callable[[Loss], int]
) -> None:
    attached(held)
    began = monotonic()
    for _ in range(CAPACITY + 500):
        event("answered", status=200)
    assert monotonic() - began < 2
    assert lost("queue_full") in (499, 500)  # one may be in the hands of the sink
    assert not flush(0.1)
    held.release.set()
    assert flush(10)
    assert len(held.names) == CAPACITY + 500 - lost("queue_full")


def test_a_hung_sink_does_not_hold_up_another(held: Held, attached: Callable[[Sink], None]) -> None:
    free = Held()
    free.release.set()
    for sink in (held, free):
        attached(sink)
    event("started")
    deadline = monotonic() + 5
    while not free.names and monotonic() < deadline:
        Event().wait(0.01)
    assert free.names == ["started"]
    assert held.names == []
    held.release.set()


def test_a_sink_that_raises_gets_the_next_event(
    held: Held, attached: Callable[[Sink], None], lost: Callable[[Loss], int]
) -> None:
    held.release.set()
    attached(held)
    alarm("seal_broken")
    event("started")
    assert flush(5)
    assert held.names == ["started"]
    assert lost("sink_failed") == 1


def test_a_sink_is_called_from_one_thread_that_is_not_ours(
    held: Held, attached: Callable[[Sink], None]
) -> None:
    held.release.set()
    attached(held)
    for _ in range(50):
        event("started")
    assert flush(5)
    assert len(held.threads) == 1
    assert get_ident() not in held.threads


def test_closing_sends_the_rest_and_closes_the_sink(held: Held) -> None:
    held.release.set()
    forwarder = Forwarder(held)
    forwarder.put({"event": "started"}, None)
    assert forwarder.close(5)
    assert held.names == ["started"]
    assert held.is_closed


def test_without_an_event_there_is_no_thread_and_nothing_to_flush(held: Held) -> None:
    assert Forwarder(held).flush(0)


def test_a_full_queue_makes_flush_give_up_in_time(held: Held) -> None:
    forwarder = Forwarder(held, capacity=1)
    forwarder.put({"event": "started"}, None)
    forwarder.put({"event": "started"}, None)
    began = monotonic()
    assert not forwarder.flush(0.2)
    assert monotonic() - began < 2


def test_what_was_lost_is_told_with_the_next_event(held: Held) -> None:
    held.release.set()
    forwarder = Forwarder(held, tell_losses_seconds=0)
    forwarder.put({"event": "started"}, None)
    count("queue_full", 3)
    count("not_delivered", 2)
    forwarder.put({"event": "started"}, None)
    forwarder.put({"event": "started"}, None)
    assert forwarder.close(5)
    assert held.names.count("telemetry_lost") in (1, 2)  # the sink may have been between the two
    assert sum(int(number) for number in held.counts) == 5


def test_losses_are_told_once_in_a_while_and_not_with_every_event(held: Held) -> None:
    held.release.set()
    forwarder = Forwarder(held, tell_losses_seconds=3_600)
    for _ in range(20):
        count("queue_full")
        forwarder.put({"event": "started"}, None)
    assert forwarder.flush(5)
    assert "telemetry_lost" not in held.names


def test_what_was_not_told_yet_is_told_when_the_sink_is_closed(held: Held) -> None:
    held.release.set()
    forwarder = Forwarder(held, tell_losses_seconds=3_600)
    forwarder.put({"event": "started"}, None)
    count("queue_full", 7)
    assert forwarder.close(5)
    assert held.names == ["started", "telemetry_lost"]
    assert held.counts == [7]


def test_losses_that_the_sink_could_not_take_are_told_later(held: Held) -> None:
    held.release.set()
    forwarder = Forwarder(held, tell_losses_seconds=0)
    forwarder.put({"event": "started"}, None)
    assert forwarder.flush(5)
    held.refuses_counts = True
    count("queue_full", 4)
    forwarder.put({"event": "started"}, None)
    assert forwarder.flush(5)
    assert held.counts == []
    held.refuses_counts = False
    forwarder.put({"event": "started"}, None)
    assert forwarder.close(5)
    assert held.counts == [5]  # the refused one was an event, too


def test_who_wants_alarms_alone_is_not_woken_for_anything_else() -> None:
    held = Held(alarms_only=True)
    held.release.set()
    forwarder = Forwarder(held)
    for severity in ("info", "warning"):
        forwarder.put({"event": "started", "severity": severity}, None)
    assert forwarder.close(5)
    assert (held.names, held.threads) == ([], set())

    forwarder = Forwarder(held)
    forwarder.put({"event": "crashed", "severity": "error"}, None)
    assert forwarder.close(5)
    assert held.names == ["crashed"]


def test_what_follows_within_a_moment_is_sent_as_well(held: Held) -> None:
    """The thread sleeps between batches; closing wakes it."""
    held.release.set()
    forwarder = Forwarder(held, pause_seconds=60)
    for number in range(50):
        forwarder.put({"event": f"started_{number}", "severity": "info"}, None)
        if number == 25:
            sleep(0.01)
    began = monotonic()
    assert forwarder.close(5)
    assert monotonic() - began < 4
    assert held.names == [f"started_{number}" for number in range(50)]
