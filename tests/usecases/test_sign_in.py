"""Signing in: who may, what is created and when, and what of a person is stored."""

import asyncio
import base64
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import (
    StorageFailedError,
)
from shared.model import Caller, Place, TenantSettings
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, NOON, World
from tests.fakes.identity import CONTOSO_DIRECTORY, GOOGLE_DIRECTORY, microsoft_user
from tests.usecases.conftest import Told
from tests.usecases.stored import everything, holds

# --- what a sign-in gives ------------------------------------------------------------------------


async def test_a_microsoft_user_gets_a_session_of_fifteen_minutes(world: World) -> None:
    signed_in = await world.sign_in("alice")

    claims = await world.sessions.read(signed_in.session)
    assert claims.caller == signed_in.caller
    assert claims.expires_at == NOON + timedelta(minutes=15)
    assert signed_in.caller == Caller(
        tenant=world.verifier.people["alice"].tenant,
        user=signed_in.caller.user,
        provider="microsoft",
        is_admin=False,
        signed_in_at=NOON,
    )
    assert re.fullmatch(r"u-[a-z2-7]{26}", signed_in.caller.user)


async def test_a_google_user_gets_one_too(world: World) -> None:
    caller = await world.signed_in("dave")

    assert caller.provider == "google"
    assert re.fullmatch(r"g-[a-z2-7]{26}", caller.tenant)


async def test_an_administrator_is_known_as_one(world: World) -> None:
    admins = {name: (await world.signed_in(name)).is_admin for name in world.verifier.people}

    assert [name for name, is_admin in admins.items() if is_admin] == ["carol", "grace"]


async def test_a_sign_in_tells_region_and_connections(world: World) -> None:
    caller = await world.signed_in("alice")
    assert (await world.sign_in("alice")).connections == []
    await world.connect(caller, CONTOSO_ORG)
    await world.connect(caller, FABRIKAM_ORG)

    signed_in = await world.sign_in("alice")

    assert signed_in.region == "westeurope"
    assert [one.org for one in signed_in.connections] == [CONTOSO_ORG, FABRIKAM_ORG]


async def test_signing_in_again_is_the_same_user(world: World) -> None:
    first = await world.signed_in("alice")
    world.clock.move(days=200)

    second = await world.another_instance().signed_in("alice")

    assert (second.tenant, second.user) == (first.tenant, first.user)
    assert (len(world.tenants.rows), len(world.users.rows)) == (1, 1)


async def test_colleagues_share_a_tenant_and_are_two_users(world: World) -> None:
    alice, bob = await world.signed_in("alice"), await world.signed_in("bob")

    assert alice.tenant == bob.tenant
    assert alice.user != bob.user


async def test_t22_the_same_subject_at_two_providers_is_two_users(world: World) -> None:
    dave = world.verifier.people["dave"]
    twin = replace(world.verifier.people["alice"], subject=dave.subject)
    world.verifier.people["twin"] = twin

    callers = [await world.signed_in(name) for name in ("dave", "twin")]

    assert len({caller.user for caller in callers}) == 2
    assert len({caller.tenant for caller in callers}) == 2


async def test_the_day_of_the_last_sign_in_is_remembered(world: World) -> None:
    caller = await world.signed_in("alice")
    world.clock.move(days=1)
    await world.signed_in("alice")

    assert world.users.rows[caller.tenant, caller.user].last_seen_day == "2026-01-16"


# --- the first sign-in of a tenant ---------------------------------------------------------------


async def test_a_tenant_is_created_at_its_first_sign_in_in_this_region(world: World) -> None:
    caller = await world.signed_in("alice")

    tenant = world.tenants.rows[caller.tenant]
    assert (tenant.provider, tenant.region) == ("microsoft", "westeurope")
    assert (tenant.is_active, tenant.settings) == (True, TenantSettings())
    assert tenant.created_at == NOON


async def test_t21_of_fifty_first_sign_ins_at_once_one_creates_the_tenant(
    world: World, told: Told
) -> None:
    for number in range(50):
        world.verifier.people[f"p{number}"] = microsoft_user(100 + number, CONTOSO_DIRECTORY)
    instances = [world.another_instance() for _ in range(50)]

    callers = await asyncio.gather(
        *(instance.signed_in(f"p{number}") for number, instance in enumerate(instances))
    )

    assert (len(world.tenants.rows), len(world.tenant_keys.rows)) == (1, 1)
    assert len({caller.user for caller in callers}) == len(world.users.rows) == 50
    assert len(told("tenant_created")) == 1


async def test_t21_of_many_first_sign_ins_of_one_user_one_row_remains(world: World) -> None:
    instances = [world.another_instance() for _ in range(20)]

    callers = await asyncio.gather(*(instance.signed_in("alice") for instance in instances))

    assert len({caller.user for caller in callers}) == len(world.users.rows) == 1


async def test_a_first_sign_in_that_fails_half_way_can_be_tried_again(world: World) -> None:
    world.tenants.faults.plan("create", StorageFailedError)
    with pytest.raises(StorageFailedError):
        await world.signed_in("alice")
    world.users.faults.plan("create", StorageFailedError)
    with pytest.raises(StorageFailedError):
        await world.signed_in("alice")

    await world.signed_in("alice")

    assert (len(world.tenants.rows), len(world.tenant_keys.rows)) == (1, 1)


# --- what is stored ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alice", "dave"])
async def test_no_stored_row_names_the_person(world: World, name: str) -> None:
    await world.signed_in(name)
    stored = everything(world)

    assert not holds(stored, world.verifier.people[name].subject)
    assert not holds(stored, GOOGLE_DIRECTORY)


@pytest.mark.parametrize("before", [b"", b".", b".."])
async def test_the_search_would_find_what_it_looks_for(world: World, before: bytes) -> None:
    """The test above can fail: in clear, in hexadecimal, and in base64 at each offset."""
    caller = await world.signed_in("alice")
    subject = world.verifier.people["alice"].subject
    plain = before + subject.encode() + b"..."

    assert holds(everything(world), caller.user)
    for leak in (plain, plain.hex().encode(), base64.b64encode(plain)):
        world.tenants.change(caller.tenant, sealed_directory=leak)
        assert holds(everything(world), subject)


async def test_what_is_sealed_opens_to_the_identity(world: World) -> None:
    """Sealed, and not thrown away: "what do you hold about me" has an answer."""
    caller = await world.signed_in("alice")
    row = world.users.rows[caller.tenant, caller.user]
    place = Place(
        tenant=caller.tenant, table="users", row_key=caller.user, column="sealed_identity"
    )

    plain = await world.vault.open(place, row.sealed_identity)

    assert plain.decode() == f"microsoft|{world.verifier.people['alice'].subject}"
