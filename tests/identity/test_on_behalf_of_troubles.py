"""On behalf of, when Entra ID is slow, silent or tired of us: who waits, and who does not."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from time import monotonic
from typing import Final

import pytest
import requests
from aiohttp import web

from local import scene
from shared.errors import IdentityProviderFailedError, NotAuthenticatedError
from shared.identity.entra_client import EntraClient
from shared.identity.on_behalf_of import MsalOnBehalfOf
from shared.model import Identity
from shared.network import Network
from shared.secret import Secret
from tests.identity.entra_upstream import (
    GRANTED,
    THREADS,
    Made,
    by_user,
    entra_answering,
    once_all_are_here,
    people_of_two_tenants,
    person,
)
from tests.identity.tokens import OTHER_TENANT, TENANT
from tests.upstream import (
    Answer,
    Upstream,
    answering,
    answering_json,
    certified,
    dripping,
    hanging,
    pinned_network,
    scripted,
)

GOOD: Final = answering_json(GRANTED)


def asked(upstream: Upstream, method: str = "POST") -> int:
    return sum(request.method == method for request in upstream.received)


async def refusal(on_behalf_of: MsalOnBehalfOf, identity: Identity, token: str = "alice") -> int:
    """After how many seconds this user is told to try again."""
    with pytest.raises(IdentityProviderFailedError) as failed:
        await on_behalf_of.confirm(identity, Secret(token))
    assert failed.value.retry_after is not None
    return failed.value.retry_after


# --- each user's own pause -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        pytest.param(429, "30", 30, id="429"),
        pytest.param(429, None, 5, id="429-that-says-nothing"),
        pytest.param(503, "30", 30, id="503"),
        pytest.param(500, None, 5, id="500-that-says-nothing"),
        pytest.param(503, "Thu, 15 Jan 2026 12:00:20 GMT", 20, id="503-with-a-date"),
        pytest.param(429, "86400", 300, id="429-for-a-day"),
    ],
)
async def test_a_user_waits_as_long_as_entra_asked_without_another_call(
    misbehaving: Upstream, make: Made, status: int, header: str | None, seconds: int
) -> None:
    headers = {} if header is None else {"Retry-After": header}
    tired = answering(b'{"error": "temporarily_unavailable"}', status=status, headers=headers)
    misbehaving.answer = entra_answering(tired)
    on_behalf_of = make(misbehaving.network)

    assert await refusal(on_behalf_of, person(1)) == seconds
    misbehaving.answer = entra_answering(GOOD)
    assert await refusal(on_behalf_of, person(1)) == seconds
    make.clock.move(seconds=seconds - 1)
    assert await refusal(on_behalf_of, person(1)) == 1
    assert asked(misbehaving) == 1
    make.clock.move(seconds=1)
    await on_behalf_of.confirm(person(1), Secret("alice"))
    assert asked(misbehaving) == 2


async def test_the_pause_is_one_users_and_no_colleagues(misbehaving: Upstream, make: Made) -> None:
    tired = answering(status=429, headers={"Retry-After": "60"})
    misbehaving.answer = entra_answering(by_user(alice=tired, bob=GOOD))
    on_behalf_of = make(misbehaving.network)
    await refusal(on_behalf_of, person(1))

    await on_behalf_of.confirm(person(2), Secret("bob"))
    await on_behalf_of.confirm(person(1, OTHER_TENANT), Secret("bob"))  # the same oid elsewhere

    assert await refusal(on_behalf_of, person(1), "bob") == 60
    assert asked(misbehaving) == 3


async def test_a_refusal_of_the_user_asks_for_no_pause(misbehaving: Upstream, make: Made) -> None:
    refused = answering(b'{"error": "invalid_grant"}', status=400, headers={"Retry-After": "60"})
    misbehaving.answer = entra_answering(refused)
    on_behalf_of = make(misbehaving.network)
    for _ in range(2):
        with pytest.raises(NotAuthenticatedError):
            await on_behalf_of.confirm(person(1), Secret("alice"))

    assert asked(misbehaving) == 2


async def test_metadata_that_is_refused_pauses_its_user_alone(
    misbehaving: Upstream, make: Made
) -> None:
    tired = answering(status=503, headers={"Retry-After": "40"})
    misbehaving.answer = entra_answering(GOOD, metadata=tired)
    on_behalf_of = make(misbehaving.network)
    assert await refusal(on_behalf_of, person(1)) == 40

    misbehaving.answer = entra_answering(GOOD)
    assert await refusal(on_behalf_of, person(1)) == 40
    await on_behalf_of.confirm(person(2), Secret("bob"))


# --- an Entra ID that does not answer ------------------------------------------------------------

SILENCE: Final = [
    pytest.param(lambda: entra_answering(hanging), id="no-answer"),
    pytest.param(lambda: entra_answering(GOOD, metadata=hanging), id="no-metadata"),
    pytest.param(lambda: entra_answering(dripping(b"x" * 600, seconds=0.1)), id="a-drip"),
    pytest.param(
        lambda: entra_answering(GOOD, metadata=dripping(b"x" * 600, seconds=0.1)),
        id="metadata-that-drips",
    ),
    pytest.param(
        lambda: entra_answering(stopping_after(b'{"access_')), id="an-answer-that-stops-midway"
    ),
]


def stopping_after(beginning: bytes) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(beginning)
        await asyncio.sleep(600)
        return response

    return answer


async def all_give_up(on_behalf_of: MsalOnBehalfOf, people: list[Identity]) -> float:
    """How long it takes until all of them have been told that the provider failed."""
    began = monotonic()
    ends = await asyncio.gather(
        *(on_behalf_of.confirm(each, Secret("alice")) for each in people), return_exceptions=True
    )
    assert {type(end) for end in ends} == {IdentityProviderFailedError}
    return monotonic() - began


@pytest.mark.parametrize("silence", SILENCE)
async def test_sign_ins_end_at_the_deadline_and_every_thread_is_free_again(
    misbehaving: Upstream, make: Made, silence: Callable[[], Answer]
) -> None:
    """40 are given up on; at once after, as many as there are threads are served side by side."""
    make.seconds = 1.0
    misbehaving.answer = silence()
    on_behalf_of = make(misbehaving.network)

    assert await all_give_up(on_behalf_of, people_of_two_tenants(40)) < 1.5

    # A request of those who gave up may just be arriving: it is not one of these.
    misbehaving.answer = entra_answering(
        by_user(alice=hanging, bob=once_all_are_here(THREADS, GOOD))
    )
    began = monotonic()
    await asyncio.gather(
        *(on_behalf_of.confirm(each, Secret("bob")) for each in people_of_two_tenants(THREADS))
    )
    assert monotonic() - began < 1.0


async def test_a_head_that_drips_frees_its_thread_in_time(make: Made) -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(600):
            writer.write(f"X-Header-{number}: 1\r\n".encode())
            await writer.drain()
            await asyncio.sleep(0.1)

    make.seconds = 0.5
    async with scripted(drip, tls=certified(scene.ENTRA_HOST)) as port:
        network = pinned_network({scene.ENTRA_HOST: port})
        on_behalf_of = make(network)

        assert await all_give_up(on_behalf_of, people_of_two_tenants(THREADS)) < 1.0
        working = on_behalf_of._threads.run("any", "user", lambda: "free", seconds=0.5)
        assert await working == "free"


async def test_while_entra_is_silent_everything_else_of_the_loop_goes_on(
    misbehaving: Upstream, make: Made
) -> None:
    """The loop's own executor resolves names and refreshes grants; it is not the one that waits."""
    make.seconds = 2.0
    misbehaving.answer = entra_answering(hanging)
    stuck = asyncio.create_task(all_give_up(make(misbehaving.network), people_of_two_tenants(100)))
    await asyncio.sleep(0.3)
    began = monotonic()
    for _ in range(20):
        await asyncio.to_thread(int)

    assert monotonic() - began < 0.5
    assert await stuck < 3.0


