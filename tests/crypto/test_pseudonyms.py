"""Keyed hashes: stable inside a tenant, different outside it, and nothing in one can be read."""

import base64
import hmac
import re
from dataclasses import replace

import pytest

from shared.crypto.pseudonyms import KeyedPseudonyms, pseudonym_key_place
from shared.crypto.tenant_vault import TenantVault
from shared.errors import KeyVaultFailedError, StorageFailedError
from shared.model import FlowName, Identity, Place, TenantId
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, World
from tests.fakes.identity import FABRIKAM_DIRECTORY

LOG = FlowName.parse("Log_Email")


@pytest.fixture
async def world() -> World:
    """Three tenants have signed in."""
    made = World()
    for name in ("alice", "mallory", "dave"):
        await made.signed_in(name)
    return made


def person(world: World, name: str) -> Identity:
    return world.verifier.people[name]


async def test_a_user_id_has_the_form_that_tables_and_logs_expect(world: World) -> None:
    user = await world.pseudonyms.user_id(person(world, "alice"))

    assert re.fullmatch(r"u-[a-z2-7]{26}", user)


async def test_a_person_has_the_same_id_on_every_instance_and_after_time(world: World) -> None:
    first = await world.pseudonyms.user_id(person(world, "alice"))
    world.clock.move(days=400)

    assert await world.another_instance().pseudonyms.user_id(person(world, "alice")) == first


async def test_being_made_an_administrator_changes_no_id(world: World) -> None:
    alice = person(world, "alice")

    promoted = await world.pseudonyms.user_id(replace(alice, is_admin=True))

    assert promoted == await world.pseudonyms.user_id(alice)


async def test_two_people_have_two_ids(world: World) -> None:
    ids = {await world.pseudonyms.user_id(person(world, name)) for name in ("alice", "bob")}

    assert len(ids) == 2


async def test_the_same_subject_in_another_tenant_is_another_id(world: World) -> None:
    alice = person(world, "alice")
    twin = replace(alice, directory=FABRIKAM_DIRECTORY)

    assert await world.pseudonyms.user_id(twin) != await world.pseudonyms.user_id(alice)


async def test_a_flow_has_another_id_in_another_org_and_another_tenant(world: World) -> None:
    alice, mallory = person(world, "alice"), person(world, "mallory")

    ids = [
        await world.pseudonyms.flow_id(alice.tenant, CONTOSO_ORG, LOG),
        await world.pseudonyms.flow_id(alice.tenant, FABRIKAM_ORG, LOG),
        await world.pseudonyms.flow_id(mallory.tenant, CONTOSO_ORG, LOG),
        await world.pseudonyms.flow_id(alice.tenant, CONTOSO_ORG, FlowName.parse("Log_Emails")),
    ]

    assert len(set(ids)) == 4
    assert all(re.fullmatch(r"f-[a-z2-7]{26}", flow_id) for flow_id in ids)


async def test_a_digest_depends_on_its_purpose(world: World) -> None:
    tenant = person(world, "alice").tenant

    digests = {
        await world.pseudonyms.digest(tenant, "idempotency-key", b"x"),
        await world.pseudonyms.digest(tenant, "idempotency-body", b"x"),
        await world.pseudonyms.digest(tenant, "idempotency-keyx", b""),
        await world.pseudonyms.digest(tenant, "", b"idempotency-keyx"),
    }

    assert len(digests) == 4


async def test_every_pseudonym_is_the_hash_that_it_is_said_to_be(world: World) -> None:
    """By hand: HMAC-SHA256 over the parts, each with its length in front; 130 bits in base32.
    Another hash would make strangers of everybody whose rows are stored."""
    alice = person(world, "alice")
    place = pseudonym_key_place(alice.tenant)
    assert (place.table, place.row_key, place.column) == (
        "tenants", "tenant", "sealed_pseudonym_key",
    )  # fmt: skip
    key = await world.vault.open(place, world.tenants.rows[alice.tenant].sealed_pseudonym_key)

    def by_hand(*parts: str) -> str:
        message = b"".join(len(part).to_bytes(4, "big") + part.encode() for part in parts)
        digest = hmac.new(key, message, "sha256").digest()
        return base64.b32encode(digest).decode().lower()[:26]

    assert await world.pseudonyms.user_id(alice) == "u-" + by_hand(
        "user", alice.provider, alice.subject
    )
    assert await world.pseudonyms.flow_id(alice.tenant, CONTOSO_ORG, LOG) == "f-" + by_hand(
        "flow", CONTOSO_ORG, LOG
    )
    assert await world.pseudonyms.digest(alice.tenant, "purpose", b"data") == by_hand(
        "purpose", "data"
    )


