"""What browser sessions promise: the fake, and the adapter against the simulator."""

import pytest

from shared.errors import (
    AccessRefusedError,
    SalesforceForbiddenError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import Access, LightningAppId
from shared.secret import Secret
from tests.contract.salesforce import BRIDGE, Scene, access_to
from tests.fakes import OpenedSession

APP = LightningAppId.parse("1Us5g000000wXyZCAU")
OTHER_APP = LightningAppId.parse("1Us5g000000AAAAAA0")


async def test_the_address_is_a_front_door_of_the_orgs_own_host(scene: Scene) -> None:
    address = await scene.lightning.open(await access_to(scene), APP)

    assert address.reveal().startswith(f"https://{scene.host}/secur/frontdoor.jsp?otp=")


async def test_it_opens_the_app_as_this_user(scene: Scene) -> None:
    for user in ("alice", "bob"):
        address = await scene.lightning.open(await access_to(scene, user), APP)

        assert scene.browse(address) == OpenedSession(user, scene.org, APP)


async def test_it_opens_once(scene: Scene) -> None:
    address = await scene.lightning.open(await access_to(scene), APP)

    assert scene.browse(address) is not None
    assert scene.browse(address) is None


async def test_each_is_another_and_one_that_is_used_leaves_the_others(scene: Scene) -> None:
    access = await access_to(scene)
    first, second = [await scene.lightning.open(access, APP) for _ in range(2)]

    assert first.reveal() != second.reveal()
    assert scene.browse(first) == scene.browse(second) == OpenedSession("alice", scene.org, APP)


async def test_the_access_token_is_not_in_the_address_and_serves_on(scene: Scene) -> None:
    access = await access_to(scene)
    address = await scene.lightning.open(access, APP)
    scene.browse(address)

    assert access.token.reveal() not in address.reveal()
    assert scene.browse(await scene.lightning.open(access, APP)) is not None


async def test_an_app_that_the_org_does_not_have_is_not_opened(scene: Scene) -> None:
    scene.only_app(APP)
    access = await access_to(scene)

    with pytest.raises(SalesforceForbiddenError):
        await scene.lightning.open(access, OTHER_APP)

    assert scene.browse(await scene.lightning.open(access, APP)) is not None


async def test_an_org_without_lightning_out_opens_the_plain_session(scene: Scene) -> None:
    scene.without_lightning_out()

    address = await scene.lightning.open(await access_to(scene), APP)

    assert scene.browse(address) == OpenedSession("alice", scene.org, None)


async def test_an_expired_access_token_is_refused(scene: Scene) -> None:
    access = await access_to(scene)
    scene.expire_access_tokens("alice")

    with pytest.raises(AccessRefusedError):
        await scene.lightning.open(access, APP)


async def test_an_expired_access_token_is_refused_by_the_plain_bridge_too(scene: Scene) -> None:
    scene.without_lightning_out()
    access = await access_to(scene)
    scene.expire_access_tokens("alice")

    with pytest.raises(AccessRefusedError):
        await scene.lightning.open(access, APP)


async def test_the_access_token_of_a_grant_that_ended_is_refused(scene: Scene) -> None:
    access = await access_to(scene)
    scene.withdraw("alice")

    with pytest.raises(AccessRefusedError):
        await scene.lightning.open(access, APP)


async def test_an_access_token_that_never_was_is_refused(scene: Scene) -> None:
    token = Secret(f"{scene.org[:15]}!none")
    stranger = Access(org=scene.org, instance_host=scene.host, token=token, generation=1)

    with pytest.raises(AccessRefusedError):
        await scene.lightning.open(stranger, APP)


async def test_when_salesforce_is_unavailable_there_is_no_address(scene: Scene) -> None:
    access = await access_to(scene)
    scene.unavailable(BRIDGE)

    with pytest.raises(SalesforceUnavailableError):
        await scene.lightning.open(access, APP)

    assert scene.browse(await scene.lightning.open(access, APP)) is not None


async def test_an_address_whose_answer_was_lost_is_nobodys(scene: Scene) -> None:
    access = await access_to(scene)
    scene.answer_lost(BRIDGE)

    with pytest.raises(SalesforceTimeoutError):
        await scene.lightning.open(access, APP)
