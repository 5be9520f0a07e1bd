"""What stands in the vault at start: made once, and kept in a file where rows are kept.

Without that, a stack that keeps its rows could not open them after a restart. The file holds
private keys in clear: they open nothing but this stack's own rows, and it is its owner's alone.
"""

import json
import os
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from local import scene
from local.simulators.key_vault_cryptography import PrivateKey, generate
from local.simulators.signing_keys import base64url

_SESSION_SIGNING_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class KeyAtStart:
    name: str
    version: str
    private: PrivateKey
    operations: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        pem = self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {
            "name": self.name,
            "version": self.version,
            "private": pem.decode(),
            "operations": self.operations,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        private: Any = load_pem_private_key(fields["private"].encode(), password=None)
        return cls(fields["name"], fields["version"], private, tuple(fields["operations"]))


@dataclass(frozen=True, slots=True)
class SecretAtStart:
    name: str
    version: str
    value: str


@dataclass(frozen=True, slots=True)
class VaultAtStart:
    """The keys and secrets that a deployment puts into its vault."""

    keys: tuple[KeyAtStart, ...]
    secrets: tuple[SecretAtStart, ...]

    @classmethod
    def kept_in(cls, folder: Path | None) -> Self:
        """As the folder has it; made, and kept there, the first time. None: made, not kept."""
        if folder is None:
            return cls.made()
        file = folder / "key_vault.json"
        if file.exists():
            return cls.from_json(json.loads(file.read_text(encoding="utf-8")))
        made = cls.made()
        draft = file.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(made.as_json(), out)
        draft.replace(file)
        return made

    @classmethod
    def made(cls) -> Self:
        signing = base64url(secrets.token_bytes(_SESSION_SIGNING_BYTES))
        return cls(
            keys=_made_keys(),
            secrets=(
                _new(scene.SECRET_SALESFORCE, scene.SALESFORCE_CLIENT_SECRET),
                _new(scene.SECRET_SESSION_SIGNING, signing),
            ),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "keys": [key.as_json() for key in self.keys],
            "secrets": [[secret.name, secret.version, secret.value] for secret in self.secrets],
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        return cls(
            keys=tuple(KeyAtStart.from_json(key) for key in fields["keys"]),
            secrets=tuple(SecretAtStart(*secret) for secret in fields["secrets"]),
        )


def _new(name: str, value: str) -> SecretAtStart:
    return SecretAtStart(name, secrets.token_hex(16), value)


@cache
def _made_keys() -> tuple[KeyAtStart, ...]:
    """Made once a process: RSA generation is slow."""
    kek, receipts = generate("RSA", size=3072), generate("EC")
    return (
        KeyAtStart(scene.KEY_TENANT_KEK, secrets.token_hex(16), kek, ("wrapKey", "unwrapKey")),
        KeyAtStart(scene.KEY_RECEIPT_SIGNING, secrets.token_hex(16), receipts, ("sign", "verify")),
    )