async def test_without_the_tenants_row_there_is_no_pseudonym(world: World) -> None:
    stranger = TenantId.parse("ms-00000000-0000-4000-8000-000000000000")

    with pytest.raises(KeyVaultFailedError):
        await world.pseudonyms.digest(stranger, "purpose", b"x")


async def test_the_sealed_key_of_another_tenant_gives_no_pseudonyms(world: World) -> None:
    alice, mallory = person(world, "alice"), person(world, "mallory")
    theirs = world.tenants.rows[mallory.tenant].sealed_pseudonym_key
    world.tenants.change(alice.tenant, sealed_pseudonym_key=theirs)

    with pytest.raises(KeyVaultFailedError):
        await world.another_instance().pseudonyms.user_id(alice)


async def test_the_key_is_read_once_and_remembered_for_ten_minutes(world: World) -> None:
    fresh = world.another_instance()
    pseudonyms: KeyedPseudonyms = fresh.pseudonyms
    first = await pseudonyms.user_id(person(world, "alice"))
    unwrapped = world.key_wrapper.unwrapped

    world.clock.move(seconds=599)
    assert await pseudonyms.user_id(person(world, "alice")) == first
    assert world.key_wrapper.unwrapped == unwrapped

    world.clock.move(seconds=1)
    world.key_wrapper.faults.plan("unwrap", KeyVaultFailedError)
    with pytest.raises(KeyVaultFailedError):
        await pseudonyms.user_id(person(world, "alice"))


async def test_the_row_is_read_once_in_five_seconds(world: World) -> None:
    pseudonyms = world.another_instance().pseudonyms
    first = await pseudonyms.user_id(person(world, "alice"))

    world.clock.move(seconds=4.9)
    world.tenants.faults.plan("load", StorageFailedError)
    assert await pseudonyms.user_id(person(world, "alice")) == first
    world.clock.move(seconds=0.1)
    with pytest.raises(StorageFailedError):
        await pseudonyms.user_id(person(world, "alice"))


class _Counting(TenantVault):
    """Counts how often something is opened, whatever it has in memory itself."""

    opened = 0

    async def open(self, place: Place, sealed: bytes) -> bytes:
        self.opened += 1
        return await super().open(place, sealed)


async def test_the_key_is_opened_once_in_ten_minutes(world: World) -> None:
    vault = _Counting(keys=world.tenant_keys, wrapper=world.key_wrapper, clock=world.clock)
    pseudonyms = KeyedPseudonyms(
        tenants=world.tenants, vault=vault, monotonic_clock=world.clock.monotonic
    )

    for seconds, opened in ((0, 1), (0, 1), (599, 1), (1, 2), (0, 2)):
        world.clock.move(seconds=seconds)
        await pseudonyms.user_id(person(world, "alice"))
        assert vault.opened == opened


async def test_n07_a_tenant_that_comes_back_has_other_pseudonyms_on_every_instance(
    world: World,
) -> None:
    fresh = world.another_instance()
    first = await fresh.pseudonyms.user_id(person(world, "alice"))
    tenant = person(world, "alice").tenant
    place = pseudonym_key_place(tenant)
    world.tenants.change(
        tenant, sealed_pseudonym_key=await world.vault.seal(place, b"another life's key")
    )

    world.clock.move(seconds=5)
    second = await fresh.pseudonyms.user_id(person(world, "alice"))

    assert second != first
    assert await world.another_instance().pseudonyms.user_id(person(world, "alice")) == second
