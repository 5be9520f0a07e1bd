"""V-01, S-08, O-09: the address that opens a user's Salesforce reaches that user, and nothing else.

An org that lies: whatever it answers, the service calls no other host, hands on no address that
leads elsewhere or holds the access token, and says nothing of it in an error, an event or a log at
its most talkative.
"""

import logging
from collections.abc import AsyncIterator
from typing import Final

import pytest

from local import scene
from shared.salesforce.lightning import LightningSessions
from shared.secret import Secret
from tests import upstream as up
from tests.attacks.matrix import answer_of
from tests.attacks.stores import contents
from tests.fakes import CONTOSO_ORG, World
from tests.functions.host import call, json_of
from tests.upstream import Upstream, upstream

HOST: Final = scene.SALESFORCE_ORG_HOST
EVIL: Final = "evil.example.com"
BODY: Final = {"app_id": scene.LIGHTNING_OUT_APP_ID}
DOOR: Final = f"https://{HOST}/secur/frontdoor.jsp?otp=canary-of-the-door"
FAILED: Final = (502, "salesforce_failed")


@pytest.fixture
async def org() -> AsyncIterator[Upstream]:
    async with upstream(HOST, EVIL) as server:
        yield server


@pytest.fixture
async def world(org: Upstream) -> World:
    """The real adapter, to the org of this test; everything else is in memory."""
    world = World()
    world.__dict__["lightning"] = LightningSessions(org.network, seconds=0.5)
    await world.connect(await world.signed_in("alice"))
    return world


def spent() -> up.Answer:
    return up.answering(b"Bad_OAuth_Token", status=403, content_type="text/plain")


def door(address: str) -> up.Answer:
    return up.answering_json({"frontdoor_uri": address})


LIES: Final = {
    "another-host": (door(DOOR.replace(HOST, EVIL)), FAILED),
    "another-org": (door(DOOR.replace("contoso", "fabrikam", 1)), FAILED),
    "user-information": (door(DOOR.replace(HOST, f"{HOST}@{EVIL}")), FAILED),
    "a-script": (door("javascript:canary-of-the-door"), FAILED),
    "a-redirect": (up.redirecting(f"https://{EVIL}/canary-of-the-door", 307), FAILED),
    "cut-short": (up.answering(f'{{"frontdoor_uri": "{DOOR}'.encode()), FAILED),
    "twice": (up.answering(f'{{"a": "{DOOR}", "a": "{DOOR}"}}'.encode()), FAILED),
    "not-utf-8": (up.answering(DOOR.encode() + b"\xff"), FAILED),
    "with-an-error": (up.answering(DOOR.encode(), status=500), FAILED),
    "as-a-refusal": (
        up.answering(DOOR.encode(), status=403, content_type="text/plain"),
        (403, "salesforce_forbidden"),
    ),
    "too-much": (up.answering(DOOR.encode() * 10_000), FAILED),
    "dropped": (up.dropping, (504, "salesforce_timeout")),
    "never": (up.hanging, (504, "salesforce_timeout")),
}


@pytest.mark.parametrize(("lie", "answer"), LIES.values(), ids=LIES.keys())
async def test_V01_O09_nothing_of_a_bad_address_is_told_and_no_other_host_is_called(
    org: Upstream,
    world: World,
    caplog: pytest.LogCaptureFixture,
    lie: up.Answer,
    answer: tuple[int, str],
) -> None:
    caplog.set_level(logging.DEBUG)
    org.answer = lie
    session = await world.session_of("alice")

    response = await call(world.services, "lightning_session", token=session, body=BODY)

    assert answer_of(response) == answer
    assert {sent.host for sent in org.received} == {HOST}
    told = f"{response.get_body()!r} {response.headers} {caplog.text} {contents(world)!r}"
    assert '"event": "refused"' in caplog.text or '"event":"refused"' in caplog.text
    assert "canary" not in told
    assert tokens_sent(org) & words_of(told) == set()


