"""Receipts and exports as the service signs them, and the key set that verifies them."""

import base64
import hashlib
import json
from typing import Any, Final

from shared.jws import EXPORT_TYP, RECEIPT_TYP, DetachedJws
from shared.ports import Signer
from shared.usecases.publish_keys import PublishKeys
from shared.usecases.sign_document import SignDocument

TENANT: Final = "ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"
USER: Final = "u-alicealicealicealicealiceal"


def claims(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a forger writes
    """What the receipt of a user's deletion says, but for `changes`."""
    return {
        "iss": "https://flowrunner.example.com/api",
        "iat": 1768478520,
        "deletion_id": "d-n5xw4zlumvzha3lbon2g64tjoq",
        "scope": "user",
        "tenant_sha256": hashlib.sha256(TENANT.encode()).hexdigest(),
        "subject_sha256": hashlib.sha256(USER.encode()).hexdigest(),
        "requested_at": "2026-01-15T12:00:00.000Z",
        "confirmed_at": "2026-01-15T12:00:30Z",
        "finished_at": "2026-01-15T12:02:00.250Z",
        "rows": {"connections": 1, "pending": 0, "runs": 12, "users": 1},
        "revocations": {"revoked": 1, "not_confirmed": 0},
        "keys_destroyed": ["https://flowrunner-local.vault.azure.net/keys/tenant-kek/0123"],
        "backups": "Backups hold no grants; the last one goes within 35 days.",
        "verified_empty_at": "2026-01-15T12:01:59.000Z",
    } | changes


async def receipt(signer: Signer, **changes: Any) -> bytes:  # noqa: ANN401
    return (await SignDocument(signer=signer)(RECEIPT_TYP, claims(**changes))).encode()


async def key_set(signer: Signer) -> bytes:
    """As `GET /v1/keys` answers it, and as a customer saves it."""
    return json.dumps(await PublishKeys(signer=signer)()).encode()


async def export_signature(signer: Signer, body: bytes) -> bytes:
    key = await signer.newest()
    signed = DetachedJws(typ=EXPORT_TYP, kid=key.kid)
    signed.update(body)
    return signed.signed(await signer.sign(key, signed.digest())).encode()


async def signed_by_hand(
    signer: Signer, header: bytes | dict[str, Any], payload: bytes | None = None
) -> bytes:
    """A compact JWS whose signature is right, whatever its parts say."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = json.dumps(claims()).encode() if payload is None else payload
    signing_input = f"{base64url(text)}.{base64url(body)}"
    digest = hashlib.sha256(signing_input.encode()).digest()
    signature = await signer.sign(await signer.newest(), digest)
    return f"{signing_input}.{base64url(signature)}".encode()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
