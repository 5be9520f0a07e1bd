"""A process that handles secrets, fails, and tells of it; run by tests, reports as JSON on stdout.

`python -m tests.telemetry.scenario ours|defaults ARGV-CANARY`: with our sinks, or with the SDKs as
they come (the control: it must leak, or the test could not have failed). An audit hook keeps all
but loopback connections from being made, and notes them, and every process started.
"""

import http.server
import json
import logging
import os
import platform
import socket
import sys
import threading
from typing import Any

import requests

from local import scene
from shared.telemetry.app_insights import AppInsightsSink
from shared.telemetry.events import SanitizedError, alarm, attach, event, flush, losses
from shared.telemetry.sentry import SentrySink
from tests.telemetry.canaries import CANARIES
from tests.telemetry.receiver import Answer, Receiver

connections: list[str] = []
processes: list[str] = []


def watch(name: str, args: tuple[Any, ...]) -> None:
    if name == "subprocess.Popen":
        processes.append(str(args[0]))
    if name == "socket.connect":
        host = str(args[1][0]) if isinstance(args[1], tuple) else str(args[1])
        connections.append(host)
        if host != "127.0.0.1":
            raise ConnectionRefusedError
    if name == "socket.getaddrinfo" and args[0] != "127.0.0.1":
        connections.append(str(args[0]))
        raise socket.gaierror


class ThirdParty(http.server.BaseHTTPRequestHandler):
    """Somebody whom the service calls; what they are sent is kept."""

    seen: list[str] = []  # noqa: RUF012 - one server, one list

    def do_GET(self) -> None:
        self.seen.extend(name.lower() for name in self.headers)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Not to stderr."""


def parse(text: str) -> None:
    raise ValueError(text)


def handle_a_request(address: str) -> None:
    """What a handler does, with canaries for data."""
    found = CANARIES["local_variable"]
    logging.getLogger("flowrunner.handler").warning("got %s", CANARIES["log_args"])
    requests.get(
        address,
        params={"code": CANARIES["url_query"]},
        headers={"X-Token": CANARIES["headers"]},
        timeout=5,
    )
    try:
        parse(CANARIES["chained_exception"])
    except ValueError as exc:
        raise RuntimeError(CANARIES["exception_text"], len(found)) from exc


def ours(receiver: Receiver, address: str) -> None:
    attach(
        SentrySink(
            scene.SENTRY_DSN,
            release="flowrunner@1",
            region="westeurope",
            session_factory=receiver.session,
        )
    )
    attach(AppInsightsSink(scene.APP_INSIGHTS_CONNECTION, session_factory=receiver.session))
    event("signed_in", provider="microsoft", code=CANARIES["log_message"], where=os.environ["SEED"])
    try:
        handle_a_request(address)
    except RuntimeError as exc:
        alarm("crashed", SanitizedError.of(exc), code="internal", function=CANARIES["headers"])
    flush(20)
    receiver.answer = Answer(503)  # what upstream would keep in a file
    alarm("seal_broken")
    flush(20)


def defaults(receiver: Receiver, address: str) -> None:
    import sentry_sdk  # noqa: PLC0415 - `ours` imports it by itself, when it needs to
    from opencensus.ext.azure.log_exporter import AzureLogHandler  # noqa: PLC0415
    from sentry_sdk.envelope import Envelope  # noqa: PLC0415

    session = receiver.session()

    class Transport(sentry_sdk.Transport):
        def capture_envelope(self, envelope: Envelope) -> None:
            session.post("https://sentry.example.com", data=envelope.serialize(), timeout=5)

    class Handler(AzureLogHandler):  # type: ignore[misc]  # no annotations upstream
        def createLock(self) -> None:  # noqa: N802 - else nothing at all would be sent on 3.13
            logging.Handler.createLock(self)

        def apply_telemetry_processors(self, envelopes: list[Any]) -> list[Any]:
            """As upstream; shown to the receiver, because upstream makes its own connection."""
            session.post("https://ai.example.com", data=json.dumps(envelopes), timeout=5)
            return envelopes

    handler = Handler(connection_string=scene.APP_INSIGHTS_CONNECTION, export_interval=0.5)
    logger = logging.getLogger("flowrunner.handler")
    logger.addHandler(handler)
    sentry_sdk.init(dsn=scene.SENTRY_DSN, transport=Transport())
    message = CANARIES["log_message"] + " %s"
    logger.error(message, CANARIES["log_args"])
    try:
        handle_a_request(address)
    except RuntimeError as exc:
        logger.exception("failed")
        sentry_sdk.capture_exception(exc)
    handler.close(timeout=5)


def main() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), ThirdParty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.addaudithook(watch)
    # The machine gets another name; both SDKs ask for it when they are imported or set up.
    socket.gethostname = platform.node = lambda: CANARIES["server_name"]
    receiver = Receiver()
    try:
        scenario = ours if sys.argv[1] == "ours" else defaults
        scenario(receiver, f"http://127.0.0.1:{server.server_port}/token")
    finally:
        server.shutdown()
        server.server_close()
    report = {
        "sent": receiver.everything().decode("latin-1"),
        "requests": [each.url for each in receiver.received],
        "connections": sorted(set(connections)),
        "processes": processes,
        "headers_to_third_parties": ThirdParty.seen,
        "losses": losses(),
    }
    print(json.dumps(report))  # noqa: T201 - the answer to the test


if __name__ == "__main__":
    main()
