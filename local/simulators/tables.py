"""The Table service: Azurite behind a proxy that changes nothing, so that faults can be injected.

It is served over TLS on 127.0.0.1 and not under a production host name, because Azurite carries
out entity group transactions only under path-style addresses.
"""

import json
import ssl
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from local.simulators.azure_tokens import AzureTokens
from local.simulators.control_requests import control_body, refused

STORAGE: Final = "https://storage.azure.com"  # audience of tokens for the Table service

# Between two hosts only (RFC 9110, section 7.6.1), or set anew from the body.
_HOP_BY_HOP: Final = {
    "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
    "proxy-authenticate", "proxy-authorization", "content-length",
}  # fmt: skip
_API: Final = {
    "x-ms-version": "2019-02-02",
    "Accept": "application/json;odata=nometadata",
    "Content-Type": "application/json",
}
_DEADLINE: Final = aiohttp.ClientTimeout(total=60)


class Tables:
    """`azurite` is the account's URL: https://127.0.0.1:<port>/<account>."""

    name = "tables"
    hosts: tuple[str, ...] = ("127.0.0.1",)

    def __init__(self, *, azurite: str, tls: ssl.SSLContext, tokens: AzureTokens) -> None:
        self._azurite = URL(azurite)
        self._tls = tls
        self._tokens = tokens
        self._opened: aiohttp.ClientSession | None = None

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.route("*", "/{path:.*}", self._forward)]

    def control(self) -> Sequence[web.RouteDef]:
        return [web.post("/_sim/tables", self._create)]

    def reset(self) -> None:
        """The rows are in Azurite: `empty` is what makes the service new."""

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def empty(self) -> None:
        """Every table that has rows is dropped and made again, which costs two calls however many
        rows there are. For those milliseconds the table does not exist."""
        token = self._tokens.issue(STORAGE)
        headers = {**_API, "Authorization": f"Bearer {token}"}
        for name in await self._table_names(headers):
            await self._empty_table(name, headers)

    async def _create(self, request: web.Request) -> web.Response:
        """Create these tables where they are missing, as a deployment does."""
        names = (await control_body(request, "names")).get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise refused("names must be an array of texts")
        headers = {**_API, "Authorization": f"Bearer {self._tokens.issue(STORAGE)}"}
        for name in set(names) - set(await self._table_names(headers)):
            tables = self._azurite / "Tables"
            async with self._session().post(
                tables, headers=headers, json={"TableName": name}
            ) as response:
                response.raise_for_status()
        return web.json_response({})

    async def _table_names(self, headers: dict[str, str]) -> list[str]:
        names: list[str] = []
        query: dict[str, str] | None = {}
        while query is not None:
            page = (self._azurite / "Tables").with_query(query)
            async with self._session().get(page, headers=headers) as response:
                response.raise_for_status()
                names += [table["TableName"] for table in (await response.json())["value"]]
                following = response.headers.get("x-ms-continuation-NextTableName")
                query = {"NextTableName": following} if following else None
        return names

    async def _empty_table(self, name: str, headers: dict[str, str]) -> None:
        http, tables = self._session(), self._azurite / "Tables"
        first_row = (self._azurite / f"{name}()").with_query({"$top": "1"})
        async with http.get(first_row, headers=headers) as response:
            response.raise_for_status()
            if not (await response.json())["value"]:
                return
        async with http.delete(URL(f"{tables}('{name}')"), headers=headers) as response:
            response.raise_for_status()
        async with http.post(tables, headers=headers, json={"TableName": name}) as response:
            response.raise_for_status()

    async def _forward(self, request: web.Request) -> web.Response:
        """Same method, path, query, headers and body; the answer likewise."""
        try:
            async with self._session().request(
                request.method,
                URL(f"{self._azurite.origin()}{request.raw_path}", encoded=True),
                headers=_end_to_end(request.headers),
                data=await request.read() or None,
                allow_redirects=False,
            ) as answer:
                return web.Response(
                    status=answer.status,
                    reason=answer.reason,
                    headers=_end_to_end(answer.headers),
                    body=await answer.read(),
                )
        except (aiohttp.ClientError, TimeoutError) as exc:
            return web.Response(
                status=HTTPStatus.BAD_GATEWAY,
                text=json.dumps({"error": f"Azurite did not answer: {type(exc).__name__}"}),
                content_type="application/json",
            )

    def _session(self) -> aiohttp.ClientSession:
        """Made at the first call, because it belongs to the loop that is then running."""
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                # Idle connections go before Azurite closes them (local/azurite.py says when).
                connector=aiohttp.TCPConnector(ssl=self._tls, keepalive_timeout=15, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_DEADLINE,
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._opened


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((k, v) for k, v in headers.items() if k.lower() not in _HOP_BY_HOP)
