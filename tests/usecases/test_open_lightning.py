"""Opening Lightning Out: anew each time, as the caller, and told to nobody else."""

import pytest

from shared.errors import (
    AccessRefusedError,
    NotConnectedError,
    OrgAmbiguousError,
    OrgNotAllowedError,
    SalesforceForbiddenError,
    SalesforceTimeoutError,
)
from shared.model import Caller, LightningAppId
from tests.attacks.stores import changes, contents
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, OpenedSession, World
from tests.usecases.conftest import Told
from tests.usecases.settling import settle

APP = LightningAppId.parse("1Us5g000000wXyZCAU")
OTHER_APP = LightningAppId.parse("1Us5g000000AAAAAA0")


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


async def test_the_address_opens_the_app_as_the_caller_once(world: World, alice: Caller) -> None:
    address = await world.services.open_lightning(alice, None, APP)

    assert world.lightning.browse(address) == OpenedSession(alice.user, CONTOSO_ORG, APP)
    assert world.lightning.browse(address) is None


async def test_whoever_asks_again_gets_another_one(world: World, alice: Caller) -> None:
    addresses = [await world.services.open_lightning(alice, None, APP) for _ in range(3)]

    assert len({address.reveal() for address in addresses}) == 3
    assert all(world.lightning.browse(address) is not None for address in addresses)


async def test_nothing_of_it_is_stored(world: World, alice: Caller) -> None:
    await world.services.list_flows(alice, None)  # the day of the last use is noted
    before = contents(world)

    address = await world.services.open_lightning(alice, None, APP)

    assert changes(before, contents(world)) == set()
    assert address.reveal() not in repr(contents(world))


async def test_it_is_told_who_opened_and_nothing_else(
    world: World, alice: Caller, told: Told
) -> None:
    await world.services.open_lightning(alice, None, APP)

    (opened,) = told("lightning_opened")
    assert opened == {
        "event": "lightning_opened",
        "tenant": alice.tenant,
        "user": alice.user,
        "level": "INFO",
    }


async def test_one_that_was_refused_is_not_told_as_opened(
    world: World, alice: Caller, told: Told
) -> None:
    world.lightning.apps[CONTOSO_ORG] = frozenset({APP})

    with pytest.raises(SalesforceForbiddenError):
        await world.services.open_lightning(alice, None, OTHER_APP)

    assert told("lightning_opened") == []


async def test_p10_a_spent_access_token_is_refreshed_once_and_it_is_asked_again(
    world: World, alice: Caller
) -> None:
    world.login.expire_access_tokens()

    for _ in range(2):
        address = await world.services.open_lightning(alice, None, APP)
        assert world.lightning.browse(address) is not None

    assert world.login.redemptions == 1


async def test_o21_an_org_that_refuses_every_token_is_asked_twice_and_no_more(
    world: World, alice: Caller
) -> None:
    world.lightning.faults.plan("open", AccessRefusedError, times=5)

    with pytest.raises(NotConnectedError):
        await world.services.open_lightning(alice, None, APP)

    assert (world.lightning.faults.left("open"), world.login.redemptions) == (3, 1)


async def test_an_answer_that_was_lost_is_not_asked_for_again(world: World, alice: Caller) -> None:
    world.lightning.faults.plan("open", SalesforceTimeoutError, times=5, carried_out=True)

    with pytest.raises(SalesforceTimeoutError):
        await world.services.open_lightning(alice, None, APP)

    assert world.lightning.faults.left("open") == 4


async def test_of_several_orgs_one_has_to_be_named(world: World, alice: Caller) -> None:
    await world.connect(alice, FABRIKAM_ORG)

    with pytest.raises(OrgAmbiguousError):
        await world.services.open_lightning(alice, None, APP)

    address = await world.services.open_lightning(alice, FABRIKAM_ORG, APP)
    assert world.lightning.browse(address) == OpenedSession(alice.user, FABRIKAM_ORG, APP)


async def test_n01_a_colleagues_connection_opens_nothing(world: World, alice: Caller) -> None:
    await world.services.open_lightning(alice, None, APP)  # her access token is in memory
    bob = await world.signed_in("bob")

    for org in (None, CONTOSO_ORG):
        with pytest.raises(NotConnectedError):
            await world.services.open_lightning(bob, org, APP)


async def test_an_org_that_is_not_allowed_any_more_is_not_opened(
    world: World, alice: Caller
) -> None:
    settle(world, alice, allowed_orgs=(FABRIKAM_ORG,))
    world.lightning.faults.plan("open", lambda: AssertionError("asked"))

    with pytest.raises(OrgNotAllowedError):
        await world.another_instance().services.open_lightning(alice, None, APP)
