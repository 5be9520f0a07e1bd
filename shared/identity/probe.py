"""Whether an identity provider answers: fetches the keys that sign-in verifies with."""

from shared.identity.key_sets import fetched_keys
from shared.network import Network


class KeySetProbe:
    """Satisfies `ports.Probe`. What it fetches is thrown away: the keys that sign-in uses are kept
    and refreshed by rules of their own (`key_sets.py`). Raises IdentityProviderFailedError."""

    def __init__(self, name: str, network: Network, address: str) -> None:
        self.name = name
        self._network, self._address = network, address

    async def __call__(self) -> None:
        await fetched_keys(self._network, self._address)
