"""One request on its way: read once, written into the ledger, and answered, refusals included."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from local.simulators.salesforce.answers import compressed, json_answer, oauth_answer, text_answer
from local.simulators.salesforce.errors import (
    IdentityError,
    OAuthError,
    PageError,
    RedirectedError,
    RestError,
    SalesforceError,
)
from local.simulators.salesforce.ledger import Entry
from local.simulators.salesforce.orgs import Org
from local.simulators.salesforce.pages import error_page
from local.simulators.salesforce.state import State
from local.simulators.salesforce.variables import Json

_FORM: Final = "application/x-www-form-urlencoded"
_DATA: Final = "/services/data/"


@dataclass(kw_only=True)
class Call:
    """A request, read in full. `org` is None on a login host. `headers` go into the answer,
    whatever the answer will be."""

    request: web.Request
    host: str
    org: Org | None
    body: bytes
    form: dict[str, str]
    repeated: list[str]  # names of form parameters that came more than once
    entry: Entry
    headers: dict[str, str] = field(default_factory=dict)
    error_format: str = "json"  # of an OAuth error, where neither Accept nor `format` tells

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    def header(self, name: str) -> str:
        return self.request.headers.get(name, "")


type Handler = Callable[[Call], Awaitable[web.Response]]


class Reception:
    """Wraps the handlers of all endpoints."""

    def __init__(self, state: State) -> None:
        self._state = state

    def serve(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def served(request: web.Request) -> web.Response:
            call = await self._read(request)
            self._state.ledger.add(call.entry)
            try:
                if not self._state.orgs.known(call.host):
                    raise PageError("URL_NO_LONGER_EXISTS", "URL No Longer Exists", 404)
                answer = await handler(call)
                call.entry.outcome = call.entry.outcome or "ok"
            except SalesforceError as refusal:
                answer = _refused(refusal, call)
                call.entry.outcome = refusal.code
            call.entry.status = answer.status
            answer.headers.update(call.headers)
            if call.request.path.startswith(_DATA):
                return compressed(answer, call.header("Accept-Encoding"))
            return answer

        return served

    async def _read(self, request: web.Request) -> Call:
        body = await request.read()
        host = request.host.partition(":")[0].lower()
        pairs = _form_pairs(request, body)
        seen = Counter(name for name, _ in pairs)
        entry = Entry(
            time=self._state.clock(),
            method=request.method,
            host=host,
            path=request.path,
            query=_grouped(list(request.query.items())),
            headers=dict(request.headers),
            body=_grouped(pairs) if pairs else _shown(request, body),
        )
        return Call(
            request=request,
            host=host,
            org=self._state.orgs.at(host),
            body=body,
            form=dict(pairs),
            repeated=[name for name, count in seen.items() if count > 1],
            entry=entry,
        )


def _refused(refusal: SalesforceError, call: Call) -> web.Response:
    match refusal:
        case RestError():
            error: dict[str, Json] = {"message": refusal.message, "errorCode": refusal.code}
            if refusal.fields:
                error["fields"] = list(refusal.fields)
            return json_answer([error], refusal.status)
        case OAuthError():
            return oauth_answer(
                {"error": refusal.code, "error_description": refusal.message},
                refusal.status,
                accept=call.header("Accept"),
                wanted=call.form.get("format", ""),
                fallback=call.error_format,
            )
        case IdentityError():
            return text_answer(refusal.code, refusal.status)
        case RedirectedError():
            return web.Response(status=302, headers={"Location": refusal.redirect})
        case _:
            return error_page(refusal)


def _form_pairs(request: web.Request, body: bytes) -> list[tuple[str, str]]:
    if request.content_type != _FORM:
        return []
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, Json]:
    """As JSON: a name that came more than once has a list."""
    grouped: dict[str, list[Json]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in grouped.items()}


def _shown(request: web.Request, body: bytes) -> Json:
    if not body:
        return None
    if request.content_type == "application/json":
        try:
            parsed: Json = json.loads(body)
        except (ValueError, RecursionError):
            return body.decode("utf-8", "replace")
        return parsed
    return body.decode("utf-8", "replace")
