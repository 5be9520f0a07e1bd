"""`python -m bench.proxy.bare`: the least that an aiohttp reverse proxy has to do. No sign-in."""

import asyncio
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from bench.proxy.places import Places

_DEADLINE: Final = aiohttp.ClientTimeout(total=30)
_OF_ONE_HOP: Final = ("Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Host")


class _Pinned(AbstractResolver):
    """The fake orgs instead of DNS."""

    def __init__(self, pins: dict[str, int]) -> None:
        self._pins = pins

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del port
        address = ResolveResult(
            hostname=host,
            host="127.0.0.1",
            port=self._pins[host],
            family=family,
            proto=0,
            flags=socket.AI_NUMERICHOST,
        )
        return [address]

    async def close(self) -> None:
        """Nothing is open."""


class _Proxy:
    def __init__(self, places: Places) -> None:
        self._places = places

    async def client(self, _: web.Application) -> AsyncIterator[None]:
        tls = ssl.create_default_context(cafile=str(self._places.info().authority))
        connector = aiohttp.TCPConnector(ssl=tls, limit=0, resolver=_Pinned(self._places.pins))
        async with aiohttp.ClientSession(
            connector=connector, timeout=_DEADLINE, cookie_jar=aiohttp.DummyCookieJar()
        ) as self._http:
            yield

    async def pass_on(self, request: web.Request) -> web.Response:
        headers = request.headers.copy()
        for name in _OF_ONE_HOP:
            headers.popall(name, None)
        async with self._http.request(
            request.method,
            f"https://{request.host}{request.rel_url}",
            data=await request.read(),
            headers=headers,
            allow_redirects=False,
        ) as answer:
            body = await answer.read()
            back: Any = answer.headers.copy()
            for name in _OF_ONE_HOP:
                back.popall(name, None)
            return web.Response(status=answer.status, headers=back, body=body)


async def serve(places: Places) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    proxy = _Proxy(places)
    app = web.Application()
    app.cleanup_ctx.append(proxy.client)
    app.router.add_route("*", "/{path:.*}", proxy.pass_on)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(
        runner, "127.0.0.1", places.ports["bare aiohttp proxy"], backlog=1_024
    ).start()
    try:
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(Places.given()))
