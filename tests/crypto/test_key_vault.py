"""The adapters for Key Vault against a vault in this process: what they ask for, and how often."""

from datetime import UTC, datetime
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from local import scene
from local.simulators.key_vault_secrets import Secret as Stored
from local.simulators.key_vault_shelf import Version
from shared.crypto.key_vault import KeyVaultKeyWrapper, KeyVaultSecrets
from shared.errors import KeyVaultFailedError
from shared.secret import SecretVersion
from tests.crypto.simulated_vault import VAULT_URI, SimulatedVault
from tests.fakes.keys import _OAEP

DATA_KEY: Final = bytes(range(32))
NAME: Final = scene.SECRET_SESSION_SIGNING
GET_KEY: Final = "GET /keys/{name}/{version}"
UNWRAP: Final = "POST /keys/{name}/{version}/unwrapkey"
CUSTOMER: Final = f"{VAULT_URI}/keys/customer"

# --- wrapping ------------------------------------------------------------------------------------


async def test_the_newest_version_is_read_once_in_ten_minutes(vault: SimulatedVault) -> None:
    wrapper = vault.key_wrapper()
    wrapped, kek_id = await wrapper.wrap(DATA_KEY)
    rotated = await vault.simulator._keys.rotate(scene.KEY_TENANT_KEK)
    vault.calls()

    vault.clock.move(minutes=9, seconds=59)
    assert (await wrapper.wrap(DATA_KEY))[1] == kek_id == await wrapper.newest()
    assert GET_KEY not in vault.calls()
    vault.clock.move(seconds=1)
    assert await wrapper.newest() == rotated.identifier
    assert (await wrapper.wrap(DATA_KEY))[1] == rotated.identifier
    assert await wrapper.unwrap(wrapped, kek_id) == DATA_KEY


async def test_two_versions_are_kept_apart(vault: SimulatedVault) -> None:
    wrapper = vault.key_wrapper()
    old, old_id = await wrapper.wrap(DATA_KEY)
    vault.clock.move(minutes=10)
    await vault.simulator._keys.rotate(scene.KEY_TENANT_KEK)
    new, new_id = await wrapper.wrap(DATA_KEY[::-1])

    assert old_id != new_id
    assert await wrapper.unwrap(old, old_id) == DATA_KEY
    assert await wrapper.unwrap(new, new_id) == DATA_KEY[::-1]


async def test_wrapping_needs_the_public_half_alone_and_unwrapping_the_vault(
    vault: SimulatedVault,
) -> None:
    """The first client learns the public half; after that each unwrapping is one call."""
    wrapper = vault.key_wrapper()
    wrapped, kek_id = await wrapper.wrap(DATA_KEY)
    assert not any("wrapkey" in call for call in vault.calls())

    await wrapper.unwrap(wrapped, kek_id)
    vault.calls()
    for _ in range(3):
        assert await wrapper.unwrap(wrapped, kek_id) == DATA_KEY

    assert vault.calls() == {UNWRAP: 3}


@pytest.mark.parametrize(
    "kek_id",
    ["", "tenant-kek", VAULT_URI, f"{VAULT_URI}/keys", f"{VAULT_URI}/keys/a/b/c"],
)
async def test_a_key_id_that_the_sdk_cannot_read_is_a_failure_of_the_vault_like_any_other(
    vault: SimulatedVault, kek_id: str
) -> None:
    """The SDK raises ValueError, and its text quotes what it was given."""
    wrapper = vault.key_wrapper()
    wrapped, _ = await wrapper.wrap(DATA_KEY)

    with pytest.raises(KeyVaultFailedError) as caught:
        await wrapper.unwrap(wrapped, kek_id)

    assert isinstance(caught.value.__cause__, ValueError)
    assert str(caught.value) == str(KeyVaultFailedError())


async def test_what_is_wrapped_opens_with_the_key_in_the_vault(vault: SimulatedVault) -> None:
    """RSA-OAEP with SHA-256 in both places, and no other padding."""
    wrapped, _ = await vault.key_wrapper().wrap(DATA_KEY)
    private = vault.simulator._keys.shelf.get(scene.KEY_TENANT_KEK).content.private

    assert isinstance(private, RSAPrivateKey)
    assert private.decrypt(wrapped, _OAEP) == DATA_KEY


