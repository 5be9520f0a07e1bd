"""All 401 JSON Web Signature vectors of Project Wycheproof, through the service's own verifiers.

Their payloads are no claims, so they enter where production's own way to a signature begins: the
strict reading, the choice of the key, the signature. What they make of whole policies comes last.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from shared.errors import NotAuthenticatedError
from shared.identity.key_sets import SigningKey, usable_keys
from shared.identity.sessions import SignedSessions
from shared.identity.signatures import require_signature
from shared.identity.unverified_token import UnverifiedJws, read_jws
from shared.jws import public_jwk
from shared.secret import Secret, SecretVersion
from tests.fakes.clock import NOON, FakeClock
from tests.identity import test_google, test_microsoft
from tests.identity.tokens import KnownKeys
from tools import verify_receipt as receipts

_FILE: Final = Path(__file__).parent / "wycheproof/json_web_signature.json"
_ENTRA_TYPES: Final = ("JWT", "at+jwt", None)


class Verdict(StrEnum):
    """How far a vector comes."""

    UNREADABLE = "refused by the strict reading"
    NO_KEY = "refused: the key may not be used for this"
    FORGED = "refused by the signature"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    id: int
    text: str
    is_valid: bool
    public: Mapping[str, Any] | None
    """The public key, where there is one."""
    private: Mapping[str, Any]

    @property
    def header(self) -> Mapping[str, Any]:
        header: Mapping[str, Any] = json.loads(decoded(self.text.partition(".")[0]))
        return header


@cache
def vectors() -> tuple[Vector, ...]:
    return tuple(
        Vector(
            id=test["tcId"],
            text=test["jws"],
            is_valid=test["result"] == "valid",
            public=group.get("public"),
            private=group["private"],
        )
        for group in json.loads(_FILE.read_bytes())["testGroups"]
        for test in group["tests"]
    )


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def by_provider_rules(vector: Vector) -> Verdict:
    """As a token of Entra ID or Google goes, whose published key this is."""
    jws = reading(vector, "RS256")
    if jws is None:
        return Verdict.UNREADABLE
    key = published_keys(vector).get(jws.unverified_kid)
    return Verdict.NO_KEY if key is None else by_signature(jws, key.key)


def by_session_rules(vector: Vector) -> Verdict:
    """As a session goes, but for its type, which no vector has."""
    jws = reading(vector, "HS256")
    if jws is None:
        return Verdict.UNREADABLE
    if vector.private["kty"] != "oct" or vector.private["kid"] != jws.unverified_kid:
        return Verdict.NO_KEY
    return by_signature(jws, decoded(vector.private["k"]))


def by_receipt_rules(vector: Vector) -> Verdict:
    """As a receipt goes, but for its type and the name of its key, which no vector has."""
    header, payload, signature = [*vector.text.split("."), "", ""][:3]
    if vector.text.count(".") != 2 or not (header and payload and signature):
        return Verdict.UNREADABLE
    public = vector.public or {}
    kid = public_jwk(decoded(public["x"]), decoded(public["y"]))["kid"]
    try:
        key = receipts.key_of(kid, {"keys": [{**public, "kid": kid}]})
    except receipts.Refusal:
        return Verdict.NO_KEY
    try:
        digest = hashlib.sha256(f"{header}.{payload}".encode()).digest()
        receipts.check_signature(key, signature, digest)
    except receipts.Refusal:
        return Verdict.FORGED
    return Verdict.ACCEPTED


def reading(vector: Vector, algorithm: str) -> UnverifiedJws | None:
    try:
        return read_jws(vector.text, algorithm=algorithm, types=_ENTRA_TYPES)
    except NotAuthenticatedError:
        return None


def by_signature(jws: UnverifiedJws, key: Any) -> Verdict:  # noqa: ANN401 - of either kind
    try:
        require_signature(jws, key)
    except NotAuthenticatedError:
        return Verdict.FORGED
    return Verdict.ACCEPTED


def published_keys(vector: Vector) -> Mapping[str, SigningKey]:
    try:
        return usable_keys({"keys": [vector.public or vector.private]})
    except ValueError:
        return {}


def told(whose: str, verdicts: Mapping[int, Verdict]) -> Counter[Verdict]:
    counts = Counter(verdicts.values())
    figures = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    print(f"\n{len(verdicts)} vectors, {whose}: {figures}")  # noqa: T201 - for who asks with -s
    return counts


def test_the_file_is_whole() -> None:
    assert Counter(vector.is_valid for vector in vectors()) == {False: 355, True: 46}


# --- RS256: tokens of the providers --------------------------------------------------------------


def test_all_355_invalid_ones_are_refused() -> None:
    """215 of them by the signature alone: it is not their form that keeps them out."""
    verdicts = {v.id: by_provider_rules(v) for v in vectors() if not v.is_valid}

    assert told("invalid, as tokens of providers", verdicts) == {
        Verdict.UNREADABLE: 136,
        Verdict.NO_KEY: 4,
        Verdict.FORGED: 215,
    }


_ALGORITHM: Final = "signed with another algorithm than RS256, which alone the providers use"
_EMPTY: Final = "an empty payload, where claims are expected"
_KEY_ID: Final = "a key id with a character that no provider uses in one"

REFUSED_ALTHOUGH_VALID: Final[Mapping[str, tuple[int, ...]]] = {
    _ALGORITHM: (
        1, 18, *range(264, 276), 287, 288, *range(320, 324), *range(325, 329), 346, 347, 348, 350,
        351, 352, 357, 358, 359, 372, 373, 376, 377, 378,
    ),
    _EMPTY: (259,),
    _KEY_ID: (345, 349),
}  # fmt: skip
"""Valid by RFC 7515, and refused by our policy: why, and which."""

ACCEPTED: Final = {33, 260, 261, 262, 263}


def why_refused(vector: Vector) -> str:
    """Told from the vector itself, without the code under test."""
    if vector.header["alg"] != "RS256":
        return _ALGORITHM
    return _EMPTY if ".." in vector.text else _KEY_ID


def test_the_valid_ones_are_accepted_but_for_those_of_the_table() -> None:
    verdicts = {v.id: by_provider_rules(v) for v in vectors() if v.is_valid}
    refused = [v for v in vectors() if v.is_valid and verdicts[v.id] is not Verdict.ACCEPTED]

    told("valid, as tokens of providers", verdicts)
    assert verdicts.keys() - {v.id for v in refused} == ACCEPTED
    assert {reason: tuple(v.id for v in refused if why_refused(v) == reason)
            for reason in REFUSED_ALTHOUGH_VALID} == REFUSED_ALTHOUGH_VALID  # fmt: skip
    assert len(refused) == sum(map(len, REFUSED_ALTHOUGH_VALID.values()))
    assert all("@" in v.header["kid"] for v in refused if why_refused(v) == _KEY_ID)


# --- HS256: sessions -----------------------------------------------------------------------------

CONTRADICTED: Final = {367: 357, 370: 357}
"""Called invalid, and to the letter a vector with the same key that is called valid."""

SECOND_SPELLINGS: Final = {372, 373}
"""Called valid, with a character inside that base64url does not have (RFC 7515, section 2)."""


def test_the_contradiction_is_in_the_file() -> None:
    by_id = {vector.id: vector for vector in vectors()}
    for invalid, valid in CONTRADICTED.items():
        assert (by_id[invalid].is_valid, by_id[valid].is_valid) == (False, True)
        assert by_id[invalid].text == by_id[valid].text
        assert by_id[invalid].private == by_id[valid].private


def test_as_sessions_the_invalid_ones_are_refused_but_for_the_contradicted() -> None:
    verdicts = {v.id: by_session_rules(v) for v in vectors() if not v.is_valid}

    told("invalid, as sessions without their type", verdicts)
    accepted = {id_ for id_, verdict in verdicts.items() if verdict is Verdict.ACCEPTED}
    assert accepted == set(CONTRADICTED)
    assert Verdict.FORGED in verdicts.values()


def test_as_sessions_the_valid_ones_of_hs256_are_accepted_but_for_second_spellings() -> None:
    hmac = [v for v in vectors() if v.is_valid and v.private["kty"] == "oct"]
    verdicts = {v.id: by_session_rules(v) for v in hmac}

    refused = {id_ for id_, verdict in verdicts.items() if verdict is not Verdict.ACCEPTED}
    assert refused == SECOND_SPELLINGS
    assert len(verdicts) == 10
    assert all("?" in v.text for v in hmac if v.id in SECOND_SPELLINGS)


# --- ES256: receipts -----------------------------------------------------------------------------


def test_as_receipts_those_of_es256_are_refused_unless_valid() -> None:
    of_p256 = [v for v in vectors() if v.private.get("crv") == "P-256"]
    verdicts = {v.id: by_receipt_rules(v) for v in of_p256}

    counts = told("of P-256, as receipts without their type", verdicts)
    accepted = {id_ for id_, verdict in verdicts.items() if verdict is Verdict.ACCEPTED}
    assert accepted == {v.id for v in of_p256 if v.is_valid} == {18, 378}
    assert counts[Verdict.FORGED] > 20


# --- whole ---------------------------------------------------------------------------------------


def vectors_with_a_text() -> list[Vector]:
    """Three have none, which is refused before there is a token at all (`bearer_token`)."""
    found = [vector for vector in vectors() if vector.text]
    assert len(found) == 398
    return found


@pytest.mark.parametrize("provider", ["microsoft", "google"])
async def test_no_vector_signs_anybody_in(provider: str) -> None:
    """The published key is there under its name; the claims are missing in all of them."""
    for vector in vectors_with_a_text():
        keys = KnownKeys(**published_keys(vector))
        policy = (
            test_microsoft.policy(keys) if provider == "microsoft" else test_google.policy(keys)
        )
        with pytest.raises(NotAuthenticatedError):
            await policy.verify(Secret(vector.text))


class OneSecret:
    """The signing secret of the service is the vector's own."""

    def __init__(self, version: SecretVersion) -> None:
        self._version = version

    async def newest_two(self, _: str) -> Sequence[SecretVersion]:
        return [self._version]

    async def newest_two_by_now(self, name: str) -> Sequence[SecretVersion]:
        return await self.newest_two(name)


async def test_no_vector_is_a_session() -> None:
    for vector in vectors_with_a_text():
        kid = vector.private["kid"]
        secret = Secret(vector.private.get("k", "made-up").ljust(32, "x"))
        known = SecretVersion(id=kid, secret=secret, created_at=NOON)
        sessions = SignedSessions(secrets=OneSecret(known), clock=FakeClock())
        with pytest.raises(NotAuthenticatedError):
            await sessions.read(Secret(vector.text))


def test_no_vector_is_a_receipt() -> None:
    for vector in vectors():
        key_set = json.dumps({"keys": [vector.public or vector.private]}).encode()
        with pytest.raises(receipts.Refusal):
            receipts.verify_receipt(vector.text.encode(), key_set)
