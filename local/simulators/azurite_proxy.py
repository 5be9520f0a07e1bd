"""The way to Azurite behind the simulators `tables` and `blobs`: a proxy that changes nothing."""

import json
import ssl
from http import HTTPStatus
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from local.simulators.azure_tokens import AzureTokens

_STORAGE: Final = "https://storage.azure.com"  # audience of tokens for Azure Storage

# Between two hosts only (RFC 9110, section 7.6.1), or set anew from the body.
_HOP_BY_HOP: Final = {
    "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
    "proxy-authenticate", "proxy-authorization", "content-length",
}  # fmt: skip
_DEADLINE: Final = aiohttp.ClientTimeout(total=60)


class AzuriteProxy:
    """Passes requests on to one of Azurite's services, and makes some of its own.

    `account` is the account's URL: https://127.0.0.1:<port>/<account>.
    """

    def __init__(self, account: str, *, tls: ssl.SSLContext, tokens: AzureTokens) -> None:
        self.account = URL(account)
        self._tls = tls
        self._tokens = tokens
        self._opened: aiohttp.ClientSession | None = None

    def authorization(self) -> dict[str, str]:
        """The header of a request of our own, with the managed identity's token."""
        return {"Authorization": f"Bearer {self._tokens.issue(_STORAGE)}"}

    async def forward(self, request: web.Request) -> web.Response:
        """Same method, path, query, headers and body; the answer likewise."""
        try:
            async with self.session().request(
                request.method,
                URL(f"{self.account.origin()}{request.raw_path}", encoded=True),
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

    def session(self) -> aiohttp.ClientSession:
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

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((k, v) for k, v in headers.items() if k.lower() not in _HOP_BY_HOP)
