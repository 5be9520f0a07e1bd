"""Answers over TLS as the service does, but for what a test changes; over plain HTTP if told to."""

import json
import re
import socket
import ssl
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from uuid import uuid4

from functions.boundary import SECURITY_HEADERS
from functions.routes import contract
from local.authority import Authority
from tools.smoke_test import FUNCTIONS

CONTRACT: Final = (FUNCTIONS / "openapi.json").read_bytes()


GUARDED: Final = {
    (method.upper(), re.sub(r"\{.*?\}", "Nobody", template))
    for template, operations in contract()["paths"].items()
    for method, operation in operations.items()
    if operation.get("security")
}
"""What asks for a token, with made-up parts of the path."""


@dataclass(kw_only=True)
class Reply:
    """Without a body of its own, one with `members` is a problem document with an incident."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: dict(SECURITY_HEADERS))
    body: bytes = b""
    members: dict[str, object] = field(default_factory=dict)
    more: list[tuple[str, str]] = field(default_factory=list)  # headers that come once more
    request_id: str | None = None  # of every answer; None: each has its own

    def sent(self) -> tuple[dict[str, str], bytes]:
        """Headers and body of one answer."""
        incident = self.request_id or uuid4().hex
        body = self.body
        if self.members and not body:
            body = json.dumps({"incident": incident, **self.members}).encode()
        return {"X-Request-Id": incident, **self.headers}, body


def _problem(status: HTTPStatus, code: str, **headers: str) -> Reply:
    media_type = {"Content-Type": "application/problem+json"}
    return Reply(
        status=status,
        headers={**SECURITY_HEADERS, **media_type, **headers},
        members={
            "type": "about:blank",
            "title": status.phrase,
            "status": int(status),
            "code": code,
        },
    )


class Pretender:
    """A deployment over TLS that answers as the service does, but for what a test changes."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority.certificate
        media_type = {"Content-Type": "application/json"}
        self.health = Reply(headers={**SECURITY_HEADERS, **media_type}, body=b'{"status": "ok"}')
        public = {"Cache-Control": "public, max-age=300"}
        self.contract = Reply(headers={**SECURITY_HEADERS, **media_type, **public}, body=CONTRACT)
        self.stranger = _problem(
            HTTPStatus.UNAUTHORIZED, "not_authenticated", **{"WWW-Authenticate": "Bearer"}
        )
        self.unknown = _problem(HTTPStatus.NOT_FOUND, "not_found")
        self.others: dict[tuple[str, str], Reply] = {}  # by method and path, for one operation
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
            return Reply(status=503, headers={})
        target = method, path.removeprefix("/api")
        replies = {
            ("GET", "/v1/health"): self.health,
            ("GET", "/v1/openapi.json"): self.contract,
            **dict.fromkeys(GUARDED, self.stranger),
            **self.others,
        }
        return replies.get(target, self.unknown)

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
            headers, body = reply.sent()
            for name, value in [*headers.items(), *reply.more]:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler
