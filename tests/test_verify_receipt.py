"""The verifier that third parties take: what it refuses, in one line, and what it needs."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from shared.jws import EXPORT_TYP, RECEIPT_TYP
from tests.fakes.keys import LocalSigner
from tests.receipts import (
    TENANT,
    USER,
    base64url,
    claims,
    export_signature,
    key_set,
    receipt,
    signed_by_hand,
)
from tools.verify_receipt import (
    LARGEST_KEY_SET,
    LARGEST_RECEIPT,
    SHAPES,
    Refusal,
    main,
    verify_export,
    verify_receipt,
)

TOOL: Final = Path(__file__).parent.parent / "tools" / "verify_receipt.py"


@pytest.fixture
def signer() -> LocalSigner:
    return LocalSigner()


# --- the program itself ----------------------------------------------------------------------


def test_it_imports_the_standard_library_and_cryptography_alone() -> None:
    tree = ast.parse(TOOL.read_text(encoding="utf-8"), feature_version=(3, 11))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {
        alias.name if isinstance(node, ast.Import) else str(node.module)
        for node in imports
        for alias in node.names
    }

    roots = {module.partition(".")[0] for module in modules}
    assert roots - sys.stdlib_module_names == {"cryptography"}
    assert all(not isinstance(node, ast.ImportFrom) or not node.level for node in imports)


def test_it_knows_the_types_that_the_service_writes() -> None:
    from tools import verify_receipt as tool  # noqa: PLC0415 - its constants by their own names

    assert (tool.RECEIPT_TYP, tool.EXPORT_TYP) == (RECEIPT_TYP, EXPORT_TYP)


# --- the header ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"alg": None}, "algorithm", id="no-algorithm"),
        pytest.param({"alg": ["ES256"]}, "algorithm", id="a-list-of-algorithms"),
        pytest.param({"alg": "x" * 10_000}, "algorithm", id="a-long-algorithm"),
        pytest.param({"typ": None}, "type", id="no-type"),
        pytest.param({"typ": "JWT"}, "type", id="a-jwt"),
        pytest.param({"typ": EXPORT_TYP}, "type", id="an-export"),
        pytest.param({"crit": ["b64"], "b64": False}, "crit", id="crit-b64"),
        pytest.param({"crit": ["exp"]}, "crit", id="crit-unknown"),
        pytest.param({"crit": []}, "crit", id="crit-empty"),
        pytest.param({"b64": False}, "members", id="b64-without-crit"),
        pytest.param({"b64": True}, "members", id="b64-as-it-is-anyway"),
        pytest.param({"jwk": {}}, "members", id="a-key-of-its-own"),
        pytest.param({"jku": "https://example.com"}, "members", id="an-address-of-keys"),
        pytest.param({"x5c": []}, "members", id="certificates"),
        pytest.param({"cty": "JWT"}, "members", id="one-member-more"),
        pytest.param({"kid": None}, "members", id="no-kid"),
        pytest.param({"kid": 1}, "members", id="a-kid-that-is-no-text"),
        pytest.param({"kid": "../keys"}, "fetch", id="another-kid"),
    ],
)
async def test_a_header_that_the_service_does_not_write_is_refused(
    signer: LocalSigner, changes: dict[str, Any], reason: str
) -> None:
    usual = {"alg": "ES256", "kid": (await signer.newest()).kid, "typ": RECEIPT_TYP}
    header = {name: value for name, value in (usual | changes).items() if value is not None}
    text = await signed_by_hand(signer, header)

    with pytest.raises(Refusal, match=reason) as refused:
        verify_receipt(text, await key_set(signer))

    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param(b"", "not a receipt", id="empty"),
        pytest.param(b"null", "not a JSON object", id="null"),
        pytest.param(b"[]", "not a JSON object", id="a-list"),
        pytest.param(b"{", "not JSON", id="half"),
        pytest.param(b"\xff\xfe{}", "not JSON", id="not-utf-8"),
        pytest.param(b'{"alg":"none","alg":"ES256"}', "twice", id="a-member-twice"),
        pytest.param(b'{"alg":NaN}', "not JSON", id="nan"),
        pytest.param(b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "not JSON", id="an-abyss"),
        pytest.param(b'{"a":' + b"9" * 10_000 + b"}", "not JSON", id="a-giant"),
    ],
)
async def test_a_header_that_is_no_json_object_is_refused(
    signer: LocalSigner, header: bytes, reason: str
) -> None:
    text = await signed_by_hand(signer, header)

    with pytest.raises(Refusal, match=reason):
        verify_receipt(text, await key_set(signer))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"b64": True}, "members", id="b64-true"),
        pytest.param({"b64": 0}, "members", id="b64-zero"),
        pytest.param({"b64": None}, "members", id="no-b64"),
        pytest.param({"crit": None}, "crit", id="no-crit"),
        pytest.param({"crit": ["b64", "exp"]}, "crit", id="crit-with-more"),
        pytest.param({"typ": RECEIPT_TYP}, "type", id="a-receipt"),
        pytest.param({"alg": "HS256"}, "algorithm", id="hs256"),
    ],
)
async def test_the_header_of_an_export_is_held_as_strictly(
    signer: LocalSigner, changes: dict[str, Any], reason: str
) -> None:
    kid = (await signer.newest()).kid
    usual = {"alg": "ES256", "b64": False, "crit": ["b64"], "kid": kid, "typ": EXPORT_TYP}
    header = {name: value for name, value in (usual | changes).items() if value is not None}
    detached = f"{base64url(json.dumps(header).encode())}..{base64url(bytes(64))}".encode()

    with pytest.raises(Refusal, match=reason):
        verify_export(iter([b"x"]), detached, await key_set(signer))


# --- the key set -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"kty": "RSA"}, "not a public P-256 key", id="another-kind"),
        pytest.param({"crv": "P-384"}, "not a public P-256 key", id="another-curve"),
        pytest.param({"alg": "ES384"}, "not a public P-256 key", id="another-algorithm"),
        pytest.param({"use": "enc"}, "not a public P-256 key", id="for-encryption"),
        pytest.param({"use": None}, "not a public P-256 key", id="for-anything"),
        pytest.param({"d": "AA"}, "not a public P-256 key", id="a-private-key"),
        pytest.param({"x5u": "https://example.com"}, "not a public P-256", id="a-member-more"),
        pytest.param({"x": "AA"}, "32 bytes", id="a-short-coordinate"),
        pytest.param({"x": 1}, "32 bytes", id="a-coordinate-that-is-no-text"),
        pytest.param({"y": "\ud800"}, "not base64url", id="half-a-surrogate-pair"),
        pytest.param({"y": "A" * 42 + "B"}, "not canonical", id="stray-bits"),
        pytest.param({"y": "A" * 43}, "does not belong", id="a-key-of-another-thumbprint"),
    ],
)
async def test_a_key_that_the_service_does_not_publish_is_refused(
    signer: LocalSigner, changes: dict[str, Any], reason: str
) -> None:
    (key,) = json.loads(await key_set(signer))["keys"]
    changed = {name: value for name, value in (key | changes).items() if value is not None}

    with pytest.raises(Refusal, match=reason):
        verify_receipt(await receipt(signer), json.dumps({"keys": [changed]}).encode())


async def test_a_key_that_is_no_point_of_the_curve_is_refused(signer: LocalSigner) -> None:
    """Its kid is its own thumbprint, so that this is all that is wrong."""
    from shared.jws import public_jwk  # noqa: PLC0415 - to forge with

    key = public_jwk(b"\x01" * 32, b"\x02" * 32)
    text = await signed_by_hand(signer, {"alg": "ES256", "kid": key["kid"], "typ": RECEIPT_TYP})

    with pytest.raises(Refusal, match="no point"):
        verify_receipt(text, json.dumps({"keys": [key]}).encode())


@pytest.mark.parametrize(
    "keys",
    [b"", b"null", b"[]", b"{}", b'{"keys":{}}', b'{"keys":["x"]}', b'{"keys":[]}', b"\x00" * 9,
     b'{"keys":[],"keys":[]}', b'{"keys":[{"kid":"a","kid":"a"}]}', b"[" * 100_000],
)  # fmt: skip
async def test_what_is_no_key_set_is_refused(signer: LocalSigner, keys: bytes) -> None:
    with pytest.raises(Refusal, match="key set"):
        verify_receipt(await receipt(signer), keys)


async def test_a_key_set_saved_by_an_editor_is_still_one(signer: LocalSigner) -> None:
    keys = json.dumps(json.loads(await key_set(signer)), indent=2).replace("\n", "\r\n")

    assert verify_receipt(await receipt(signer), b"\xef\xbb\xbf" + keys.encode()) == claims()


async def test_other_keys_of_the_set_have_no_say(signer: LocalSigner) -> None:
    """A set of later years may hold keys that this program does not know."""
    (key,) = json.loads(await key_set(signer))["keys"]
    keys = [{"kty": "OKP", "kid": "later"}, key, {}]

    assert verify_receipt(await receipt(signer), json.dumps({"keys": keys}).encode()) == claims()


# --- the claims ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPES)
async def test_a_receipt_that_lacks_a_claim_is_incomplete(signer: LocalSigner, name: str) -> None:
    kid = (await signer.newest()).kid
    less = {member: value for member, value in claims().items() if member != name}
    header = {"alg": "ES256", "kid": kid, "typ": RECEIPT_TYP}
    text = await signed_by_hand(signer, header, json.dumps(less).encode())

    with pytest.raises(Refusal, match=f"incomplete, {name}"):
        verify_receipt(text, await key_set(signer))


def test_the_claims_of_the_tests_are_all_that_there_are() -> None:
    assert claims().keys() == SHAPES.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", ""), ("iss", 1), ("iss", "https://example.com\n"), ("iss", "\u001b[2J"),
        ("iat", "1"), ("iat", 1.5), ("iat", True), ("iat", -1), ("iat", 2**60), ("iat", None),
        ("deletion_id", None), ("deletion_id", ["d"]), ("scope", "all"), ("scope", None),
        ("tenant_sha256", None), ("tenant_sha256", "a" * 63), ("tenant_sha256", "A" * 64),
        ("tenant_sha256", "\u0661" * 64), ("subject_sha256", ""), ("subject_sha256", 0),
        ("requested_at", "2026-01-15"), ("requested_at", "2026-01-15T12:00:00"),
        ("requested_at", "2026-01-15T12:00:00+00:00"), ("requested_at", "2026-02-30T12:00:00Z"),
        ("requested_at", "2026-01-15T25:00:00Z"), ("requested_at", 1768478400),
        ("confirmed_at", None), ("finished_at", None), ("verified_empty_at", None),
        ("rows", []), ("rows", {"runs": "12"}), ("rows", {"runs": -1}), ("rows", {"runs": True}),
        ("rows", {"": 1}), ("revocations", {}), ("revocations", {"revoked": 1}),
        ("revocations", {"revoked": 1, "not_confirmed": 0, "lost": 1}),
        ("keys_destroyed", None), ("keys_destroyed", "key"), ("keys_destroyed", [1]),
        ("backups", None), ("backups", "\u2028"), ("backups", "\ud800"),
    ],
)  # fmt: skip
async def test_a_claim_of_another_shape_is_refused(
    signer: LocalSigner, name: str, value: object
) -> None:
    with pytest.raises(Refusal, match=f"claims: {name} is not"):
        verify_receipt(await receipt(signer, **{name: value}), await key_set(signer))


async def test_a_claim_that_is_not_known_is_not_passed_over(signer: LocalSigner) -> None:
    with pytest.raises(Refusal, match="'except' is unknown"):
        verify_receipt(await receipt(signer, **{"except": "runs"}), await key_set(signer))


@pytest.mark.parametrize(
    "changes", [{"scope": "tenant"}, {"subject_sha256": None}], ids=["a-subject", "no-subject"]
)
async def test_scope_and_subject_fit_together(signer: LocalSigner, changes: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="scope"):
        verify_receipt(await receipt(signer, **changes), await key_set(signer))


async def test_a_receipt_of_a_whole_tenant_verifies(signer: LocalSigner) -> None:
    text = await receipt(signer, scope="tenant", subject_sha256=None)

    assert verify_receipt(text, await key_set(signer), tenant=TENANT)["scope"] == "tenant"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"requested_at": "2026-01-15T12:00:31Z"}, id="asked-after-confirming"),
        pytest.param({"confirmed_at": "2026-01-15T12:01:59.001Z"}, id="confirmed-after-verifying"),
        pytest.param({"finished_at": "2026-01-15T12:00:29Z"}, id="finished-before-confirming"),
        pytest.param({"finished_at": "2026-01-15T12:02:01Z"}, id="signed-before-finishing"),
        pytest.param({"verified_empty_at": "2026-01-15T12:02:01Z"}, id="signed-before-verifying"),
        pytest.param({"iat": 1768478519}, id="signed-a-second-early"),
    ],
)
async def test_the_times_are_in_the_order_of_a_deletion(
    signer: LocalSigner, changes: dict[str, Any]
) -> None:
    with pytest.raises(Refusal, match="order"):
        verify_receipt(await receipt(signer, **changes), await key_set(signer))


async def test_all_times_may_be_the_same(signer: LocalSigner) -> None:
    names = ("requested_at", "confirmed_at", "verified_empty_at", "finished_at")
    text = await receipt(signer, **dict.fromkeys(names, "2026-01-15T12:02:00.999999Z"))

    assert verify_receipt(text, await key_set(signer))


@pytest.mark.parametrize("payload", [b"", b"[]", b"x", b'{"iss":1,"iss":2}', b"\xff"])
async def test_claims_that_are_no_json_object_are_refused(
    signer: LocalSigner, payload: bytes
) -> None:
    header = {"alg": "ES256", "kid": (await signer.newest()).kid, "typ": RECEIPT_TYP}
    text = await signed_by_hand(signer, header, payload)

    with pytest.raises(Refusal, match=r"claims|not a receipt"):
        verify_receipt(text, await key_set(signer))


# --- the command line ------------------------------------------------------------------------


@pytest.fixture
async def folder(signer: LocalSigner, tmp_path: Path) -> Path:
    """A receipt, an export with its signature, and the key set."""
    (tmp_path / "receipt").write_bytes(await receipt(signer))
    (tmp_path / "keys").write_bytes(await key_set(signer))
    (tmp_path / "body").write_bytes(b"body")
    (tmp_path / "signature").write_bytes(await export_signature(signer, b"body"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "huge").write_bytes(b"A" * (LARGEST_RECEIPT + 1))
    (tmp_path / "packed").write_bytes(b"\x1f\x8b\x08body")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def ran(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr; a word that names a file of the folder stands for its path."""
    there = {path.name for path in folder.iterdir()}
    paths = [str(folder / one) if one in there else one for one in arguments]
    code = main(paths)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    "arguments",
    [
        ("receipt", "keys"),
        ("receipt", "keys", "--tenant", TENANT),
        ("--user", USER, "receipt", "keys"),
        ("--export", "body", "signature", "keys"),
    ],
    ids=["a-receipt", "of-a-tenant", "of-a-user", "an-export"],
)
def test_what_is_true_is_said_to_be(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, out, err = ran(folder, capsys, *arguments)

    assert (code, err) == (0, "")
    assert "is valid" in out.splitlines()[0]
    assert out.isascii()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("receipt", "keys", "--tenant", "ms-x"), "another tenant"),
        (("receipt", "keys", "--user", "u-x"), "another user"),
        (("receipt", "keys", "--user", "\udcff"), "another user"),
        (("keys", "receipt"), "not a receipt"),
        (("receipt", "receipt"), "key set: not JSON"),
        (("missing", "keys"), "cannot be read: No such file"),
        (("receipt", "missing"), "cannot be read: No such file"),
        (("a\0b", "keys"), "cannot be read: no name of a file"),
        (("a\nb", "keys"), "'a\\nb' cannot be read"),
        (("", "keys"), "is not a file"),
        (("folder", "keys"), "is not a file"),
        (("pipe", "keys"), "is not a file"),
        (("/dev/zero", "keys"), "is not a file"),
        (("receipt", "folder"), "is not a file"),
        (("binary", "keys"), "receipt: not text"),
        (("receipt", "binary"), "key set: not JSON"),
        (("empty", "keys"), "not a receipt"),
        (("receipt", "empty"), "key set: not JSON"),
        (("huge", "keys"), f"is larger than {LARGEST_RECEIPT} bytes"),
        (("receipt", "huge"), f"is larger than {LARGEST_KEY_SET} bytes"),
        (("signature", "keys"), "not a receipt"),
        ((), "RECEIPT and KEYS are wanted"),
        (("receipt",), "RECEIPT and KEYS are wanted"),
        (("receipt", "keys", "keys"), "RECEIPT and KEYS are wanted"),
        (("--tenant",), "arguments"),
        (("--unknown", "receipt", "keys"), "arguments"),
        (("--export", "body", "keys"), "--export takes"),
        (("--export", "body", "signature", "keys", "--user", "x"), "--export takes"),
        (("--export", "empty", "signature", "keys"), "does not fit"),
        (("--export", "packed", "signature", "keys"), "still compressed"),
        (("--export", "folder", "signature", "keys"), "is not a file"),
        (("--export", "body", "receipt", "keys"), "not the signature of an export"),
        (("--export", "body", "missing", "keys"), "cannot be read"),
        (("--export", "body", "huge", "keys"), "is larger than"),
        (("--export", "body", "eA..eA", "keys"), "header: not JSON"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], reason: str
) -> None:
    code, out, err = ran(folder, capsys, *arguments)

    assert (code, out) == (1, "")
    assert reason in err
    assert (err.count("\n"), err[-1:], err.isascii()) == (1, "\n", True)


@pytest.mark.parametrize(
    "arguments",
    [("receipt", "keys"), ("--export", "body", "signature", "keys")],
    ids=["a-receipt", "an-export"],
)
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_what_nobody_can_be_told_is_a_failure_without_a_traceback(
    folder: Path, arguments: tuple[str, ...], unbuffered: str
) -> None:
    """A full disk: who looks at the exit code alone must not take silence for a yes. It is met at
    the first line, or (buffered) only at the end."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, str(TOOL), *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, b"")


async def test_an_empty_export_has_a_signature_of_its_own(
    signer: LocalSigner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "body").write_bytes(b"")
    (tmp_path / "keys").write_bytes(await key_set(signer))
    detached = (await export_signature(signer, b"")).decode()

    code, _, err = ran(tmp_path, capsys, "--export", "body", detached, "keys")

    assert (code, err) == (0, "")
