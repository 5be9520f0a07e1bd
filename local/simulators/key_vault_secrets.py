"""The secrets of Key Vault (https://learn.microsoft.com/rest/api/keyvault/secrets)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from local.simulators.key_vault_refusals import bad_parameter, disabled
from local.simulators.key_vault_requests import VaultRoute, body_of, object_in, text_in
from local.simulators.key_vault_shelf import Shelf, Version, page

_LONGEST_VALUE: Final = 25 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Secret:
    """`repr` does not show the value."""

    value: str
    content_type: str | None = None

    def __repr__(self) -> str:
        return "Secret()"


class Secrets:
    """`clock` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.shelf: Shelf[Secret] = Shelf("secret", clock)

    def routes(self) -> Sequence[VaultRoute]:
        return [
            ("GET", "/secrets", self._list),
            ("PUT", "/secrets/{name}", self._set),
            ("DELETE", "/secrets/{name}", self._delete),
            ("GET", "/secrets/{name}", self._get),
            ("GET", "/secrets/{name}/versions", self._list_versions),
            ("GET", "/secrets/{name}/{version:[^/]*}", self._get),
            ("GET", "/deletedsecrets/{name}", self._get_deleted),
            ("POST", "/deletedsecrets/{name}/recover", self._recover),
            ("DELETE", "/deletedsecrets/{name}", self._purge),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        items = [
            _item(secret, secret.identifier.rpartition("/")[0]) for _, secret in self.shelf.latest()
        ]
        return web.json_response(page(items, "/secrets", request.query))

    async def _list_versions(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        # By version, as the real service lists them: a client must compare `created`.
        versions = sorted(self.shelf.versions(name), key=lambda secret: secret.version)
        items = [_item(secret, secret.identifier) for secret in versions]
        return web.json_response(page(items, f"/secrets/{name}/versions", request.query))

    async def _get(self, request: web.Request) -> web.Response:
        match = request.match_info
        secret = self.shelf.get(match["name"], match.get("version", ""))
        if not secret.attributes.enabled:
            raise disabled("secret", "get")
        return web.json_response(_bundle(secret))

    async def _set(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        value = text_in(body, "value")
        if len(value.encode()) > _LONGEST_VALUE:
            raise bad_parameter("The specified value exceeds the maximum length of 25k bytes.\r\n")
        content_type = text_in(body, "contentType") if body.get("contentType") else None
        secret = self.shelf.add(
            request.match_info["name"],
            Secret(value, content_type),
            attributes=object_in(body, "attributes"),
            tags=object_in(body, "tags"),
        )
        return web.json_response(_bundle(secret))

    async def _delete(self, request: web.Request) -> web.Response:
        self.shelf.delete(request.match_info["name"])
        return await self._get_deleted(request)

    async def _get_deleted(self, request: web.Request) -> web.Response:
        secret, deletion = self.shelf.deleted(request.match_info["name"])
        return web.json_response({**deletion, **_item(secret, secret.identifier)})

    async def _recover(self, request: web.Request) -> web.Response:
        secret = self.shelf.recover(request.match_info["name"])
        return web.json_response(_item(secret, secret.identifier))

    async def _purge(self, request: web.Request) -> web.Response:
        self.shelf.purge(request.match_info["name"])
        return web.Response(status=204)


def _item(secret: Version[Secret], identifier: str) -> Mapping[str, Any]:
    """All but the value, as listings and deletions show it."""
    kind = secret.content.content_type
    return {
        "id": identifier,
        **({} if kind is None else {"contentType": kind}),
        "attributes": secret.attributes.json(),
        "tags": secret.tags,
    }


def _bundle(secret: Version[Secret]) -> Mapping[str, Any]:
    return {"value": secret.content.value, **_item(secret, secret.identifier)}
