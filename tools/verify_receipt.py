"""Is this deletion receipt, or this export of runs, really FlowRunner's, and unaltered?

    python verify_receipt.py RECEIPT KEYS [--tenant ID] [--user ID]
    python verify_receipt.py --export BODY SIGNATURE KEYS

RECEIPT  the receipt, one line of text
KEYS     the key set, as `GET /v1/keys` answered it; save it when you get the receipt
ID       whose receipt it must be: the ids that the service answered at sign-in
BODY     the export as it was downloaded, without compression
SIGNATURE  the text of the header X-Export-Signature, or a file that holds it

Needs Python 3.11 or later and the package `cryptography`, no network, and nothing else of
FlowRunner: take this one file. Exits 0 and prints what was signed, or exits 1 and says in one line
what is wrong. Whether a receipt is old, or another copy of one that was shown before, it cannot
know: compare the deletion id. It follows RFC 7515, RFC 7518 (3.4), RFC 7638 and RFC 7797, and
takes nothing but what FlowRunner writes.
"""

import argparse
import base64
import hashlib
import json
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

RECEIPT_TYP: Final = "flowrunner-deletion-receipt+jws"
EXPORT_TYP: Final = "flowrunner-run-export+jws"

LARGEST_RECEIPT: Final = 256 * 1024
LARGEST_KEY_SET: Final = 256 * 1024
LARGEST_SIGNATURE: Final = 4 * 1024
_PIECE: Final = 1024 * 1024
_DEEPEST: Final = 16

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_COORDINATE_BYTES: Final = 32
_KEY_MEMBERS: Final = frozenset({"kty", "crv", "x", "y", "kid", "alg", "use"})
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999
_DETACHED: Final = re.compile(r"[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+")


class Refusal(Exception):  # noqa: N818 - the outcome, not a fault of this program
    """What is wrong, in one line for a person."""


# --- reading ---------------------------------------------------------------------------------


def read(name: str, what: str, most: int) -> bytes:
    """A whole small file. Raises Refusal."""
    pieces = []
    left = most
    for piece in pieces_of(name, what):
        pieces.append(piece)
        left -= len(piece)
        if left < 0:
            raise Refusal(f"{what}: {name!a} is larger than {most} bytes")
    return b"".join(pieces)


def pieces_of(name: str, what: str) -> Iterator[bytes]:
    """A file, piece by piece. A directory, a pipe or a device is refused before it is opened."""
    try:
        if not stat.S_ISREG(Path(name).stat().st_mode):
            raise Refusal(f"{what}: {name!a} is not a file")
        with Path(name).open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else "no name of a file"
        raise Refusal(f"{what}: {name!a} cannot be read: {reason}") from None


def text_of(data: bytes, what: str) -> str:
    """ASCII without the white space around it, and without the mark that some editors put."""
    try:
        return data.decode("utf-8-sig").strip(" \t\r\n").encode("ascii").decode("ascii")
    except UnicodeError:
        raise Refusal(f"{what}: not text") from None


def json_object(data: bytes, what: str) -> Mapping[str, Any]:
    """Strictly: no member twice, since two readers could then read two things; no NaN."""
    try:
        _check_depth(data)
        value = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=lambda pairs: _members(pairs, what),
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError):
        raise Refusal(f"{what}: not JSON") from None
    if not isinstance(value, dict):
        raise Refusal(f"{what}: not a JSON object")
    return value


def _check_depth(data: bytes) -> None:
    """Brackets inside texts count as well: nothing of ours has that many."""
    depth = deepest = 0
    for byte in data:
        depth += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise ValueError


