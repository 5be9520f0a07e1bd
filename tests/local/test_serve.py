"""The service on its ports: local/serve.py."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import azure.functions as func
import pytest

from local.authority import Authority
from local.host import FunctionsHost
from local.ports import Ports
from local.serve import Listener, run_service, serve
from local.stack_info import StackInfo

SMALL_APP = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
closed = []

@app.route("health")
async def health(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")

@app.timer_trigger(arg_name="timer", schedule="0 0 2 * * *")
async def nightly(timer: func.TimerRequest) -> None: ...

async def close() -> None:
    closed.append(True)
"""

HSTS = {"extensions": {"http": {"hsts": {"isEnabled": True, "maxAge": "1"}}}}


class Service:
    """A host with one slow and one quick function, on an HTTP and an HTTPS port."""

    def __init__(self, data: Path) -> None:
        self.called = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.stop = asyncio.Event()
        authority = Authority.create(data)
        with Ports() as ports:
            self.http = f"http://127.0.0.1:{ports.take()}"
            self.https = f"https://127.0.0.1:{ports.take()}"
        self.listeners = (
            Listener(url=self.http),
            Listener(url=self.https, certificate=authority.issue("service")),
        )
        self.tls = ssl.create_default_context(cafile=authority.certificate)
        self.host = FunctionsHost(self._app(), {"version": "2.0", **HSTS})

    def _app(self) -> func.FunctionApp:
        app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

        @app.route("quick")
        async def quick(req: func.HttpRequest) -> func.HttpResponse:
            response = func.HttpResponse(f"{req.url} {len(req.get_body())}")
            response.headers.add("Set-Cookie", "a=1; Secure")
            response.headers.add("Set-Cookie", "b=2; Secure")
            return response

        @app.route("slow")
        async def slow(req: func.HttpRequest) -> func.HttpResponse:
            self.called.set()
            await self.may_answer.wait()
            return func.HttpResponse("at last")

        return app


def stack_info(data: Path) -> StackInfo:
    """Of a stack that is nothing but its service."""
    authority = Authority.create(data)
    with Ports() as ports:
        service, service_https = ports.take(), ports.take()
    return StackInfo(
        service=f"http://127.0.0.1:{service}",
        service_https=f"https://127.0.0.1:{service_https}",
        sidebar="",
        control="",
        tables="",
        blobs="",
        identity_endpoint="",
        authority=authority.certificate,
        data=data,
        pins={},
        keeps=False,
        azurite="",
        azurite_blobs="",
    )


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[aiohttp.ClientSession]:
    serving = asyncio.create_task(serve(service.host, service.listeners, service.stop))
    await asyncio.sleep(0)  # its first step opens the ports
    connector = aiohttp.TCPConnector(ssl=service.tls, force_close=True)
    timeout = aiohttp.ClientTimeout(total=20)
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield session
    finally:
        service.stop.set()
        async with asyncio.timeout(20):
            await serving
        await service.host.close()


async def test_one_host_answers_over_http_and_over_https(tmp_path: Path) -> None:
    service = Service(tmp_path)
    async with running(service) as session:
        async with session.post(f"{service.http}/api/quick?a=1", data=b"x" * 300_000) as plain:
            assert await plain.text() == f"{service.http}/api/quick?a=1 300000"
        async with session.get(f"{service.https}/api/quick") as over_tls:
            assert await over_tls.text() == f"{service.https}/api/quick 0"

    assert "Strict-Transport-Security" not in plain.headers
    assert over_tls.headers["Strict-Transport-Security"] == "max-age=86400"
    assert len(over_tls.headers.getall("Set-Cookie")) == 2
    assert "Date" in plain.headers
    assert "Server" not in plain.headers


async def test_a_chunked_body_is_dropped_and_the_connection_goes_on(tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 8192

    service = Service(tmp_path)
    async with (
        running(service) as session,
        session.post(f"{service.http}/api/quick", data=chunks()) as got,
    ):
        assert (await got.text()).endswith(" 0")


async def test_headers_that_are_too_large_are_refused(tmp_path: Path) -> None:
    service = Service(tmp_path)
    async with (
        running(service) as session,
        session.get(f"{service.http}/api/quick", headers={"X-Large": "x" * 60_000}) as got,
    ):
        assert got.status == 431


async def test_a_stop_lets_requests_under_way_finish(tmp_path: Path) -> None:
    service = Service(tmp_path)
    async with running(service) as session:
        under_way = asyncio.create_task(session.get(f"{service.http}/api/slow"))
        async with asyncio.timeout(20):
            await service.called.wait()
        service.stop.set()
        await asyncio.sleep(0.3)  # the listener closes
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"{service.http}/api/quick")
        service.may_answer.set()
        async with await under_way as got:
            assert await got.text() == "at last"


@pytest.mark.parametrize("with_timers", [True, False])
async def test_the_service_runs_with_its_timers_until_it_is_told_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_timers: bool
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "small_app.py").write_text(SMALL_APP, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "small_app", raising=False)
    info = stack_info(tmp_path)

    running = asyncio.create_task(run_service(info, "small_app", with_timers=with_timers))
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        health = f"{info.service}/api/health"
        async with aiohttp.ClientSession() as session, session.get(health) as got:
            assert await got.text() == "ok"
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    assert sys.modules["small_app"].closed == [True]
    assert (tmp_path / "timers" / "nightly.json").exists() is with_timers


async def test_a_taken_port_is_an_error(tmp_path: Path) -> None:
    service = Service(tmp_path)
    port = int(service.http.rpartition(":")[2])
    with contextlib.closing(socket.create_server(("127.0.0.1", port))), pytest.raises(OSError):  # noqa: PT011 - its text is the system's
        await serve(service.host, service.listeners, service.stop)
    await service.host.close()
