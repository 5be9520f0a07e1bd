"""`python -m bench.proxy.upstream`: the orgs of this bench, light enough not to be measured.

A call of the Flow is answered from memory, at once or after a while, over TLS and kept
connections. Everything else (a description, once a minute) is the simulator's business, and passed
on to it. Nothing is checked here: tests/ holds the service against the strict simulator.
"""

import asyncio
import json
import signal
import ssl
from functools import partial
from typing import Final

from bench.proxy.places import DELAYS, FLOW, ORGS, UPSTREAMS, Places
from local.authority import Authority

_END: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_OUTPUTS: Final = {
    "senderEmail": "ada@example.com",
    "senderName": "Ada Example",
    "subject": "Quote for 40 chairs",
    "messageId": "<quote-40-chairs@example.com>",
    "recipientEmails": ["sales@contoso.example.com"],
    "Flow__InterviewGuid": "4f1d2c5b8a7e6093d1c2b3a4f5e6d7c8b9a0-1f2e",
    "Flow__InterviewStatus": "Finished",
}
_BODY: Final = json.dumps(
    [
        {
            "actionName": FLOW,
            "errors": None,
            "invocationId": None,
            "isSuccess": True,
            "outcome": None,
            "outputValues": _OUTPUTS,
            "sortOrder": -1,
            "version": 1,
        }
    ],
    separators=(",", ":"),
).encode()
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\n"
    b"Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n"
    b"Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"Cache-Control: no-cache,must-revalidate,max-age=0,no-store,private\r\n"
    b"Sforce-Limit-Info: api-usage=18/5000000\r\n"
    b"Content-Type: application/json;charset=UTF-8\r\n"
    b"Vary: Accept-Encoding\r\n"
    b"Content-Length: %d\r\n"
    b"\r\n%s"
) % (len(_BODY), _BODY)


class _Org(asyncio.Protocol):
    """One connection: one request after the other."""

    def __init__(self, delay: float, simulator: int, tls: ssl.SSLContext) -> None:
        self._delay, self._simulator, self._tls = delay, simulator, tls
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._passing_on: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not is_whole(self._received):
            return
        request, self._received = self._received, b""
        if not request.startswith(b"POST "):
            self._passing_on = self._loop.create_task(self._pass_on(request))
        elif self._delay:
            self._loop.call_later(self._delay, self._transport.write, _ANSWER)
        else:
            self._transport.write(_ANSWER)

    async def _pass_on(self, request: bytes) -> None:
        """To the simulator and back; the connection ends with the answer, as it does there."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._simulator, ssl=self._tls, server_hostname="127.0.0.1"
        )
        first, _, rest = request.partition(b"\r\n")
        writer.write(first + b"\r\nConnection: close\r\n" + rest)
        self._transport.write(await reader.read(-1))
        self._transport.close()
        writer.close()


def is_whole(request: bytes) -> bool:
    """Whether the body has come as well; of chunks, as far as one can see without reading them."""
    head, end, body = request.partition(_END)
    if not end:
        return False
    lower = head.lower()
    if b"\r\ntransfer-encoding: chunked" in lower:
        return body.endswith(_LAST_CHUNK)
    _, _, length = lower.partition(b"\r\ncontent-length:")
    return len(body) >= int(length.partition(b"\r\n")[0] or 0)


async def serve(places: Places) -> None:
    """Until SIGTERM."""
    info = places.info()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    leaf = Authority.load(info.data).issue("bench-orgs", *ORGS.values())
    tls = leaf.server_context()
    towards = ssl.create_default_context(cafile=str(info.authority))
    simulator = info.pins["*.my.salesforce.com"]
    for upstream in UPSTREAMS:
        delay = DELAYS[upstream]
        await loop.create_server(
            partial(_Org, delay, simulator, towards),
            "127.0.0.1",
            places.pins[ORGS[upstream]],
            ssl=tls,
            backlog=1_024,
        )
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(Places.given()))
