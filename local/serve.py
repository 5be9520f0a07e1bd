"""`python -m local.serve`: the service of a running local stack, over HTTP and over HTTPS.

Reads `FLOWRUNNER_LOCAL_STACK` (the path of the stack's stack.json) and serves the app of
`local.function_app`, with its timers unless `FLOWRUNNER_TIMERS` is `off`. Ends on SIGTERM and
SIGINT, when what is under way has ended.
"""

import asyncio
import importlib
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import uvicorn

from local.authority import Authority, Leaf
from local.host import FunctionsHost
from local.host_request import MAX_HEADERS_BYTES, MAX_REQUEST_LINE_BYTES
from local.stack_info import StackInfo
from local.timers import FileScheduleMonitor, TimerScheduler

HOST_JSON: Final = Path(__file__).parent.parent / "host.json"

# What is kept of a request whose headers have not all come: as much as the host would accept.
_MAX_HEAD_BYTES: Final = MAX_REQUEST_LINE_BYTES + MAX_HEADERS_BYTES
_KEEP_ALIVE_SECONDS: Final = 130  # Kestrel's default
_GRACE_SECONDS: Final = 4  # for requests under way at the end; less than the leash's (leash.py)
_BACKLOG: Final = 2048
_OURS: Final = ("local", "functions", "shared", "flowrunner")  # loggers that may speak at INFO

type Parser = Literal["h11", "httptools"]
"""Of HTTP; of the real host that is native code in a process of its own."""

_log: Final = logging.getLogger("local.serve")  # its name also when run with `python -m`


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """An address to answer on; over TLS where there is a certificate."""

    url: str
    certificate: Leaf | None = None

    def open(self) -> socket.socket:
        """Listen. Raises OSError when the port is taken."""
        address = urlsplit(self.url)
        opened = socket.create_server((str(address.hostname), address.port or 0), backlog=_BACKLOG)
        # Python leaves it out for sockets made this way, and each answer would wait for 40 ms.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are for all servers of this process: `main` takes them."""
        yield


async def serve(
    host: FunctionsHost,
    listeners: Sequence[Listener],
    stop: asyncio.Event,
    *,
    parser: Parser = "h11",
) -> None:
    """Answer on every listener, all on the running loop, until `stop` is set.

    h11 bounds what it keeps of a head that has not all come; httptools does not, and takes less
    time: for benches. Raises OSError when a port is taken.
    """
    sockets = [listener.open() for listener in listeners]
    servers = [_Server(_configuration(host, listener, parser)) for listener in listeners]
    async with asyncio.TaskGroup() as running:
        for server, opened in zip(servers, sockets, strict=True):
            running.create_task(server.serve(sockets=[opened]))
        await stop.wait()
        for server in servers:
            server.should_exit = True


def _configuration(host: FunctionsHost, listener: Listener, parser: Parser) -> uvicorn.Config:
    return uvicorn.Config(
        host,
        http=parser,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=listener.certificate.chain if listener.certificate else None,
        ssl_keyfile=listener.certificate.key if listener.certificate else None,
    )


async def run_service(
    info: StackInfo, app_module: str, *, with_timers: bool, parser: Parser = "h11"
) -> None:
    """Serve the `app` of a module at the stack's addresses, until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Imported on the running loop, as in the real worker: what cannot be done there shows here.
    module = importlib.import_module(app_module)
    host = FunctionsHost(module.app, json.loads(HOST_JSON.read_text(encoding="utf-8")))
    monitor = FileScheduleMonitor(info.data / "timers")
    scheduler = TimerScheduler(
        tuple(host.timers.values()) if with_timers else (), host.run_timer, monitor
    )
    listeners = (
        Listener(url=info.service),
        Listener(url=info.service_https, certificate=Authority.load(info.data).issue("service")),
    )
    scheduler.start()
    try:
        _log.info("the service answers on %s and %s", info.service, info.service_https)
        await serve(host, listeners, stop, parser=parser)
    finally:
        await scheduler.stop()
        await host.close()
        await _close(module)


async def _close(module: Any) -> None:  # noqa: ANN401 - a module
    """The app closes what it opened, where it offers `close`. In Azure nothing would."""
    close = getattr(module, "close", None)
    if close is not None:
        await close()


def main() -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    info = StackInfo.load(Path(os.environ["FLOWRUNNER_LOCAL_STACK"]))
    with_timers = os.environ.get("FLOWRUNNER_TIMERS") != "off"
    asyncio.run(run_service(info, "local.function_app", with_timers=with_timers))


if __name__ == "__main__":
    main()
