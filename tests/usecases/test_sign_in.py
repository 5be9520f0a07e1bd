"""Signing in: who may, what is created and when, and what of a person is stored."""

import asyncio
import base64
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import (
    IdentityProviderFailedError,
    InteractionRequiredError,
    NotAuthenticatedError,
    OtherRegionError,
    PersonalAccountError,
    StorageFailedError,
    TenantNotAllowedError,
    TooManyRequestsError,
)
from shared.model import Caller, Place, Provider
from shared.secret import Secret
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, NOON, World
from tests.fakes.identity import CONTOSO_DIRECTORY, GOOGLE_DIRECTORY, microsoft_user
from tests.settings import settings
from tests.usecases.conftest import Told
from tests.usecases.stored import everything, holds


def is_untouched(world: World) -> bool:
    """Whether nothing at all was stored."""
    return not everything(world)


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
    assert (tenant.is_active, tenant.epoch, tenant.allowed_orgs) == (True, 0, ())
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


# --- who may not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "token"),
    [
        pytest.param("microsoft", "nobody", id="unknown"),
        pytest.param("google", "alice", id="of-the-other-provider"),
        pytest.param("microsoft", "dave", id="of-the-other-provider-too"),
    ],
)
async def test_a_token_that_does_not_verify_stores_nothing(
    world: World, provider: Provider, token: str
) -> None:
    with pytest.raises(NotAuthenticatedError):
        await world.services.sign_in(provider, Secret(token))

    assert is_untouched(world)


@pytest.mark.parametrize("failure", [PersonalAccountError, IdentityProviderFailedError])
async def test_a_failure_of_verification_is_told_and_stores_nothing(
    world: World, failure: Callable[[], Exception]
) -> None:
    world.verifier.faults.plan("verify", failure)

    with pytest.raises(type(failure())):
        await world.signed_in("alice")

    assert is_untouched(world)


@pytest.mark.parametrize(
    ("allowed", "name", "may"),
    [
        pytest.param({f"ms-{CONTOSO_DIRECTORY}"}, "alice", True, id="allowed-microsoft"),
        pytest.param({f"g:{GOOGLE_DIRECTORY}"}, "dave", True, id="allowed-google"),
        pytest.param({f"ms-{CONTOSO_DIRECTORY}"}, "mallory", False, id="another-directory"),
        pytest.param({f"ms-{CONTOSO_DIRECTORY}"}, "dave", False, id="another-provider"),
        pytest.param({f"g:{GOOGLE_DIRECTORY}"}, "alice", False, id="another-provider-too"),
        pytest.param({"g:example.com"}, "dave", False, id="the-parent-domain"),
        pytest.param(set(), "alice", False, id="nobody"),
    ],
)
async def test_only_allowed_tenants_sign_in_and_others_store_nothing(
    allowed: set[str], name: str, may: bool
) -> None:
    world = World(settings(allowed_tenants=frozenset(allowed)))

    if may:
        await world.signed_in(name)
    else:
        with pytest.raises(TenantNotAllowedError):
            await world.signed_in(name)

    assert is_untouched(world) is not may
    assert bool(world.entra.confirmed) is (may and name == "alice")


async def test_a_tenant_of_another_region_is_sent_there_and_stores_nothing() -> None:
    regions = {f"ms-{CONTOSO_DIRECTORY}": ("swedencentral", "https://se.example.com/api")}
    world = World(settings(tenant_regions=regions))

    with pytest.raises(OtherRegionError) as caught:
        await world.signed_in("alice")

    assert caught.value.members() == {"base_url": "https://se.example.com/api"}
    assert is_untouched(world)


async def test_a_tenant_pinned_to_this_region_signs_in_here() -> None:
    regions = {f"g:{GOOGLE_DIRECTORY}": ("westeurope", "https://flowrunner.example.com/api")}
    world = World(settings(tenant_regions=regions))

    await world.signed_in("dave")

    assert len(world.users.rows) == 1


async def test_a_tenant_of_another_region_must_be_allowed_there_not_here() -> None:
    """Both settings at once: the user is told where to go."""
    regions = {f"ms-{CONTOSO_DIRECTORY}": ("swedencentral", "https://se.example.com/api")}
    world = World(settings(tenant_regions=regions, allowed_tenants=frozenset()))

    with pytest.raises(OtherRegionError):
        await world.signed_in("alice")


async def test_a_disabled_tenant_signs_nobody_in(world: World) -> None:
    caller = await world.signed_in("alice")
    world.tenants.change(caller.tenant, is_active=False)

    for name in ("alice", "bob"):
        with pytest.raises(TenantNotAllowedError):
            await world.signed_in(name)

    assert len(world.users.rows) == 1


async def test_an_eleventh_sign_in_within_the_minute_has_to_wait(world: World) -> None:
    for _ in range(10):
        await world.signed_in("alice")

    with pytest.raises(TooManyRequestsError) as caught:
        await world.signed_in("alice")

    assert caught.value.retry_after
    await world.signed_in("bob")  # each user has a share of their own


# --- on behalf of --------------------------------------------------------------------------------


async def test_a_microsoft_sign_in_is_taken_back_to_entra(world: World) -> None:
    await world.signed_in("alice")
    await world.signed_in("dave")

    assert world.entra.confirmed == [world.verifier.people["alice"]]


async def test_it_is_not_where_the_setting_is_off() -> None:
    world = World(settings(entra_on_behalf_of=False))
    await world.signed_in("alice")

    assert world.entra.confirmed == []


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(lambda: InteractionRequiredError("{}"), id="interaction-required"),
        pytest.param(NotAuthenticatedError, id="account-disabled"),
        pytest.param(IdentityProviderFailedError, id="entra-is-away"),
    ],
)
async def test_who_entra_does_not_confirm_is_not_signed_in_and_stores_nothing(
    world: World, failure: Callable[[], Exception]
) -> None:
    world.entra.faults.plan("confirm", failure)

    with pytest.raises(type(failure())):
        await world.signed_in("alice")

    assert is_untouched(world)


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
