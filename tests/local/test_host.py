"""The Functions host of the local stack: local/host.py over small apps."""

import asyncio
import contextvars
import json
import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import azure.functions as func
import pytest

from local.host import FunctionsHost
from local.host_functions import IndexingError
from local.host_routes import RouteError
from local.host_settings import HostSettingsError
from local.ncrontab import ScheduleError
from tests.local.exchange import HOST_JSON, HttpCall, asked, exchange

DEPLOYED = json.loads((Path(__file__).parent.parent.parent / "host.json").read_bytes())
JSON = (("Content-Type", "application/json"),)


def new_app() -> func.FunctionApp:
    return func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def host_of(app: func.FunctionApp, host_json: Mapping[str, Any] = DEPLOYED) -> FunctionsHost:
    return FunctionsHost(app, host_json)


def answering(answer: Callable[[], func.HttpResponse]) -> FunctionsHost:
    """A host whose only function, `/api/probe`, answers this."""
    app = new_app()

    @app.route("probe", methods=["GET"])
    async def probe(req: func.HttpRequest) -> func.HttpResponse:
        return answer()

    return host_of(app)


# --- every answer ----------------------------------------------------------------------------


def fail() -> func.HttpResponse:
    raise ValueError("in the function")


@pytest.mark.parametrize(
    ("target", "answer", "status"),
    [
        ("/api/probe", func.HttpResponse, 200),
        ("/api/probe", fail, 500),
        ("/api/nothing", func.HttpResponse, 404),
        ("/nothing", func.HttpResponse, 404),
        ("/api/%00", func.HttpResponse, 400),
        ("/admin/functions/probe", func.HttpResponse, 404),
    ],
)
async def test_every_answer_has_the_headers_of_host_json(
    target: str, answer: Callable[[], func.HttpResponse], status: int
) -> None:
    plain = await asked(answering(answer), HttpCall(target=target))
    over_tls = await asked(answering(answer), HttpCall(target=target, scheme="https"))

    for got in (plain, over_tls):
        assert got.status == status
        assert got.header("x-content-type-options") == "nosniff"
        assert got.header("referrer-policy") == "no-referrer"
    assert plain.header("strict-transport-security") is None
    assert over_tls.header("strict-transport-security") == "max-age=31536000; includeSubDomains"


