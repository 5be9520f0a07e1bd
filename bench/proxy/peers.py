"""Everything that is measured: how each is started, and what it is asked."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.proxy import ajax_proxy, asked, nginx
from bench.proxy.load import Target
from bench.proxy.people import People
from bench.proxy.places import (
    ORGS,
    QUICKSTART_STORE,
    RUNS_IN_MEMORY,
    VARIABLE,
    Places,
    Upstream,
)
from bench.proxy.processes import Server, python, start
from local import scene
from local.environment import service_environment

OURS: Final = "service"
OURS_ON_AZURITE: Final = "service, rows in Azurite"
DIRECT: Final = "direct"
BARE: Final = "bare aiohttp proxy"
NGINX: Final = "nginx"
QUICKSTART: Final = "quickstart"
AJAX_PROXY: Final = "jsforce-ajax-proxy"
EMPTY: Final = "empty function"

LISTENING: Final = (OURS, OURS_ON_AZURITE, BARE, NGINX, QUICKSTART, AJAX_PROXY, EMPTY)
"""Who needs a port."""
_IN_THE_HOST: Final = {
    OURS: "bench.proxy.service",
    OURS_ON_AZURITE: "bench.proxy.service",
    QUICKSTART: "bench.proxy.quickstart",
    EMPTY: "bench.proxy.empty_function",
}
"""Apps, which the local host serves."""
IN_THE_HOST: Final = tuple(_IN_THE_HOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """`server` is what is measured; nobody stands between the load and the org itself."""

    name: str
    target: Callable[[Upstream, int], Target]
    server: Server | None = None

    def cpu_seconds(self) -> float:
        return self.server.cpu_seconds() if self.server else 0.0


class Peers:
    """Starts them one by one, each with the files that it needs in `folder`. Who made this stops
    what it has `started`, also if not all of them came up."""

    def __init__(self, places: Places, folder: Path, people: People) -> None:
        self._places, self._folder, self._people = places, folder, people
        self._info = places.info()
        self.started: list[Server] = []
        self._environment = {VARIABLE: str(folder / "places.json")}

    def direct(self) -> Peer:
        tls = ssl.create_default_context(cafile=str(self._info.authority))

        def target(upstream: Upstream, count: int) -> Target:
            host = ORGS[upstream]
            return Target(
                port=self._places.pins[host],
                requests=asked.of_salesforce(upstream, count),
                expected=asked.EXPECTED,
                tls=tls,
                host=host,
            )

        return Peer(name=DIRECT, target=target)

    def service(self, name: str, *options: str) -> Peer:
        """Ours, with run rows in memory (`OURS`) or as deployed."""
        stores = {RUNS_IN_MEMORY: "on"} if name == OURS else {}
        environment = {**service_environment(self._info), **stores}

        def target(upstream: Upstream, count: int) -> Target:
            sessions = self._people.sessions()[:count]
            return self._app(name, asked.of_service(upstream, sessions))

        server = self._start_in_host(name, environment, *options)
        return Peer(name=name, target=target, server=server)

    def empty_function(self) -> Peer:
        """Asked what the service is asked."""

        def target(upstream: Upstream, count: int) -> Target:
            sessions = self._people.sessions()[:count]
            return self._app(EMPTY, asked.of_service(upstream, sessions))

        return Peer(name=EMPTY, target=target, server=self._start_in_host(EMPTY, {}))

    def quickstart(self, sessions: Sequence[str]) -> Peer:
        """`sessions` are those of its own that its store was prepared for."""
        environment = {
            "IDENTITY_ENDPOINT": self._info.identity_endpoint,
            "IDENTITY_HEADER": scene.IDENTITY_HEADER,
            "REQUESTS_CA_BUNDLE": str(self._info.authority),
            QUICKSTART_STORE: str(self._folder / "quickstart.json"),
        }

        def target(upstream: Upstream, count: int) -> Target:
            return self._app(QUICKSTART, asked.of_quickstart(upstream, sessions[:count]))

        server = self._start_in_host(QUICKSTART, environment)
        return Peer(name=QUICKSTART, target=target, server=server)

    def bare(self) -> Peer:
        command = python("bench.proxy.bare")
        return self._proxy(BARE, command, self._environment, asked.of_salesforce)

    def nginx(self) -> Peer | None:
        """None where it is not installed."""
        command = nginx.command(self._places, self._folder / "nginx")
        return self._proxy(NGINX, command, {}, asked.of_salesforce) if command else None

    def ajax_proxy(self) -> Peer:
        environment = ajax_proxy.environment(
            self._places, self._places.ports[AJAX_PROXY], self._info.authority
        )
        return self._proxy(AJAX_PROXY, ajax_proxy.command(), environment, asked.of_ajax_proxy)

    def _proxy(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        requests: Callable[[Upstream, int], Sequence[bytes]],
    ) -> Peer:
        def target(upstream: Upstream, count: int) -> Target:
            return Target(
                port=self._places.ports[name],
                requests=requests(upstream, count),
                expected=asked.EXPECTED,
            )

        return Peer(name=name, target=target, server=self._start(name, command, environment))

    def _start_in_host(self, name: str, environment: Mapping[str, str], *options: str) -> Server:
        command = python("bench.proxy.serve", name, _IN_THE_HOST[name], *options)
        return self._start(name, command, {**self._environment, **environment})

    def _start(self, name: str, command: list[str], environment: Mapping[str, str]) -> Server:
        server = start(name, command, environment, logs=self._folder)
        self.started.append(server)
        return server

    def _app(self, name: str, requests: Sequence[bytes]) -> Target:
        return Target(
            port=self._places.ports[name], requests=requests, expected=asked.EXPECTED_OF_APPS
        )
