"""How often each route of a simulator was called: a test may have to prove that none was."""

from collections import Counter
from collections.abc import Awaitable, Callable

from aiohttp import web

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Ledger:
    """Counts by method and path template, such as `GET /keys/{name}/{version}`."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()

    def reset(self) -> None:
        self._calls.clear()

    def count(self, request: web.Request) -> None:
        resource = request.match_info.route.resource
        self._calls[f"{request.method} {resource.canonical if resource else request.path}"] += 1

    def counting(self, handler: Handler) -> Handler:
        """The same handler; its calls are counted before it runs."""

        async def counted(request: web.Request) -> web.StreamResponse:
            self.count(request)
            return await handler(request)

        return counted

    def control(self, path: str) -> web.RouteDef:
        """`GET <path>` answers `{"calls": {template: times}}`."""

        async def answer(_request: web.Request) -> web.Response:
            return web.json_response({"calls": dict(sorted(self._calls.items()))})

        return web.get(path, answer)