def _members(pairs: Sequence[tuple[str, Any]], what: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refusal(f"{what}: a JSON member appears twice")
    return found


def _no_number(_: str) -> NoReturn:
    raise ValueError


def base64url(text: str, what: str) -> bytes:
    """The bytes; refuses every other spelling of them (padding, stray bits at the end)."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Refusal(f"{what}: not base64url") from None
    if base64.urlsafe_b64encode(data).decode("ascii").rstrip("=") != text:
        raise Refusal(f"{what}: not canonical base64url")
    return data


# --- keys and signatures ---------------------------------------------------------------------


def header_of(encoded: str, typ: str, fixed: Mapping[str, Any]) -> str:
    """Check a JWS header, and answer its `kid`. Exactly the members that FlowRunner writes."""
    header = json_object(base64url(encoded, "header"), "header")
    if header.get("alg") != "ES256":
        raise Refusal(f"header: the algorithm is {header.get('alg')!a:.60}, not ES256")
    if header.get("typ") != typ:
        raise Refusal(f"header: the type is {header.get('typ')!a:.60}, not {typ}")
    if header.get("crit") != fixed.get("crit"):
        raise Refusal("header: it demands an extension that is not understood (crit)")
    kid = header.get("kid")
    expected = {"alg": "ES256", "typ": typ, "kid": kid, **fixed}
    if not isinstance(kid, str) or header != expected or header.get("b64") is not fixed.get("b64"):
        raise Refusal("header: not the members that FlowRunner writes")
    return kid


def key_of(kid: str, key_set: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    """The key of this name, if it is one, and if the name is its own. Raises Refusal."""
    keys = key_set.get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise Refusal("key set: it has no list of keys")
    found = [key for key in keys if key.get("kid") == kid]
    if not found:
        raise Refusal("the key is not in this key set: fetch the key set anew")
    if len(found) > 1:
        raise Refusal("key set: two keys have the same kid")
    return _public_key(found[0])


def _public_key(jwk: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    fixed = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"}
    if jwk.keys() != _KEY_MEMBERS or any(jwk[name] != value for name, value in fixed.items()):
        raise Refusal("key set: the key is not a public P-256 key for ES256 signatures")
    x, y = (_coordinate(jwk[name]) for name in ("x", "y"))
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":")).encode("ascii")
    if base64url(jwk["kid"], "kid") != hashlib.sha256(canonical).digest():  # RFC 7638
        raise Refusal("key set: the key's kid does not belong to the key")
    try:
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:
        raise Refusal("key set: the key is no point of the curve P-256") from None


def _coordinate(text: object) -> int:
    data = base64url(text, "key set") if isinstance(text, str) else b""
    if len(data) != _COORDINATE_BYTES:
        raise Refusal("key set: the key's coordinates are not 32 bytes each")
    return int.from_bytes(data, "big")


def check_signature(key: ec.EllipticCurvePublicKey, encoded: str, digest: bytes) -> None:
    """ES256: r and s, 32 bytes each, over the SHA-256 digest (RFC 7518, 3.4)."""
    signature = base64url(encoded, "signature")
    if len(signature) != 2 * _COORDINATE_BYTES:
        raise Refusal("signature: not 64 bytes")
    r = int.from_bytes(signature[:_COORDINATE_BYTES], "big")
    s = int.from_bytes(signature[_COORDINATE_BYTES:], "big")
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        raise Refusal("signature: its numbers are out of range")
    try:
        key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(SHA256())))
    except InvalidSignature:
        raise Refusal("the signature does not fit: what was signed was altered") from None


# --- what a receipt says ---------------------------------------------------------------------


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _PIECE and value.isprintable()


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        _instant(value)
    except ValueError:
        return False
    return True


def _is_counts(value: object) -> bool:
    return isinstance(value, dict) and all(_is_text(k) and _is_count(v) for k, v in value.items())


SHAPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "iss": _is_text,
    "iat": lambda value: _is_count(value) and value <= _LAST_SECOND,
    "deletion_id": _is_text,
    "scope": lambda value: value in ("user", "tenant"),
    "tenant_sha256": _is_hash,
    "subject_sha256": lambda value: value is None or _is_hash(value),
    "requested_at": _is_time,
    "confirmed_at": _is_time,
    "finished_at": _is_time,
    "rows": _is_counts,
    "revocations": lambda value: _is_counts(value) and set(value) == {"revoked", "not_confirmed"},
    "keys_destroyed": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "backups": _is_text,
    "verified_empty_at": _is_time,
}
"""Every claim of a receipt, and what it must look like."""


def check_claims(claims: Mapping[str, Any]) -> None:
    """Complete, of the right shapes, and in the order in which a deletion goes. Raises Refusal."""
    for name, fits in SHAPES.items():
        if name not in claims:
            raise Refusal(f"claims: incomplete, {name} is missing")
        if not fits(claims[name]):
            raise Refusal(f"claims: {name} is not what a receipt says there")
    unknown = sorted(claims.keys() - SHAPES.keys())
    if unknown:
        raise Refusal(f"claims: {unknown[0]!a:.60} is unknown; fetch this program anew")
    if (claims["subject_sha256"] is None) != (claims["scope"] == "tenant"):
        raise Refusal("claims: the scope and the subject do not fit together")
    _check_times(claims)


def _check_times(claims: Mapping[str, Any]) -> None:
    """`iat` is told in whole seconds."""
    requested, confirmed, verified, finished = (
        _instant(claims[name])
        for name in ("requested_at", "confirmed_at", "verified_empty_at", "finished_at")
    )
    last = max(verified, finished)
    is_in_order = requested <= confirmed <= min(verified, finished)
    if not is_in_order or int(last.timestamp()) > claims["iat"]:
        raise Refusal("claims: the times are not in the order of a deletion")


def _instant(text: str) -> datetime:
    """Raises ValueError for a day that does not exist."""
    return datetime.fromisoformat(text)


def check_whose(claims: Mapping[str, Any], tenant: str | None, user: str | None) -> None:
    """Raises Refusal if it is somebody else's."""
    if tenant is not None and claims["tenant_sha256"] != _hash(tenant):
        raise Refusal("this receipt is of another tenant")
    if user is not None and claims["subject_sha256"] is None:
        raise Refusal("this receipt is of a whole tenant, not of a user")
    if user is not None and claims["subject_sha256"] != _hash(user):
        raise Refusal("this receipt is of another user")


def _hash(subject: str) -> str:
    return hashlib.sha256(subject.encode("utf-8", "surrogateescape")).hexdigest()


# --- the two things it can do ----------------------------------------------------------------


def verify_receipt(
    receipt: bytes, keys: bytes, *, tenant: str | None = None, user: str | None = None
) -> Mapping[str, Any]:
    """The claims of a receipt, which are true if the key set is FlowRunner's. Raises Refusal."""
    parts = text_of(receipt, "receipt").split(".")
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004 - header, payload, signature
        raise Refusal("not a receipt: it is not three texts with dots between them")
    header, payload, signature = parts
    kid = header_of(header, RECEIPT_TYP, {})
    key = key_of(kid, json_object(keys, "key set"))
    claims_text = base64url(payload, "claims")
    check_signature(key, signature, hashlib.sha256(f"{header}.{payload}".encode("ascii")).digest())
    claims = json_object(claims_text, "claims")
    check_claims(claims)
    check_whose(claims, tenant, user)
    return claims


def verify_export(body: Iterator[bytes], signature: bytes, keys: bytes) -> str:
    """The `kid` of the key that signed these bytes (RFC 7797). Raises Refusal."""
    text = text_of(signature, "signature")
    if not _DETACHED.fullmatch(text):
        raise Refusal("not the signature of an export: it is not two texts with two dots between")
    header, _, encoded = text.split(".")
    kid = header_of(header, EXPORT_TYP, {"b64": False, "crit": ["b64"]})
    key = key_of(kid, json_object(keys, "key set"))
    content = hashlib.sha256(f"{header}.".encode("ascii"))
    is_first = True
    for piece in body:
        if is_first and piece.startswith(b"\x1f\x8b"):
            raise Refusal("the body is still compressed: unpack it (gzip) first")
        content.update(piece)
        is_first = False
    check_signature(key, encoded, content.digest())
    return kid


def told(claims: Mapping[str, Any]) -> Iterator[str]:
    """The claims as lines for a person."""
    issued = datetime.fromtimestamp(claims["iat"], tz=UTC)
    yield "The receipt is valid: signed by FlowRunner, and unaltered."
    yield f"issuer:              {claims['iss']}"
    yield f"issued at:           {issued.isoformat()}"
    yield f"deletion id:         {claims['deletion_id']}"
    yield f"scope:               {claims['scope']}"
    yield f"tenant (SHA-256):    {claims['tenant_sha256']}"
    yield f"user (SHA-256):      {claims['subject_sha256'] or '-'}"
    yield f"requested at:        {claims['requested_at']}"
    yield f"confirmed at:        {claims['confirmed_at']}"
    yield f"verified empty at:   {claims['verified_empty_at']}"
    yield f"finished at:         {claims['finished_at']}"
    for table, count in sorted(claims["rows"].items()):
        yield f"rows held:           {count} in {table}"
    yield f"grants revoked:      {claims['revocations']['revoked']}"
    yield f"not confirmed:       {claims['revocations']['not_confirmed']}"
    for key_id in claims["keys_destroyed"]:
        yield f"key destroyed:       {key_id}"
    yield f"backups:             {claims['backups']}"


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refusal(f"arguments: {message!a}; --help says what there is")


def main(arguments: Sequence[str]) -> int:
    """0, or 1 and one line on stderr."""
    parser = _Arguments(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--export", action="store_true", help="verify an export, not a receipt")
    parser.add_argument("--tenant", metavar="ID")
    parser.add_argument("--user", metavar="ID")
    try:
        lines = _run(parser.parse_args(arguments))
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    try:
        for line in lines:
            print(line.encode("ascii", "backslashreplace").decode("ascii"))
        sys.stdout.flush()
    except OSError:  # nobody reads on, or the disk is full: what was verified may not be told
        sys.stderr = sys.stdout = None  # and nothing more is tried
        return 1
    return 0


def _run(chosen: argparse.Namespace) -> Sequence[str]:
    if chosen.export:
        if len(chosen.files) != 3 or chosen.tenant or chosen.user:  # noqa: PLR2004
            raise Refusal("arguments: --export takes BODY, SIGNATURE and KEYS, and nothing else")
        body, signature, keys = chosen.files
        detached = (
            signature.encode("ascii")
            if _DETACHED.fullmatch(signature)
            else read(signature, "signature", LARGEST_SIGNATURE)
        )
        kid = verify_export(
            pieces_of(body, "body"), detached, read(keys, "key set", LARGEST_KEY_SET)
        )
        return [f"The export is valid: signed by FlowRunner (key {kid}), and unaltered."]
    if len(chosen.files) != 2:  # noqa: PLR2004
        raise Refusal("arguments: RECEIPT and KEYS are wanted")
    receipt, keys = chosen.files
    claims = verify_receipt(
        read(receipt, "receipt", LARGEST_RECEIPT),
        read(keys, "key set", LARGEST_KEY_SET),
        tenant=chosen.tenant,
        user=chosen.user,
    )
    return list(told(claims))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