async def test_a_tenant_that_is_not_answered_holds_up_no_other(
    misbehaving: Upstream, make: Made
) -> None:
    """100 people of one tenant wait for its metadata; somebody of another walks past them."""
    make.seconds = 2.0

    async def metadata(request: web.Request) -> web.StreamResponse:
        if request.path.startswith(f"/{TENANT}/"):
            return await hanging(request)
        return await entra_answering(GOOD)(request)

    misbehaving.answer = entra_answering(GOOD, metadata=metadata)
    on_behalf_of = make(misbehaving.network)
    stuck = asyncio.create_task(
        all_give_up(on_behalf_of, [person(number) for number in range(100)])
    )
    await asyncio.sleep(0.3)
    began = monotonic()

    await on_behalf_of.confirm(person(1, OTHER_TENANT), Secret("bob"))

    assert monotonic() - began < 0.7
    assert not stuck.done()
    await stuck


async def test_300_people_of_a_silent_tenant_do_not_refuse_another(
    misbehaving: Upstream, make: Made
) -> None:
    make.seconds = 2.0
    misbehaving.answer = entra_answering(by_user(alice=hanging, bob=GOOD))
    on_behalf_of = make(misbehaving.network)
    stuck = asyncio.create_task(
        all_give_up(on_behalf_of, [person(number) for number in range(300)])
    )
    await asyncio.sleep(0.3)
    began = monotonic()

    for number in range(10):
        await on_behalf_of.confirm(person(number, OTHER_TENANT), Secret("bob"))

    assert monotonic() - began < 1.0
    assert not stuck.done()
    await stuck


