"""The same over HTTP, at the running stack: what the door answers, and that nothing is stored."""

import asyncio
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import EllipsisType
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from bench.tokens.cases import Case, Target, cases
from bench.tokens.report import ACCEPTED, Report, tried
from bench.tokens.specimen import Specimen
from bench.tokens.violations import (
    EXPIRED,
    GUEST,
    NOT_AUTHENTICATED,
    PERSONAL,
    Violation,
    google_violations,
    microsoft_violations,
)
from local.addin import MICROSOFT_USER, AddIn
from local.network import pinned_network
from local.stack_info import StackInfo
from shared.identity import google, microsoft
from shared.identity.key_sets import usable_keys

_SECONDS: Final = 30.0
_LONGEST: Final = 32_000
"""Characters; a whole request head of more than 64 KiB is refused before it is one."""
_DOORS: Final = 8
_USERS: Final = 5
_BY_CONTRACT: Final = {
    (401, NOT_AUTHENTICATED),
    (401, EXPIRED),
    (403, PERSONAL),
    (403, GUEST),
}


class Door:
    """One connection to the service."""

    def __init__(self, info: StackInfo) -> None:
        tls = ssl.create_default_context(cafile=str(info.authority))
        address = urlsplit(info.service_https).netloc
        self._http = http.client.HTTPSConnection(address, context=tls, timeout=_SECONDS)

    def close(self) -> None:
        self._http.close()

    async def answer(self, case: Case) -> tuple[str, float]:
        """The code of a refusal as the contract has it; else status and code; or `accepted`."""
        status, body, seconds = await asyncio.to_thread(self._ask, case)
        if status == 200:  # noqa: PLR2004 - OK
            return ACCEPTED, seconds
        code = json.loads(body).get("code") if body.startswith(b"{") else None
        return str(code) if (status, code) in _BY_CONTRACT else f"{status} {code}", seconds

    def _ask(self, case: Case) -> tuple[int, bytes, float]:
        began = time.perf_counter()
        headers: dict[str, str | bytes] = {"Authorization": f"Bearer {case.text}".encode()}
        if case.target == "session":
            self._http.request("GET", "/api/v1/runs", headers=headers)
        else:
            body = json.dumps({"provider": case.target})
            headers["Content-Type"] = "application/json"
            self._http.request("POST", "/api/v1/sso/exchange", body=body, headers=headers)
        response = self._http.getresponse()
        return response.status, response.read(), time.perf_counter() - began


async def tried_over_http(info: StackInfo, seed: int, count: int) -> Report:
    """So many of them."""
    with AddIn(info) as pane:
        all_targets = await asyncio.to_thread(targets, info, pane)
        chosen = islice(sendable(cases(seed, 100 * count, all_targets)), count)
        doors = [Door(info) for _ in range(_DOORS)]
        try:
            return await tried(chosen, *(door.answer for door in doors))
        finally:
            for door in doors:
                door.close()


def sendable(found: Iterable[Case]) -> Iterator[Case]:
    """Those that a header can carry, and that arrive as they were sent: HTTP drops spaces around
    a value (RFC 9110, 5.5), and takes no control characters. Others travel as UTF-8."""
    for case in found:
        is_text = all(char >= " " and char != "\x7f" for char in case.text)
        if is_text and case.text == case.text.strip(" ") and len(case.text) <= _LONGEST:
            yield case


def targets(info: StackInfo, pane: AddIn) -> list[Target]:
    """Tokens of the simulated providers, none of which is ever shown as it is; and a session."""
    users = [{"oid": str(UUID(int=number))} for number in range(_USERS)]
    subjects = [{"sub": str(10**20 + number)} for number in range(_USERS)]
    sessions = [
        pane.sign_in_with_microsoft(*MICROSOFT_USER)["session_token"],
        pane.sign_in_with_google("fabrikam.example.com", "1" * 21)["session_token"],
    ]
    return [
        Target(
            name="microsoft",
            specimens=_specimens(info, pane, "/_sim/entra/token", users, microsoft.KEYS),
            violations=_expressible(microsoft_violations),
            sign=_signing(pane, "/_sim/entra/token", "oid"),
            now=lambda: int(time.time()),
        ),
        Target(
            name="google",
            specimens=_specimens(info, pane, "/_sim/google/token", subjects, google.KEYS),
            violations=_expressible(google_violations),
            sign=_signing(pane, "/_sim/google/token", "sub"),
            now=lambda: int(time.time()),
        ),
        Target(
            name="session",
            specimens=[Specimen.parse(session, None) for session in sessions],
            violations=None,  # nobody but the service has the key
            sign=lambda specimen, _: specimen.text,
            now=lambda: int(time.time()),
        ),
    ]


def _specimens(
    info: StackInfo, pane: AddIn, path: str, people: list[dict[str, str]], keys: str
) -> list[Specimen]:
    texts = [pane.control(path, person)["token"] for person in people]
    kid = Specimen.parse(texts[0], None).header["kid"]
    with pinned_network(info).requests_session() as http_:
        key: RSAPublicKey = usable_keys(http_.get(keys, timeout=_SECONDS).json())[kid].key
    return [Specimen.parse(text, key) for text in texts]


def _expressible(violations: Callable[..., Violation]) -> Callable[..., Violation]:
    """Without those that the control surface cannot make: there, null takes a member away."""

    def chosen(*arguments: object) -> Violation:
        while True:
            violation = violations(*arguments)
            values = [*violation.claims.values(), *violation.header.values()]
            if not any(value is None for value in values):
                return violation

    return chosen


def _signing(pane: AddIn, path: str, who: str) -> Callable[[Specimen, Violation], str]:
    def sign(specimen: Specimen, violation: Violation) -> str:
        asked: dict[str, Any] = {
            who: specimen.claims[who],
            "overrides": {name: _as_asked(value) for name, value in violation.claims.items()},
            "header": {name: _as_asked(value) for name, value in violation.header.items()},
        }
        token: str = pane.control(path, asked)["token"]
        return token

    return sign


def _as_asked(value: object | EllipsisType) -> object:
    return None if value is ... else value
