"""Key Vault in memory: a wrapping key that really wraps, and the service's own secrets."""

from collections.abc import Mapping
from functools import cache

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from shared.errors import KeyVaultFailedError
from shared.secret import Secret
from tests.fakes.faults import Faults

_OAEP = OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=None)


@cache
def _key(version: int) -> RSAPrivateKey:
    """Made once a session for each version: making RSA keys is slow."""
    del version
    return generate_private_key(public_exponent=65537, key_size=3072)


class LocalKeyWrapper:
    """Satisfies `ports.KeyWrapper` with RSA-OAEP-256, as the real vault."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.unwrapped = 0
        self._newest = 1
        self._disabled: set[str] = set()

    async def wrap(self, data_key: bytes) -> tuple[bytes, str]:
        async with self.faults.call("wrap"):
            kek_id = self._id(self._newest)
            return self._usable(kek_id).public_key().encrypt(data_key, _OAEP), kek_id

    async def unwrap(self, wrapped: bytes, kek_id: str) -> bytes:
        async with self.faults.call("unwrap"):
            self.unwrapped += 1
            try:
                return self._usable(kek_id).decrypt(wrapped, _OAEP)
            except ValueError:
                raise KeyVaultFailedError from None

    def rotate(self) -> None:
        """A new version wraps from now on; the old ones still unwrap."""
        self._newest += 1

    def disable(self, kek_id: str) -> None:
        self._disabled.add(kek_id)

    def enable(self, kek_id: str) -> None:
        self._disabled.discard(kek_id)

    def _id(self, version: int) -> str:
        return f"https://fake.vault.azure.net/keys/tenant-kek/{version:032x}"

    def _usable(self, kek_id: str) -> RSAPrivateKey:
        version = int(kek_id.rpartition("/")[2], 16) if "/" in kek_id else 0
        if kek_id in self._disabled or not 1 <= version <= self._newest:
            raise KeyVaultFailedError
        if kek_id != self._id(version):
            raise KeyVaultFailedError
        return _key(version)


class MemorySecrets:
    """The secret that signs sessions: what `SignedSessions` asks Key Vault for."""

    def __init__(self) -> None:
        self._versions = {"1" * 32: Secret("a made-up signing secret of enough characters")}

    async def newest_two(self, name: str) -> Mapping[str, Secret]:
        del name
        return dict(list(self._versions.items())[:2])

    async def newest_two_by_now(self, name: str) -> Mapping[str, Secret]:
        return await self.newest_two(name)

    def rotate(self) -> None:
        """A new version signs; the one before is still accepted, and older ones are not."""
        number = len(self._versions) + 1
        newest = {f"{number}" * 32: Secret(f"made-up signing secret number {number}, long enough")}
        self._versions = newest | self._versions
