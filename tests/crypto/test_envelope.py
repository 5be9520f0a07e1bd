"""The sealed form of values: what opens, and that nothing else does."""

import struct
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.crypto import envelope
from shared.errors import KeyVaultFailedError, SealBrokenError
from shared.model import Place, TenantId

KEY = bytes(range(32))
TENANT = TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3")
OTHER_TENANT = TenantId.parse("ms-00000000-0000-4000-8000-000000000000")
PLACE = Place(tenant=TENANT, table="connections", row_key="u-alice|00d", column="sealed_grant")
PLAIN = b"a refresh token"


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 4_096, 100_000])
def test_what_was_sealed_opens_at_its_place(length: int) -> None:
    plain = bytes(n % 251 for n in range(length))

    sealed = envelope.seal(KEY, 1, PLACE, plain)

    assert envelope.open_envelope(KEY, PLACE, sealed) == plain


def test_the_plain_text_is_not_in_the_envelope() -> None:
    assert PLAIN not in envelope.seal(KEY, 1, PLACE, PLAIN)


# --- the wire format, by hand --------------------------------------------------------------------


def test_an_envelope_is_format_version_nonce_ciphertext_and_tag() -> None:
    sealed = envelope.seal(KEY, 0x01020304, PLACE, PLAIN)

    assert sealed[:5] == b"\x01\x01\x02\x03\x04"
    assert len(sealed) == 1 + 4 + 12 + len(PLAIN) + 16
    nonce, rest = sealed[5:17], sealed[17:]
    assert AESGCM(KEY).decrypt(nonce, rest, _associated(PLACE, 0x01020304)) == PLAIN


def test_an_envelope_made_by_hand_opens() -> None:
    nonce = bytes(12)
    rest = AESGCM(KEY).encrypt(nonce, PLAIN, _associated(PLACE, 7))

    assert envelope.open_envelope(KEY, PLACE, b"\x01\x00\x00\x00\x07" + nonce + rest) == PLAIN


def _associated(place: Place, version: int) -> bytes:
    """Format and key version, then each part of the place with its length in front."""
    data = bytes([1]) + version.to_bytes(4, "big")
    for part in (place.tenant, place.table, place.row_key, place.column):
        data += struct.pack(">H", len(part)) + part.encode()
    return data


@pytest.mark.parametrize("version", [0, 1, 255, 2**32 - 1])
def test_an_envelope_names_its_key_version(version: int) -> None:
    sealed = envelope.seal(KEY, version, PLACE, PLAIN)

    assert envelope.key_version_of(sealed) == version
    assert envelope.open_envelope(KEY, PLACE, sealed) == PLAIN


def test_a_place_may_be_named_at_length() -> None:
    """Lengths take 16 bits, without a sign."""
    place = replace(PLACE, row_key="x" * 40_000)

    assert envelope.open_envelope(KEY, place, envelope.seal(KEY, 1, place, PLAIN)) == PLAIN


# --- what does not open -----------------------------------------------------------------------


def test_an_envelope_with_any_bit_flipped_does_not_open() -> None:
    sealed = envelope.seal(KEY, 1, PLACE, PLAIN)

    for position in range(len(sealed)):
        for bit in range(8):
            altered = bytearray(sealed)
            altered[position] ^= 1 << bit
            with pytest.raises(SealBrokenError):
                envelope.open_envelope(KEY, PLACE, bytes(altered))


def test_c03_no_truncation_of_an_envelope_opens() -> None:
    sealed = envelope.seal(KEY, 1, PLACE, PLAIN)

    for length in range(len(sealed)):
        with pytest.raises(SealBrokenError):
            envelope.open_envelope(KEY, PLACE, sealed[:length])
        with pytest.raises(SealBrokenError):
            envelope.open_envelope(KEY, PLACE, sealed[len(sealed) - length :])


@pytest.mark.parametrize("more", [b"\x00", b"\xff" * 16])
def test_c03_an_envelope_with_more_behind_it_does_not_open(more: bytes) -> None:
    with pytest.raises(SealBrokenError):
        envelope.open_envelope(KEY, PLACE, envelope.seal(KEY, 1, PLACE, PLAIN) + more)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(PLACE, tenant=OTHER_TENANT), id="tenant"),
        pytest.param(replace(PLACE, table="pending"), id="table"),
        pytest.param(replace(PLACE, row_key="u-bob|00d"), id="row"),
        pytest.param(replace(PLACE, column="sealed"), id="column"),
        pytest.param(replace(PLACE, table="connection", row_key="su-alice|00d"), id="seam-moved"),
        pytest.param(replace(PLACE, row_key="", column="u-alice|00dsealed_grant"), id="empty-row"),
    ],
)
def test_c01_a_value_moved_to_another_place_does_not_open(other: Place) -> None:
    with pytest.raises(SealBrokenError):
        envelope.open_envelope(KEY, other, envelope.seal(KEY, 1, PLACE, PLAIN))


def test_c01_a_value_does_not_open_as_another_key_version() -> None:
    sealed = envelope.seal(KEY, 1, PLACE, PLAIN)

    with pytest.raises(SealBrokenError):
        envelope.open_envelope(KEY, PLACE, sealed[:1] + struct.pack(">I", 2) + sealed[5:])


def test_a_value_does_not_open_with_another_key() -> None:
    with pytest.raises(SealBrokenError):
        envelope.open_envelope(bytes(32), PLACE, envelope.seal(KEY, 1, PLACE, PLAIN))


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33])
def test_a_key_of_another_length_neither_seals_nor_opens(length: int) -> None:
    """AES would take 16 and 24 bytes."""
    sealed = envelope.seal(KEY, 1, PLACE, PLAIN)

    with pytest.raises(KeyVaultFailedError):
        envelope.seal(bytes(length), 1, PLACE, PLAIN)
    with pytest.raises(KeyVaultFailedError):
        envelope.open_envelope(bytes(length), PLACE, sealed)


@pytest.mark.parametrize("length", [0, 7, 12, 27])
def test_what_has_no_room_for_nonce_and_tag_does_not_decrypt(length: int) -> None:
    assert envelope.decrypt(KEY, bytes(length), b"") is None


@pytest.mark.parametrize("first", [0x00, 0x02, 0xFF])
def test_an_unknown_format_is_refused(first: int) -> None:
    sealed = bytes([first]) + envelope.seal(KEY, 1, PLACE, PLAIN)[1:]

    with pytest.raises(SealBrokenError):
        envelope.key_version_of(sealed)
    with pytest.raises(SealBrokenError):
        envelope.open_envelope(KEY, PLACE, sealed)


def test_c09_every_failure_looks_the_same() -> None:
    sealed = envelope.seal(KEY, 1, PLACE, PLAIN)
    attempts = (
        (bytes(32), PLACE, sealed),
        (KEY, replace(PLACE, column="other"), sealed),
        (KEY, PLACE, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (KEY, PLACE, sealed[:10]),
    )

    seen = set()
    for key, place, value in attempts:
        with pytest.raises(SealBrokenError) as caught:
            envelope.open_envelope(key, place, value)
        seen.add((type(caught.value), caught.value.args, caught.value.__cause__))

    assert seen == {(SealBrokenError, (), None)}


def test_c02_no_nonce_comes_twice_in_ten_thousand() -> None:
    nonces = {envelope.seal(KEY, 1, PLACE, PLAIN)[5:17] for _ in range(10_000)}

    assert len(nonces) == 10_000
