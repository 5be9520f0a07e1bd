"""The routes that a browser opens without a session: how many one-time codes may be guessed there,
and that nobody else is refused for them. (O-03: a state that nobody was given.)"""

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
from tests.functions.browser import Browser, query_of
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
async def test_more_guesses_than_said_are_told_to_wait_and_each_costs_one_look(
    world: World, tenant: TenantId, route: str
) -> None:
    calls = counted(world)
    began = time.monotonic()

    answers = await flood(world, route, tenant, 600)

    refilled = PER_SECOND * (time.monotonic() - began) + 1
    assert set(answers) == {GUESSED, TOO_MANY}
    assert BURST <= answers[GUESSED] <= BURST + refilled
    assert Counter(calls) == {"pending.take": 600}


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


async def test_a_code_that_is_right_is_not_refused_for_anybodys_guesses(
    world: World, alice: Secret, tenant: TenantId
) -> None:
    browser = Browser(world)
    ticket = await browser.begin(alice)
    guessed = await flood(world, "salesforce_start", tenant, 2 * BURST)
    departed = await browser.start(ticket)
    assert guessed[TOO_MANY] > 0
    assert departed.status_code == 302

    back = world.login.approve(str(departed.headers["Location"]), user="u")
    guessed = await flood(world, "salesforce_callback", tenant, 2 * BURST)
    arrived = await browser.come_back(state=back.state, code=back.code.reveal())
    assert guessed[TOO_MANY] > 0
    assert answer_of(arrived) == (200, None)


@pytest.mark.parametrize("route", ["salesforce_start", "salesforce_callback"])
async def test_a_code_that_came_too_late_was_no_guess(
    world: World, alice: Secret, tenant: TenantId, route: str
) -> None:
    """Its owner is told what is wrong, and it is not counted."""
    browser = Browser(world)
    if route == "salesforce_start":
        params = {"ticket": await browser.begin(alice)}
    else:
        params = {"state": query_of(await browser.leave(alice))["state"][0], "code": "x"}
    await flood(world, route, tenant, 2 * BURST)
    world.clock.move(minutes=10)

    answer = await call(world.services, route, params=params)

    assert answer_of(answer) == GUESSED


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
