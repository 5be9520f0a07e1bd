"""Which keys of a vault count as ours: P-256 alone."""

from typing import Any

import jwt
import pytest
from azure.keyvault.keys import KeyVaultKey

from shared.crypto.signing import _jwk

KEY_ID = "https://flowrunner-local.vault.azure.net/keys/receipt-signing/" + "0" * 32
X, Y = b"\x01" * 32, b"\x02" * 32


@pytest.mark.parametrize("kty", ["EC", "EC-HSM"])
def test_a_p256_key_is_published_wherever_it_is_kept(kty: str) -> None:
    jwk = _jwk(KeyVaultKey(KEY_ID, jwk={"kty": kty, "crv": "P-256", "x": X, "y": Y}))

    assert jwk is not None
    assert (jwk["kty"], jwt.utils.base64url_decode(jwk["x"])) == ("EC", X)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"kty": "EC", "crv": "P-256K", "x": X, "y": Y}, id="a-curve-as-long"),
        pytest.param({"kty": "EC", "crv": "P-384", "x": X + X[:16], "y": Y + Y[:16]}, id="p-384"),
        pytest.param({"kty": "RSA", "n": X * 8, "e": b"\x01\x00\x01"}, id="rsa"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": X}, id="half-a-point"),
        pytest.param({"kty": "oct"}, id="symmetric"),
    ],
)
def test_no_other_key_is(members: dict[str, Any]) -> None:
    assert _jwk(KeyVaultKey(KEY_ID, jwk=members)) is None
