"""Answers over TLS as the service does, but for what a test changes; over plain HTTP if told to."""

import socket
import ssl
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

from local.authority import Authority
from tools.smoke_test import FUNCTIONS

CONTRACT: Final = (FUNCTIONS / "openapi.json").read_bytes()


@dataclass(kw_only=True)
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    more: list[tuple[str, str]] = field(default_factory=list)  # headers that come once more


class Pretender:
    """A deployment over TLS that answers as the service does, but for what a test changes."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority.certificate
        self.health = Reply(
            headers={
                "Content-Type": "application/json",
                "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
                "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
            },
            body=b'{"status": "ok"}',
        )
        self.contract = Reply(body=CONTRACT)
        self.stranger = Reply(
            status=401,
            headers={"Content-Type": "application/problem+json", "WWW-Authenticate": "Bearer"},
            body=b'{"status": 401, "code": "not_authenticated"}',
        )
        self.plain: Reply | None = None  # over plain HTTP; None: the connection ends
        self.starting = 0  # so many requests are answered with 503 first
        self._tls = authority.issue("pretender").server_context()
        pretender = self

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> tuple[Any, Any]:
                connection, address = super().get_request()
                return pretender.accepted(connection), address

            def handle_error(self, *_: object) -> None:
                """A client that ends the connection is none of the test's business."""

        self._server = Server(("127.0.0.1", 0), _handler(self))
        self.base_url = f"https://127.0.0.1:{self._server.server_port}/api"
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def accepted(self, connection: socket.socket) -> socket.socket:
        connection.settimeout(10)
        is_tls = connection.recv(1, socket.MSG_PEEK) == b"\x16"  # a handshake (RFC 8446, 5.1)
        if is_tls:
            return self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        if self.plain is None:
            connection.close()
            raise OSError("plain HTTP")
        return connection

    def reply(self, method: str, path: str, *, is_tls: bool) -> Reply:
        if not is_tls:
            assert self.plain is not None
            return self.plain
        if self.starting:
            self.starting -= 1
            return Reply(status=503)
        replies = {
            ("GET", "/api/v1/health"): self.health,
            ("GET", "/api/v1/openapi.json"): self.contract,
            ("POST", "/api/v1/flows/Nobody/runs"): self.stranger,
        }
        return replies.get((method, path), Reply(status=404))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _handler(pretender: Pretender) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            is_tls = isinstance(self.connection, ssl.SSLSocket)
            reply = pretender.reply(self.command, self.path, is_tls=is_tls)
            self.send_response(reply.status)
            for name, value in [*reply.headers.items(), *reply.more]:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler
