"""Who may not sign in; and that nothing is stored of them."""

from collections.abc import Callable

import pytest

from shared.errors import (
    IdentityProviderFailedError,
    InteractionRequiredError,
    NotAuthenticatedError,
    OtherRegionError,
    PersonalAccountError,
    TenantNotAllowedError,
    TooManyRequestsError,
)
from shared.model import Provider, TenantStatus
from shared.secret import Secret
from tests.fakes import World
from tests.fakes.identity import CONTOSO_DIRECTORY, GOOGLE_DIRECTORY
from tests.settings import settings
from tests.usecases.stored import everything


def is_untouched(world: World) -> bool:
    """Whether nothing at all was stored."""
    return not everything(world)


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
    world.tenants.change(caller.tenant, status=TenantStatus.DISABLED)

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
