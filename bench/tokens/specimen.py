"""A valid token taken apart, and what a way to alter it looks like."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import rsa


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """A valid token, and what an attacker can know besides."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    public_key: rsa.RSAPublicKey | None
    """Of the provider; sessions have none."""

    @classmethod
    def parse(cls, text: str, public_key: rsa.RSAPublicKey | None) -> Self:
        header, claims, _ = (part_bytes(part_) for part_ in text.split("."))
        return cls(
            text=text, header=json.loads(header), claims=json.loads(claims), public_key=public_key
        )

    @property
    def parts(self) -> list[str]:
        return self.text.split(".")

    def with_part(self, index: int, replaced: str) -> str:
        """The token with another header (0), other claims (1) or another signature (2)."""
        parts = self.parts
        parts[index] = replaced
        return ".".join(parts)


type Mutation = Callable[[Random, Specimen, Sequence[Specimen]], str]
"""Of the first specimen; the others are there to take something from."""


def part_bytes(part_: str) -> bytes:
    return base64.urlsafe_b64decode(part_ + "=" * (-len(part_) % 4))
