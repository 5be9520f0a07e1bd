"""From the request path to a sink: a bounded queue and one daemon thread, which never block it.

A sink is made without any work; its SDK is imported by this thread, at the first event that it
has to send (sentry-sdk takes 170 ms, opencensus 260 ms and half of the Azure SDK).
"""

import queue
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final, Protocol

from shared.telemetry.allow_list import Value
from shared.telemetry.losses import count, losses
from shared.telemetry.sanitized_error import SanitizedError

CAPACITY: Final = 1_000  # events that wait for one sink; about 1 MiB
TELL_LOSSES_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.2
"""A thread that wakes for each event takes the interpreter from a request each time, which costs
more than all the rest of telling it. So it sleeps a little after each batch."""


class Sink(Protocol):
    """Where events go. Called from one thread only, which may wait; may raise, and loses then."""

    @property
    def alarms_only(self) -> bool:
        """Whether all other events stay away from it."""
        ...

    def emit(self, event: Mapping[str, Value], error: SanitizedError | None) -> None:
        """`event` holds `event` (its name), `severity`, and fields that have been checked."""
        ...

    def flush(self, seconds: float) -> None:
        """Send what is waiting, within so many seconds."""
        ...

    def close(self) -> None:
        """Give back threads and connections. Nothing is emitted afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class _Message:
    event: Mapping[str, Value]
    error: SanitizedError | None


@dataclass(frozen=True, slots=True)
class _Order:
    """Flush until then (monotonic), and close the sink where nothing follows."""

    until: float
    is_last: bool
    done: Event = field(default_factory=Event)


class Forwarder:
    """Feeds one sink. Each has its own, so that a hung counterparty stops no other.

    What this instance loses from now on, anywhere, the sink is told with a later event, at most
    once in `tell_losses_seconds`, and when it is closed.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        capacity: int = CAPACITY,
        tell_losses_seconds: float = TELL_LOSSES_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._sink = sink
        self._tell_losses_seconds, self._pause_seconds = tell_losses_seconds, pause_seconds
        self._losses_told = sum(losses().values())
        self._losses_told_at = monotonic()
        self._queue: queue.Queue[_Message | _Order] = queue.Queue(capacity)
        self._thread: Thread | None = None
        self._starting = Lock()
        self._is_urgent = Event()

    @property
    def sink(self) -> Sink:
        return self._sink

    def put(self, event: Mapping[str, Value], error: SanitizedError | None) -> None:
        """Hand over, at once. A full queue loses the event, and counts it."""
        if self._sink.alarms_only and event["severity"] != "error":
            return
        try:
            self._queue.put_nowait(_Message(event, error))
        except queue.Full:
            count("queue_full")
            return
        self._start()

    def flush(self, seconds: float) -> bool:
        """Whether everything handed over so far was given to the sink, and flushed, in time."""
        return self._order(seconds, is_last=False)

    def close(self, seconds: float) -> bool:
        """Flush, close the sink, end the thread. Whether that was done in time."""
        return self._order(seconds, is_last=True)

    def _order(self, seconds: float, *, is_last: bool) -> bool:
        if self._thread is None:
            return True  # nothing was ever handed over: the sink holds nothing
        order = _Order(monotonic() + seconds, is_last)
        try:
            self._queue.put(order, timeout=seconds)
        except queue.Full:
            return False
        self._is_urgent.set()
        return order.done.wait(max(0.0, order.until - monotonic()))

    def _start(self) -> None:
        if self._thread is not None:
            return
        with self._starting:
            if self._thread is None:
                thread = Thread(target=self._run, name="telemetry", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while self._obeyed(self._queue.get()):
            while not self._queue.empty():
                if not self._obeyed(self._queue.get()):
                    return
            self._is_urgent.wait(self._pause_seconds)
            self._is_urgent.clear()

    def _obeyed(self, message: _Message | _Order) -> bool:
        """Whether there is more to come."""
        match message:
            case _Message(event, error):
                self._emit(event, error)
                self._tell_losses()
                return True
            case _Order() as order:
                self._obey(order)
                return not order.is_last

    def _emit(self, event: Mapping[str, Value], error: SanitizedError | None) -> bool:
        """Whether the sink took it."""
        try:
            self._sink.emit(event, error)
        except Exception:  # noqa: BLE001 - a sink may fail in any way, and the next event is due
            count("sink_failed")
            return False
        return True

    def _tell_losses(self, *, at_last: bool = False) -> None:
        """Counted as told when the sink took it: what it could not take is told later."""
        now = monotonic()
        if not at_last and now < self._losses_told_at + self._tell_losses_seconds:
            return
        lost = sum(losses().values())
        if lost == self._losses_told:
            return
        number = lost - self._losses_told
        self._losses_told_at = now
        if self._emit({"event": "telemetry_lost", "severity": "warning", "count": number}, None):
            self._losses_told = lost

    def _obey(self, order: _Order) -> None:
        if order.is_last:
            self._tell_losses(at_last=True)
        try:
            self._sink.flush(max(0.0, order.until - monotonic()))
            if order.is_last:
                self._sink.close()
        except Exception:  # noqa: BLE001 - as above
            count("sink_failed")
        finally:
            order.done.set()