async def test_a_custom_header_does_not_replace_the_functions_own_but_hsts_does() -> None:
    headers = {"Referrer-Policy": "same-origin", "Strict-Transport-Security": "max-age=1"}
    host = answering(lambda: func.HttpResponse(headers=headers))

    got = await asked(host, HttpCall(target="/api/probe", scheme="https"))

    assert got.header("referrer-policy") == "same-origin"
    assert got.header("strict-transport-security") == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(
    "answer", [fail, lambda: None, dict, lambda: func.HttpResponse("x", status_code=204)]
)
async def test_a_failure_is_a_500_with_an_empty_body(
    answer: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    got = await asked(answering(answer), HttpCall(target="/api/probe"))

    assert (got.status, got.body) == (500, b"")
    assert got.header("content-type") is None
    assert "function probe" in caplog.text


# --- routes ----------------------------------------------------------------------------------


async def test_a_wrong_method_is_not_found_unless_another_function_takes_it() -> None:
    app = new_app()

    @app.route("{*path}", methods=["OPTIONS"])
    async def cors_preflight(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("preflight")

    @app.route("v1/flows", methods=["GET"])
    async def flow_list(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("flows")

    host = host_of(app)

    async def ask(method: str) -> tuple[int, bytes]:
        got = await asked(host, HttpCall(method=method, target="/API/v1/Flows/"))
        return got.status, got.body

    assert await ask("GET") == (200, b"flows")
    assert await ask("OPTIONS") == (200, b"preflight")
    assert await ask("POST") == (404, b"")
    assert await ask("HEAD") == (404, b"")


async def test_the_route_prefix_of_host_json_counts_and_a_route_may_be_left_out() -> None:
    def app() -> func.FunctionApp:
        made = new_app()

        @made.route()
        async def health(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse("ok")

        return made

    def with_prefix(prefix: str) -> Mapping[str, Any]:
        return {**HOST_JSON, "extensions": {"http": {"routePrefix": prefix}}}

    for settings, target in (
        (HOST_JSON, "/api/health"),
        (with_prefix("v9"), "/v9/health"),
        (with_prefix(""), "/health"),
    ):
        host = host_of(app(), settings)
        assert (await asked(host, HttpCall(target=target))).status == 200
        assert (await asked(host, HttpCall(target="/other/health"))).status == 404


# --- calls -----------------------------------------------------------------------------------


async def test_sync_handlers_run_in_threads_and_without_context_variables() -> None:
    tenant = contextvars.ContextVar("tenant", default="nobody")
    app = new_app()

    @app.route("probe")
    def probe(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(f"{threading.current_thread().name} {tenant.get()}")

    tenant.set("contoso")
    host = host_of(app)
    got = await asked(host, HttpCall(target="/api/probe"))
    await host.close()

    assert got.body.startswith(b"function")
    assert got.body.endswith(b" nobody")


async def test_async_handlers_share_the_loop() -> None:
    app = new_app()
    met = asyncio.Barrier(2)

    @app.route("probe")
    async def probe(req: func.HttpRequest) -> func.HttpResponse:
        await met.wait()
        return func.HttpResponse(threading.current_thread().name)

    host = host_of(app)
    async with asyncio.timeout(10):
        both = await asyncio.gather(*(asked(host, HttpCall(target="/api/probe")) for _ in "ab"))

    assert [got.body for got in both] == [threading.current_thread().name.encode()] * 2


async def test_a_function_that_outlasts_the_function_timeout_is_a_500() -> None:
    app = new_app()

    @app.route("probe")
    async def probe(req: func.HttpRequest) -> func.HttpResponse:
        await asyncio.Event().wait()
        return func.HttpResponse()

    host = host_of(app, {**HOST_JSON, "functionTimeout": "00:00:01"})
    async with asyncio.timeout(10):
        got = await asked(host, HttpCall(target="/api/probe"))

    assert got.status == 500


async def test_the_callers_trace_goes_on_with_a_span_of_its_own() -> None:
    app = new_app()

    @app.route("probe")
    async def probe(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        return func.HttpResponse(context.trace_context.trace_parent)

    host = host_of(app)
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    sent = (("traceparent", f"00-{trace}-{span}-01"),)
    followed = await asked(host, HttpCall(target="/api/probe", headers=sent))
    alone = await asked(host, HttpCall(target="/api/probe", headers=(("traceparent", "junk"),)))

    assert followed.body.decode().startswith(f"00-{trace}-")
    assert span not in followed.body.decode()
    assert trace not in alone.body.decode()


async def test_a_client_that_goes_away_gets_nothing_and_the_function_is_not_called() -> None:
    called: list[bytes] = []
    app = new_app()

    @app.route("probe", methods=["POST"])
    async def probe(req: func.HttpRequest) -> func.HttpResponse:
        called.append(req.get_body())
        return func.HttpResponse()

    host = host_of(app)
    call = HttpCall(method="POST", target="/api/probe", body=b"body")
    half = {"type": "http.request", "body": b"bo", "more_body": True}

    assert await exchange(host, call, [half, {"type": "http.disconnect"}]) is None
    assert called == []
    assert (await asked(host, call)).status == 200
    assert called == [b"body"]


# --- timers by hand --------------------------------------------------------------------------


def with_timer(ran: list[func.TimerRequest], *, fails: bool = False) -> FunctionsHost:
    app = new_app()

    @app.timer_trigger(arg_name="timer", schedule="0 30 2 * * *")
    async def retention_cleanup(timer: func.TimerRequest) -> None:
        ran.append(timer)
        if fails:
            raise ValueError("in the timer")

    @app.route("health")
    async def health(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("ok")

    return host_of(app)


def run_now(
    name: str, body: bytes = b"{}", headers: tuple[tuple[str, str], ...] = JSON
) -> HttpCall:
    return HttpCall(method="POST", target=f"/admin/functions/{name}", body=body, headers=headers)


async def test_the_admin_route_runs_a_timer_at_once() -> None:
    ran: list[func.TimerRequest] = []
    host = with_timer(ran)

    got = await asked(host, run_now("Retention_Cleanup"))
    await host.runs_ended()

    assert (got.status, got.body) == (202, b"")
    assert [timer.past_due for timer in ran] == [False]
    await host.close()


async def test_a_timer_that_fails_is_accepted_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = with_timer([], fails=True)

    got = await asked(host, run_now("retention_cleanup"))
    await host.close()

    assert got.status == 202
    assert "function retention_cleanup failed" in caplog.text


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (run_now("unknown"), 404),
        (run_now("health"), 404),
        (run_now(""), 404),
        (run_now("retention_cleanup", b""), 400),
        (run_now("retention_cleanup", b"[]"), 400),
        (run_now("retention_cleanup", b"{"), 400),
        (run_now("retention_cleanup", headers=()), 415),
        (run_now("retention_cleanup", headers=(("Content-Type", "text/plain"),)), 415),
        (HttpCall(target="/admin/functions/retention_cleanup"), 404),
        (HttpCall(method="POST", target="/api/retention_cleanup", body=b"{}", headers=JSON), 404),
    ],
)
async def test_what_the_admin_route_refuses_runs_nothing(call: HttpCall, status: int) -> None:
    ran: list[func.TimerRequest] = []
    host = with_timer(ran)

    got = await asked(host, call)
    await host.close()

    assert got.status == status
    assert ran == []


# --- what would not work in Azure is refused at once ------------------------------------------


def test_an_authorization_level_other_than_anonymous_is_refused() -> None:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

    @app.route("probe")
    async def probe(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse()

    with pytest.raises(IndexingError, match="probe: authorization level FUNCTION"):
        host_of(app)


def test_a_parameter_without_a_binding_is_refused() -> None:
    app = new_app()

    @app.route("probe")
    async def probe(req: func.HttpRequest, services: object) -> func.HttpResponse:
        return func.HttpResponse()

    with pytest.raises(IndexingError, match="services"):
        host_of(app)


def test_an_annotation_that_the_worker_refuses_is_refused() -> None:
    app = new_app()

    @app.route("probe")
    async def probe(req: func.HttpRequest) -> func.HttpResponse | None:
        return None

    with pytest.raises(IndexingError, match="'return' does not fit"):
        host_of(app)


def test_a_binding_that_this_host_does_not_know_is_refused() -> None:
    app = new_app()

    @app.queue_trigger(arg_name="message", queue_name="q", connection="c")
    async def probe(message: func.QueueMessage) -> None: ...

    with pytest.raises(IndexingError, match="queueTrigger"):
        host_of(app)


def test_an_unreadable_schedule_is_refused() -> None:
    app = new_app()

    @app.timer_trigger(arg_name="timer", schedule="*/5 * * * *")
    async def probe(timer: func.TimerRequest) -> None: ...

    with pytest.raises(ScheduleError):
        host_of(app)


def test_a_route_that_would_be_hidden_in_azure_is_refused() -> None:
    app = new_app()

    @app.route("runs/{run}")
    async def a_run(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse()

    @app.route("runs/export")
    async def b_export(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse()

    with pytest.raises(RouteError, match=r"b_export .* is hidden by a_run"):
        host_of(app)


def test_an_app_object_can_be_indexed_once_only() -> None:
    app = new_app()

    @app.route("probe")
    async def probe(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse()

    host_of(app)
    with pytest.raises(ValueError, match="unique"):
        host_of(app)


@pytest.mark.parametrize(
    "host_json",
    [{}, {"version": "1.0"}, {**HOST_JSON, "functionTimeout": "4 minutes"}],
)
def test_a_host_json_that_cannot_be_read_is_refused(host_json: Mapping[str, Any]) -> None:
    with pytest.raises(HostSettingsError):
        host_of(new_app(), host_json)


async def test_a_protocol_other_than_http_is_refused() -> None:
    with pytest.raises(RuntimeError, match="websocket"):
        await host_of(new_app())({"type": "websocket"}, cast("Any", None), cast("Any", None))


def test_the_deployed_host_json_keeps_addresses_out_of_the_hosts_own_telemetry() -> None:
    """Host.Results is the category under which the host records requests with their queries."""
    levels = DEPLOYED["logging"]["logLevel"]

    assert levels["Host.Results"] == "None"
    assert logging.getLevelName(levels["default"].upper()) >= logging.WARNING
