"""What is signed, held against the examples of the standards and an independent library."""

import hashlib
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shared.errors import Json
from shared.jws import (
    EXPORT_TYP,
    RECEIPT_TYP,
    CompactJws,
    DetachedJws,
    canonical_json,
    public_jwk,
)
from tests.fakes.keys import LocalSigner

# The key of RFC 7515, appendix A.3.
X = jwt.utils.base64url_decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")
Y = jwt.utils.base64url_decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None, 1.5]}, b'{"a":[true,null,1.5],"b":1}'),
        ({"\u00fc": "\u20ac\ud800"}, b'{"\\u00fc":"\\u20ac\\ud800"}'),
        ({}, b"{}"),
    ],
    ids=["sorted", "ascii", "empty"],
)
def test_one_value_has_one_text(value: Json, text: bytes) -> None:
    assert canonical_json(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": value})


def test_the_thumbprint_is_the_one_of_rfc_7638() -> None:
    """By another library's key, and by the recipe of the standard's section 3."""
    jwk = public_jwk(X, Y)
    required = f'{{"crv":"P-256","kty":"EC","x":"{jwk["x"]}","y":"{jwk["y"]}"}}'

    assert jwk["x"] == "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
    assert jwk["kid"] == "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"
    digest = hashlib.sha256(required.encode()).digest()
    assert jwt.utils.base64url_decode(jwk["kid"]) == digest


def test_leading_zeros_of_a_coordinate_are_kept() -> None:
    assert public_jwk(b"\x01", Y) == public_jwk(b"\x01".rjust(32, b"\0"), Y)
    assert len(public_jwk(b"\x01", Y)["x"]) == 43


def test_the_coordinates_of_a_larger_curve_are_refused() -> None:
    with pytest.raises(ValueError, match="P-256"):
        public_jwk(b"\x01" * 48, Y)


def parts(text: str) -> tuple[Any, str, str]:
    header, payload, signature = text.split(".")
    return json.loads(jwt.utils.base64url_decode(header)), payload, signature


async def test_a_compact_jws_is_one_for_another_library() -> None:
    signer = LocalSigner()
    key = await signer.newest()
    document = CompactJws(b'{"a":1}', typ=RECEIPT_TYP, kid=key.kid)
    text = document.signed(await signer.sign(key, document.digest()))

    (jwk,) = await signer.public_keys()
    read = jwt.decode_complete(text, jwt.PyJWK(dict(jwk)), algorithms=["ES256"])

    assert read["payload"] == {"a": 1}
    assert read["header"] == {"alg": "ES256", "kid": key.kid, "typ": RECEIPT_TYP}


async def test_a_detached_jws_is_one_for_another_library() -> None:
    """PyJWT knows `b64: false` where the payload is handed over beside (RFC 7797)."""
    signer = LocalSigner()
    key = await signer.newest()
    signed = DetachedJws(typ=EXPORT_TYP, kid=key.kid)
    for piece in (b"one\n", b"", b"two.\xff\n"):
        signed.update(piece)
    text = signed.signed(await signer.sign(key, signed.digest()))

    (jwk,) = await signer.public_keys()
    whole = b"one\ntwo.\xff\n"
    read = jwt.PyJWS().decode_complete(
        text, jwt.PyJWK(dict(jwk)), algorithms=["ES256"], detached_payload=whole
    )

    header, payload, _ = parts(text)
    assert read["payload"] == whole
    assert payload == ""
    assert header == {
        "alg": "ES256",
        "b64": False,
        "crit": ["b64"],
        "kid": key.kid,
        "typ": EXPORT_TYP,
    }
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.PyJWS().decode_complete(
            text, jwt.PyJWK(dict(jwk)), algorithms=["ES256"], detached_payload=whole + b"x"
        )


def test_how_a_payload_is_cut_into_pieces_does_not_matter() -> None:
    whole, cut = DetachedJws(typ=EXPORT_TYP, kid="k"), DetachedJws(typ=EXPORT_TYP, kid="k")
    whole.update(b"abcdef")
    for piece in (b"ab", b"", b"cdef"):
        cut.update(piece)

    assert whole.digest() == cut.digest()
    assert whole.signed(b"x") == cut.signed(b"x")


def test_the_coordinates_of_a_real_key_make_that_key_again() -> None:
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    jwk = public_jwk(numbers.x.to_bytes(32), numbers.y.to_bytes(32))

    assert jwt.PyJWK(jwk).key.public_numbers() == numbers
