"""A Functions host for one machine: an ASGI application over the functions of an app.

Handlers get and give what they get from and give to Microsoft's Python worker, because both are
converted by azure.functions' own code; tests/local/test_parity.py holds it against that worker.
Around it stand the rules of the real host: routes (host_routes.py), requests (host_request.py),
answers (host_response.py), schedules (timers.py), and the settings of host.json.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

import azure.functions as func
from azure.functions import meta
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.host_context import InvocationTrace
from local.host_functions import HttpFunction, TimerFunction, index
from local.host_request import HostRequest, RefusedRequestError, read_body
from local.host_response import UnsendableResultError, to_response
from local.host_routes import RouteTable
from local.host_settings import HostSettings
from local.timers import ScheduleStatus

_ADMIN_FUNCTIONS: Final = "/admin/functions/"
_log: Final = logging.getLogger(__name__)


class FunctionsHost:
    """Serves the HTTP functions of an app, and runs its timers when told to."""

    def __init__(self, app: func.FunctionApp, host_json: Mapping[str, Any]) -> None:
        """Index the app, which can be done once in the life of an app object.

        Raises IndexingError, RouteError, ScheduleError or HostSettingsError for what would not
        work in Azure or is not supported here.
        """
        self._settings = HostSettings.parse(host_json)
        http, timers = index(app, self._settings.route_prefix)
        self._http: dict[str, HttpFunction] = {function.name: function for function in http}
        self._routes = RouteTable(function.route for function in http)
        self.timers: Mapping[str, TimerFunction] = {timer.name: timer for timer in timers}
        self._converters = meta.get_binding_registry()
        self._threads = ThreadPoolExecutor(thread_name_prefix="function")
        self._runs: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"this host does not speak {scope['type']}")
        try:
            response = await self._answer(Request(scope, receive))
        except RefusedRequestError as refused:
            response = Response(status_code=refused.status)
        except ClientDisconnect:
            return  # nobody is left to answer; the function was not called
        self._settings.add_headers(response, scope["scheme"])
        await response(scope, receive, send)

    async def close(self) -> None:
        """Wait for the runs that the admin route began, and let the threads go."""
        await self.runs_ended()
        self._threads.shutdown()

    async def runs_ended(self) -> None:
        """Wait until every run that the admin route began has ended."""
        await asyncio.gather(*self._runs)

    async def run_timer(
        self, timer: TimerFunction, *, past_due: bool, status: ScheduleStatus | None
    ) -> None:
        """Run a timer function once. A failure is logged and ends here, as in the real host."""
        info = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": status.to_json() if status else None,
            "IsPastDue": past_due,
        }
        datum = meta.Datum(json.dumps(info), "json")
        trigger = self._converters.get("timerTrigger").decode(datum, trigger_metadata={})
        try:
            async with asyncio.timeout(self._settings.function_timeout.total_seconds()):
                result = await timer.call(trigger, self._threads, InvocationTrace.of({}))
        except Exception:  # noqa: BLE001 - whatever a function raises is its failure
            _log.exception("function %s failed", timer.name)
            return
        if result is not None:  # the worker makes this a failure of the function
            _log.error("function %s failed: a timer function returned a value", timer.name)

    async def _answer(self, request: Request) -> Response:
        asked = HostRequest.of(request.scope)
        if asked.path.lower().startswith(_ADMIN_FUNCTIONS):
            return await self._admin(asked, request)
        match = self._routes.find(asked.method, asked.path)
        if match is None:
            return Response(status_code=404)
        body = await read_body(request, asked.headers)
        datum = asked.datum(match.parameters, body)
        return await self._call(self._http[match.function], datum, asked.headers)

    async def _call(
        self, function: HttpFunction, datum: meta.Datum, headers: Mapping[str, str]
    ) -> Response:
        """Whatever goes wrong in a function or with its result is a 500 with an empty body."""
        try:
            trigger = self._converters.get("httpTrigger").decode(datum, trigger_metadata={})
            async with asyncio.timeout(self._settings.function_timeout.total_seconds()):
                result = await function.call(trigger, self._threads, InvocationTrace.of(headers))
            return to_response(self._converters.get("http").encode(result, expected_type=None))
        except UnsendableResultError as refused:
            _log.error("function %s: the host cannot send %s", function.name, refused)
        except Exception:  # noqa: BLE001 - whatever a function raises is its failure
            _log.exception("function %s failed", function.name)
        return Response(status_code=500)

    async def _admin(self, asked: HostRequest, request: Request) -> Response:
        """`POST /admin/functions/{name}` with a JSON object runs a timer at once.

        The real host wants its master key; Core Tools, on one's own machine, want none.
        """
        if asked.method != "POST":
            return Response(status_code=404)
        media_type = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            return Response(status_code=415)
        invocation: object = None
        with suppress(ValueError):
            invocation = json.loads(await read_body(request, asked.headers))
        if not isinstance(invocation, dict):
            return Response(status_code=400)
        timer = self._timer_named(asked.path[len(_ADMIN_FUNCTIONS) :])
        if timer is None:
            return Response(status_code=404)
        run = asyncio.create_task(self.run_timer(timer, past_due=False, status=None))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        return Response(status_code=202)

    def _timer_named(self, name: str) -> TimerFunction | None:
        """The host compares names of functions without case."""
        names = (timer for timer in self.timers.values() if timer.name.lower() == name.lower())
        return next(names, None)
