"""Attacks on the way to a connection, through the service's own HTTP functions: O-01 to O-11."""

import asyncio
from collections import Counter

import pytest

from functions.salesforce_oauth import COOKIE
from shared.model import Caller
from tests.attacks.return_addresses import strange_addresses
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, World
from tests.fakes.salesforce_login import Returned
from tests.functions.browser import Browser, fragment_of
from tests.functions.host import call, failure_of
from tests.settings import RETURN_URL
from tests.usecases.conftest import Told
from tests.usecases.conftest import told as told  # noqa: PLC0414 - the fixture is shared
from tests.usecases.counting import count_calls

CORPUS = strange_addresses(RETURN_URL)
BURST = 25
"""So many requests of one user are served in a burst; then a fresh instance goes on."""


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def alice(world: World) -> Caller:
    return await world.signed_in("alice")


async def left(world: World, name: str, **body: str) -> tuple[Browser, Returned]:
    """A browser whose user has said yes at Salesforce, and what it is to bring back."""
    browser = Browser(world)
    url = await browser.leave(await world.session_of(name), **body)
    return browser, world.login.approve(url, user=name)


@pytest.mark.parametrize("cookie", ["none", "empty", "its own", "both", "a hash", "joined"])
async def test_O01_the_attackers_answer_does_nothing_in_the_victims_browser(
    world: World, cookie: str
) -> None:
    """Login CSRF: the victim would run Flows in the attacker's org."""
    attacker, back = await left(world, "mallory", return_to=RETURN_URL)
    victim, own = await left(world, "alice", return_to=RETURN_URL)
    ours, theirs = victim.cookie, attacker.cookie
    assert ours
    assert theirs
    cookies = {
        "none": "",
        "empty": f"{COOKIE}=",
        "its own": f"{COOKIE}={ours}",
        "both": f"{COOKIE}={ours}; {COOKIE}={theirs}",
        "a hash": f"{COOKIE}={hash(theirs)}",
        "joined": f"{COOKIE}={theirs}{ours}",
    }

    response = await call(
        world.services,
        "salesforce_callback",
        params={"state": back.state, "code": back.code.reveal()},
        headers={"Cookie": cookies[cookie]},
    )

    assert fragment_of(response) == (RETURN_URL, {"error": ["invalid_state"]})
    assert world.login.code_redemptions == 0
    late = await attacker.come_back(state=back.state, code=back.code.reveal())
    assert (late.status_code, late.mimetype) == (400, "text/html")
    home = await victim.come_back(state=own.state, code=own.code.reveal())
    assert list(fragment_of(home)[1]) == ["completion"]


async def test_O02_of_32_returns_at_once_one_reaches_the_token_endpoint(world: World) -> None:
    browser, back = await left(world, "alice", return_to=RETURN_URL)
    trades = count_calls(world, "login", "redeem_code")
    headers = {"Cookie": f"{COOKIE}={browser.cookie}"}
    params = {"state": back.state, "code": back.code.reveal()}
    instances = [world.another_instance().services for _ in range(4)]

    responses = await asyncio.gather(
        *(
            call(services, "salesforce_callback", params=params, headers=headers)
            for services in instances * 8
        )
    )

    assert len(trades) == world.login.code_redemptions == 1
    assert Counter(one.status_code for one in responses) == {303: 1, 400: 31}
    assert world.login.living("alice") == len(world.pending.rows) == 1


async def test_O03_no_altered_state_is_taken_and_the_right_one_still_is(world: World) -> None:
    browser, back = await left(world, "alice", return_to=RETURN_URL)
    state = back.state
    altered = [
        *(
            state[:at] + ("A" if char != "A" else "B") + state[at + 1 :]
            for at, char in enumerate(state)
        ),
        *(state[:at] for at in range(0, len(state), 7)),
        *(state + more for more in ("A", "=", ".", "\x00", "%00", " ")),
        *(state.upper(), state.lower(), state.replace(".", ""), state[::-1], f" {state}"),
    ]

    statuses = Counter[int]()
    for wrong in dict.fromkeys(altered):
        assert wrong != state
        response = await call(
            world.services,
            "salesforce_callback",
            params={"state": wrong, "code": back.code.reveal()},
            headers={"Cookie": f"{COOKIE}={browser.cookie}"},
        )
        statuses[response.status_code] += 1

    assert statuses.keys() <= {400, 429}
    assert world.login.code_redemptions == 0
    home = await browser.come_back(state=state, code=back.code.reveal())
    assert list(fragment_of(home)[1]) == ["completion"]


@pytest.mark.parametrize(("seconds", "codes"), [(599, 1), (600, 0), (601, 0)])
async def test_O03_a_state_is_over_after_ten_minutes(
    world: World, seconds: int, codes: int
) -> None:
    browser, back = await left(world, "alice", return_to=RETURN_URL)
    world.clock.move(seconds=seconds)

    await browser.come_back(state=back.state, code=back.code.reveal())

    assert world.login.code_redemptions == len(world.pending.rows) == codes


