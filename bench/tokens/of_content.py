"""Tokens altered in what they say, and signed by nobody, or by a stranger."""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.tokens.keys import strangers_key
from bench.tokens.specimen import Mutation, Specimen
from tests.identity.tokens import hmac_signed, part, signed

_HEADER_EDITS: Final[Mapping[str, Sequence[object]]] = {
    "alg": ("none", "None", "nOnE", "", None, "HS256", "RS384", "RS512", "PS256", "ES256", "EdDSA",
            "rs256", ["RS256"], 256, True),
    "kid": ("", None, "../../x", "' or '1'='1", "unknown", 1, ["key-1"], "k" * 10_000, "a\x00b"),
    "typ": ("flowrunner-session+jwt", "logout+jwt", "JWS", "", 1, None, ["JWT"]),
    "crit": (["exp"], [], ["b64"], "exp"),
    "b64": (False, True),
    "cty": ("JWT",),
    "jku": ("https://127.0.0.1/keys", "file:///etc/passwd"),
    "x5u": ("https://127.0.0.1/certificate",),
    "jwk": ({"kty": "oct", "k": "AA"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
    "x5c": (["MIIB"],),
    "zip": ("DEF",),
    "enc": ("A256GCM",),
}  # fmt: skip
_CLAIM_EDITS: Final[Sequence[object]] = (
    "", None, True, 0, -1, 1e300, [], {}, "common", "x", ["x"], {"x": 1}, "00000000", 2**63,
)  # fmt: skip

_SELDOM: Final = 0.2
"""How often something is left out: it is one way among many to edit."""
_HALF: Final = 0.5
_SIGNATURE: Final = 2
"""The third part of a token, after the header and the claims."""
_WHOLE: Final = 3
"""One beyond the three parts: the token as one text."""


def _edit_the_header(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    name = rng.choice(list(_HEADER_EDITS))
    header = {**specimen.header, name: rng.choice(_HEADER_EDITS[name])}
    if rng.random() < _SELDOM:
        header.pop(rng.choice(list(specimen.header)))
    return specimen.with_part(0, part(header))


def _edit_the_claims(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    claims = dict(specimen.claims)
    name = rng.choice([*claims, "roles", "adm", "epu"])
    if name in claims and rng.random() < _SELDOM:
        del claims[name]
    else:
        claims[name] = rng.choice([*_CLAIM_EDITS, ["FlowRunner.Admin"]])
    return specimen.with_part(1, part(claims))


def _write_json_otherwise(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    """The same values in other bytes, which nobody signed."""
    index = rng.randrange(2)
    value = (specimen.header, specimen.claims)[index]
    members = list(value.items())
    rng.shuffle(members)
    text = json.dumps(
        dict(members),
        indent=rng.choice((None, 0, 2)),
        separators=rng.choice(((",", ":"), (", ", ": "), (" , ", " : "))),
    )
    prefix, suffix = rng.choice((("", ""), ("\ufeff", ""), (" ", "\n"), ("", "\x00")))
    return specimen.with_part(index, part(f"{prefix}{text}{suffix}".encode()))


def _double_a_member(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    index = rng.randrange(2)
    value = (specimen.header, specimen.claims)[index]
    name = rng.choice(list(value))
    second = json.dumps({name: rng.choice((value[name], *_CLAIM_EDITS))})[1:-1]
    first = json.dumps(value)[1:-1]
    pair = (first, second) if rng.random() < _HALF else (second, first)
    return specimen.with_part(index, part(f"{{{', '.join(pair)}}}".encode()))


def _nest(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    depth, closes = rng.choice((8, 9, 64, 1_000, 5_000)), rng.random() < _HALF
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
    abyss = opening * depth + "1" + closing * (depth if closes else 0)
    index = rng.randrange(2)
    inner = json.dumps((specimen.header, specimen.claims)[index])[1:-1]
    return specimen.with_part(index, part(f'{{{inner}, "deep": {abyss}}}'.encode()))


def _blow_up(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    size = rng.choice((11_000, 16_384, 16_385, 40_000, 200_000))
    index = rng.randrange(_WHOLE + 1)
    if index == _WHOLE:
        return (specimen.text * (size // len(specimen.text) + 1))[:size]
    if index == _SIGNATURE:
        return specimen.with_part(index, specimen.parts[_SIGNATURE] * (size // 300))
    value = {**(specimen.header, specimen.claims)[index], "filler": "x" * size}
    return specimen.with_part(index, part(value))


def _sign_with_the_public_key(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    """An HMAC with what everybody knows: the provider's key in one of its forms, or nothing."""
    secrets = [b"", b"secret", b"\x00" * 32, str(specimen.header.get("kid")).encode()]
    if specimen.public_key is not None:
        pem = specimen.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        der = specimen.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        secrets += [pem, der, b"\xef\xbb\xbf" + pem, pem.strip()]
    header = {**specimen.header, "alg": rng.choice(("HS256", specimen.header["alg"]))}
    return hmac_signed(header, specimen.claims, rng.choice(secrets))


def _sign_with_ones_own_key(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    header = {**specimen.header, "alg": rng.choice(("RS256", specimen.header["alg"]))}
    return signed(header, specimen.claims, strangers_key())


def _serialise_as_json(rng: Random, specimen: Specimen, _: Sequence[Specimen]) -> str:
    header, payload, signature = specimen.parts
    single = {"protected": header, "signature": signature}
    several = {"payload": payload, "signatures": [single]}
    return json.dumps(rng.choice(({"payload": payload, **single}, several)))


CONTENT_MUTATIONS: Final[Mapping[str, Mutation]] = {
    "header edited": _edit_the_header,
    "claims edited": _edit_the_claims,
    "JSON written otherwise": _write_json_otherwise,
    "a member doubled": _double_a_member,
    "nested": _nest,
    "huge": _blow_up,
    "HMAC with the public key": _sign_with_the_public_key,
    "a stranger's signature": _sign_with_ones_own_key,
    "JSON serialisation": _serialise_as_json,
}
