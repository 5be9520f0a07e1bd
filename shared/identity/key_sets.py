"""The public keys of identity providers: fetched from fixed addresses, kept, and kept usable.

A key set is trusted for a day, refreshed in the background after an hour, and asked for again when
a token names a key that is not in it, but at most once a minute: a flood of invented key ids must
not become a flood on the provider. Who comes while it is asked for waits for the same answer. While
the provider is down, keys that are known go on working for that day, and of others nobody can say
whether they are good: that is the provider's failure, not the token's.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Any, Final

import aiohttp
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

from shared import strict_json
from shared.errors import IdentityProviderFailedError, NotAuthenticatedError
from shared.network import Network, read_body

_FRESH_SECONDS: Final = 3_600.0
_USABLE_SECONDS: Final = 86_400.0
_COOLDOWN_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 2.0  # while there is no key at all, and nobody can sign in
_UNANSWERED_SECONDS: Final = 10.0  # after a fetch that failed, before a key is asked for again
_DEADLINE: Final = aiohttp.ClientTimeout(total=5.0)
_MAX_BYTES: Final = 512 * 1024
_LEAST_MODULUS_BITS: Final = 2_048


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A provider's public key. `issuer` is the key's own (Entra's shared key set names it)."""

    key: RSAPublicKey
    issuer: str | None


@dataclass(slots=True)
class _Held:
    keys: Mapping[str, SigningKey]
    fetched_at: float


class KeySets:
    """Finds a key by address of the set and key id."""

    def __init__(self, network: Network, *, clock: Callable[[], float] = monotonic) -> None:
        self._network, self._clock = network, clock
        self._held: dict[str, _Held] = {}
        self._asked_at: dict[str, float] = {}
        self._failed: set[str] = set()
        self._fetches: dict[str, asyncio.Task[None]] = {}

    async def key(self, address: str, unverified_kid: str) -> SigningKey:
        """The key of that id.

        Raises NotAuthenticatedError if the provider has no such key, IdentityProviderFailedError
        if the provider does not answer and the key is not known.
        """
        held = self._usable(address)
        if held is None:
            await self._fetch(address, unless_within=_RETRY_SECONDS)
        elif unverified_kid not in held.keys:
            await self._look_again(address)
        elif self._clock() - held.fetched_at > _FRESH_SECONDS and self._may_ask(address):
            self._begin_fetch(address)  # nobody waits for it
        found = self._usable(address)
        if found is None:
            raise IdentityProviderFailedError
        if unverified_kid not in found.keys:
            raise NotAuthenticatedError
        return found.keys[unverified_kid]

    async def _look_again(self, address: str) -> None:
        """For a key that is not in the set, which may be newer than the set.

        Once a minute after an answer: then what is not in it does not exist. After a failure
        nobody knows, and it is asked again sooner.
        """
        if address in self._failed:
            await self._fetch(address, unless_within=_UNANSWERED_SECONDS)
        elif address in self._fetches or self._may_ask(address):
            await self._fetch(address, unless_within=_COOLDOWN_SECONDS)

    def _usable(self, address: str) -> _Held | None:
        held = self._held.get(address)
        if held is None or self._clock() - held.fetched_at > _USABLE_SECONDS:
            return None
        return held

    def _may_ask(self, address: str, seconds: float = _COOLDOWN_SECONDS) -> bool:
        last = self._asked_at.get(address)
        return last is None or self._clock() - last > seconds

    async def _fetch(self, address: str, *, unless_within: float) -> None:
        """Wait for a fetch, one's own or one under way.

        Raises IdentityProviderFailedError if it fails, or if the last one was begun so recently.
        """
        if address not in self._fetches and not self._may_ask(address, unless_within):
            raise IdentityProviderFailedError
        await asyncio.shield(self._begin_fetch(address))

    def _begin_fetch(self, address: str) -> asyncio.Task[None]:
        if address not in self._fetches:
            self._asked_at[address] = self._clock()
            task = asyncio.create_task(self._replace(address))
            self._fetches[address] = task
            task.add_done_callback(lambda done: self._landed(address, done))
        return self._fetches[address]

    def _landed(self, address: str, task: asyncio.Task[None]) -> None:
        del self._fetches[address]
        if not task.cancelled():
            task.exception()  # seen: a background refresh has nobody else to see it

    async def _replace(self, address: str) -> None:
        self._failed.add(address)  # until it has answered
        keys = await fetched_keys(self._network, address)
        self._held[address] = _Held(keys, self._clock())
        self._failed.discard(address)


async def fetched_keys(network: Network, address: str) -> dict[str, SigningKey]:
    """The keys as they are there now, by their ids. Raises IdentityProviderFailedError."""
    try:
        async with network.session().get(
            address, allow_redirects=False, timeout=_DEADLINE
        ) as response:
            if response.status != HTTPStatus.OK:
                raise IdentityProviderFailedError
            body = await read_body(response, max_bytes=_MAX_BYTES)
        return usable_keys(strict_json.loads(body))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as exc:
        raise IdentityProviderFailedError from exc


def usable_keys(document: Any) -> dict[str, SigningKey]:  # noqa: ANN401 - any JSON value
    """The RSA signing keys of a JWK set (RFC 7517); members that cannot be used are skipped.

    Raises ValueError if this is no key set, or none of its keys can be used. A key id that occurs
    twice names no key. `use`, `key_ops` and `alg` are respected where they are given.
    """
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError  # noqa: TRY004 - bad content, not a bad argument
    members = [member for member in document["keys"] if isinstance(member, dict)]
    kids = Counter(member["kid"] for member in members if isinstance(member.get("kid"), str))
    keys: dict[str, SigningKey] = {}
    for member in members:
        key = _signing_key(member)
        if key is not None and kids[member["kid"]] == 1:
            keys[member["kid"]] = key
    if not keys:
        raise ValueError
    return keys


def _signing_key(member: Mapping[str, Any]) -> SigningKey | None:
    operations = member.get("key_ops")
    issuer = member.get("issuer")
    may_verify = (
        isinstance(member.get("kid"), str)
        and member.get("kty") == "RSA"
        and member.get("use", "sig") == "sig"
        and member.get("alg", "RS256") == "RS256"
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
        and (issuer is None or isinstance(issuer, str))
    )
    if not may_verify:
        return None
    try:
        key = RSAAlgorithm.from_jwk({"kty": "RSA", "n": member["n"], "e": member["e"]})
    except (jwt.InvalidKeyError, KeyError, TypeError, ValueError):
        return None
    if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_MODULUS_BITS:
        return None
    return SigningKey(key=key, issuer=issuer)