async def test_O03_the_state_of_one_tenant_is_none_of_another(world: World) -> None:
    browser, back = await left(world, "alice", return_to=RETURN_URL)
    mallory = await world.signed_in("mallory")
    moved = f"{mallory.tenant}.{back.state.partition('.')[2]}"

    response = await browser.come_back(state=moved, code=back.code.reveal())

    assert (response.status_code, response.mimetype) == (400, "text/html")
    assert world.login.code_redemptions == 0


async def test_O04_the_victims_code_in_the_attackers_dance_is_refused_and_stores_nothing(
    world: World,
) -> None:
    """The code was taken from an address bar: its verifier is sealed in the victim's dance."""
    _, stolen = await left(world, "alice", return_to=RETURN_URL)
    attacker, own = await left(world, "mallory", return_to=RETURN_URL)

    response = await attacker.come_back(state=own.state, code=stolen.code.reveal())

    assert fragment_of(response) == (RETURN_URL, {"error": ["invalid_state"]})
    assert world.login.code_redemptions == 0
    assert world.login.living("alice") == world.login.living("mallory") == 0
    mallory = await world.signed_in("mallory")
    assert [row for row in world.pending.rows.values() if row.tenant == mallory.tenant] == []
    assert world.connections.rows == {}


@pytest.mark.parametrize("way", ["a page", "home"])
@pytest.mark.parametrize(
    "text",
    [
        "<script>canary(1)</script>",
        '"><img src=x onerror=canary(1)>',
        "</script><script>canary",
        "canary\r\nSet-Cookie: canary=1",
        "canary\r\n\r\n<html>canary",
        "#completion=canary",
        "javascript:canary",
        "canary\u2028canary",
        "${canary}$canary$$message",
        "canary" * 300,
    ],
    ids=lambda text: text[:12].encode("unicode_escape").decode(),
)
async def test_O07_nothing_of_an_error_callback_comes_back(
    world: World, text: str, way: str
) -> None:
    body = {"return_to": RETURN_URL} if way == "home" else {}
    for params in (
        {"error": "access_denied", "error_description": text},
        {"error": text},
        {"error": text, "code": text},
        {"error": "access_denied", "error_uri": text, "code": "the right one"},
        {"error_description": text},
    ):
        browser, back = await left(world, "alice", **body)

        sent = {
            name: back.code.reveal() if value == "the right one" else value
            for name, value in params.items()
        }
        response = await browser.come_back(state=back.state, **sent)

        told = response.get_body().decode() + "".join(
            f"{name}: {value}" for name, value in response.headers.items()
        )
        assert "canary" not in told
        assert response.status_code == 303 if way == "home" else response.status_code >= 400
        assert response.headers["Set-Cookie"].startswith(f"{COOKIE}=; Max-Age=0")
        assert world.pending.rows == {}, "the state is used up"
    assert world.login.code_redemptions == 0


async def test_O08_none_of_a_thousand_other_addresses_is_a_way_home(world: World) -> None:
    session = await world.session_of("alice")
    taken: list[str] = []
    for start in range(0, len(CORPUS), BURST):
        services = world.another_instance().services
        for address in CORPUS[start : start + BURST]:
            response = await call(
                services, "salesforce_connect", token=session, body={"return_to": address}
            )
            is_refused = failure_of(response) in (
                (400, "invalid_return_url"),
                (400, "invalid_request"),
            )
            if not is_refused or (address in response.get_body().decode() and len(address) > 4):
                taken.append(address)

    assert len(CORPUS) >= 1_000
    assert RETURN_URL not in CORPUS
    assert taken == []
    assert world.pending.rows == {}


@pytest.mark.parametrize("thief", ["bob", "mallory"])
async def test_O11_whoever_finishes_anothers_dance_gets_nothing_and_the_grant_ends(
    world: World, thief: str
) -> None:
    browser, back = await left(world, "alice", return_to=RETURN_URL)
    home = await browser.come_back(state=back.state, code=back.code.reveal())
    completion = {"completion": fragment_of(home)[1]["completion"][0]}
    session = await world.session_of(thief)

    stolen = await call(world.services, "salesforce_complete", token=session, body=completion)
    late = await call(
        world.services,
        "salesforce_complete",
        token=await world.session_of("alice"),
        body=completion,
    )

    assert failure_of(stolen) == (403, "completion_not_yours")
    assert failure_of(late) == (400, "invalid_state")
    assert world.login.living("alice") == 0
    assert (world.connections.rows, world.pending.rows) == ({}, {})


async def test_O11_linking_anew_is_a_consent_of_its_own_and_is_logged(
    world: World, alice: Caller, told: Told
) -> None:
    """Another org stands beside the first; the same org once more replaces its grant."""
    first = (await world.connect(alice)).connection
    await world.connect(alice, FABRIKAM_ORG)
    again = (await world.connect(alice)).connection

    assert sorted(row.org for row in world.connections.rows.values()) == sorted(
        [CONTOSO_ORG, FABRIKAM_ORG]
    )
    assert first.consent != again.consent
    assert world.login.living(alice.user) == 2
    assert [one["user"] for one in told("connected")] == [alice.user] * 3
