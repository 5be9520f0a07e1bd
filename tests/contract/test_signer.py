"""What every signer promises: the fake, and Key Vault behind its adapter (X-06, X-07)."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jwt
import pytest
from azure.keyvault.keys.crypto import SignatureAlgorithm, SignResult
from azure.keyvault.keys.crypto.aio import CryptographyClient
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from local import scene
from shared import ports
from shared.crypto.signing import RECEIPT_SIGNING, KeyVaultSigner
from shared.errors import KeyVaultFailedError
from shared.outside import Azure
from tests.contract.conftest import BOTH
from tests.control_client import ControlClient
from tests.fakes import FakeClock
from tests.fakes.keys import LocalSigner
from tests.receipts import claims, export_signature, key_set, receipt
from tools.verify_receipt import verify_export, verify_receipt

DIGEST = hashlib.sha256(b"what is signed").digest()


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A signer, and what its operator can do to the signing key."""

    signer: ports.Signer
    rotate: Callable[[], object]
    disable: Callable[[str], object]
    clock: FakeClock


@pytest.fixture(params=BOTH)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    clock = FakeClock()
    if request.param == "fake":
        local = LocalSigner()
        yield Rig(signer=local, rotate=local.rotate, disable=local.disable, clock=clock)
        return
    control: ControlClient = request.getfixturevalue("control")

    def disable(key_id: str) -> None:
        version = {"name": RECEIPT_SIGNING, "version": key_id.rpartition("/")[2]}
        control.post("/_sim/keyvault/keys/disable", version)

    yield Rig(
        signer=key_vault_signer(request.getfixturevalue("azure"), clock),
        rotate=lambda: control.post("/_sim/keyvault/keys/rotate", {"name": RECEIPT_SIGNING}),
        disable=disable,
        clock=clock,
    )
    # The vault as it was: the service of the stack must never get to know these versions.
    control.post("/_sim/reset")


def key_vault_signer(azure: Azure, clock: FakeClock) -> KeyVaultSigner:
    return KeyVaultSigner(
        f"https://{scene.KEY_VAULT_HOST}",
        credential=azure._credential,
        transport=azure._azure_transport,
        monotonic_clock=clock.monotonic,
    )


def fits(jwk: Mapping[str, str], signature: bytes, digest: bytes = DIGEST) -> bool:
    """Whether the signature is this key's, by a library that shares no line with ours."""
    key = jwt.PyJWK.from_json(json.dumps(dict(jwk))).key
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    try:
        key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(SHA256())))
    except Exception:  # noqa: BLE001 - whatever it says, it does not fit
        return False
    return True


async def test_the_outside_has_a_signer(outside: ports.Outside) -> None:
    key = await outside.signer.newest()

    assert [jwk["kid"] for jwk in await outside.signer.public_keys()] == [key.kid]


async def test_what_is_signed_verifies_with_the_published_key(rig: Rig) -> None:
    key = await rig.signer.newest()
    signature = await rig.signer.sign(key, DIGEST)
    (jwk,) = await rig.signer.public_keys()

    assert len(signature) == 64
    assert fits(jwk, signature)
    assert not fits(jwk, signature, hashlib.sha256(b"another").digest())


