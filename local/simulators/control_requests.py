"""What the control routes of several simulators share: strict bodies, and controls of key sets."""

import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from local.simulators.signing_keys import KeySet


def refused(reason: str) -> web.HTTPBadRequest:
    """For a control request that asks for something that does not exist."""
    return web.HTTPBadRequest(text=json.dumps({"error": reason}), content_type="application/json")


async def control_body(request: web.Request, *members: str) -> dict[str, Any]:
    """The request's JSON object, or `{}` without a body; 400 for any member not in `members`,
    because a misspelt one would silently change what a test tests."""
    text = await request.text()
    try:
        body = json.loads(text) if text else {}
    except ValueError as exc:
        raise refused(f"not JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise refused("a JSON object is required")
    unknown = sorted(set(body) - set(members))
    if unknown:
        raise refused(f"unknown members: {', '.join(unknown)}")
    return body


def key_controls(prefix: str, keys: KeySet) -> Sequence[web.RouteDef]:
    """`POST <prefix>/keys/rotate` `{"remove_previous": false}` and `POST <prefix>/keys/extra`
    `{"keys": [...]}`, whose members are then served, as they are, after the real keys."""

    async def rotate(request: web.Request) -> web.Response:
        body = await control_body(request, "remove_previous")
        keys.rotate(remove_previous=bool(body.get("remove_previous", False)))
        return web.json_response({"published": len(keys.published())})

    async def extra(request: web.Request) -> web.Response:
        added = (await control_body(request, "keys")).get("keys")
        if not isinstance(added, list):
            raise refused("keys must be an array")
        keys.extra = added
        return web.json_response({"extra": len(added)})

    return [
        web.post(f"{prefix}/keys/rotate", rotate),
        web.post(f"{prefix}/keys/extra", extra),
    ]
