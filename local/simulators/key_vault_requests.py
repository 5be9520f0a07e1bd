"""Reading what a request to Key Vault carries; what is missing or wrong is `VaultRefusal` 400."""

import json
from typing import Any

from aiohttp import web

from local.simulators.key_vault_refusals import bad_parameter
from local.simulators.ledger import Handler

type VaultRoute = tuple[str, str, Handler]  # method, path, what answers an authorised caller


async def body_of(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.text())
    except ValueError as exc:
        raise bad_parameter("The request body is not JSON.\r\n") from exc
    if not isinstance(body, dict):
        raise bad_parameter("The request body must be a JSON object.\r\n")
    return body


def text_in(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise bad_parameter(f"Property {name} has invalid value\r\n")
    return value


def object_in(body: dict[str, Any], name: str) -> dict[str, Any]:
    """An optional object: `{}` where it is missing or null."""
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise bad_parameter(f"Property {name} has invalid value\r\n")
    return value
