"""The keys of Key Vault (https://learn.microsoft.com/rest/api/keyvault/keys).

Only public halves and results of operations are ever answered.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from local.simulators.key_vault_cryptography import (
    OPERATIONS,
    PrivateKey,
    generate,
    operate,
    public_members,
)
from local.simulators.key_vault_refusals import (
    bad_parameter,
    disabled,
    not_permitted,
    outside_validity,
)
from local.simulators.key_vault_requests import VaultRoute, body_of, object_in, text_in
from local.simulators.key_vault_shelf import Shelf, Version, page

# What a key may do whose creator did not say.
_DEFAULT_OPERATIONS: Final = {
    "RSA": ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"),
    "EC": ("sign", "verify"),
}
# What still works before `nbf` and after `exp`: nothing that was protected may be lost.
_TIMELESS: Final = ("decrypt", "unwrapkey", "verify")


@dataclass(slots=True)
class VaultKey:
    private: PrivateKey
    operations: tuple[str, ...]


class Keys:
    """`clock` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.shelf: Shelf[VaultKey] = Shelf("key", clock)

    def routes(self) -> Sequence[VaultRoute]:
        return [
            ("GET", "/keys", self._list),
            ("GET", "/keys/{name}", self._get),
            ("DELETE", "/keys/{name}", self._delete),
            ("POST", "/keys/{name}/create", self._create),
            ("POST", "/keys/{name}/rotate", self._rotate),
            ("GET", "/keys/{name}/versions", self._list_versions),
            ("GET", "/keys/{name}/{version:[^/]*}", self._get),
            ("PATCH", "/keys/{name}/{version:[^/]*}", self._update),
            *(
                (
                    "POST",
                    f"/keys/{{name}}/{{version:[^/]*}}/{operation}",
                    self._operation(operation),
                )
                for operation in OPERATIONS
            ),
            ("GET", "/deletedkeys/{name}", self._get_deleted),
            ("POST", "/deletedkeys/{name}/recover", self._recover),
            ("DELETE", "/deletedkeys/{name}", self._purge),
        ]

    async def rotate(self, name: str) -> Version[VaultKey]:
        """A new version of the same type, size and permitted operations."""
        old = self.shelf.get(name).content
        size = old.private.key_size if isinstance(old.private, rsa.RSAPrivateKey) else 0
        kty = public_members(old.private)["kty"]
        # RSA takes up to seconds: not on the event loop.
        private = await asyncio.to_thread(partial(generate, kty, size=size))
        return self.shelf.add(name, VaultKey(private, old.operations))

    async def _create(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        kty = text_in(body, "kty")
        size, curve = body.get("key_size", 2048), body.get("crv", "P-256")
        private = await asyncio.to_thread(partial(generate, kty, size=size, curve=curve))
        operations = _operations_in(body) or _DEFAULT_OPERATIONS[kty]
        key = self.shelf.add(
            request.match_info["name"],
            VaultKey(private, operations),
            attributes=object_in(body, "attributes"),
            tags=object_in(body, "tags"),
        )
        return web.json_response(_bundle(key))

    async def _rotate(self, request: web.Request) -> web.Response:
        return web.json_response(_bundle(await self.rotate(request.match_info["name"])))

    async def _list(self, request: web.Request) -> web.Response:
        items = [_item(key, key.identifier.rpartition("/")[0]) for _, key in self.shelf.latest()]
        return web.json_response(page(items, "/keys", request.query))

    async def _list_versions(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        # By version, as the real service lists them: a client must compare `created`.
        versions = sorted(self.shelf.versions(name), key=lambda key: key.version)
        items = [_item(key, key.identifier) for key in versions]
        return web.json_response(page(items, f"/keys/{name}/versions", request.query))

    async def _get(self, request: web.Request) -> web.Response:
        key = self._requested(request)
        if not key.attributes.enabled:
            raise disabled("key", "get")
        return web.json_response(_bundle(key))

    async def _update(self, request: web.Request) -> web.Response:
        key, body = self._requested(request), await body_of(request)
        key.attributes.update(object_in(body, "attributes"), int(self._clock()))
        key.content.operations = _operations_in(body) or key.content.operations
        key.tags = object_in(body, "tags") or key.tags
        return web.json_response(_bundle(key))

    async def _delete(self, request: web.Request) -> web.Response:
        self.shelf.delete(request.match_info["name"])
        return await self._get_deleted(request)

    async def _get_deleted(self, request: web.Request) -> web.Response:
        key, deletion = self.shelf.deleted(request.match_info["name"])
        return web.json_response({**deletion, **_bundle(key)})

    async def _recover(self, request: web.Request) -> web.Response:
        return web.json_response(_bundle(self.shelf.recover(request.match_info["name"])))

    async def _purge(self, request: web.Request) -> web.Response:
        self.shelf.purge(request.match_info["name"])
        return web.Response(status=204)

    def _operation(self, operation: str) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            key = self._requested(request)
            self._check_may(key, operation)
            value = operate(key.content.private, operation, await body_of(request))
            return web.json_response({"kid": key.identifier, "value": value})

        return answer

    def _requested(self, request: web.Request) -> Version[VaultKey]:
        match = request.match_info
        return self.shelf.get(match["name"], match.get("version", ""))

    def _check_may(self, key: Version[VaultKey], operation: str) -> None:
        called = OPERATIONS[operation]
        if not key.attributes.enabled:
            raise disabled("key", called)
        begins, ends = key.attributes.not_before, key.attributes.expires
        now = self._clock()
        early, late = begins is not None and now < begins, ends is not None and now >= ends
        if (early or late) and operation not in _TIMELESS:
            raise outside_validity(called)
        if called not in key.content.operations:
            raise not_permitted(called)


def _operations_in(body: Mapping[str, Any]) -> tuple[str, ...]:
    given = body.get("key_ops") or []
    if not isinstance(given, list) or not set(given) <= set(OPERATIONS.values()):
        raise bad_parameter("Property key_ops has invalid value\r\n")
    return tuple(given)


def _item(key: Version[VaultKey], identifier: str) -> Mapping[str, Any]:
    return {"kid": identifier, "attributes": key.attributes.json(), "tags": key.tags}


def _bundle(key: Version[VaultKey]) -> Mapping[str, Any]:
    return {
        "key": {
            "kid": key.identifier,
            "key_ops": list(key.content.operations),
            **public_members(key.content.private),
        },
        "attributes": key.attributes.json(),
        "tags": key.tags,
    }
