"""Misbehaviour on demand: the next calls to a simulator fail in one of the ways networks fail.

`POST /_sim/faults` says whose calls, how, and how often; a middleware in front of each simulator
carries it out. Faults that match the same call are used up in the order in which they came.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.simulators.control_requests import control_body, refused
from local.simulators.misbehaviour import KINDS, Fault

_MAX_TIMES: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """What `value` may be for one kind of fault."""

    unit: str
    low: float
    high: float
    default: float | None = None
    whole: bool = True

    def parse(self, value: object) -> float:
        """Raises ValueError."""
        if value is None and self.default is not None:
            return self.default
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and not (self.whole and isinstance(value, float))
            and self.low <= value <= self.high
        ):
            return value
        raise ValueError(f"'value' must be {self.unit} from {self.low:g} to {self.high:g}")


_VALUES: Final[Mapping[str, _Range]] = {
    "status": _Range(unit="a status code", low=200, high=599),
    "delay": _Range(unit="seconds", low=0, high=600, whole=False),
    "drip": _Range(unit="seconds a byte", low=0, high=600, whole=False),
    "gzip_bomb": _Range(unit="bytes", low=1, high=4 * 1024**3, default=50_000_000),
}


class Faults:
    """The faults that wait for their calls. `targets` are the simulators' names."""

    def __init__(self, targets: frozenset[str]) -> None:
        self._targets = targets
        self._waiting: list[Fault] = []

    async def add(self, request: web.Request) -> web.Response:
        """`POST /_sim/faults`; 400 with a sentence for anything that is not understood."""
        body = await control_body(request, "target", "match", "fault", "value", "times", "headers")
        try:
            self._waiting.append(self._parsed(body))
        except ValueError as exc:
            raise refused(str(exc)) from exc
        return web.json_response({"waiting": len(self._waiting)})

    def clear(self) -> None:
        """Everybody behaves again."""
        self._waiting.clear()

    def take(self, target: str, path: str) -> Fault | None:
        """The fault for this call, used up by one; None when nothing is wrong with the call."""
        for fault in self._waiting:
            if fault.target == target and path.startswith(fault.match):
                fault.times -= 1
                if fault.times == 0:
                    self._waiting.remove(fault)
                return fault
        return None

    def middleware(self, target: str) -> Middleware:
        """Stands in front of the simulator called `target`."""

        @web.middleware
        async def misbehave(request: web.Request, handler: Handler) -> web.StreamResponse:
            fault = self.take(target, request.path)
            if fault is None:
                return await handler(request)
            return await KINDS[fault.kind](request, handler, fault)

        return misbehave

    def _parsed(self, body: Mapping[str, object]) -> Fault:
        target, match, kind = (body.get(name) for name in ("target", "match", "fault"))
        if not isinstance(target, str) or target not in self._targets:
            raise ValueError(f"'target' must be one of {', '.join(sorted(self._targets))}")
        if not isinstance(match, str) or not match.startswith("/"):
            raise ValueError("'match' must be a path prefix: it starts with '/'")
        if not isinstance(kind, str) or kind not in KINDS:
            raise ValueError(f"'fault' must be one of {', '.join(KINDS)}")
        return Fault(
            target=target,
            match=match,
            kind=kind,
            value=_value(kind, body.get("value")),
            times=_times(body.get("times", 1)),
            headers=_headers(kind, body.get("headers", {})),
        )


def _value(kind: str, value: object) -> float:
    if kind in _VALUES:
        return _VALUES[kind].parse(value)
    if value is not None:
        raise ValueError(f"the fault '{kind}' takes no 'value'")
    return 0


def _times(times: object) -> int:
    if isinstance(times, int) and not isinstance(times, bool) and 1 <= times <= _MAX_TIMES:
        return times
    raise ValueError(f"'times' must be a whole number from 1 to {_MAX_TIMES}")


def _headers(kind: str, headers: object) -> dict[str, str]:
    if not isinstance(headers, dict) or not all(isinstance(text, str) for text in headers.values()):
        raise ValueError("'headers' must be an object of strings")
    if headers and kind != "status":
        raise ValueError("only the fault 'status' takes 'headers'")
    return headers
