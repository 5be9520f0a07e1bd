"""Signing keys that are the same in every run, so that a seed makes the same tokens every time.

They are those of the Wycheproof vectors, published with them, and good for nothing else.
"""

import json
from functools import cache
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import RSAAlgorithm

_VECTORS: Final = Path(__file__).parents[2] / "tests/identity/wycheproof/json_web_signature.json"


@cache
def providers_key() -> RSAPrivateKey:
    """The one whose public half the policies know."""
    return _published("kid-rsa-sign")


@cache
def strangers_key() -> RSAPrivateKey:
    """One that nobody has published."""
    return _published("RS256_2048")


def _published(kid: str) -> RSAPrivateKey:
    groups = json.loads(_VECTORS.read_bytes())["testGroups"]
    found = next(group["private"] for group in groups if group["private"]["kid"] == kid)
    key = RSAAlgorithm.from_jwk(found)
    assert isinstance(key, RSAPrivateKey)
    return key
