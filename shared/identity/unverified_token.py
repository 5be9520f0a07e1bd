"""A signed token in compact form, read strictly and believed in nothing.

What passes here has exactly one reading (RFC 7515, 7519): three canonical base64url parts, two
JSON objects without duplicate keys, the one algorithm and the types that the caller expects. The
signature is not checked here; names say so.
"""

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared import strict_json
from shared.errors import NotAuthenticatedError

MAX_TOKEN_CHARACTERS: Final = 16_384
_MAX_DEPTH: Final = 8
_PART: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_KID: Final = re.compile(r"[A-Za-z0-9_.=-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedJws:
    """The parts of a signed text, before any signature was checked."""

    text: str = field(repr=False)
    algorithm: str
    """The one that the caller expects, which is the one that the header names."""
    unverified_kid: str
    unverified_payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedToken(UnverifiedJws):
    """The same for a token: what was signed are claims."""

    unverified_claims: Mapping[str, Any] = field(repr=False)


def read(text: str, *, algorithm: str, types: Collection[str | None]) -> UnverifiedToken:
    """Read a token. Raises NotAuthenticatedError for anything that has a second reading."""
    jws = read_jws(text, algorithm=algorithm, types=types)
    return UnverifiedToken(
        text=jws.text,
        algorithm=jws.algorithm,
        unverified_kid=jws.unverified_kid,
        unverified_payload=jws.unverified_payload,
        unverified_claims=_json_object(jws.unverified_payload),
    )


def read_jws(text: str, *, algorithm: str, types: Collection[str | None]) -> UnverifiedJws:
    """Read a signed text of whatever content. Raises NotAuthenticatedError as `read` does.

    The size is looked at first. `jku`, `x5u`, `jwk` and `x5c` are ignored: keys come from where
    the provider's own address says, never from the token. `crit` is refused: it demands to be
    understood (RFC 7515, 4.1.11), and nothing here needs it.
    """
    if len(text) > MAX_TOKEN_CHARACTERS:
        raise NotAuthenticatedError
    parts = text.split(".")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):  # noqa: PLR2004 - header, claims, signature
        raise NotAuthenticatedError
    header, payload = _json_object(_canonical(parts[0])), _canonical(parts[1])
    _canonical(parts[2])
    kid = header.get("kid")
    if (
        header.get("alg") != algorithm
        or header.get("typ") not in types
        or "crit" in header
        or "b64" in header
        or "cty" in header
        or not isinstance(kid, str)
        or not _KID.fullmatch(kid)
    ):
        raise NotAuthenticatedError
    return UnverifiedJws(
        text=text, algorithm=algorithm, unverified_kid=kid, unverified_payload=payload
    )


def _canonical(part: str) -> bytes:
    """Decode base64url without padding, refusing a second spelling of the same bytes."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (ValueError, binascii.Error):
        raise NotAuthenticatedError from None
    if base64.urlsafe_b64encode(data).decode().rstrip("=") != part:
        raise NotAuthenticatedError
    return data


def _json_object(data: bytes) -> Mapping[str, Any]:
    try:
        value = strict_json.loads(data, max_depth=_MAX_DEPTH)
    except ValueError:
        raise NotAuthenticatedError from None
    if not isinstance(value, dict):
        raise NotAuthenticatedError
    return value