async def test_a_customers_key_is_used_by_its_name_and_by_its_version(
    vault: SimulatedVault,
) -> None:
    shelf, ours = vault.simulator._keys.shelf, vault.simulator._keys.shelf.get("tenant-kek")
    first = shelf.add("customer", ours.content)
    second = shelf.add("customer", ours.content)
    wrapper = vault.key_wrapper()

    assert await wrapper.newest(by=CUSTOMER) == second.identifier
    assert (await wrapper.wrap(DATA_KEY, by=CUSTOMER))[1] == second.identifier
    assert (await wrapper.wrap(DATA_KEY, by=first.identifier))[1] == first.identifier
    assert (await wrapper.wrap(DATA_KEY))[1] == ours.identifier


async def test_an_address_with_a_slash_at_its_end_is_the_same_vault(vault: SimulatedVault) -> None:
    wrapper = KeyVaultKeyWrapper(
        f"{VAULT_URI}/", credential=vault.identity, transport=vault.transport
    )

    assert (await wrapper.newest()).startswith(f"{VAULT_URI}/keys/{scene.KEY_TENANT_KEK}/")


@pytest.mark.parametrize("status", [429, 503])
async def test_a_vault_that_fails_twice_is_asked_a_third_time(
    vault: SimulatedVault, status: int
) -> None:
    vault.misbehave("status", status, times=2)
    assert await vault.key_wrapper().newest()

    vault.misbehave("status", status, times=3)
    with pytest.raises(KeyVaultFailedError):
        await vault.key_wrapper().newest()


async def test_what_the_vault_refuses_says_why_in_its_cause_alone(vault: SimulatedVault) -> None:
    vault.simulator._keys.shelf.get(scene.KEY_TENANT_KEK).attributes.enabled = False

    with pytest.raises(KeyVaultFailedError) as failed:
        await vault.key_wrapper().wrap(DATA_KEY)

    assert failed.value.args == ()
    assert "disabled" in str(failed.value.__cause__)


# --- secrets -------------------------------------------------------------------------------------


def renew(vault: SimulatedVault, value: str) -> Version[Stored]:
    """Another version, a minute later than the last one."""
    vault.clock.move(minutes=1)
    return vault.simulator._secrets.shelf.add(NAME, Stored(value))


def told(versions: object) -> list[tuple[str, str]]:
    assert isinstance(versions, list)
    return [(one.id, one.secret.reveal()) for one in versions]


async def test_a_secret_is_read_once_in_ten_minutes(vault: SimulatedVault) -> None:
    secrets = vault.secrets()
    first = (await secrets.current(NAME)).reveal()
    renew(vault, "another")
    vault.clock.move(minutes=8, seconds=59)
    assert (await secrets.current(NAME)).reveal() == first

    vault.clock.move(seconds=1)
    assert (await secrets.current(NAME)).reveal() == "another"
    other = await secrets.current(scene.SECRET_SALESFORCE)
    assert other.reveal() == scene.SALESFORCE_CLIENT_SECRET


async def test_the_newest_two_are_told_with_all_that_is_known_of_them(
    vault: SimulatedVault,
) -> None:
    renew(vault, "first")
    second, third = renew(vault, "second"), renew(vault, "third")
    third.attributes.not_before = int(vault.clock().timestamp()) - 1
    third.attributes.expires = int(vault.clock().timestamp()) + 60
    third.attributes.updated += 1

    newest, before = await vault.secrets().newest_two(NAME)

    assert newest == SecretVersion(
        id=third.version,
        secret=newest.secret,
        created_at=_time(third.attributes.created),
        updated_at=_time(third.attributes.updated),
        not_before=_time(third.attributes.not_before),
        expires_at=_time(third.attributes.expires),
    )
    assert told([newest, before]) == [(third.version, "third"), (second.version, "second")]
    assert (before.not_before, before.expires_at) == (None, None)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