async def test_V01_a_good_address_is_in_the_answer_and_nowhere_else(
    org: Upstream, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    org.answer = door(DOOR)
    session = await world.session_of("alice")

    response = await call(world.services, "lightning_session", token=session, body=BODY)

    assert json_of(response)["frontdoor_url"] == DOOR
    assert "lightning_opened" in caplog.text
    assert "canary" not in f"{response.headers} {caplog.text} {contents(world)!r}"
    assert tokens_sent(org) & words_of(f"{response.get_body()!r} {caplog.text}") == set()


@pytest.mark.parametrize(
    "address",
    [
        f"https://{HOST}/secur/frontdoor.jsp?sid={{token}}",
        f"https://{HOST}/secur/frontdoor.jsp?otp=a&startURL=%2F%3Ft%3D{{token}}",
    ],
)
async def test_S08_an_address_that_holds_the_access_token_is_handed_to_nobody(
    org: Upstream, world: World, address: str
) -> None:
    key = (await world.signed_in("alice")).user
    (row,) = [row for row in world.connections.rows.values() if row.user == key]
    grant = await world.grants.open(row.place, row.sealed_grant)
    org.answer = door(address.format(token=grant.access_token.reveal()))
    session = await world.session_of("alice")

    response = await call(world.services, "lightning_session", token=session, body=BODY)

    assert answer_of(response) == FAILED
    assert grant.access_token.reveal().encode() not in response.get_body()


async def test_P10_O21_a_spent_token_costs_one_refresh_and_one_more_try(
    org: Upstream, world: World
) -> None:
    session = await world.session_of("alice")
    org.answer = up.in_turn(spent(), door(DOOR))

    response = await call(world.services, "lightning_session", token=session, body=BODY)

    assert json_of(response)["frontdoor_url"] == DOOR
    assert (len(org.received), world.login.redemptions) == (2, 1)
    assert len(tokens_sent(org)) == 2

    org.answer = spent()
    for _ in range(3):
        response = await call(world.services, "lightning_session", token=session, body=BODY)
        assert answer_of(response) == (409, "salesforce_not_connected")

    assert world.login.redemptions == 2
    assert {sent.host for sent in org.received} == {HOST}


async def test_S08_no_answer_is_given_again(org: Upstream, world: World) -> None:
    """A session that was stolen opens what it can open now, not what its owner was given."""
    session = await world.session_of("alice")
    org.answer = up.in_turn(door(DOOR), door(DOOR.replace("canary", "another")))

    found = [
        json_of(await call(world.services, "lightning_session", token=session, body=BODY))
        for _ in range(2)
    ]

    assert found[0]["frontdoor_url"] != found[1]["frontdoor_url"]
    assert len(org.received) == 2


async def test_N01_the_org_of_the_grant_is_asked_whatever_org_the_caller_could_name(
    org: Upstream, world: World
) -> None:
    org.answer = door(DOOR)
    session = await world.session_of("alice")

    for given in (CONTOSO_ORG, CONTOSO_ORG[:15]):
        body = {**BODY, "org_id": given}
        response = await call(world.services, "lightning_session", token=session, body=body)
        assert response.status_code == 200

    assert {sent.host for sent in org.received} == {HOST}


def tokens_sent(org: Upstream) -> set[str]:
    """The access tokens that the org was shown, which stand in the forms alone."""
    found = set()
    for sent in org.received:
        fields = dict(pair.split("=", 1) for pair in sent.body.decode().split("&"))
        found.add(fields["access_token"])
        assert fields["access_token"] not in words_of(f"{sent.path} {sent.headers}")
    return found


def words_of(text: str) -> set[str]:
    """So that `access-token-1` is not found in `access-token-12`."""
    for mark in "\"'=&?,;:(){}[]<>/":
        text = text.replace(mark, " ")
    return set(text.split())


def test_a_secret_would_be_found_in_such_words() -> None:
    assert "access-token-1" in words_of("{'t': Secret('access-token-1')}")
    assert "access-token-1" not in words_of(f"{Secret('access-token-1')!r} access-token-12")