async def test_a_published_key_is_public_and_named_by_its_thumbprint(rig: Rig) -> None:
    (jwk,) = await rig.signer.public_keys()
    required = json.dumps(
        {name: jwk[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":")
    )

    assert jwk.keys() == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (jwk["kty"], jwk["crv"], jwk["alg"], jwk["use"]) == ("EC", "P-256", "ES256", "sig")
    thumbprint = hashlib.sha256(required.encode()).digest()
    assert jwt.utils.base64url_decode(jwk["kid"]) == thumbprint
    assert jwk["kid"] == (await rig.signer.newest()).kid


async def test_the_key_id_names_a_version_of_the_signing_key(rig: Rig) -> None:
    key = await rig.signer.newest()

    assert key.key_id.startswith("https://")
    assert key.key_id.rsplit("/", 2)[1] == RECEIPT_SIGNING
    assert len(key.key_id.rpartition("/")[2]) == 32


async def test_x07_after_a_rotation_the_old_version_still_signs_and_the_new_one_takes_over(
    rig: Rig,
) -> None:
    old = await rig.signer.newest()
    rig.rotate()
    of_old = await rig.signer.sign(old, DIGEST)
    rig.clock.move(minutes=11)  # the newest version is remembered for ten

    new = await rig.signer.newest()
    of_new = await rig.signer.sign(new, DIGEST)

    assert new.kid != old.kid
    by_kid = {jwk["kid"]: jwk for jwk in await rig.signer.public_keys()}
    assert by_kid.keys() == {old.kid, new.kid}
    assert fits(by_kid[old.kid], of_old)
    assert fits(by_kid[new.kid], of_new)
    assert not fits(by_kid[new.kid], of_old)


async def test_x07_the_newest_key_is_published_first(rig: Rig) -> None:
    kids = []
    for _ in range(3):
        kids.append((await rig.signer.newest()).kid)
        rig.clock.move(minutes=11)
        await asyncio.sleep(1.05)  # a vault tells whole seconds of when a version was made
        rig.rotate()
    kids.append((await rig.signer.newest()).kid)

    assert [jwk["kid"] for jwk in await rig.signer.public_keys()] == kids[::-1]


async def test_a_version_that_the_vault_does_not_show_is_left_out(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    old = await rig.signer.newest()
    rig.rotate()
    rig.disable(old.key_id)

    (shown,) = await rig.signer.public_keys()

    assert shown["kid"] != old.kid
    assert [record.levelname for record in caplog.records if "key_unavailable" in record.message]


async def test_where_no_version_is_shown_there_is_no_empty_key_set(rig: Rig) -> None:
    rig.disable((await rig.signer.newest()).key_id)

    with pytest.raises(KeyVaultFailedError):
        await rig.signer.public_keys()


async def test_a_version_that_was_disabled_signs_nothing(rig: Rig) -> None:
    key = await rig.signer.newest()
    rig.disable(key.key_id)

    with pytest.raises(KeyVaultFailedError):
        await rig.signer.sign(key, DIGEST)


@pytest.mark.parametrize("digest", [b"", b"x" * 31, b"x" * 33, b"x" * 64])
async def test_what_is_no_sha256_digest_is_not_signed(rig: Rig, digest: bytes) -> None:
    key = await rig.signer.newest()

    with pytest.raises(KeyVaultFailedError):
        await rig.signer.sign(key, digest)


@pytest.mark.parametrize("version", ["f" * 32, "../tenant-kek"])
async def test_a_version_that_never_was_signs_nothing(rig: Rig, version: str) -> None:
    key = await rig.signer.newest()
    unknown = replace(key, key_id=f"{key.key_id.rpartition('/')[0]}/{version}")

    with pytest.raises(KeyVaultFailedError):
        await rig.signer.sign(unknown, DIGEST)


async def test_x06_receipts_and_exports_verify_for_a_third_party(rig: Rig) -> None:
    keys = await key_set(rig.signer)

    assert verify_receipt(await receipt(rig.signer), keys) == claims()
    assert verify_export(iter([b"body"]), await export_signature(rig.signer, b"body"), keys)


# --- the adapter alone -----------------------------------------------------------------------


def asked(control: ControlClient) -> str:
    """What the vault has counted so far."""
    return json.dumps(control.get("/_sim/keyvault/ledger"))


@pytest.mark.stack
async def test_keys_are_remembered_for_as_long_as_is_promised(
    azure: Azure, control: ControlClient
) -> None:
    clock = FakeClock()
    signer = key_vault_signer(azure, clock)
    await signer.newest()
    first = await signer.public_keys()
    before = asked(control)

    clock.move(minutes=4.9)
    assert (await signer.newest(), await signer.public_keys()) == (await signer.newest(), first)
    assert asked(control) == before

    clock.move(minutes=0.2)
    await signer.public_keys()
    listed = asked(control)
    assert listed != before
    await signer.newest()
    assert asked(control) == listed

    clock.move(minutes=5)
    await signer.newest()
    assert asked(control) != listed


@pytest.mark.stack
async def test_x12_a_vault_that_is_down_publishes_no_shortened_key_set(
    azure: Azure, control: ControlClient
) -> None:
    """A version that is only unreachable now would seem to have never been."""
    signer = key_vault_signer(azure, FakeClock())
    key = await signer.newest()
    control.post("/_sim/keyvault/keys/rotate", {"name": RECEIPT_SIGNING})
    path = key.key_id.removeprefix(f"https://{scene.KEY_VAULT_HOST}")
    down = {"target": "keyvault", "match": path, "fault": "status", "value": 503, "times": 50}
    control.post("/_sim/faults", down)
    try:
        with pytest.raises(KeyVaultFailedError):
            await signer.public_keys()
        with pytest.raises(KeyVaultFailedError):
            await signer.sign(key, DIGEST)
    finally:
        control.post("/_sim/reset")

    assert fits((await signer.public_keys())[0], await signer.sign(key, DIGEST))


@pytest.mark.stack
async def test_a_version_of_another_kind_is_not_signed_with_and_not_published(
    azure: Azure, control: ControlClient
) -> None:
    """Somebody adds an RSA version to the key: nothing is signed until that is mended."""
    signer = key_vault_signer(azure, FakeClock())
    known = await signer.newest()
    try:
        await signer._keys.create_rsa_key(RECEIPT_SIGNING, size=2048)
        fresh = key_vault_signer(azure, FakeClock())
        with pytest.raises(KeyVaultFailedError):
            await fresh.newest()
        assert [jwk["kid"] for jwk in await fresh.public_keys()] == [known.kid]
    finally:
        control.post("/_sim/reset")


class Altering(CryptographyClient):
    """Signs with one bit turned over, as if something between the vault and us had done it."""

    async def sign(
        self,
        algorithm: SignatureAlgorithm,
        digest: bytes,
        **kwargs: Any,  # noqa: ANN401 - the SDK's
    ) -> SignResult:
        true = await super().sign(algorithm, digest, **kwargs)
        altered = true.signature[:-1] + bytes([true.signature[-1] ^ 1])
        return SignResult(key_id=true.key_id, algorithm=algorithm, signature=altered)


@pytest.mark.stack
async def test_a_signature_that_does_not_fit_is_not_handed_out(azure: Azure) -> None:
    signer = key_vault_signer(azure, FakeClock())
    key = await signer.newest()
    altering = Altering(key.key_id, azure._credential, transport=azure._azure_transport())
    signer._clients.put(key.key_id, altering)

    with pytest.raises(KeyVaultFailedError):
        await signer.sign(key, DIGEST)


@pytest.mark.stack
@pytest.mark.parametrize(
    "fault", [{"fault": "html"}, {"fault": "status", "value": 200}], ids=["a-page", "nothing"]
)
async def test_x12_an_answer_that_is_no_signature_is_a_failure_of_the_vault(
    azure: Azure, control: ControlClient, fault: dict[str, object]
) -> None:
    signer = key_vault_signer(azure, FakeClock())
    key = await signer.newest()
    assert await signer.sign(key, DIGEST)
    path = key.key_id.removeprefix(f"https://{scene.KEY_VAULT_HOST}")
    control.post("/_sim/faults", {"target": "keyvault", "match": f"{path}/sign", **fault})
    try:
        with pytest.raises(KeyVaultFailedError):
            await signer.sign(key, DIGEST)
    finally:
        control.post("/_sim/reset")
