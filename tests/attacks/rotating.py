"""A vault in which the secret that signs sessions rotates, and workers that read it there."""

import time
from typing import Final, Self
from uuid import uuid4

import jwt
from azure.core.credentials import AccessToken

from local import scene
from local.simulators.azure_tokens import AzureTokens
from local.simulators.key_vault import KeyVault
from local.simulators.key_vault_secrets import Secret as StoredSecret
from shared.azure_transport import NetworkTransport
from shared.crypto.key_vault import KeyVaultSecrets
from shared.errors import NotAuthenticatedError
from shared.identity.sessions import LIFETIME, SIGNING_SECRET, SignedSessions
from shared.model import Caller, SessionClaims, TenantId, UserId
from shared.secret import Secret
from tests.fakes.clock import FakeClock
from tests.identity import tokens
from tests.identity.conftest import Simulate

TENANT: Final = TenantId.parse(f"ms-{scene.ENTRA_TENANT}")
USER: Final = UserId.parse(f"u-{'b' * 26}")


class Directory:
    """A managed identity: it gets tokens from the operator's directory."""

    def __init__(self, azure_tokens: AzureTokens) -> None:
        self._tokens = azure_tokens

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        resource = scopes[0].removesuffix("/.default")
        return AccessToken(self._tokens.issue(resource), int(time.time()) + 3_600)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""


class Deployment:
    """A vault, and workers that each keep in memory what they read there."""

    def __init__(self, simulate: Simulate) -> None:
        self.clock = FakeClock()
        self._tokens = AzureTokens(clock=time.time)
        self.vault = KeyVault(self._tokens, self.clock.monotonic)
        self.served, self._network = simulate(self.vault)
        self._shelf = self.vault._secrets.shelf
        self.first = self._shelf.get(SIGNING_SECRET)
        self.clock.move(days=1)

    def worker(self) -> SignedSessions:
        secrets = KeyVaultSecrets(
            f"https://{scene.KEY_VAULT_HOST}",
            credential=Directory(self._tokens),
            transport=lambda: NetworkTransport(self._network),
            clock=self.clock,
            monotonic_clock=self.clock.monotonic,
        )
        return SignedSessions(secrets=secrets, clock=self.clock)

    def add_version(self, **attributes: object) -> str:
        """The name of a new version of the secret."""
        value = StoredSecret(f"made up, and long enough to sign with: {uuid4()}")
        return self._shelf.add(SIGNING_SECRET, value, attributes=attributes).version

    def disable(self, version: str) -> None:
        self._shelf.get(SIGNING_SECRET, version).attributes.enabled = False

    def enable(self, version: str) -> None:
        attributes = self._shelf.get(SIGNING_SECRET, version).attributes
        attributes.update({"enabled": True}, int(self.clock.monotonic()))

    def in_seconds(self, seconds: float) -> int:
        return int(self.clock.monotonic() + seconds)

    def listings(self) -> int:
        """How often all versions were asked for."""
        calls = self.served.control_get("/_sim/keyvault/ledger")["calls"]
        return int(calls.get("GET /secrets/{name}/versions", 0))

    def forged(self, version: str | None = None) -> Secret:
        """A new session of somebody who has got hold of that version of the secret."""
        stored = self._shelf.get(SIGNING_SECRET, version or self.first.version)
        now = int(self.clock.monotonic())
        head = {"alg": "HS256", "typ": "flowrunner-session+jwt", "kid": stored.version}
        names = {"iss": "flowrunner", "aud": "flowrunner", "sub": USER, "ten": TENANT}
        claims = {"prv": "microsoft", "adm": True, "ept": 1, "epu": 1, "iat": now, "exp": now + 900}
        return Secret(
            tokens.hmac_signed(head, {**names, **claims, "jti": "x"}, stored.content.value.encode())
        )

    async def accepts(self, worker: SignedSessions, session: Secret) -> bool:
        try:
            await worker.read(session)
        except NotAuthenticatedError:
            return False
        return True

    async def session(self, worker: SignedSessions) -> Secret:
        now = self.clock()
        caller = Caller(
            tenant=TENANT, user=USER, provider="microsoft", is_admin=False, signed_in_at=now
        )
        claims = SessionClaims(
            caller=caller, tenant_epoch=1, user_epoch=1, expires_at=now + LIFETIME
        )
        return await worker.issue(claims)


def kid_of(session: Secret) -> str:
    return str(jwt.get_unverified_header(session.reveal())["kid"])


def of_an_invented_version() -> Secret:
    head = {"alg": "HS256", "typ": "flowrunner-session+jwt", "kid": uuid4().hex}
    return Secret(tokens.hmac_signed(head, {}, b"x" * 32))
