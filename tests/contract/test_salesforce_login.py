"""What every Salesforce login promises: the fake, and the OAuth adapter against the simulator."""

import asyncio
import base64
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.errors import (
    FlowRunnerError,
    HostNotAllowedError,
    InvalidStateError,
    NotConnectedError,
    RefreshInProgressError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import Grant
from shared.outside import Azure
from shared.salesforce.oauth_errors import failure_of
from shared.salesforce.token_refusals import REFUSALS, Refusal
from shared.secret import Secret
from tests.contract.salesforce import (
    LOGIN_HOST,
    REVOKE,
    TOKEN,
    VERIFIER,
    Scene,
    SimulatedScene,
    connected,
)
from tests.control_client import ControlClient

OTHER_VERIFIER = Secret("another-verifier-of-forty-three-characters-or-more")


async def has_ended(scene: Scene, grant: Grant) -> bool:
    """Whether the refresh token is refused for good. A living one is spent by asking."""
    try:
        await scene.login.refresh(grant)
    except NotConnectedError as exc:
        return (exc.health, exc.action) == ("revoked", "reconnect")
    return False


@pytest.fixture
def slow_refresh(scene: Scene) -> Iterator[None]:
    """A refresh takes long enough for a second one to meet it."""
    scene.refresh_takes(0.4)
    yield
    scene.refresh_takes(0.02)


# --- sending the user there --------------------------------------------------------------------


def test_the_address_names_host_state_and_an_s256_challenge(scene: Scene) -> None:
    url = scene.login.authorize_url(LOGIN_HOST, state="st/a+te=&", verifier=VERIFIER)

    address = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    digest = hashlib.sha256(VERIFIER.reveal().encode()).digest()
    assert (address.scheme, address.netloc) == ("https", LOGIN_HOST)
    assert address.path == "/services/oauth2/authorize"
    assert query["state"] == "st/a+te=&"
    assert query["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert query["code_challenge_method"] == "S256"
    assert VERIFIER.reveal() not in url


@pytest.mark.parametrize("host", ["evil.example.com", "login.salesforce.com.evil.example.com", ""])
def test_nobody_is_sent_to_a_host_that_is_not_salesforces(scene: Scene, host: str) -> None:
    with pytest.raises(HostNotAllowedError):
        scene.login.authorize_url(host, state="state", verifier=VERIFIER)


# --- trading a code ----------------------------------------------------------------------------


async def test_a_code_is_traded_for_a_grant(scene: Scene) -> None:
    grant = await connected(scene)

    assert (grant.org, grant.instance_host, grant.login_host) == (
        scene.org,
        scene.host,
        LOGIN_HOST,
    )
    assert grant.salesforce_user.startswith("005")
    assert grant.refresh_token != grant.access_token
    assert scene.living("alice") == 1


async def test_a_user_may_log_in_at_the_my_domain(scene: Scene) -> None:
    url = scene.login.authorize_url(scene.host, state="state", verifier=VERIFIER)
    code = scene.approve(url, "alice").code

    grant = await scene.login.redeem_code(scene.host, code=code, verifier=VERIFIER)

    assert (grant.login_host, grant.instance_host) == (scene.host, scene.host)


async def test_a_code_is_traded_once(scene: Scene) -> None:
    url = scene.login.authorize_url(LOGIN_HOST, state="state", verifier=VERIFIER)
    code = scene.approve(url, "alice").code
    await scene.login.redeem_code(LOGIN_HOST, code=code, verifier=VERIFIER)

    with pytest.raises(InvalidStateError):
        await scene.login.redeem_code(LOGIN_HOST, code=code, verifier=VERIFIER)


@pytest.mark.parametrize(
    ("host", "verifier"),
    [
        pytest.param(LOGIN_HOST, OTHER_VERIFIER, id="o04-another-verifier"),
        pytest.param("test.salesforce.com", VERIFIER, id="o06-another-login-host"),
    ],
)
async def test_a_code_from_elsewhere_is_refused_and_spent(
    scene: Scene, host: str, verifier: Secret
) -> None:
    url = scene.login.authorize_url(LOGIN_HOST, state="state", verifier=VERIFIER)
    code = scene.approve(url, "alice").code

    with pytest.raises(InvalidStateError):
        await scene.login.redeem_code(host, code=code, verifier=verifier)
    with pytest.raises(InvalidStateError):
        await scene.login.redeem_code(LOGIN_HOST, code=code, verifier=VERIFIER)


async def test_a_code_that_never_was_is_refused(scene: Scene) -> None:
    with pytest.raises(InvalidStateError):
        await scene.login.redeem_code(LOGIN_HOST, code=Secret("aPrx.none"), verifier=VERIFIER)


@pytest.mark.parametrize(
    ("goes_wrong", "failure"),
    [
        pytest.param("unavailable", SalesforceUnavailableError, id="unavailable"),
        pytest.param("answer_lost", SalesforceTimeoutError, id="answer-lost"),
    ],
)
async def test_a_trade_that_fails_says_whether_it_may_have_happened(
    scene: Scene, goes_wrong: str, failure: type[Exception]
) -> None:
    url = scene.login.authorize_url(LOGIN_HOST, state="state", verifier=VERIFIER)
    code = scene.approve(url, "alice").code
    getattr(scene, goes_wrong)(TOKEN)

    with pytest.raises(failure):
        await scene.login.redeem_code(LOGIN_HOST, code=code, verifier=VERIFIER)


async def test_o23_a_sixth_grant_of_a_user_ends_the_oldest(scene: Scene) -> None:
    grants = [await connected(scene) for _ in range(6)]

    assert scene.living("alice") == 5
    assert [await has_ended(scene, grant) for grant in grants] == [True] + [False] * 5


# --- refreshing --------------------------------------------------------------------------------


async def test_a_refresh_rotates_both_tokens_and_nothing_else(scene: Scene) -> None:
    old = await connected(scene)

    new = await scene.login.refresh(old)

    assert new.refresh_token != old.refresh_token
    assert new.access_token != old.access_token
    assert replace(new, refresh_token=old.refresh_token, access_token=old.access_token) == old


async def test_a_chain_of_refreshes_goes_on(scene: Scene) -> None:
    grant = await connected(scene)

    for _ in range(3):
        grant = await scene.login.refresh(grant)

    assert scene.living("alice") == 1


async def test_reuse_of_a_rotated_token_ends_the_whole_grant(scene: Scene) -> None:
    old = await connected(scene)
    new = await scene.login.refresh(old)

    assert await has_ended(scene, old)
    assert await has_ended(scene, new)
    assert scene.living("alice") == 0


async def test_a_refresh_token_that_never_was_has_ended(scene: Scene) -> None:
    grant = replace(await connected(scene), refresh_token=Secret("5Aep861.none"))

    assert await has_ended(scene, grant)
    assert scene.living("alice") == 1


async def test_a_grant_that_the_user_took_back_has_ended(scene: Scene) -> None:
    grant = await connected(scene)
    scene.withdraw("alice")

    assert await has_ended(scene, grant)


@pytest.mark.usefixtures("slow_refresh")
async def test_of_two_refreshes_at_once_one_is_told_to_wait_and_nothing_ends(scene: Scene) -> None:
    grant = await connected(scene)

    answers = await asyncio.gather(
        scene.login.refresh(grant), scene.login.refresh(grant), return_exceptions=True
    )

    (new,) = [answer for answer in answers if isinstance(answer, Grant)]
    assert [type(answer) for answer in answers if answer is not new] == [RefreshInProgressError]
    assert not await has_ended(scene, new)


async def test_when_salesforce_is_unavailable_the_refresh_token_is_still_good(scene: Scene) -> None:
    grant = await connected(scene)
    scene.unavailable(TOKEN)

    with pytest.raises(SalesforceUnavailableError) as caught:
        await scene.login.refresh(grant)

    assert not isinstance(caught.value, RefreshInProgressError)
    assert not await has_ended(scene, grant)


async def test_o16_when_the_answer_is_lost_the_token_is_spent_all_the_same(scene: Scene) -> None:
    grant = await connected(scene)
    scene.answer_lost(TOKEN)

    with pytest.raises(SalesforceTimeoutError):
        await scene.login.refresh(grant)

    assert await has_ended(scene, grant)


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.name)
async def test_o14_every_refusal_means_what_the_table_says_and_spends_nothing(
    scene: Scene, row: Refusal
) -> None:
    grant = await connected(scene)
    url = scene.login.authorize_url(LOGIN_HOST, state="state", verifier=VERIFIER)
    code = scene.approve(url, "alice").code
    scene.refused(row)

    with pytest.raises(FlowRunnerError) as of_refresh:
        await scene.login.refresh(grant)
    with pytest.raises(FlowRunnerError) as of_code:
        await scene.login.redeem_code(LOGIN_HOST, code=code, verifier=VERIFIER)

    for failed, meaning in ((of_refresh, row.meaning), (of_code, row.of_code)):
        assert type(failed.value) is type(failure_of(meaning))
        assert failed.value.members() == failure_of(meaning).members()
    assert not await has_ended(scene, grant)
    assert (
        await scene.login.redeem_code(LOGIN_HOST, code=code, verifier=VERIFIER)
    ).org == scene.org


# --- revoking ----------------------------------------------------------------------------------


async def test_revoking_ends_the_grant(scene: Scene) -> None:
    grant = await connected(scene)

    await scene.login.revoke(grant)

    assert scene.living("alice") == 0
    assert await has_ended(scene, grant)


async def test_revoking_twice_is_no_error(scene: Scene) -> None:
    grant = await connected(scene)
    await scene.login.revoke(grant)

    await scene.login.revoke(grant)

    assert scene.living("alice") == 0


async def test_revoking_what_never_was_is_no_error(scene: Scene) -> None:
    grant = replace(await connected(scene), refresh_token=Secret("5Aep861.none"))

    await scene.login.revoke(grant)

    assert scene.living("alice") == 1


async def test_revoking_one_grant_leaves_the_users_others(scene: Scene) -> None:
    first, second = await connected(scene), await connected(scene)

    await scene.login.revoke(first)

    assert await has_ended(scene, first)
    assert not await has_ended(scene, second)


async def test_a_revocation_that_was_not_carried_out_is_a_failure(scene: Scene) -> None:
    grant = await connected(scene)
    scene.unavailable(REVOKE)

    with pytest.raises(SalesforceUnavailableError):
        await scene.login.revoke(grant)

    assert scene.living("alice") == 1


# --- closing -----------------------------------------------------------------------------------


@pytest.mark.stack
async def test_closing_what_is_outside_ends_the_threads_of_the_token_calls(
    azure: Azure, control: ControlClient
) -> None:
    others = set(threading.enumerate())
    await connected(SimulatedScene(azure, control))
    own = {one for one in threading.enumerate() if one.name.startswith("salesforce-token")} - others
    assert own

    await azure.close()

    for thread in own:
        await asyncio.to_thread(thread.join, 5)
    assert not any(thread.is_alive() for thread in own)
