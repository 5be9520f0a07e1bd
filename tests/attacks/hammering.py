"""Clients that do not let go: panes that sign in, invoke, refresh, connect and read, in loops, each
in a thread of its own, while somebody deletes what they work with."""

import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import requests

from local import scene
from local.addin import AddIn, UnexpectedAnswerError
from local.demo import FLOW, MAIL
from local.stack_info import StackInfo

OPENAPI: Final = Path(__file__).parent.parent.parent / "functions" / "openapi.json"
ADMIN: Final = {"roles": ["FlowRunner.Admin"]}
_PREFIX: Final = "/api"
_JOIN_SECONDS: Final = 40.0


class Answer(NamedTuple):
    """One answer of the service. `asked_at` is by the monotonic clock, in seconds."""

    asked_at: float
    method: str
    path: str
    status: int
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """A person in a Microsoft tenant, and in Salesforce."""

    tid: str
    oid: str
    salesforce_user: str
    is_admin: bool = False


class Pane(AddIn):
    """An add-in that keeps what the service answered."""

    def __init__(self, info: StackInfo, who: Who) -> None:
        super().__init__(info)
        self.who = who
        self.answers: list[Answer] = []
        self._http.hooks["response"].append(self._keep)

    def sign_in(self) -> Any:  # noqa: ANN401 - any JSON value
        asked = {"tid": self.who.tid, "oid": self.who.oid}
        overrides = ADMIN if self.who.is_admin else {}
        token = self.control("/_sim/entra/token", {**asked, "overrides": overrides})["token"]
        return self._exchange("microsoft", token)

    def invoke(self) -> None:
        self.call("POST", f"/flows/{FLOW}/runs", body={"email": MAIL})

    def invoke_with_expired_access(self) -> None:
        body = {"user": self.who.salesforce_user, "org_id": scene.SALESFORCE_ORG_ID}
        self.control("/_sim/salesforce/expire", body)
        self.invoke()

    def connect_again(self) -> None:
        self.connect(self.who.salesforce_user)

    def read(self) -> None:
        self.call("GET", "/tenant/settings")

    def statuses_of_every_route(self) -> dict[str, int]:
        """What each route that wants a session answers to this one."""
        for method, path in session_routes():
            with suppress(UnexpectedAnswerError):
                self.call(method, path, body={} if method in ("POST", "PUT") else None, expect=0)
        asked = self.answers[-len(session_routes()) :]
        return {f"{answer.method} {answer.path}": answer.status for answer in asked}

    def _keep(self, answer: requests.Response, *_: object, **__: object) -> None:
        url = str(answer.request.url)
        if url.startswith(self._info.service_https):
            problem = "problem" in answer.headers.get("Content-Type", "")
            asked_at = time.monotonic() - answer.elapsed.total_seconds()
            method = str(answer.request.method)
            code = json.loads(answer.content)["code"] if problem else ""
            path = urlsplit(url).path.removeprefix(_PREFIX)
            self.answers.append(Answer(asked_at, method, path, answer.status_code, code))


class Hammer:
    """The threads, until they are told to stop."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._nobody_signs_in = threading.Event()
        self._signing_in: dict[Pane, threading.Lock] = {}
        self._broken: list[Exception] = []

    def end_sign_ins(self) -> None:
        """From now on nobody signs in, or is still signing in: they would come back as soon as
        they may."""
        self._nobody_signs_in.set()
        for lock in self._signing_in.values():
            with lock:
                pass

    @contextmanager
    def of(self, *panes: Pane) -> Iterator[None]:
        """All of them at it, until the block ends. Raises what one of them did not expect."""
        self._signing_in = {pane: threading.Lock() for pane in panes}
        threads = [
            threading.Thread(target=self._loop, args=(pane, number))
            for number, pane in enumerate(panes)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(_JOIN_SECONDS)
        assert not any(thread.is_alive() for thread in threads)
        if self._broken:
            raise ExceptionGroup("clients", self._broken)

    def _loop(self, pane: Pane, number: int) -> None:
        steps: list[Callable[[], object]] = [
            pane.invoke,
            pane.connect_again,
            pane.invoke_with_expired_access,
            pane.read,
            lambda: self._sign_in(pane),
        ]
        for step in itertools.islice(itertools.cycle(steps), number, None):
            if self._stop.is_set():
                return
            # Refused at the service, or (no cookie) at the page that starts a connection.
            with suppress(UnexpectedAnswerError, KeyError):
                try:
                    step()
                except requests.RequestException as exc:
                    self._broken.append(exc)
                    return

    def _sign_in(self, pane: Pane) -> None:
        with self._signing_in[pane]:
            if not self._nobody_signs_in.is_set():
                pane.sign_in()


@cache
def _documented() -> Mapping[str, Any]:
    paths: Mapping[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))["paths"]
    return paths


@cache
def session_routes() -> tuple[tuple[str, str], ...]:
    """Method and path, without `/v1`, of each route that wants a session."""
    return tuple(
        (method.upper(), re.sub(r"\{\w+\}", "some", path).removeprefix("/v1"))
        for path, methods in _documented().items()
        for method, operation in methods.items()
        if {"session": []} in operation.get("security", ())
    )


def is_documented(answer: Answer) -> bool:
    """Whether the API's description lists this answer, by status and code, for its route."""
    for path, methods in _documented().items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", path)
        operation = methods.get(answer.method.lower())
        if operation is None or not re.fullmatch(pattern, answer.path):
            continue
        listed = operation["responses"].get(str(answer.status))
        return listed is not None and answer.code in {"", *_codes(listed)}
    return False


def _codes(listed: Mapping[str, Any]) -> list[str]:
    """The codes of a problem document, as its description counts them up."""
    return str(listed.get("description", "")).replace(",", " ").split()
