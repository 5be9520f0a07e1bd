"""An Entra ID that answers what a test tells it to, and the people who are taken to it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from local import scene
from local.simulators.entra_metadata import metadata_v2
from shared.identity.on_behalf_of import MsalOnBehalfOf
from shared.model import Identity
from shared.network import Network
from shared.secret import Secret
from tests.fakes.clock import FakeClock
from tests.identity.tokens import OTHER_TENANT, TENANT, USER
from tests.simulators.serving import Served
from tests.upstream import Answer

GRANTED: Final = {"token_type": "Bearer", "access_token": "eyJ.granted", "expires_in": 3_599}
THREADS: Final = 16
"""How many sign-ins are taken to Entra ID at once."""


class Made:
    """Makes what is tested. `clock` and `seconds` are those of all that is made."""

    def __init__(self, client_assertion: Callable[[], str]) -> None:
        self.clock = FakeClock()
        self.seconds = 15.0
        self._client_assertion = client_assertion
        self._made: list[MsalOnBehalfOf] = []

    def __call__(self, network: Network) -> MsalOnBehalfOf:
        self._made.append(
            MsalOnBehalfOf(
                network,
                client_id=scene.ENTRA_API_CLIENT_ID,
                client_assertion=self._client_assertion,
                clock=self.clock,
                seconds=self.seconds,
            )
        )
        return self._made[-1]

    def close(self) -> None:
        for each in self._made:
            each.close()


def person(number: int = 0, tenant: str = TENANT) -> Identity:
    subject = USER[:-3] + f"{number:03d}"
    return Identity(provider="microsoft", directory=tenant, subject=subject, is_admin=False)


def people_of_two_tenants(number: int) -> list[Identity]:
    return [person(each, TENANT if each % 2 else OTHER_TENANT) for each in range(number)]


def entra_answering(token_answer: Answer, metadata: Answer | None = None) -> Answer:
    """Entra's metadata for any tenant, and this answer at the token endpoint."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return await token_answer(request)
        if metadata is not None:
            return await metadata(request)
        return web.json_response(metadata_v2(request.path.split("/")[1]))

    return answer


def by_user(**answers: Answer) -> Answer:
    """An answer for each user, known by the assertion."""

    async def answer(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        chosen: Awaitable[web.StreamResponse] = answers[str(form["assertion"])](request)
        return await chosen

    return answer


def once_all_are_here(number: int, answer: Answer) -> Answer:
    """The answer to each of so many requests, as soon as they are all under way at once."""
    all_are_here = asyncio.Barrier(number)

    async def wait(request: web.Request) -> web.StreamResponse:
        await all_are_here.wait()
        return await answer(request)

    return wait


def user_token(entra: Served, **order: object) -> Secret:
    """A token of the simulator for our API."""
    answer = entra.control_post("/_sim/entra/token", {"tid": TENANT, "oid": USER, **order})
    return Secret(answer["token"])
