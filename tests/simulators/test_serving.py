"""The fixture itself: it pins addresses and relaxes nothing."""

from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest
import requests
import trustme
from aiohttp import web

from tests.simulators.conftest import Serve


class _Echo:
    name = "echo"
    hosts: tuple[str, ...] = ("login.example.com", "*.my.example.com")

    def routes(self) -> Sequence[web.RouteDef]:
        async def host(request: web.Request) -> web.Response:
            return web.json_response({"host": request.host})

        async def redirect(_request: web.Request) -> web.Response:
            raise web.HTTPFound("https://other.my.example.com/host")

        return [web.get("/host", host), web.get("/redirect", redirect)]

    def control(self) -> Sequence[web.RouteDef]:
        async def echo(request: web.Request) -> web.Response:
            return web.json_response(await request.json())

        return [web.post("/_sim/echo", echo)]

    def reset(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(
    ("path", "host"), [("/host", "login.example.com"), ("/redirect", "other.my.example.com")]
)
def test_requests_sees_production_names(serve: Serve, path: str, host: str) -> None:
    answer = serve(_Echo()).session().get(f"https://login.example.com{path}", timeout=10)
    assert answer.json() == {"host": host}


@pytest.mark.parametrize(
    "url",
    ["https://a.b.my.example.com/", "https://example.com/", "http://login.example.com/"],
    ids=["two labels under the wildcard", "not claimed", "plain HTTP"],
)
def test_requests_reaches_nothing_else(serve: Serve, url: str) -> None:
    with pytest.raises(requests.ConnectionError):
        serve(_Echo()).session().get(url, timeout=10)


@pytest.mark.parametrize("verify", [True, False])
def test_requests_trusts_one_authority_only(serve: Serve, tmp_path: Path, verify: bool) -> None:
    served = serve(_Echo())
    served.ca = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(served.ca))
    with pytest.raises(requests.exceptions.SSLError):
        served.session().get("https://login.example.com/host", timeout=10, verify=verify)


async def test_aiohttp_sees_production_names_and_reaches_nothing_else(serve: Serve) -> None:
    async with serve(_Echo()).client_session() as session:
        async with session.get("https://org.my.example.com/host") as answer:
            assert await answer.json() == {"host": "org.my.example.com"}
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("https://example.com/host")


async def test_aiohttp_trusts_one_authority_only(serve: Serve, tmp_path: Path) -> None:
    served = serve(_Echo())
    served.ca = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(served.ca))
    async with served.client_session() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get("https://login.example.com/host")


def test_the_control_port_is_plain_json(serve: Serve) -> None:
    assert serve(_Echo()).control_post("/_sim/echo", {"a": 1}) == {"a": 1}
