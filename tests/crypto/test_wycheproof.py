"""Vectors of Project Wycheproof through what opens envelopes and unwraps data keys.

AES-GCM goes through `envelope.decrypt`, with which every envelope is opened. RSA-OAEP goes through
`KeyVaultKeyWrapper` to a simulated vault that holds the vector's private key, and what comes out
is taken for a data key by `TenantVault`. In Azure it is Microsoft's vault that decrypts: there the
vectors say nothing of it, and here they say that neither our adapter, nor the SDK, nor the
simulator turns a refusal into a key or a key into another one.

AES key wrap: nothing of ours wraps with it, since Key Vault holds an RSA key. The vectors go
through the same library that seals our values; they show that the library is sound, and nothing
of our code.

Each table below says why and how often a verdict is another than the vector's own.
"""

from collections import Counter
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap,
)
from cryptography.hazmat.primitives.serialization import load_der_private_key

from local.simulators.azure_tokens import AzureTokens
from local.simulators.key_vault_cryptography import RSA_SIZES
from shared.crypto import envelope
from shared.crypto.tenant_vault import TenantVault
from shared.errors import KeyVaultFailedError
from shared.model import Place, TenantId, WrappedKey
from tests.crypto.simulated_vault import SimulatedVault, holding, key_id, simulated_vault
from tests.crypto.wycheproof import Vector, data, names, told, vectors
from tests.fakes import NOON
from tests.fakes.stores import MemoryTenantKeyStore

TENANT: Final = TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3")
PLACE: Final = Place(tenant=TENANT, table="users", row_key="u-x", column="sealed_identity")

RIGHT: Final = "as the vector says"

# --- AES-GCM: what opens envelopes ---------------------------------------------------------------

_KEY_SIZE: Final = "valid, and refused: a key of 128 or 192 bits; ours have 256"
_NONCE_SIZE: Final = "valid, and refused: a nonce of other than 12 bytes; an envelope has 12"

AES_GCM: Final = {RIGHT: 87 + 39, _KEY_SIZE: 153, _NONCE_SIZE: 37}
"""229 are valid; of the 76 with a key of 256 bits, 39 have a nonce of 12 bytes. None is called
acceptable, and of the 87 invalid ones none opens."""


def opened(vector: Vector) -> bytes | None:
    sealed = data(vector, "iv") + data(vector, "ct") + data(vector, "tag")
    try:
        return envelope.decrypt(data(vector, "key"), sealed, data(vector, "aad"))
    except KeyVaultFailedError:  # a key of another size
        return None


def aes_gcm_verdict(vector: Vector) -> str:
    plain = opened(vector)
    if vector["result"] == "invalid":
        assert plain is None, vector
        return RIGHT
    if plain is not None:
        assert plain == data(vector, "msg"), vector
        assert (vector["keySize"], vector["ivSize"]) == (256, 96)
        return RIGHT
    return _KEY_SIZE if vector["keySize"] != 256 else _NONCE_SIZE


def test_aes_gcm_vectors_open_as_they_say_but_for_sizes_that_no_envelope_has() -> None:
    verdicts = Counter(aes_gcm_verdict(vector) for vector in vectors("aes_gcm_test"))

    assert told("AES-GCM", verdicts) == AES_GCM


def test_every_invalid_aes_gcm_vector_of_our_sizes_fails_by_its_tag() -> None:
    """It is not a size that keeps them out."""
    ours = [v for v in vectors("aes_gcm_test") if (v["keySize"], v["ivSize"]) == (256, 96)]
    invalid = [vector for vector in ours if vector["result"] == "invalid"]
    assert len(invalid) == 27

    for vector in invalid:
        sealed = data(vector, "iv") + data(vector, "ct") + data(vector, "tag")
        assert envelope.decrypt(data(vector, "key"), sealed, data(vector, "aad")) is None


# --- RSA-OAEP: what unwraps data keys ------------------------------------------------------------

_SERVES: Final = "valid, and unwrapped to what the vector says: a data key of 32 bytes"
_NO_DATA_KEY: Final = "valid, and unwrapped to what the vector says: refused as no data key"
_LABEL: Final = "valid, and refused: has a label, which RSA-OAEP-256 in Key Vault has not"
_OTHER_DIGEST: Final = "valid, and refused: another digest than SHA-256 in OAEP or in MGF1"
_REFUSED: Final = "invalid, and refused"
_NOT_IN_A_VAULT: Final = "not tried: RSA of a size that Key Vault does not have"

RSA_OAEP: Final[dict[str, int]] = {
    _SERVES: 3,
    _NO_DATA_KEY: 36,
    _LABEL: 24,
    _OTHER_DIGEST: 461,
    _REFUSED: 389,
    _NOT_IN_A_VAULT: 185,
}
"""Three are called acceptable, all of them with a label and of a size that is not tried."""


