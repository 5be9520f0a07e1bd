"""Tokens made to order: good ones, and ones that are wrong in exactly one way."""

import base64
import hmac
import json
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from local import scene
from shared.errors import NotAuthenticatedError
from shared.identity.key_sets import KeySets, SigningKey
from shared.network import Network

NOON: Final = datetime(2026, 1, 15, 12, tzinfo=UTC)
NOW: Final = int(NOON.timestamp())
TENANT: Final = scene.ENTRA_TENANT
OTHER_TENANT: Final = "2b9c7d10-4e8f-4a61-9c35-0d7e8f21b6a4"
USER: Final = "8e4d1a72-95c3-4f0b-b6d8-3a7c20e9f154"
ANY_TENANT_ISSUER: Final = "https://login.microsoftonline.com/{tenantid}/v2.0"
KID: Final = "key-1"


def private_key(name: str = "current", bits: int = 2_048) -> rsa.RSAPrivateKey:
    """The same key for the same name, made once: RSA keys are slow to make."""
    return _made(name, bits)


@cache
def _made(name: str, bits: int) -> rsa.RSAPrivateKey:
    del name
    return rsa.generate_private_key(public_exponent=65_537, key_size=bits)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def part(value: object) -> str:
    """A part of a token: JSON in base64url, or the bytes given."""
    return base64url(value if isinstance(value, bytes) else json.dumps(value).encode())


def signed(
    header: Mapping[str, Any] | bytes,
    claims: Mapping[str, Any] | bytes,
    key: rsa.RSAPrivateKey | None = None,
) -> str:
    """A compact JWS with an RS256 signature over exactly these parts, whatever they say."""
    message = f"{part(header)}.{part(claims)}"
    signature = (key or private_key()).sign(message.encode(), padding.PKCS1v15(), SHA256())
    return f"{message}.{base64url(signature)}"


def hmac_signed(header: Mapping[str, Any], claims: Mapping[str, Any], shared_secret: bytes) -> str:
    """The same with an HMAC-SHA256 for a signature, whatever the header says."""
    message = f"{part(header)}.{part(claims)}"
    return f"{message}.{base64url(hmac.digest(shared_secret, message.encode(), 'sha256'))}"


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with members replaced, and removed where the change is `...`."""
    return {name: value for name, value in {**base, **changes}.items() if value is not ...}


def header(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return changed({"typ": "JWT", "alg": "RS256", "kid": KID}, changes)


def microsoft_claims(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A v2.0 access token for our API, as the add-in gets it (protocols C1)."""
    return changed(
        {
            "aud": scene.ENTRA_API_CLIENT_ID,
            "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
            "iat": NOW,
            "nbf": NOW,
            "exp": NOW + 3_600,
            "azp": scene.ENTRA_ADDIN_CLIENT_ID,
            "azpacr": "0",
            "name": "Robin Example",
            "oid": USER,
            "preferred_username": "robin@contoso.example.com",
            "scp": "access_as_user",
            "sub": "XkjgWjdmaZ-_xDmhgN1BMP2vL2YOfeVxfPT_o8GRWaw",
            "tid": TENANT,
            "ver": "2.0",
        },
        changes,
    )


def microsoft_v1_claims(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """The same for a registration that does not ask for v2.0."""
    v1 = {
        "aud": f"api://{scene.ENTRA_API_CLIENT_ID}",
        "iss": f"https://sts.windows.net/{TENANT}/",
        "appid": scene.ENTRA_ADDIN_CLIENT_ID,
        "appidacr": "0",
        "azp": ...,
        "azpacr": ...,
        "ver": "1.0",
    }
    return changed(microsoft_claims(**v1), changes)


def google_claims(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """An ID token of a Workspace user (protocols D)."""
    return changed(
        {
            "iss": "https://accounts.google.com",
            "azp": scene.GOOGLE_CLIENT_ID,
            "aud": scene.GOOGLE_CLIENT_ID,
            "sub": "107691503500061507151",
            "hd": scene.GOOGLE_DOMAIN,
            "email": "robin@fabrikam.example.com",
            "email_verified": True,
            "name": "Robin Example",
            "iat": NOW,
            "exp": NOW + 3_600,
        },
        changes,
    )


def jwk(kid: object = KID, key: rsa.RSAPrivateKey | None = None, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    """A public key as Entra ID publishes it (RFC 7517)."""
    numbers = (key or private_key()).public_key().public_numbers()
    published = {
        "kty": "RSA",
        "use": "sig",
        "kid": kid,
        "n": base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)),
        "e": base64url(numbers.e.to_bytes(3)),
        "issuer": ANY_TENANT_ISSUER,
    }
    return changed(published, members)


class KnownKeys(KeySets):
    """Key sets without a network: the keys that a test gives, and what was asked for."""

    def __init__(self, **keys: SigningKey) -> None:
        # Nothing is fetched, so the roots need not be read, which takes long.
        super().__init__(Network(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)))
        self.keys = keys
        self.asked: list[tuple[str, str]] = []

    async def key(self, address: str, unverified_kid: str) -> SigningKey:
        self.asked.append((address, unverified_kid))
        if unverified_kid not in self.keys:
            raise NotAuthenticatedError
        return self.keys[unverified_kid]


def published_key(issuer: str | None = ANY_TENANT_ISSUER, name: str = "current") -> SigningKey:
    return SigningKey(key=private_key(name).public_key(), issuer=issuer)
