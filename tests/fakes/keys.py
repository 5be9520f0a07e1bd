"""Key Vault in memory: a wrapping key that really wraps, and the service's own secrets."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from shared.errors import KeyVaultFailedError
from shared.jws import public_jwk
from shared.model import SigningKey
from shared.ports import Clock
from shared.secret import Secret, SecretVersion
from shared.telemetry.events import alarm
from tests.fakes.faults import Faults

_OAEP = OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=None)


@cache
def _key(key_id: str, version: int) -> RSAPrivateKey:
    """Made once a session for each version: making RSA keys is slow."""
    del key_id, version
    return generate_private_key(public_exponent=65537, key_size=3072)


OUR_KEK = "https://fake.vault.azure.net/keys/tenant-kek"


class LocalKeyWrapper:
    """Satisfies `ports.KeyWrapper` with RSA-OAEP-256, as the real vault."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.unwrapped = 0
        self._newest = {OUR_KEK: 1}
        self._disabled: set[str] = set()

    async def wrap(self, data_key: bytes, *, by: str | None = None) -> tuple[bytes, str]:
        async with self.faults.call("wrap"):
            kek_id = self._newest_of(by or OUR_KEK)
            return self._usable(kek_id).public_key().encrypt(data_key, _OAEP), kek_id

    async def newest(self, *, by: str | None = None) -> str:
        async with self.faults.call("newest"):
            return self._newest_of(by or OUR_KEK)

    async def unwrap(self, wrapped: bytes, kek_id: str) -> bytes:
        async with self.faults.call("unwrap"):
            self.unwrapped += 1
            try:
                return self._usable(kek_id).decrypt(wrapped, _OAEP)
            except ValueError:
                raise KeyVaultFailedError from None

    def rotate(self, key_id: str = OUR_KEK) -> None:
        """A new version wraps from now on; the old ones still unwrap."""
        self._newest[key_id] += 1

    def add_customer_key(self, key_id: str) -> None:
        """A key in a customer's own vault, which lets us use it."""
        self._newest[key_id] = 1

    def disable(self, kek_id: str) -> None:
        self._disabled.add(kek_id)

    def enable(self, kek_id: str) -> None:
        self._disabled.discard(kek_id)

    def _newest_of(self, key_id: str) -> str:
        """Or the very version that it names."""
        if key_id.rpartition("/")[0] in self._newest:
            return key_id
        if key_id not in self._newest:
            raise KeyVaultFailedError
        return f"{key_id}/{self._newest[key_id]:032x}"

    def _usable(self, kek_id: str) -> RSAPrivateKey:
        key_id, _, version = kek_id.rpartition("/")
        is_known = key_id in self._newest and re.fullmatch("[0-9a-f]{32}", version) is not None
        if not is_known or kek_id in self._disabled:
            raise KeyVaultFailedError
        if not 1 <= int(version, 16) <= self._newest[key_id]:
            raise KeyVaultFailedError
        return _key(key_id, int(version, 16))


class LocalSigner:
    """Satisfies `ports.Signer` with P-256 keys of its own, and remembers nothing: what its
    operator does shows at once."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._versions: dict[str, ec.EllipticCurvePrivateKey] = {}
        self._disabled: set[str] = set()
        self.rotate()

    async def newest(self) -> SigningKey:
        async with self.faults.call("newest"):
            key_id = next(reversed(self._versions))
            if key_id in self._disabled:
                raise KeyVaultFailedError
            return SigningKey(kid=self._jwk(key_id)["kid"], key_id=key_id)

    async def sign(self, key: SigningKey, digest: bytes) -> bytes:
        async with self.faults.call("sign"):
            private = self._versions.get(key.key_id)
            if private is None or key.key_id in self._disabled or len(digest) != SHA256.digest_size:
                raise KeyVaultFailedError
            r, s = decode_dss_signature(private.sign(digest, ec.ECDSA(Prehashed(SHA256()))))
            return r.to_bytes(32) + s.to_bytes(32)

    async def public_keys(self) -> Sequence[Mapping[str, str]]:
        async with self.faults.call("public_keys"):
            shown = [key_id for key_id in reversed(self._versions) if key_id not in self._disabled]
            for _ in self._disabled:
                alarm("key_unavailable", dependency="key_vault")
            if not shown:
                raise KeyVaultFailedError
            return [self._jwk(key_id) for key_id in shown]

    def rotate(self) -> None:
        """A new version signs from now on; the old ones still do for who knows them."""
        key_id = f"https://fake.vault.azure.net/keys/receipt-signing/{len(self._versions):032x}"
        self._versions[key_id] = ec.generate_private_key(ec.SECP256R1())

    def disable(self, key_id: str) -> None:
        self._disabled.add(key_id)

    def _jwk(self, key_id: str) -> Mapping[str, str]:
        numbers = self._versions[key_id].public_key().public_numbers()
        return public_jwk(numbers.x.to_bytes(32), numbers.y.to_bytes(32))


class MemorySecrets:
    """The secret that signs sessions: what `SignedSessions` asks Key Vault for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._versions = [
            SecretVersion(
                id="1" * 32,
                secret=Secret("a made-up signing secret of enough characters"),
                created_at=datetime(2025, 1, 1, tzinfo=UTC),
            )
        ]

    async def newest_two(self, name: str) -> Sequence[SecretVersion]:
        del name
        return self._versions[:2]

    async def newest_two_by_now(self, name: str) -> Sequence[SecretVersion]:
        return await self.newest_two(name)

    def rotate(self) -> None:
        """A new version; the one before is still accepted, and older ones are not."""
        number = len(self._versions) + 1
        newest = SecretVersion(
            id=f"{number}" * 32,
            secret=Secret(f"made-up signing secret number {number}, long enough"),
            created_at=self._clock(),
        )
        self._versions.insert(0, newest)
