"""Calls of functions and their answers, in a form in which two hosts can be compared.

`run_in_host` makes the calls of local/host.py; tests/local/worker.py makes the same calls of
Microsoft's worker.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self
from urllib.parse import unquote

import azure.functions as func
from starlette.types import ASGIApp, Message, Scope

from local.host import FunctionsHost

HOST = "127.0.0.1:7071"
HOST_JSON = {"version": "2.0"}  # nothing that adds headers of its own
ROUTE_PREFIX = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """A request. `target` is path and query as they stand in the request line."""

    method: str = "GET"
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    scheme: str = "http"

    def all_headers(self) -> list[tuple[str, str]]:
        """With those that a client adds by itself."""
        length = [("content-length", str(len(self.body)))] if self.body else []
        return [("host", HOST), *length, *self.headers]

    def scope(self) -> Scope:
        path, _, query = self.target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": self.scheme,
            "path": unquote(path),
            "raw_path": path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": [
                (name.lower().encode("ascii"), value.encode("utf-8"))
                for name, value in self.all_headers()
            ],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 7071),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerCall:
    """A timer that comes due."""

    function: str
    past_due: bool = False


type Call = HttpCall | TimerCall


def call_to_json(call: Call) -> dict[str, Any]:
    fields = asdict(call)
    if isinstance(call, HttpCall):
        fields["body"] = call.body.decode("latin-1")
    return fields


def call_from_json(fields: dict[str, Any]) -> Call:
    if "function" in fields:
        return TimerCall(**fields)
    headers = tuple((name, value) for name, value in fields["headers"])
    return HttpCall(**{**fields, "headers": headers, "body": fields["body"].encode("latin-1")})


@dataclass(frozen=True, slots=True)
class Cookie:
    """What a `Set-Cookie` says. Attributes without a value have an empty one."""

    name: str
    value: str
    attributes: dict[str, str]

    @classmethod
    def parse(cls, header: str) -> Self:
        pair, *rest = header.split("; ")
        name, _, value = pair.partition("=")
        attributes = dict(part.partition("=")[::2] for part in rest)
        return cls(name, unquote(value), attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a function answered: headers by name in lower case, framing and cookies aside."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()
    body: bytes = b""

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "body": self.body.decode("latin-1")}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        cookies = tuple(Cookie(**cookie) for cookie in fields["cookies"])
        body = fields["body"].encode("latin-1")
        return cls(status=fields["status"], headers=fields["headers"], cookies=cookies, body=body)


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """An answer as it left an ASGI application."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The only header of this name."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    def answer(self) -> Answer:
        kept = {k: v for k, v in self.headers if k not in {"set-cookie", "content-length"}}
        cookies = tuple(Cookie.parse(value) for name, value in self.headers if name == "set-cookie")
        return Answer(status=self.status, headers=kept, cookies=cookies, body=self.body)


def whole(body: bytes) -> list[Message]:
    """The messages of a body that comes in two parts."""
    half = len(body) // 2
    return [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:], "more_body": False},
    ]


async def exchange(
    app: ASGIApp, call: HttpCall, received: Iterable[Message] | None = None
) -> WireAnswer | None:
    """Make one call of an ASGI application; None when it sent nothing at all."""
    messages = iter(whole(call.body) if received is None else received)
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    await app(call.scope(), receive, send)
    if not sent:
        return None
    start, *parts = sent
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]
    ]
    return WireAnswer(start["status"], headers, b"".join(part["body"] for part in parts))


async def asked(app: ASGIApp, call: HttpCall) -> WireAnswer:
    """Like `exchange`, of an application that must answer."""
    answer = await exchange(app, call)
    assert answer is not None, "no answer"
    return answer


async def run_in_host(app: func.FunctionApp, calls: Sequence[Call]) -> list[Answer]:
    """The answers of local/host.py over this app, call by call. A timer's answer is 202."""
    host = FunctionsHost(app, HOST_JSON)
    answers: list[Answer] = []
    for call in calls:
        if isinstance(call, TimerCall):
            timer = host.timers[call.function]
            await host.run_timer(timer, past_due=call.past_due, status=None)
            answers.append(Answer(status=202))
        else:
            answers.append((await asked(host, call)).answer())
    await host.close()
    return answers
