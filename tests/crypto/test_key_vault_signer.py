"""The signer against a vault in this process: what it asks for, how often, and what it tells."""

import base64
import hashlib
import json
import logging
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from local import scene
from local.simulators.key_vault_keys import VaultKey
from local.simulators.key_vault_shelf import Version
from shared.crypto.signing import KeyVaultSigner
from shared.errors import KeyVaultFailedError
from shared.jws import public_jwk
from tests.crypto.simulated_vault import VAULT_URI, SimulatedVault

DIGEST: Final = hashlib.sha256(b"what is signed").digest()
NAME: Final = scene.KEY_RECEIPT_SIGNING
SIGN: Final = "POST /keys/{name}/{version}/sign"


def newest_in(vault: SimulatedVault) -> Version[VaultKey]:
    return vault.simulator._keys.shelf.get(NAME)


async def rotated(vault: SimulatedVault) -> Version[VaultKey]:
    """Another version, a minute later than the last one."""
    vault.clock.move(minutes=1)
    return await vault.simulator._keys.rotate(NAME)


def private_of(key: Version[VaultKey]) -> ec.EllipticCurvePrivateKey:
    assert isinstance(key.content.private, ec.EllipticCurvePrivateKey)
    return key.content.private


def kid_of(key: Version[VaultKey]) -> str:
    """Its thumbprint (RFC 7638), by hand."""
    numbers = private_of(key).public_key().public_numbers()
    x, y = (
        base64.urlsafe_b64encode(number.to_bytes(32)).decode().rstrip("=")
        for number in (numbers.x, numbers.y)
    )
    text = json.dumps({"crv": "P-256", "kty": "EC", "x": x, "y": y}, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


async def test_the_newest_version_signs_and_the_signature_is_its_own(vault: SimulatedVault) -> None:
    signer = vault.signer()
    key = await signer.newest()
    signature = await signer.sign(key, DIGEST)

    stored = newest_in(vault)
    assert (key.key_id, key.kid) == (stored.identifier, kid_of(stored))
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    private_of(stored).public_key().verify(
        encode_dss_signature(r, s), DIGEST, ec.ECDSA(Prehashed(SHA256()))
    )


async def test_the_newest_is_remembered_for_ten_minutes(vault: SimulatedVault) -> None:
    signer = vault.signer()
    first = await signer.newest()
    second = await rotated(vault)
    vault.clock.move(minutes=8, seconds=59)
    assert await signer.newest() == first

    vault.clock.move(seconds=1)
    assert (await signer.newest()).key_id == second.identifier


async def test_two_versions_sign_side_by_side_each_by_one_call(vault: SimulatedVault) -> None:
    signer = vault.signer()
    first = await signer.newest()
    await rotated(vault)
    second = await vault.signer().newest()
    for key in (first, second):
        await signer.sign(key, DIGEST)
    vault.calls()

    for _ in range(2):
        await signer.sign(first, DIGEST)
        await signer.sign(second, DIGEST)

    assert vault.calls() == {SIGN: 4}


async def test_the_public_half_is_read_again_after_ten_minutes(vault: SimulatedVault) -> None:
    signer = vault.signer()
    key = await signer.newest()
    await signer.sign(key, DIGEST)
    vault.clock.move(minutes=10)
    vault.calls()

    await signer.sign(key, DIGEST)

    assert vault.calls() == {"GET /keys/{name}/{version}": 1, SIGN: 1}


async def test_a_signature_of_another_key_is_not_handed_out(vault: SimulatedVault) -> None:
    signer = vault.signer()
    key = await signer.newest()
    await signer.sign(key, DIGEST)  # the public half is known
    newest_in(vault).content.private = ec.generate_private_key(ec.SECP256R1())

    with pytest.raises(KeyVaultFailedError):
        await signer.sign(key, DIGEST)


async def test_all_versions_are_published_the_newest_first(vault: SimulatedVault) -> None:
    versions = [newest_in(vault), *[await rotated(vault) for _ in range(3)]]

    published = await vault.signer().public_keys()

    assert [jwk["kid"] for jwk in published] == [kid_of(one) for one in reversed(versions)]
    numbers = private_of(versions[-1]).public_key().public_numbers()
    assert published[0] == public_jwk(numbers.x.to_bytes(32), numbers.y.to_bytes(32))


async def test_the_published_are_remembered_for_five_minutes(vault: SimulatedVault) -> None:
    signer = vault.signer()
    before = await signer.public_keys()
    await rotated(vault)
    vault.clock.move(minutes=3, seconds=59)
    assert await signer.public_keys() is before

    vault.clock.move(seconds=1)
    assert len(await signer.public_keys()) == 2


async def test_a_version_that_is_not_shown_is_left_out_with_an_alarm(
    vault: SimulatedVault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flowrunner")
    hidden = newest_in(vault)
    shown = [await rotated(vault), await rotated(vault)]
    hidden.attributes.enabled = False

    published = await vault.signer().public_keys()

    assert [jwk["kid"] for jwk in published] == [kid_of(one) for one in reversed(shown)]
    (record,) = [one for one in caplog.records if one.name == "flowrunner"]
    assert record.levelname == "ERROR"
    assert json.loads(record.getMessage()) == {
        "event": "key_unavailable",
        "dependency": "key_vault",
    }


@pytest.mark.parametrize(
    ("kind", "value"), [("status", 401), ("status", 429), ("status", 500), ("reset_before", 0)]
)
async def test_a_vault_in_trouble_publishes_nothing_at_all(
    vault: SimulatedVault, kind: str, value: float
) -> None:
    """Trouble begins after the challenge, the list, and the first of two versions."""
    await rotated(vault)
    vault.misbehave(kind, value, after=3)

    with pytest.raises(KeyVaultFailedError):
        await vault.signer().public_keys()


async def test_where_the_newest_is_no_p256_key_nothing_is_signed(vault: SimulatedVault) -> None:
    vault.simulator._keys.shelf.add(
        NAME, VaultKey(vault.simulator._keys.shelf.get("tenant-kek").content.private, ("sign",))
    )

    with pytest.raises(KeyVaultFailedError):
        await vault.signer().newest()


async def test_an_address_with_a_slash_at_its_end_is_the_same_vault(vault: SimulatedVault) -> None:
    signer = KeyVaultSigner(f"{VAULT_URI}/", credential=vault.identity, transport=vault.transport)

    assert (await signer.newest()).key_id == newest_in(vault).identifier
