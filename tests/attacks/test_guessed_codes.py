"""The routes that a browser opens without a session: how many one-time codes may be guessed there,
and whom that concerns. (O-03: a state that nobody was given.)"""

import asyncio
import time
from collections import Counter

import azure.functions as func
import pytest

from shared.model import OneTimeCode, TenantId
from shared.secret import Secret
from tests.attacks.matrix import answer_of
from tests.attacks.stores import counted
from tests.fakes import World
from tests.functions.browser import Browser
from tests.functions.host import call

BURST = 100
PER_SECOND = 10
GUESSED = (400, "invalid_state")
TOO_MANY = (429, "too_many_requests")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def alice(world: World) -> Secret:
    return await world.session_of("alice")


@pytest.fixture
async def tenant(world: World) -> TenantId:
    return (await world.signed_in("alice")).tenant


async def guess(world: World, route: str, tenant: TenantId) -> func.HttpResponse:
    name = "ticket" if route == "salesforce_start" else "state"
    params = {name: OneTimeCode.new(tenant).reveal(), "code": "x"}
    return await call(world.services, route, params=params)


async def flood(world: World, route: str, tenant: TenantId, times: int) -> Counter[object]:
    answers = await asyncio.gather(*(guess(world, route, tenant) for _ in range(times)))
    return Counter(answer_of(answer) for answer in answers)


@pytest.mark.parametrize("route", ["salesforce_start", "salesforce_callback"])
async def test_guesses_reach_the_store_no_oftener_than_said(
    world: World, tenant: TenantId, route: str
) -> None:
    calls = counted(world)
    began = time.monotonic()

    answers = await flood(world, route, tenant, 600)

    refilled = PER_SECOND * (time.monotonic() - began) + 1
    assert set(answers) == {GUESSED, TOO_MANY}
    assert BURST <= answers[GUESSED] <= BURST + refilled
    assert Counter(calls) == {"pending.take": answers[GUESSED]}


@pytest.mark.parametrize("route", ["salesforce_start", "salesforce_callback"])
async def test_the_refusal_says_when_to_come_again_and_leaves_the_browser_its_cookie(
    world: World, tenant: TenantId, route: str
) -> None:
    await flood(world, route, tenant, 2 * BURST)

    refused = await guess(world, route, tenant)

    assert answer_of(refused) == TOO_MANY
    assert refused.headers["Retry-After"] == "1"
    assert "Set-Cookie" not in refused.headers
    assert refused.mimetype == "text/html"


async def test_other_tenants_do_not_notice(world: World, tenant: TenantId) -> None:
    mallorys = await world.session_of("mallory")
    for route in ("salesforce_start", "salesforce_callback"):
        await flood(world, route, tenant, 2 * BURST)

    arrived = await Browser(world).consent(mallorys)

    assert answer_of(arrived) == (200, None)


async def test_what_was_refused_unseen_can_be_opened_a_moment_later(
    world: World, alice: Secret, tenant: TenantId
) -> None:
    """Neither the ticket nor the state is spent, and the browser is still the same."""
    browser = Browser(world)
    ticket = await browser.begin(alice)
    await flood(world, "salesforce_start", tenant, 2 * BURST)
    assert answer_of(await browser.start(ticket)) == TOO_MANY

    await asyncio.sleep(1)
    departed = await browser.start(ticket)
    assert departed.status_code == 302
    back = world.login.approve(str(departed.headers["Location"]), user="u")
    await flood(world, "salesforce_callback", tenant, 2 * BURST)
    state, code = back.state, back.code.reveal()
    assert answer_of(await browser.come_back(state=state, code=code)) == TOO_MANY

    await asyncio.sleep(1)
    assert answer_of(await browser.come_back(state=state, code=code)) == (200, None)


async def test_codes_that_are_right_cost_nothing(world: World, alice: Secret) -> None:
    """A whole company connects in the same minute; none of them is refused."""
    for number in range(2 * BURST):
        world.services.authenticate.user_limit._buckets.clear()
        arrived = await Browser(world).consent(alice)
        assert answer_of(arrived) == (200, None), number


@pytest.mark.parametrize("route", ["salesforce_start", "salesforce_callback"])
async def test_what_is_no_code_at_all_is_not_looked_up(world: World, route: str) -> None:
    calls = counted(world)

    for text in ("", "x", "contoso.x", f"ms-{'0' * 8}.x", "x" * 3_000, "../" * 9):
        answer = await call(world.services, route, params={"ticket": text, "state": text})
        assert answer.status_code == 400

    assert calls == []
