"""The far end of a telemetry sink, in this process: keeps what arrives, answers as told."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from threading import Event
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


@dataclass(frozen=True, slots=True)
class Received:
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout: object

    def envelopes(self) -> list[dict[str, Any]]:
        """What App Insights would read."""
        found: list[dict[str, Any]] = json.loads(self.body)
        return found

    def items(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """What Sentry would read: header and payload of each item of the envelope."""
        _, *lines = self.body.splitlines()
        parsed = [json.loads(line) for line in lines if line]
        return list(zip(parsed[::2], parsed[1::2], strict=True))


class Receiver(HTTPAdapter):
    """Mounted in the session that a sink is given; everything that the sink sends ends here."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Received] = []
        self.answer = Answer()
        self.may_answer = Event()
        self.may_answer.set()

    def session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", self)
        session.mount("http://", self)
        return session

    def send(
        self, request: requests.PreparedRequest, *args: object, **kwargs: object
    ) -> requests.Response:
        self.may_answer.wait(30)
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else bytes(body)
        timeout = kwargs.get("timeout")
        headers = {**request.headers}
        self.received.append(Received(str(request.url), headers, raw, timeout))
        response = urllib3.HTTPResponse(
            body=BytesIO(self.answer.body),
            headers=dict(self.answer.headers),
            status=self.answer.status,
            preload_content=False,
        )
        return self.build_response(request, response)

    def everything(self) -> bytes:
        """All that arrived, as bytes to search: addresses, headers, bodies (also unzipped)."""
        parts = [_whole(each) for each in self.received]
        return b"\n".join(parts)


def _whole(received: Received) -> bytes:
    head = json.dumps([received.url, dict(received.headers)], default=str).encode()
    packed = received.body.startswith(b"\x1f\x8b")
    return head + b"\n" + (gzip.decompress(received.body) if packed else received.body)
