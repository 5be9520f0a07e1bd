"""What Key Vault does with a private key that never leaves it.

Follows https://learn.microsoft.com/azure/key-vault/keys/about-keys-details; of its algorithms,
RSA-OAEP-256, RS256, PS256 and ES256.
"""

import base64
import binascii
import re
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from local.simulators.key_vault_refusals import bad_parameter
from local.simulators.signing_keys import base64url, unsigned_integer

type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

# The last segment of the path, and how key_ops calls it.
OPERATIONS: Final = {
    "encrypt": "encrypt",
    "decrypt": "decrypt",
    "wrapkey": "wrapKey",
    "unwrapkey": "unwrapKey",
    "sign": "sign",
    "verify": "verify",
}
RSA_SIZES: Final = (2048, 3072, 4096)
P256_BYTES: Final = 32

_SHA256: Final = Prehashed(hashes.SHA256())
_OAEP_256: Final = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
_RSA_PADDINGS: Final[dict[str, padding.AsymmetricPadding]] = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH),
}
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")


def generate(kty: str, *, size: int = 2048, curve: str = "P-256") -> PrivateKey:
    """A new key of the types offered here; `VaultRefusal` for another."""
    if kty == "EC" and curve == "P-256":
        return ec.generate_private_key(ec.SECP256R1())
    if kty == "RSA" and size in RSA_SIZES:
        return rsa.generate_private_key(public_exponent=65537, key_size=size)
    raise bad_parameter("Property kty, crv or key_size has invalid value\r\n")


def public_members(key: PrivateKey) -> dict[str, str]:
    """The public half as JWK members (RFC 7518, section 6)."""
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_numbers = key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "n": unsigned_integer(rsa_numbers.n),
            "e": unsigned_integer(rsa_numbers.e),
        }
    numbers = key.public_key().public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": base64url(numbers.x.to_bytes(P256_BYTES)),
        "y": base64url(numbers.y.to_bytes(P256_BYTES)),
    }


def operate(key: PrivateKey, operation: str, parameters: dict[str, Any]) -> str | bool:
    """The `value` of the answer to one of `OPERATIONS`; raises `VaultRefusal`."""
    algorithm, value = parameters.get("alg"), _decoded(parameters, "value")
    match key, operation, algorithm:
        case rsa.RSAPrivateKey(), "encrypt" | "wrapkey", "RSA-OAEP-256":
            return base64url(_oaep_encrypted(key, value))
        case rsa.RSAPrivateKey(), "decrypt" | "unwrapkey", "RSA-OAEP-256":
            return base64url(_oaep_decrypted(key, value))
        case rsa.RSAPrivateKey(), "sign", "RS256" | "PS256":
            signature = key.sign(_digest(value), _RSA_PADDINGS[algorithm], _SHA256)
            return base64url(signature)
        case ec.EllipticCurvePrivateKey(), "sign", "ES256":
            return base64url(_ecdsa_signed(key, _digest(value)))
        case _, "verify", "RS256" | "PS256" | "ES256":
            return _verified(key, algorithm, _digest(_decoded(parameters, "digest")), value)
        case _:
            raise bad_parameter(
                f"Key and algorithm are incompatible: operation '{operation}', algorithm "
                f"'{algorithm}', key of type '{public_members(key)['kty']}'."
            )


def _decoded(parameters: dict[str, Any], name: str) -> bytes:
    text, invalid = parameters.get(name), bad_parameter(f"Property {name} has invalid value\r\n")
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text):
        raise invalid
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as exc:
        raise invalid from exc


def _digest(value: bytes) -> bytes:
    if len(value) != hashes.SHA256.digest_size:
        raise bad_parameter(
            f"Invalid length of 'value': {len(value)} bytes. {hashes.SHA256.digest_size} bytes "
            "are required, encoded with base64url."
        )
    return value


def _oaep_encrypted(key: rsa.RSAPrivateKey, value: bytes) -> bytes:
    try:
        return key.public_key().encrypt(value, _OAEP_256)
    except ValueError as exc:  # longer than the modulus has room for
        raise bad_parameter("The parameter is incorrect.\r\n") from exc


def _oaep_decrypted(key: rsa.RSAPrivateKey, value: bytes) -> bytes:
    try:
        return key.decrypt(value, _OAEP_256)
    except ValueError as exc:
        raise bad_parameter("The parameter is incorrect.\r\n") from exc


def _ecdsa_signed(key: ec.EllipticCurvePrivateKey, digest: bytes) -> bytes:
    """r and s, 32 bytes each (RFC 7518, section 3.4), and not DER."""
    r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(_SHA256)))
    return r.to_bytes(P256_BYTES) + s.to_bytes(P256_BYTES)


def _verified(key: PrivateKey, algorithm: str, digest: bytes, signature: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPrivateKey) and algorithm in _RSA_PADDINGS:
            key.public_key().verify(signature, digest, _RSA_PADDINGS[algorithm], _SHA256)
            return True
        if isinstance(key, ec.EllipticCurvePrivateKey) and algorithm == "ES256":
            if len(signature) != 2 * P256_BYTES:
                return False
            r, s = signature[:P256_BYTES], signature[P256_BYTES:]
            der = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
            key.public_key().verify(der, digest, ec.ECDSA(_SHA256))
            return True
    except InvalidSignature:
        return False
    raise bad_parameter(f"Key and algorithm '{algorithm}' are incompatible.")