async def test_one_that_has_not_begun_is_passed_over_and_one_that_is_over_is_not(
    vault: SimulatedVault,
) -> None:
    first, second = renew(vault, "first"), renew(vault, "second")
    later = renew(vault, "later")
    now = int(vault.clock().timestamp())

    later.attributes.not_before = now + 1
    assert told(await vault.secrets().newest_two(NAME)) == [
        (second.version, "second"), (first.version, "first"),
    ]  # fmt: skip
    later.attributes.not_before = now
    assert told(await vault.secrets().newest_two(NAME))[0] == (later.version, "later")
    later.attributes.expires = now
    assert told(await vault.secrets().newest_two(NAME)) == [(second.version, "second")]
    later.attributes.expires = now + 1
    assert len(await vault.secrets().newest_two(NAME)) == 2
    second.attributes.enabled = False
    assert told(await vault.secrets().newest_two(NAME)) == [(later.version, "later")]


async def test_two_that_were_made_within_the_same_second_are_both_told(
    vault: SimulatedVault,
) -> None:
    """The vault's times are whole seconds."""
    first, second = renew(vault, "first"), renew(vault, "second")
    second.attributes.created = first.attributes.created

    assert set(told(await vault.secrets().newest_two(NAME))) == {
        (first.version, "first"), (second.version, "second"),
    }  # fmt: skip


async def test_the_newest_two_are_remembered_for_ten_minutes(vault: SimulatedVault) -> None:
    secrets = vault.secrets()
    before = await secrets.newest_two(NAME)
    renew(vault, "another")
    vault.clock.move(minutes=8, seconds=59)
    assert await secrets.newest_two(NAME) is before

    vault.clock.move(seconds=1)
    assert told(await secrets.newest_two(NAME))[0][1] == "another"


async def test_they_are_looked_at_again_at_most_once_in_a_minute(vault: SimulatedVault) -> None:
    secrets = vault.secrets()
    await secrets.newest_two_by_now(NAME)
    vault.clock.move(seconds=1)
    vault.simulator._secrets.shelf.add(NAME, Stored("another"))
    vault.clock.move(seconds=58)
    assert "another" not in [text for _, text in told(await secrets.newest_two_by_now(NAME))]

    vault.clock.move(seconds=1)
    assert told(await secrets.newest_two_by_now(NAME))[0][1] == "another"
    assert told(await secrets.newest_two(NAME))[0][1] == "another"


async def test_a_second_look_at_one_secret_holds_up_none_at_another(
    vault: SimulatedVault,
) -> None:
    secrets, other = vault.secrets(), scene.SECRET_SALESFORCE
    await secrets.newest_two(other)
    await secrets.newest_two_by_now(NAME)
    vault.clock.move(seconds=1)
    vault.simulator._secrets.shelf.add(other, Stored("another"))

    assert told(await secrets.newest_two_by_now(other))[0][1] == "another"


async def test_after_a_failure_the_vault_is_left_alone_for_two_seconds(
    vault: SimulatedVault,
) -> None:
    secrets = vault.secrets()
    vault.misbehave("status", 404)
    with pytest.raises(KeyVaultFailedError):
        await secrets.newest_two(NAME)
    vault.behave()

    vault.clock.move(seconds=1.9)
    with pytest.raises(KeyVaultFailedError):
        await secrets.newest_two(NAME)
    assert not vault.calls()
    vault.clock.move(seconds=0.1)
    assert await secrets.newest_two(NAME)


async def test_what_is_known_serves_on_where_a_second_look_fails(vault: SimulatedVault) -> None:
    secrets = vault.secrets()
    before = await secrets.newest_two(NAME)
    vault.misbehave("status", 404)

    assert await secrets.newest_two_by_now(NAME) is before
    assert await secrets.newest_two(NAME) is before


async def test_a_secret_without_a_value_is_a_failure(vault: SimulatedVault) -> None:
    renew(vault, "")

    with pytest.raises(KeyVaultFailedError):
        await vault.secrets().current(NAME)


async def test_a_secret_that_is_not_there_is_a_failure(vault: SimulatedVault) -> None:
    secrets: KeyVaultSecrets = vault.secrets()

    with pytest.raises(KeyVaultFailedError):
        await secrets.current("nothing")
    with pytest.raises(KeyVaultFailedError):
        await secrets.newest_two("nothing")
