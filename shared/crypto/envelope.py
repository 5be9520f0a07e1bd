"""The sealed form of every value at rest: AES-256-GCM, bound to the place where it is kept.

Layout of an envelope:

    format       1 byte   0x01
    key version  4 bytes  big endian; which of the tenant's data keys sealed it
    nonce       12 bytes  random (NIST SP 800-38D, 8.2.2)
    ciphertext   n bytes
    tag         16 bytes

The associated data names format, tenant, table, row key, column and key version, each with its
length in front, so that no two places share one. A value that was moved, altered, cut, or sealed
for another tenant does not open. Pure: no I/O.
"""

import os
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import KeyVaultFailedError, SealBrokenError
from shared.model import Place

FORMAT: Final = 0x01
KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_HEADER: Final = struct.Struct(">BI")
_SHORTEST: Final = _HEADER.size + _NONCE_BYTES + _TAG_BYTES


def seal(key: bytes, version: int, place: Place, plain: bytes) -> bytes:
    """Seal a value with version `version` of the tenant's data key (32 bytes).

    Raises KeyVaultFailedError for a key of another length, as opening does.
    """
    nonce = os.urandom(_NONCE_BYTES)
    sealed = _cipher(key).encrypt(nonce, plain, _associated_data(place, version))
    return _HEADER.pack(FORMAT, version) + nonce + sealed


def key_version_of(envelope: bytes) -> int:
    """Which key version sealed it. Raises SealBrokenError if this is no envelope."""
    if len(envelope) < _SHORTEST or envelope[0] != FORMAT:
        raise SealBrokenError
    version: int = _HEADER.unpack_from(envelope)[1]
    return version


def open_envelope(key: bytes, place: Place, envelope: bytes) -> bytes:
    """Open a value. Raises SealBrokenError, and does not say which check failed."""
    version = key_version_of(envelope)
    plain = decrypt(key, envelope[_HEADER.size :], _associated_data(place, version))
    if plain is None:
        del key  # whoever prints the locals of a traceback (C-10) does not find it here
        raise SealBrokenError
    return plain


def decrypt(key: bytes, sealed: bytes, associated_data: bytes) -> bytes | None:
    """What `open_envelope` opens with: `sealed` is nonce, ciphertext and tag; None if it does not
    open. By itself, so that published test vectors, with associated data of their own, pass
    through it."""
    if len(sealed) < _NONCE_BYTES + _TAG_BYTES:
        return None
    try:
        return _cipher(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated_data)
    except InvalidTag:
        return None


def _cipher(key: bytes) -> AESGCM:
    """AES-256 alone, though the library takes keys of 128 and 192 bits, too."""
    if len(key) != KEY_BYTES:
        raise KeyVaultFailedError
    return AESGCM(key)


def _associated_data(place: Place, version: int) -> bytes:
    parts = (place.tenant, place.table, place.row_key, place.column)
    encoded = b"".join(struct.pack(">H", len(p.encode())) + p.encode() for p in parts)
    return _HEADER.pack(FORMAT, version) + encoded