def loaded(pkcs8: str) -> RSAPrivateKey:
    key = load_der_private_key(bytes.fromhex(pkcs8), None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, RSAPrivateKey)
    return key


class Unwrapping:
    """The service's own way to a data key that somebody wrapped."""

    def __init__(self, vault: SimulatedVault) -> None:
        self._vault, self._wrapper = vault, vault.key_wrapper()

    async def unwrapped(self, number: int, wrapped: bytes) -> bytes | None:
        """By the key of that number; None if it is refused."""
        try:
            return await self._wrapper.unwrap(wrapped, key_id(number))
        except KeyVaultFailedError:
            return None

    async def seals_with(self, number: int, wrapped: bytes, data_key: bytes) -> bool:
        """Whether the tenant whose wrapped key this is can seal, with that data key."""
        keys = MemoryTenantKeyStore()
        row = WrappedKey(
            tenant=TENANT, version=1, wrapped=wrapped, kek_id=key_id(number), created_at=NOON
        )
        await keys.create(row)
        vault = TenantVault(keys=keys, wrapper=self._wrapper, clock=self._vault.clock)
        try:
            sealed = await vault.seal(PLACE, b"plain")
        except KeyVaultFailedError:
            return False
        return envelope.open_envelope(data_key, PLACE, sealed) == b"plain"


async def rsa_oaep_verdict(vault: Unwrapping, number: int, vector: Vector) -> str:
    if vector["keySize"] not in RSA_SIZES:
        return _NOT_IN_A_VAULT
    wrapped = data(vector, "ct")
    plain = await vault.unwrapped(number, wrapped)
    if vector["result"] == "invalid":
        assert plain is None, vector
        return _REFUSED
    if (vector["sha"], vector["mgfSha"]) != ("SHA-256", "SHA-256"):
        assert plain is None, vector
        return _OTHER_DIGEST
    if vector["label"]:
        assert plain is None, vector
        return _LABEL
    assert plain == data(vector, "msg"), vector
    serves = await vault.seals_with(number, wrapped, plain)
    assert serves == (len(plain) == envelope.KEY_BYTES), vector
    return _SERVES if serves else _NO_DATA_KEY


async def test_rsa_oaep_vectors_unwrap_as_they_say_but_for_what_is_no_data_key_of_ours(
    tmp_path: Path, vault_tokens: AzureTokens
) -> None:
    """One vault holds the keys of all files."""
    found = [vector for name in names("rsa_oaep_") for vector in vectors(name)]
    keys = list(dict.fromkeys(vector["privateKeyPkcs8"] for vector in found))
    verdicts: Counter[str] = Counter()

    with simulated_vault(tmp_path, vault_tokens, holding([loaded(key) for key in keys])) as vault:
        unwrapping = Unwrapping(vault)
        for vector in found:
            number = keys.index(vector["privateKeyPkcs8"])
            verdicts[await rsa_oaep_verdict(unwrapping, number, vector)] += 1
        await vault.network.close()

    assert told("RSA-OAEP", verdicts) == RSA_OAEP


# --- AES key wrap: the library alone -------------------------------------------------------------

_TOO_SHORT: Final = "called acceptable, and refused: less than the 16 bytes of RFC 3394"

AES_WRAP: Final[dict[str, int]] = {RIGHT: 162, _TOO_SHORT: 3}
AES_WRAP_PADDED: Final[dict[str, int]] = {RIGHT: 254}


def wrap_verdict(vector: Vector, unwrap: Any) -> str:  # noqa: ANN401 - one of two functions
    try:
        plain = unwrap(data(vector, "key"), data(vector, "ct"))
    except (InvalidUnwrap, ValueError):
        plain = None
    if vector["result"] == "acceptable" and plain is None:
        return _TOO_SHORT
    assert plain == (data(vector, "msg") if vector["result"] == "valid" else None), vector
    return RIGHT


def test_aes_key_wrap_vectors_unwrap_as_they_say() -> None:
    plain = Counter(wrap_verdict(v, aes_key_unwrap) for v in vectors("aes_wrap_test"))
    padded = Counter(wrap_verdict(v, aes_key_unwrap_with_padding) for v in vectors("aes_kwp_test"))

    assert told("AES key wrap", plain) == AES_WRAP
    assert told("AES key wrap with padding", padded) == AES_WRAP_PADDED


def test_valid_aes_key_wrap_vectors_wrap_to_what_they_say() -> None:
    for vector in vectors("aes_wrap_test"):
        if vector["result"] == "valid":
            assert aes_key_wrap(data(vector, "key"), data(vector, "msg")) == data(vector, "ct")
