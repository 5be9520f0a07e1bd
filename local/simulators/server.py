"""Serves every simulator, the control surface and the sidebar from one process."""

import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from local.authority import Authority
from local.sidebar_server import security_headers, sidebar_routes
from local.simulators import all_simulators
from local.simulators.azurite_store import AzuriteStore
from local.simulators.control import ControlSurface, own_machine_only
from local.simulators.faults import Faults
from local.simulators.simulator import Simulator
from local.simulators.traffic import Traffic
from local.stack_info import StackInfo

_LARGEST_BODY: Final = 8 * 1024**2  # bytes; a transaction of the Table service may have 4 MiB


async def serve(info: StackInfo) -> AsyncExitStack:
    """Start answering at every address of `info`. Closing what is returned stops it all."""
    authority = Authority.load(info.data)
    simulators = all_simulators(
        azurite=info.azurite,
        azurite_blobs=info.azurite_blobs,
        tls=ssl.create_default_context(cafile=authority.certificate),
        kept_in=info.data if info.keeps else None,
    )
    stores = [simulator for simulator in simulators if isinstance(simulator, AzuriteStore)]
    addresses = {simulator.name: _address(simulator, info) for simulator in simulators}
    faults, traffic = Faults(frozenset(addresses)), Traffic()
    control = ControlSurface(
        info=info,
        simulators=simulators,
        addresses=addresses,
        faults=faults,
        traffic=traffic,
        empty_stores=[store.empty for store in stores],
    )
    running = AsyncExitStack()
    for store in stores:
        running.push_async_callback(store.close)
    for simulator in simulators:
        tls = _tls(authority, simulator.name, *simulator.hosts) if simulator.hosts else None
        address = addresses[simulator.name]
        app = simulator_app(simulator, faults, traffic)
        await listen(running, app, urlsplit(address).port, tls)
    sidebar = _app(
        [*control.routes(), *sidebar_routes(info)],
        security_headers(info),
        own_machine_only(info.sidebar, origin=info.sidebar),
    )
    await listen(running, sidebar, urlsplit(info.sidebar).port, _tls(authority, "sidebar"))
    # The control surface opens last: when it answers, everything does.
    guarded = _app(control.routes(), own_machine_only(info.control, origin=info.sidebar))
    await listen(running, guarded, urlsplit(info.control).port, None)
    return running


def simulator_app(
    simulator: Simulator, faults: Faults, traffic: Traffic | None = None
) -> web.Application:
    """The simulator under its own host names only, counted, and misbehaving when told to."""
    return _app(
        simulator.routes(),
        known_hosts_only(simulator.hosts),
        (traffic or Traffic()).middleware(simulator.name),
        faults.middleware(simulator.name),
    )


async def listen(
    running: AsyncExitStack, app: web.Application, port: int | None, tls: ssl.SSLContext | None
) -> None:
    """Answer on 127.0.0.1 until `running` is closed; without `tls` in plain HTTP."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    running.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls, reuse_address=True).start()


def known_hosts_only(hosts: Sequence[str]) -> Middleware:
    """421 for a `Host` that is none of `hosts` (RFC 9110, section 15.5.20). None: no check."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        named = request.headers.getall("Host", [])
        if hosts and (len(named) != 1 or not _is_one_of(named[0], hosts)):
            raise web.HTTPMisdirectedRequest
        return await handler(request)

    return guard


def _is_one_of(host: str, patterns: Sequence[str]) -> bool:
    name = host.lower().partition(":")[0]
    label, _, parent = name.partition(".")
    return name in patterns or (label != "" and f"*.{parent}" in patterns)


def _address(simulator: Simulator, info: StackInfo) -> str:
    """Where a simulator listens. Raises KeyError if the stack has no port for it."""
    match simulator.name:
        case "tables":
            return _origin(info.tables)
        case "blobs":
            return _origin(info.blobs)
        case "identity":
            return _origin(info.identity_endpoint)
        case _:
            (port,) = {info.pins[host] for host in simulator.hosts}
            return f"https://127.0.0.1:{port}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _tls(authority: Authority, name: str, *hosts: str) -> ssl.SSLContext:
    return authority.issue(name, *hosts).server_context()


def _app(routes: Sequence[web.RouteDef], *middlewares: Middleware) -> web.Application:
    app = web.Application(middlewares=middlewares, client_max_size=_LARGEST_BODY)
    app.add_routes(routes)
    return app
