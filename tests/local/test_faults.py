"""Each fault of `POST /_sim/faults` does what its name says, to the calls it was asked for."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from local.ports import Ports
from local.simulators.faults import Faults
from local.simulators.server import listen, simulator_app

ANSWER = {"count": 1}


class Counter:
    """The smallest simulator with a state: it counts what it has carried out."""

    name = "salesforce"
    hosts: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.count = 0

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post("/count/{any:.*}", self._count), web.post("/refuse", self._refuse)]

    def control(self) -> Sequence[web.RouteDef]:
        return []

    def reset(self) -> None:
        self.count = 0

    async def _count(self, _request: web.Request) -> web.Response:
        self.count += 1
        return web.json_response({"count": self.count}, headers={"X-Kept": "yes"})

    async def _refuse(self, _request: web.Request) -> web.Response:
        self.count += 1
        raise web.HTTPForbidden


class Misbehaving:
    """A counter behind the fault middleware, and the control route that sets faults."""

    def __init__(self, session: aiohttp.ClientSession, counter: Counter, port: int) -> None:
        self.session = session
        self.counter = counter
        self.url = f"http://127.0.0.1:{port}"

    async def fault(self, **fault: object) -> aiohttp.ClientResponse:
        body = {"target": "salesforce", "match": "/count", **fault}
        return await self.session.post(f"{self.url}/_sim/faults", json=body)

    async def call(self, path: str = "/count/one") -> aiohttp.ClientResponse:
        response = await self.session.post(self.url + path)
        await response.read()
        return response


@pytest.fixture
async def service() -> AsyncIterator[Misbehaving]:
    counter = Counter()
    faults = Faults(frozenset({"salesforce", "entra"}))
    app = simulator_app(counter, faults)
    app.router.add_post("/_sim/faults", faults.add)
    async with AsyncExitStack() as running:
        with Ports() as ports:
            port = ports.take()
            await listen(running, app, port, None)
        deadline = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=deadline) as session:
            yield Misbehaving(session, counter, port)


async def test_a_status_is_answered_in_place_of_the_simulator(service: Misbehaving) -> None:
    await service.fault(fault="status", value=429, headers={"Retry-After": "7"})

    answer = await service.call()

    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert await answer.json() == {}
    assert service.counter.count == 0


async def test_a_status_without_a_body_has_none(service: Misbehaving) -> None:
    await service.fault(fault="status", value=204)

    answer = await service.call()

    assert (answer.status, await answer.read()) == (204, b"")


async def test_only_the_next_n_calls_of_the_path_misbehave(service: Misbehaving) -> None:
    await service.fault(match="/count/a", fault="status", value=503, times=2)

    statuses = [(await service.call(path)).status for path in ("/count/b", *["/count/ab"] * 3)]

    assert statuses == [200, 503, 503, 200]


async def test_a_fault_of_another_simulator_harms_nobody_here(service: Misbehaving) -> None:
    await service.fault(target="entra", match="/", fault="status", value=500)

    assert (await service.call()).status == 200


async def test_faults_of_the_same_path_are_used_up_in_their_order(service: Misbehaving) -> None:
    await service.fault(fault="status", value=500)
    await service.fault(fault="status", value=502)

    assert [(await service.call()).status for _ in range(3)] == [500, 502, 200]


async def test_a_delayed_call_is_answered_late_and_right(service: Misbehaving) -> None:
    await service.fault(fault="delay", value=0.3)

    began = time.monotonic()
    answer = await service.call()

    assert time.monotonic() - began >= 0.3
    assert await answer.json() == ANSWER


async def test_a_reset_before_means_that_nothing_was_carried_out(service: Misbehaving) -> None:
    await service.fault(fault="reset_before")

    with pytest.raises(aiohttp.ClientOSError, match="reset"):
        await service.call()

    assert service.counter.count == 0
    assert (await service.call()).status == 200


async def test_a_reset_after_means_that_only_the_answer_is_lost(service: Misbehaving) -> None:
    await service.fault(fault="reset_after")

    with pytest.raises(aiohttp.ClientOSError, match="reset"):
        await service.call()

    assert service.counter.count == 1


async def test_a_refusal_is_an_answer_that_can_be_lost_too(service: Misbehaving) -> None:
    await service.fault(match="/refuse", fault="reset_after")

    with pytest.raises(aiohttp.ClientOSError, match="reset"):
        await service.call("/refuse")

    assert service.counter.count == 1


async def test_a_dripped_answer_is_the_real_one_byte_by_byte(service: Misbehaving) -> None:
    await service.fault(fault="drip", value=0.02)

    began = time.monotonic()
    answer = await service.session.post(service.url + "/count/one")
    head = time.monotonic() - began
    body = await answer.read()

    assert head < 0.02 * len(body) <= time.monotonic() - began
    assert await answer.json() == ANSWER
    assert (answer.headers["X-Kept"], answer.content_type) == ("yes", "application/json")


async def test_others_are_served_while_an_answer_drips(service: Misbehaving) -> None:
    await service.fault(fault="drip", value=0.2)
    dripping = asyncio.create_task(service.call())
    await asyncio.sleep(0.1)

    began = time.monotonic()
    await service.call()

    assert time.monotonic() - began < 1
    assert not dripping.done()
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)


async def test_html_stands_where_json_was_expected(service: Misbehaving) -> None:
    await service.fault(fault="html")

    answer = await service.call()

    assert (answer.status, answer.content_type) == (200, "text/html")
    assert service.counter.count == 0


async def test_a_gzip_bomb_is_small_on_the_wire_and_large_when_inflated(
    service: Misbehaving,
) -> None:
    await service.fault(fault="gzip_bomb", value=20_000_001, times=2)

    inflated = await service.call()
    async with (
        aiohttp.ClientSession(auto_decompress=False) as raw,
        raw.post(service.url + "/count/one") as answer,
    ):
        on_the_wire = await answer.read()

    assert await inflated.read() == bytes(20_000_001)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(on_the_wire) < 100_000


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"target": "nobody"}, id="unknown-target"),
        pytest.param({"target": ["entra"]}, id="target-of-the-wrong-type"),
        pytest.param({"match": "count"}, id="match-is-no-path"),
        pytest.param({"match": None}, id="no-match"),
        pytest.param({"fault": "explode"}, id="unknown-fault"),
        pytest.param({"fault": None}, id="no-fault"),
        pytest.param({"value": None}, id="status-without-value"),
        pytest.param({"value": "500"}, id="status-as-text"),
        pytest.param({"value": 500.5}, id="status-as-fraction"),
        pytest.param({"value": True}, id="status-as-boolean"),
        pytest.param({"value": 99}, id="status-too-low"),
        pytest.param({"value": 600}, id="status-too-high"),
        pytest.param({"fault": "delay", "value": -1}, id="negative-delay"),
        pytest.param({"fault": "delay", "value": None}, id="delay-without-seconds"),
        pytest.param({"fault": "drip", "value": 601}, id="drip-too-slow"),
        pytest.param({"fault": "gzip_bomb", "value": 0}, id="bomb-of-nothing"),
        pytest.param({"fault": "reset_before", "value": 1}, id="reset-with-value"),
        pytest.param({"fault": "html", "value": 1}, id="html-with-value"),
        pytest.param({"times": 0}, id="never"),
        pytest.param({"times": 1.5}, id="one-and-a-half-times"),
        pytest.param({"times": True}, id="times-as-boolean"),
        pytest.param({"headers": {"Retry-After": 7}}, id="header-as-number"),
        pytest.param({"headers": ["Retry-After"]}, id="headers-as-list"),
        pytest.param({"fault": "html", "value": None, "headers": {"A": "b"}}, id="html-headers"),
        pytest.param({"tiems": 2}, id="misspelt-member"),
    ],
)
async def test_what_is_not_understood_is_refused_with_a_reason(
    service: Misbehaving, fault: dict[str, Any]
) -> None:
    answer = await service.fault(**{"fault": "status", "value": 500, **fault})

    assert answer.status == 400
    assert list(await answer.json()) == ["error"]
    assert (await service.call()).status == 200
