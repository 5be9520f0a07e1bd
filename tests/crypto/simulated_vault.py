"""The simulator of Key Vault in this process, and the service's own adapters speaking to it: what
needs neither the other simulators nor a process of its own."""

import ssl
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, cast

import azure.keyvault.keys._shared.http_challenge_cache as key_challenges
import azure.keyvault.secrets._shared.http_challenge_cache as secret_challenges
import trustme
from aiohttp import web
from aiohttp.typedefs import Handler
from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

from local import scene
from local.network import pinned
from local.simulators.azure_tokens import AzureTokens
from local.simulators.key_vault import KeyVault
from local.simulators.key_vault_at_start import KeyAtStart, VaultAtStart
from local.simulators.key_vault_cryptography import PrivateKey
from local.simulators.misbehaviour import KINDS, Fault
from shared.azure_transport import NetworkTransport
from shared.crypto.key_vault import KeyVaultKeyWrapper, KeyVaultSecrets
from shared.crypto.signing import KeyVaultSigner
from shared.network import Network
from tests.fakes import FakeClock
from tests.simulators.serving import Served, serving

VAULT_URI: Final = f"https://{scene.KEY_VAULT_HOST}"
_VERSION: Final = "0" * 32


class Identity:
    """A credential whose tokens come from the simulated directory itself."""

    def __init__(self, tokens: AzureTokens) -> None:
        self._tokens = tokens

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        (scope,) = scopes
        token = self._tokens.issue(scope.removesuffix("/.default"))
        return AccessTokenInfo(token, 4_000_000_000)

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        info = await self.get_token_info(*scopes)
        return AccessToken(info.token, info.expires_on)

    async def close(self) -> None:
        """Nothing is held."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is held."""


class _Misbehaving:
    """Satisfies `Simulator`: the vault, with whatever trouble there is in front of it."""

    name = KeyVault.name
    hosts = KeyVault.hosts

    def __init__(self, vault: KeyVault) -> None:
        self.vault = vault
        self.good = 0
        self.trouble: Fault | None = None

    def reset(self) -> None:
        self.vault.reset()

    def control(self) -> Sequence[web.RouteDef]:
        return self.vault.control()

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.route(route.method, route.path, self._troubled(cast("Handler", route.handler)))
            for route in self.vault.routes()
        ]

    def _troubled(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            self.good -= 1
            if self.good >= 0 or self.trouble is None or self.trouble.times == 0:
                return await handler(request)
            self.trouble.times -= 1
            return await KINDS[self.trouble.kind](request, handler, self.trouble)

        return answer


class SimulatedVault:
    """A running vault, whose clock and ours are the same; and adapters that know nothing yet."""

    def __init__(
        self, simulator: _Misbehaving, served: Served, identity: Identity, clock: FakeClock
    ) -> None:
        self.served, self.identity, self.clock = served, identity, clock
        self._simulator = simulator
        self._seen: Counter[str] = Counter()
        self.network = Network(
            tls=ssl.create_default_context(cafile=str(served.ca)),
            resolve=pinned({scene.KEY_VAULT_HOST: served.tls_port}),
        )

    def misbehave(
        self,
        kind: str,
        value: float = 0,
        *,
        after: int = 0,
        times: int = 1_000,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Calls go wrong, the first few left aside; see `local/simulators/misbehaviour.py`."""
        self._simulator.good = after
        self._simulator.trouble = Fault(
            target="keyvault", match="/", kind=kind, value=value, times=times, headers=headers or {}
        )

    def behave(self) -> None:
        self._simulator.trouble = None

    def transport(self) -> NetworkTransport:
        return NetworkTransport(self.network)

    def key_wrapper(self) -> KeyVaultKeyWrapper:
        return KeyVaultKeyWrapper(
            VAULT_URI,
            credential=self.identity,
            transport=self.transport,
            monotonic_clock=self.clock.monotonic,
        )

    def secrets(self) -> KeyVaultSecrets:
        return KeyVaultSecrets(
            VAULT_URI,
            credential=self.identity,
            transport=self.transport,
            clock=self.clock,
            monotonic_clock=self.clock.monotonic,
        )

    def signer(self) -> KeyVaultSigner:
        return KeyVaultSigner(
            VAULT_URI,
            credential=self.identity,
            transport=self.transport,
            monotonic_clock=self.clock.monotonic,
        )

    @property
    def simulator(self) -> KeyVault:
        """Its shelves are what an operator sees."""
        return self._simulator.vault

    def calls(self) -> Counter[str]:
        """Those that came with a good token, since the last time that this was asked."""
        now = Counter(self.served.control_get("/_sim/keyvault/ledger")["calls"])
        since, self._seen = now - self._seen, now
        return since


def holding(keys: Sequence[PrivateKey]) -> VaultAtStart:
    """A vault into which somebody has imported keys that wrap data keys; see `key_id`."""
    operations = ("wrapKey", "unwrapKey")
    return VaultAtStart(
        keys=tuple(
            KeyAtStart(f"imported-{number}", _VERSION, key, operations)
            for number, key in enumerate(keys)
        ),
        secrets=(),
    )


def key_id(number: int) -> str:
    return f"{VAULT_URI}/keys/imported-{number}/{_VERSION}"


@contextmanager
def simulated_vault(
    folder: Path, tokens: AzureTokens, at_start: VaultAtStart | None = None
) -> Iterator[SimulatedVault]:
    """The SDK keeps challenges for the life of the process: they are forgotten."""
    clock = FakeClock()
    authority = trustme.CA()
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    simulator = _Misbehaving(KeyVault(tokens, lambda: clock().timestamp(), at_start))
    for cache in (key_challenges, secret_challenges):
        cache.clear()
    with serving(simulator, authority, file) as served:
        yield SimulatedVault(simulator, served, Identity(tokens), clock)
    for cache in (key_challenges, secret_challenges):
        cache.clear()
