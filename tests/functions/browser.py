"""The part of a browser in connecting Salesforce: it follows addresses and keeps one cookie."""

from http.cookies import Morsel, SimpleCookie
from urllib.parse import parse_qs, urlsplit

import azure.functions as func

from functions.salesforce_oauth import COOKIE
from shared.secret import Secret
from tests.fakes import World
from tests.functions.host import call, json_of


class Browser:
    """One browser in front of one service."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cookie: str | None = None

    async def begin(self, session: Secret, **body: str) -> str:
        """The ticket that the pane gets."""
        response = await call(self.world.services, "salesforce_connect", token=session, body=body)
        assert response.status_code == 201, response.get_body()
        (ticket,) = query_of(json_of(response)["connect_url"])["ticket"]
        return ticket

    async def start(self, ticket: str) -> func.HttpResponse:
        response = await call(self.world.services, "salesforce_start", params={"ticket": ticket})
        self._keep(response)
        return response

    async def leave(self, session: Secret, **body: str) -> str:
        """Begin and start: the address at Salesforce that the browser is sent to."""
        return str((await self.start(await self.begin(session, **body))).headers["Location"])

    async def come_back(self, **params: str) -> func.HttpResponse:
        headers = {} if self.cookie is None else {"Cookie": f"{COOKIE}={self.cookie}"}
        response = await call(
            self.world.services, "salesforce_callback", params=params, headers=headers
        )
        self._keep(response)
        return response

    async def consent(self, session: Secret, **body: str) -> func.HttpResponse:
        """The whole way, with a user who says yes: what the callback answers."""
        back = self.world.login.approve(await self.leave(session, **body), user="u")
        return await self.come_back(state=back.state, code=back.code.reveal())

    def _keep(self, response: func.HttpResponse) -> None:
        cookie = cookie_of(response)
        if cookie is not None:
            self.cookie = cookie.value if cookie["max-age"] != "0" else None


def cookie_of(response: func.HttpResponse) -> "Morsel[str] | None":
    """Our cookie as the answer sets it."""
    return SimpleCookie(response.headers.get("Set-Cookie", "")).get(COOKIE)


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, strict_parsing=True)


def fragment_of(response: func.HttpResponse) -> tuple[str, dict[str, list[str]]]:
    """Where a redirect leads, and what its fragment says."""
    address, _, fragment = str(response.headers["Location"]).partition("#")
    return address, parse_qs(fragment, strict_parsing=True)
