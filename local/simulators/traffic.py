"""How many requests reached each simulator: a test may have to count what an answer costs."""

from collections import Counter, defaultdict

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware


class Traffic:
    """Counts by simulator, and by method and path without the keys of a row."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def reset(self) -> None:
        self._calls.clear()

    def middleware(self, target: str) -> Middleware:
        """Stands in front of the simulator called `target`, before its faults."""

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._calls[target][f"{request.method} {request.path.partition('(')[0]}"] += 1
            return await handler(request)

        return count

    async def answer(self, _request: web.Request) -> web.Response:
        """`GET /_sim/traffic`: `{"tables": {"POST /devstoreaccount1/$batch": 2}}`."""
        return web.json_response(self._calls)
