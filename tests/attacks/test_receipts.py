"""X-06 and X-07: no receipt is forged, and every true one verifies, years later and offline."""

import base64
import hmac
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from shared.jws import RECEIPT_TYP
from shared.model import subject_hash
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
from tools.verify_receipt import Refusal, verify_export, verify_receipt

TOOL: Final = Path(__file__).parent.parent.parent / "tools" / "verify_receipt.py"
REPLACEMENTS: Final = b"AQgw-_.=+/ \n\x00\xff{"
NO_NETWORK: Final = """
import runpy, sys

def refuse(event, arguments):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.system"):
        raise SystemExit(f"not offline: {event}")

sys.addaudithook(refuse)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def signer() -> LocalSigner:
    return LocalSigner()


async def test_x06_no_byte_of_a_receipt_can_be_altered(signer: LocalSigner) -> None:
    """At each position each of these; and each bit of the byte that stands there flipped."""
    true, keys = await receipt(signer), await key_set(signer)
    assert verify_receipt(true, keys) == claims()
    survived = []
    for position, byte in enumerate(true):
        others = {*REPLACEMENTS, *(byte ^ (1 << bit) for bit in range(8))} - {byte}
        for other in others:
            forged = true[:position] + bytes([other]) + true[position + 1 :]
            try:
                verify_receipt(forged, keys)
            except Refusal:
                continue
            survived.append((position, other))

    assert survived == []


async def test_x06_nothing_can_be_cut_off_or_put_in(signer: LocalSigner) -> None:
    true, keys = await receipt(signer), await key_set(signer)
    forgeries = [true[:length] for length in range(len(true))]
    forgeries += [true[length:] for length in range(1, len(true))]
    forgeries += [true[:at] + b"A" + true[at:] for at in range(len(true) + 1)]
    forgeries += [true + b".", true + b"=", true + true, b"." + true, true + b"\n" + true]

    for forged in forgeries:
        with pytest.raises(Refusal):
            verify_receipt(forged, keys)


@pytest.mark.parametrize(
    ("change", "whose"),
    [
        pytest.param({}, {"tenant": "ms-2f4a8c60-91d3-4e7b-a5c8-d06b3e1f7924"}, id="tenant"),
        pytest.param({}, {"user": "u-bobbobbobbobbobbobbobbobbo"}, id="user"),
        pytest.param({}, {"tenant": TENANT, "user": TENANT}, id="the-ids-mixed-up"),
        pytest.param({}, {"tenant": TENANT.upper()}, id="upper-case"),
        pytest.param({}, {"tenant": ""}, id="an-empty-id"),
        pytest.param(
            {"scope": "tenant", "subject_sha256": None}, {"user": USER}, id="a-whole-tenant"
        ),
    ],
)
async def test_x06_the_receipt_of_another_does_not_pass_for_ones_own(
    signer: LocalSigner, change: dict[str, Any], whose: dict[str, str]
) -> None:
    text, keys = await receipt(signer, **change), await key_set(signer)
    assert verify_receipt(text, keys)["deletion_id"] == claims()["deletion_id"]

    with pytest.raises(Refusal, match=r"another|whole tenant"):
        verify_receipt(text, keys, **whose)


async def test_x06_a_key_of_somebody_else_signs_nothing_of_ours(signer: LocalSigner) -> None:
    forger = LocalSigner()

    with pytest.raises(Refusal, match="fetch the key set anew"):
        verify_receipt(await receipt(forger), await key_set(signer))


async def test_x06_a_key_of_somebody_else_does_not_pass_under_our_name(signer: LocalSigner) -> None:
    forger = LocalSigner()
    ours = (await signer.newest()).kid
    text = await signed_by_hand(forger, {"alg": "ES256", "kid": ours, "typ": RECEIPT_TYP})

    with pytest.raises(Refusal, match="does not fit"):
        verify_receipt(text, await key_set(signer))


async def test_x06_keys_cannot_be_swapped_inside_the_set(signer: LocalSigner) -> None:
    """The forger's key under our kid; our key under the forger's; two under one."""
    forger = LocalSigner()
    ours = json.loads(await key_set(signer))["keys"][0]
    theirs = json.loads(await key_set(forger))["keys"][0]
    forged = await signed_by_hand(forger, {"alg": "ES256", "kid": ours["kid"], "typ": RECEIPT_TYP})
    swapped = {**theirs, "kid": ours["kid"]}

    for keys in ([swapped], [swapped, theirs], [{**ours, "kid": theirs["kid"]}, swapped]):
        with pytest.raises(Refusal, match="does not belong"):
            verify_receipt(forged, json.dumps({"keys": keys}).encode())
    for keys in ([ours, swapped], [swapped, ours]):
        with pytest.raises(Refusal, match="same kid"):
            verify_receipt(forged, json.dumps({"keys": keys}).encode())


def _hs256(key: bytes) -> Callable[[bytes], bytes]:
    return lambda signing_input: hmac.digest(key, signing_input, "sha256")


def _es384(signing_input: bytes) -> bytes:
    private = ec.generate_private_key(ec.SECP384R1())
    r, s = decode_dss_signature(private.sign(signing_input, ec.ECDSA(SHA384())))
    return r.to_bytes(48) + s.to_bytes(48)


def _es256_in_der(signing_input: bytes) -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).sign(signing_input, ec.ECDSA(SHA256()))


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "ES384", "ES256K", "RS256", "es256", ""])
async def test_x06_no_other_algorithm_is_taken(signer: LocalSigner, alg: str) -> None:
    """Even signed rightly by our own key; and as forgers sign: not at all, and with what is
    public as the secret."""
    keys = await key_set(signer)
    kid = (await signer.newest()).kid
    header = {"alg": alg, "kid": kid, "typ": RECEIPT_TYP}
    text = await signed_by_hand(signer, header)
    signing_input, _, _ = text.rpartition(b".")
    x = base64.urlsafe_b64decode(json.loads(keys)["keys"][0]["x"] + "=")
    signed = [sign(signing_input) for sign in (_hs256(x), _hs256(keys), _hs256(b""), _es384)]
    forgeries = [b"", *(base64url(signature).encode() for signature in signed)]

    for forged in (text, *(signing_input + b"." + signature for signature in forgeries)):
        with pytest.raises(Refusal, match=r"algorithm|not a receipt"):
            verify_receipt(forged, keys)


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(bytes(64), id="zeros-cve-2022-21449"),
        pytest.param(bytes(32) + b"\x01" * 32, id="r-is-zero"),
        pytest.param(b"\x01" * 32 + bytes(32), id="s-is-zero"),
        pytest.param(b"\xff" * 64, id="out-of-range"),
        pytest.param(
            bytes.fromhex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551") * 2,
            id="the-order-itself",
        ),
        pytest.param(b"\x01" * 63, id="a-byte-short"),
        pytest.param(b"\x01" * 65, id="a-byte-long"),
        pytest.param(_es256_in_der(b"x"), id="der"),
        pytest.param(b"\x01" * 96, id="as-long-as-es384"),
    ],
)
async def test_x06_no_signature_of_another_form_is_taken(
    signer: LocalSigner, signature: bytes
) -> None:
    signing_input, _, _ = (await receipt(signer)).rpartition(b".")
    forged = signing_input + b"." + base64url(signature).encode()

    with pytest.raises(Refusal, match=r"^signature: "):
        verify_receipt(forged, await key_set(signer))


async def test_x06_lists_cannot_be_shortened_by_moving_a_signature(signer: LocalSigner) -> None:
    true, keys = await receipt(signer), await key_set(signer)
    header, _, signature = true.split(b".")
    changes: list[dict[str, Any]] = [{"rows": {}}, {"keys_destroyed": []}, {"deletion_id": "d-x"}]
    for shorter in changes:
        payload = base64url(json.dumps(claims(**shorter)).encode()).encode()
        with pytest.raises(Refusal, match="does not fit"):
            verify_receipt(header + b"." + payload + b"." + signature, keys)


async def test_x06_an_export_is_no_receipt_and_a_receipt_no_export(signer: LocalSigner) -> None:
    """Even where the exported bytes are the claims of a receipt."""
    keys, payload = await key_set(signer), json.dumps(claims()).encode()
    detached = await export_signature(signer, payload)
    true = await receipt(signer)
    header, _, signature = true.split(b".")

    header_of_export, _, signature_of_export = detached.split(b".")
    as_receipt = b".".join((header_of_export, base64url(payload).encode(), signature_of_export))
    with pytest.raises(Refusal, match="type"):
        verify_receipt(as_receipt, keys)
    with pytest.raises(Refusal, match="type"):
        verify_export(iter([payload]), header + b".." + signature, keys)


async def test_x06_a_receipt_shown_again_tells_which_deletion_it_is_of(
    signer: LocalSigner, tmp_path: Path
) -> None:
    """A copy is as true as the original: whoever asks for a deletion compares its id."""
    for name in ("d-first", "d-second"):
        (tmp_path / name).write_bytes(await receipt(signer, deletion_id=name))
    (tmp_path / "keys").write_bytes(await key_set(signer))

    told = [offline(tmp_path, name, "keys").stdout for name in ("d-first", "d-first", "d-second")]

    assert ["d-first" in text for text in told] == [True, True, False]
    assert "d-second" in told[2]


def offline(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The tool alone in a folder, with an empty environment, where no socket may be opened."""
    if not (folder / TOOL.name).exists():
        shutil.copy(TOOL, folder)
    return subprocess.run(
        [sys.executable, "-I", "-c", NO_NETWORK, TOOL.name, *arguments],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


async def test_x07_a_saved_receipt_verifies_offline_with_the_keys_of_its_day(
    signer: LocalSigner, tmp_path: Path
) -> None:
    (tmp_path / "receipt").write_bytes(b"\n  " + await receipt(signer) + b"\r\n")
    (tmp_path / "keys").write_bytes(await key_set(signer))

    finished = offline(tmp_path, "receipt", "keys", "--tenant", TENANT, "--user", USER)

    assert (finished.returncode, finished.stderr) == (0, "")
    lines = finished.stdout.splitlines()
    assert lines[0] == "The receipt is valid: signed by FlowRunner, and unaltered."
    for told in (
        claims()["deletion_id"],
        claims()["backups"],
        "12 in runs",
        *claims()["keys_destroyed"],
    ):
        assert any(line.endswith(told) for line in lines), told


async def test_x07_after_rotations_old_and_new_receipts_verify_with_the_set_of_today(
    signer: LocalSigner,
) -> None:
    receipts = []
    for _ in range(3):
        receipts.append(await receipt(signer))
        signer.rotate()
    keys = await key_set(signer)

    assert [dict(verify_receipt(text, keys)) for text in receipts] == [claims()] * 3


async def test_x07_a_set_from_before_the_rotation_says_to_fetch_it_anew(
    signer: LocalSigner,
) -> None:
    old, before = await receipt(signer), await key_set(signer)
    signer.rotate()

    assert verify_receipt(old, before) == claims()
    with pytest.raises(Refusal, match="fetch the key set anew"):
        verify_receipt(await receipt(signer), before)


async def test_x07_a_saved_export_verifies_offline(signer: LocalSigner, tmp_path: Path) -> None:
    body = b'{"run_id":"r-one"}\n' * 200_000  # several pieces
    signature = await export_signature(signer, body)
    (tmp_path / "body").write_bytes(body)
    (tmp_path / "signature").write_bytes(signature + b"\n")
    (tmp_path / "altered").write_bytes(body[:-20] + b"X" + body[-19:])
    (tmp_path / "keys").write_bytes(await key_set(signer))

    for given in ("signature", signature.decode()):
        finished = offline(tmp_path, "--export", "body", given, "keys")
        assert (finished.returncode, finished.stderr) == (0, "")
        assert (await signer.newest()).kid in finished.stdout
    finished = offline(tmp_path, "--export", "altered", "signature", "keys")
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr == "the signature does not fit: what was signed was altered\n"


async def test_x06_no_byte_of_an_export_can_be_altered(signer: LocalSigner) -> None:
    body, keys = b'{"run_id":"r-one","outcome":"succeeded"}\n', await key_set(signer)
    signature = await export_signature(signer, body)
    assert verify_export(iter([body[:7], body[7:]]), signature, keys)

    forgeries = [(body[:at] + b"~" + body[at + 1 :], signature) for at in range(len(body))]
    forgeries += [(body[:at], signature) for at in range(len(body))]
    forgeries += [(body + body, signature), (body + b"\n", signature)]
    forgeries += [
        (body, signature[:at] + bytes([other]) + signature[at + 1 :])
        for at in range(len(signature))
        for other in {*REPLACEMENTS} - {signature[at]}
    ]
    for forged_body, forged_signature in forgeries:
        with pytest.raises(Refusal):
            verify_export(iter([forged_body]), forged_signature, keys)


def test_the_digest_of_an_id_is_what_the_service_writes() -> None:
    assert claims()["tenant_sha256"] == subject_hash(TENANT)
    assert claims()["subject_sha256"] == subject_hash(USER)