async def test_ten_stuck_sign_ins_of_one_user_do_not_hold_up_a_colleague(
    misbehaving: Upstream, make: Made
) -> None:
    make.seconds = 2.0
    misbehaving.answer = entra_answering(by_user(alice=hanging, bob=GOOD))
    on_behalf_of = make(misbehaving.network)
    stuck = asyncio.create_task(all_give_up(on_behalf_of, [person(1)] * 10))
    await asyncio.sleep(0.3)
    began = monotonic()

    await on_behalf_of.confirm(person(2), Secret("bob"))

    assert monotonic() - began < 0.7
    assert not stuck.done()
    await stuck


async def test_beyond_those_who_may_wait_the_next_is_refused_at_once(
    misbehaving: Upstream, make: Made
) -> None:
    make.seconds = 2.0
    misbehaving.answer = entra_answering(hanging)
    on_behalf_of = make(misbehaving.network)
    stuck = asyncio.create_task(all_give_up(on_behalf_of, people_of_two_tenants(400)))
    await asyncio.sleep(0.3)
    began = monotonic()

    assert await refusal(on_behalf_of, person(999)) == 10

    assert monotonic() - began < 0.5
    await stuck


async def test_many_tenants_at_once_are_confirmed_and_the_apps_stay_bounded(
    misbehaving: Upstream, make: Made
) -> None:
    misbehaving.answer = entra_answering(GOOD)
    on_behalf_of = make(misbehaving.network)
    tenants = [f"2b9c7d10-4e8f-4a61-9c35-{number:012d}" for number in range(210)]

    await asyncio.gather(
        *(on_behalf_of.confirm(person(1, tenant), Secret("alice")) for tenant in tenants)
    )

    assert asked(misbehaving) == 210
    assert len(on_behalf_of._apps) == 200


async def test_the_tenant_in_use_is_not_the_one_forgotten(
    misbehaving: Upstream, make: Made
) -> None:
    misbehaving.answer = entra_answering(GOOD)
    on_behalf_of = make(misbehaving.network)
    for number in range(200):
        await on_behalf_of.confirm(
            person(1, f"2b9c7d10-4e8f-4a61-9c35-{number:012d}"), Secret("alice")
        )
    for number in (0, 200, 0):
        await on_behalf_of.confirm(
            person(1, f"2b9c7d10-4e8f-4a61-9c35-{number:012d}"), Secret("alice")
        )

    assert asked(misbehaving, "GET") == 201  # one for each tenant, the first included


async def test_no_request_leaves_after_the_deadline(misbehaving: Upstream) -> None:

    with closing(EntraClient(misbehaving.network.requests_session())) as client:
        with client.until(monotonic() - 0.001), pytest.raises(requests.exceptions.Timeout):
            client.get(f"https://{scene.ENTRA_HOST}/")
        with pytest.raises(requests.exceptions.Timeout):
            client.post(f"https://{scene.ENTRA_HOST}/")

    assert misbehaving.received == []


def test_making_one_connects_to_nothing_and_starts_no_thread(make: Made) -> None:
    on_behalf_of = make(Network())

    assert on_behalf_of._threads._executor._threads == set()
