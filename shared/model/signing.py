"""Which key signs receipts and exports."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One version of the signing key.

    `kid` is what a signature is told by: the thumbprint of the public half (RFC 7638). `key_id` is
    the identifier, with its version, under which Key Vault knows it.
    """

    kid: str
    key_id: str
