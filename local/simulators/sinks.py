"""Where telemetry ends in the local stack: Sentry's and Application Insights' ingestion.

What arrives is kept parsed, so that tests can search it for what must never leave the service.
Sentry: https://develop.sentry.dev/sdk/foundations/transport/. Application Insights: the Swagger
document of its data collection endpoint, 2020-09-15_Preview.
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from local import scene
from local.simulators.azure_tokens import AzureTokens
from local.simulators.sentry_envelope import parse_envelope

MONITOR: Final = "https://monitor.azure.com"  # audience of tokens for Application Insights
_DSN: Final = urlsplit(scene.SENTRY_DSN)
_KEY: Final = re.compile(r"(?:^Sentry |[, ])sentry_key=([0-9a-f]{32})(?:,|$)")


class Sinks:
    """`clock` gives Unix seconds; what is received is dated with it."""

    name = "sinks"
    hosts: tuple[str, ...] = (scene.SENTRY_HOST, scene.APP_INSIGHTS_HOST)

    def __init__(self, *, tokens: AzureTokens, clock: Callable[[], float]) -> None:
        self._tokens = tokens
        self._clock = clock
        self._sentry: list[dict[str, Any]] = []
        self._app_insights: list[object] = []

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/api/{project}/envelope/", self._receive_envelope),
            web.post("/v2.1/track", self._receive_telemetry),
        ]

    def control(self) -> Sequence[web.RouteDef]:
        return [web.get("/_sim/sinks", self._show)]

    def reset(self) -> None:
        self._sentry.clear()
        self._app_insights.clear()

    async def _show(self, _request: web.Request) -> web.Response:
        """`sentry`: envelopes; `app_insights`: telemetry items, each as it was sent."""
        return web.json_response({"sentry": self._sentry, "app_insights": self._app_insights})

    async def _receive_envelope(self, request: web.Request) -> web.Response:
        _only_on(request, scene.SENTRY_HOST)
        auth = request.headers.get("X-Sentry-Auth", "")
        key = _KEY.search(auth)
        if not auth.startswith("Sentry ") or key is None:
            return _sentry_refusal(HTTPStatus.FORBIDDEN, "missing authorization information")
        if key[1] != _DSN.username or request.match_info["project"] != _DSN.path.strip("/"):
            return _sentry_refusal(
                HTTPStatus.FORBIDDEN, "event submission rejected with_reason: ProjectId"
            )
        try:
            envelope = parse_envelope(await request.read())
        except ValueError as exc:
            return _sentry_refusal(HTTPStatus.BAD_REQUEST, "invalid event envelope", str(exc))
        self._sentry.append({"received": self._clock(), **envelope})
        return web.json_response({"id": envelope["headers"].get("event_id")})

    async def _receive_telemetry(self, request: web.Request) -> web.Response:
        _only_on(request, scene.APP_INSIGHTS_HOST)
        if not self._may_write(request.headers.get("Authorization")):
            return web.Response(status=HTTPStatus.UNAUTHORIZED)
        items = _telemetry(await request.read())
        errors = [
            {"index": index, "statusCode": HTTPStatus.BAD_REQUEST, "message": fault}
            for index, item in enumerate(items)
            if (fault := _fault(item)) is not None
        ]
        refused = {error["index"] for error in errors}
        accepted = [item for index, item in enumerate(items) if index not in refused]
        self._app_insights.extend(accepted)
        return web.json_response(
            {"itemsReceived": len(items), "itemsAccepted": len(accepted), "errors": errors},
            status=_track_status(len(items), len(accepted)),
        )

    def _may_write(self, authorization: str | None) -> bool:
        """An instrumentation key is enough; a token, if one is sent, must be a right one."""
        if authorization is None:
            return True
        scheme, _, token = authorization.partition(" ")
        try:
            self._tokens.verify(token, MONITOR)
        except ValueError:
            return False
        return scheme == "Bearer"


def _only_on(request: web.Request, host: str) -> None:
    """Each of the two hosts knows its own paths only."""
    if request.host.partition(":")[0] != host:
        raise web.HTTPNotFound


def _sentry_refusal(status: HTTPStatus, detail: str, *causes: str) -> web.Response:
    body = {"detail": detail, **({"causes": causes} if causes else {})}
    return web.json_response(body, status=status)


def _telemetry(body: bytes) -> list[object]:
    """The items of a JSON list, of a single object, or of one JSON value a line."""
    try:
        value: object = json.loads(body)
    except ValueError:
        return [_json_or_none(line) for line in body.splitlines() if line.strip()]
    return value if isinstance(value, list) else [value]


def _json_or_none(line: bytes) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _fault(item: object) -> str | None:
    """Why a telemetry item is refused; None if it is taken."""
    if not isinstance(item, dict):
        return "100: Invalid telemetry item"
    if item.get("iKey") != scene.APP_INSIGHTS_KEY:
        return "109: Field 'iKey' on type 'Envelope' is not a known instrumentation key"
    if not isinstance(item.get("name"), str) or not _is_time(item.get("time")):
        return "109: Field 'name' or 'time' on type 'Envelope' is missing or of the wrong type"
    data = item.get("data")
    if not isinstance(data, dict) or not isinstance(data.get("baseType"), str):
        return "109: Field 'data' on type 'Envelope' has no base type"
    if not isinstance(data.get("baseData"), dict):
        return "109: Field 'baseData' on type 'Data' is missing or not an object"
    return None


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _track_status(received: int, accepted: int) -> HTTPStatus:
    if accepted == 0:
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.OK if accepted == received else HTTPStatus.PARTIAL_CONTENT
