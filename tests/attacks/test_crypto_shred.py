"""C-07: an attacker with everything that there is after a tenant's deletion, and every sealed value
of before it, opens nothing of that tenant.

What they have: copies of all sealed columns, made before the deletion; the tables and the backup
container as they are after it; and Key Vault, which unwraps for them whatever they ask. (For the
files of backups, on the real adapters, see `test_total_loss.py`.) What they must not have is a
wrapped data key that they copied before: the last test shows that this one, with the use of the key
in the vault, would open all that was copied with it. A customer's own key, which its owner can take
away, ends even that.
"""

import base64
import re
from collections.abc import Sequence
from typing import Final

import pytest

from shared.crypto import envelope
from shared.errors import KeyVaultFailedError, SealBrokenError
from shared.model import DeletionScope, DeletionState, Place, TenantId, WrappedKey
from tests.attacks.sealed_world import data_key_of, lived_in
from tests.fakes import World
from tests.usecases.deleting import asked_by

_WRAPPED: Final = re.compile(rb"[A-Za-z0-9+/_-]{512}")
"""384 bytes, which RSA of 3072 bits makes, in base64."""


async def deleted(world: World) -> TenantId:
    """The tenant of Alice and Bob, by its administrator, up to the receipt."""
    deleting = await asked_by(world, "carol", DeletionScope.TENANT)
    await deleting.confirm()
    done = await deleting.finish()
    assert done.state is DeletionState.RECEIPTED
    return deleting.caller.tenant


async def unwrapped(world: World, wrapped: bytes) -> bytes | None:
    """By every version of the key in the vault."""
    for version in range(1, 4):
        kek_id = f"https://fake.vault.azure.net/keys/tenant-kek/{version:032x}"
        try:
            return await world.key_wrapper.unwrap(wrapped, kek_id)
        except KeyVaultFailedError:
            continue
    return None


async def found_in(world: World) -> list[bytes]:
    """Every data key that can be had of tables and backups as they are now."""
    wrapped = [row.wrapped for row in world.tenant_keys.rows.values()]
    wrapped += [
        base64.urlsafe_b64decode(text.translate(bytes.maketrans(b"+/", b"-_")))
        for content in world.backups.files.values()
        for text in _WRAPPED.findall(content)
    ]
    keys = [await unwrapped(world, one) for one in wrapped]
    return [key for key in keys if key is not None]


def opened(values: dict[Place, bytes], keys: Sequence[bytes]) -> list[Place]:
    """Where some key opens the value."""
    found = []
    for place, value in values.items():
        for key in keys:
            try:
                envelope.open_envelope(key, place, value)
            except SealBrokenError:
                continue
            found.append(place)
            break
    return found


async def test_C07_with_all_sealed_values_tables_backups_and_the_vault_nothing_opens() -> None:
    world, sealed = await lived_in()
    before = await found_in(world)
    assert set(opened(sealed, before)) == set(sealed)  # the attack works, as long as keys are there
    assert len(before) > len(world.tenant_keys.rows)  # in the backups, too

    tenant = await deleted(world)
    gone = {place: value for place, value in sealed.items() if place.tenant == tenant}
    stay = {place: value for place, value in sealed.items() if place.tenant != tenant}
    assert {place.table for place in gone} >= {"connections", "users", "tenants"}

    keys = await found_in(world)

    assert opened(gone, keys) == []
    assert set(opened(stay, keys)) == set(stay)  # the other tenant's: the attack still works
    assert not [name for name in world.backups.files if name.startswith(tenant)]


async def test_C07_nor_does_a_key_that_the_attacker_makes_for_the_tenant() -> None:
    world, sealed = await lived_in()
    old = {row.tenant: row for row in world.tenant_keys.rows.values()}
    tenant = await deleted(world)
    wrapped, kek_id = await world.key_wrapper.wrap(bytes(32))
    row = WrappedKey(
        tenant=tenant,
        version=old[tenant].version,
        wrapped=wrapped,
        kek_id=kek_id,
        created_at=old[tenant].created_at,
    )
    await world.tenant_keys.create(row)
    fresh = world.another_instance()
    gone = {place: value for place, value in sealed.items() if place.tenant == tenant}
    assert len(gone) > 10

    for place, value in gone.items():
        with pytest.raises(KeyVaultFailedError):
            await fresh.vault.open(place, value)


async def test_C07_a_wrapped_key_that_was_copied_before_would_open_what_was_copied_with_it() -> (
    None
):
    """The limit of what is promised, and why reading `tenantkeys` and using the vault's key are
    rights of the service alone."""
    world, sealed = await lived_in()
    (tenant, *_) = {place.tenant for place in sealed if place.table == "connections"}
    version, _ = await data_key_of(world, tenant)
    copied = world.tenant_keys.rows[tenant, version]
    await deleted(world)

    key = await unwrapped(world, copied.wrapped)

    assert key is not None
    theirs = {place: value for place, value in sealed.items() if place.tenant == tenant}
    assert set(opened(theirs, [key])) == set(theirs)
