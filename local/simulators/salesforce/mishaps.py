"""What goes wrong with the next refreshes beyond a refusal: before they are processed, or after.

`POST /_sim/faults` has the ways in which any call fails. Here it is a refresh, of one user if a
test names one, and it can be processed before an answer that hides it.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from local.simulators.salesforce.grant import Owner
from local.simulators.salesforce.json_fields import Fields

_LOST: Final = "lost"
_NEVER: Final = "never"
_BARE: Final = "bare"
_ANSWERS: Final = (_LOST, _NEVER, _BARE)
_FOR_EVER: Final = 600.0  # seconds: longer than anybody waits
_STATUS: Final = range(200, 600)


@dataclass(kw_only=True)
class Mishap:
    """For the next `times` refreshes of `owner` (None: of anybody).

    `processed` is whether the token is redeemed all the same. The answer is `lost` (the connection
    is cut), `never` comes (the connection stays), or is `bare`: this status and this body.
    """

    processed: bool
    kind: str
    times: int
    owner: Owner | None
    status: int
    body: str
    headers: dict[str, str]

    async def answer(self, request: web.Request) -> web.Response:
        if self.kind == _BARE:
            return web.Response(status=self.status, body=self.body.encode(), headers=self.headers)
        if self.kind == _NEVER:
            await asyncio.sleep(_FOR_EVER)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()  # reaches nobody


class Mishaps:
    def __init__(self) -> None:
        self._waiting: list[Mishap] = []

    def put(self, mishap: Mishap) -> None:
        self._waiting.append(mishap)

    def take(self, owner: Owner) -> Mishap | None:
        """The mishap of this refresh, used up by one; the first that was put comes first."""
        for mishap in self._waiting:
            if mishap.times > 0 and mishap.owner in (None, owner):
                mishap.times -= 1
                return mishap
        return None


def read_mishap(fields: Fields, owner: Owner | None) -> Mishap:
    """Raises ValueError."""
    kind = fields.text("answer")
    if kind not in _ANSWERS:
        raise ValueError(f"answer must be one of {', '.join(_ANSWERS)}")
    times = fields.whole("times", default=1)
    if times < 1:
        raise ValueError("times must be 1 or more")
    mishap = Mishap(
        processed=fields.flag("processed", default=False),
        kind=kind,
        times=times,
        owner=owner,
        status=200,
        body="",
        headers={},
    )
    if kind == _BARE:
        _read_bare(mishap, fields)
    return mishap


def _read_bare(mishap: Mishap, fields: Fields) -> None:
    mishap.status = fields.whole("status")
    if mishap.status not in _STATUS:
        raise ValueError("status must be a status code from 200 to 599")
    mishap.body = fields.text("body", default="")
    content_type = fields.text("content_type", default="application/json;charset=UTF-8")
    mishap.headers = {"Content-Type": content_type}
    location = fields.optional_text("location")
    if location is not None:
        mishap.headers["Location"] = location
