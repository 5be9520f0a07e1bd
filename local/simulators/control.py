"""The control surface, with which tests and people set the scene: JSON under `/_sim/`.

It belongs to whoever sits at this machine. A page of another site, opened in the same machine's
browser, must not reach it: requests under another host name (DNS rebinding) or from another origin
are refused, and so are bodies that a form could send.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.simulators.faults import Faults
from local.simulators.simulator import Simulator
from local.simulators.traffic import Traffic
from local.stack_info import StackInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSurface:
    """The routes of the stack as a whole, and those of each simulator."""

    info: StackInfo
    simulators: Sequence[Simulator]
    addresses: dict[str, str]  # simulator's name -> its URL on 127.0.0.1
    faults: Faults
    traffic: Traffic
    empty_stores: Sequence[Callable[[], Awaitable[None]]]

    def routes(self) -> Sequence[web.RouteDef]:
        own = [
            web.get("/_sim/info", self._info),
            web.post("/_sim/reset", self._reset),
            web.post("/_sim/faults", self.faults.add),
            web.delete("/_sim/faults", self._clear_faults),
            web.get("/_sim/traffic", self.traffic.answer),
        ]
        return [*own, *(route for simulator in self.simulators for route in simulator.control())]

    async def _info(self, _request: web.Request) -> web.Response:
        """Every address in use."""
        simulators = {
            simulator.name: {"url": self.addresses[simulator.name], "hosts": simulator.hosts}
            for simulator in self.simulators
        }
        facts = {name: _plain(value) for name, value in asdict(self.info).items()}
        return web.json_response({**facts, "simulators": simulators})

    async def _clear_faults(self, _request: web.Request) -> web.Response:
        """Everybody behaves again; all else stays as it is."""
        self.faults.clear()
        return web.json_response({})

    async def _reset(self, _request: web.Request) -> web.Response:
        """As after start: no faults, no rows, no blobs, and each simulator as it was made."""
        self.faults.clear()
        self.traffic.reset()
        for simulator in self.simulators:
            simulator.reset()
        for empty in self.empty_stores:
            await empty()
        return web.json_response({})


def own_machine_only(address: str, *, origin: str) -> Middleware:
    """Refuses requests to any other `Host` than that of `address`, and requests of pages that are
    not of `origin`."""
    host = address.partition("://")[2]

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.getall("Host", []) != [host]:
            return _refused(421, f"the host must be {host}")
        if request.headers.get("Origin", origin) != origin:
            return _refused(403, "requests of this origin are not answered")
        if request.body_exists and request.content_type != "application/json":
            return _refused(415, "the body must be application/json")
        return await handler(request)

    return guard


def _refused(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)


def _plain(value: object) -> object:
    return value if isinstance(value, str | dict | bool) else str(value)
