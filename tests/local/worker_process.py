"""`worker_process APP_DIR CALLS ANSWERS`: makes calls of Microsoft's own Python worker.

Loads `function_app.py` of APP_DIR as the worker does in Azure (init, metadata, load, invocations),
reads calls from one JSON file and writes the answers to another. A process of its own, because the
worker keeps its state in module globals, and indexes one app in its life.
"""

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import azure_functions_runtime as worker

from local.host_functions import route_of
from local.host_request import decoded_path
from local.host_routes import RouteTable
from tests.local import worker_protos as protos
from tests.local.exchange import (
    HOST,
    ROUTE_PREFIX,
    Answer,
    Call,
    Cookie,
    HttpCall,
    TimerCall,
    call_from_json,
)
from tests.local.worker_protos import Message

_SAME_SITE = {
    protos.RpcHttpCookie.SameSite.Lax: "lax",
    protos.RpcHttpCookie.SameSite.Strict: "strict",
    protos.RpcHttpCookie.SameSite.ExplicitNone: "none",
}


class LoadedApp:
    """An app that the worker has indexed, and the routes by which its functions are found."""

    def __init__(self, metadata: list[Message]) -> None:
        self._ids = {function.name: function.function_id for function in metadata}
        self._triggers = {function.name: _trigger(function) for function in metadata}
        http = {
            name: trigger
            for name, trigger in self._triggers.items()
            if trigger["type"] == "httpTrigger"
        }
        self._routes = RouteTable(
            route_of(name, trigger, ROUTE_PREFIX) for name, trigger in http.items()
        )

    async def answer(self, call: Call) -> Answer:
        if isinstance(call, TimerCall):
            await self._invoke(call.function, _timer_data(call))
            return Answer(status=202)
        path, _, query = call.target.partition("?")
        match = self._routes.find(call.method, decoded_path(path.encode("ascii")))
        if match is None:
            return Answer(status=404)
        data = _http_data(call, query, match.parameters)
        return _answer(await self._invoke(match.function, data))

    async def _invoke(self, function: str, data: Message) -> Message:
        argument = protos.ParameterBinding(name=self._triggers[function]["name"], data=data)
        invocation = Message(
            invocation_id=str(uuid.uuid4()),
            function_id=self._ids[function],
            input_data=[argument],
            trigger_metadata={},
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(retry_count=0, max_retry_count=0),
        )
        response: Message = await worker.invocation_request(
            _envelope(invocation_request=invocation)
        )
        return response


async def load(app_dir: Path) -> LoadedApp:
    """As the host starts a worker. Raises RuntimeError with the worker's own words."""
    worker.start_threadpool_executor()
    begun = Message(capabilities={}, function_app_directory=str(app_dir))
    answer = await worker.worker_init_request(_envelope(worker_init_request=begun))
    _require_success(answer)
    indexed = await worker.functions_metadata_request(_envelope())
    metadata: list[Message] = indexed.function_metadata_results
    for function in metadata:
        wanted = Message(function_id=function.function_id)
        _require_success(
            await worker.function_load_request(_envelope(function_load_request=wanted))
        )
    return LoadedApp(metadata)


def _envelope(**request: Message) -> Message:
    properties = {"host": "127.0.0.1", "protos": protos}
    return Message(request=Message(**request), properties=properties)


def _require_success(answer: Message) -> None:
    result = answer.result
    if result.status != protos.StatusResult.Success:
        raise RuntimeError(f"{result.exception.message}\n{result.exception.stack_trace}")


def _trigger(function: Message) -> dict[str, Any]:
    bindings = map(json.loads, function.raw_bindings)
    (trigger,) = (b for b in bindings if b["type"].endswith("Trigger"))
    return dict(trigger)


def _http_data(call: HttpCall, query: str, parameters: dict[str, str]) -> Message:
    """The host's part, written a second time here, so that local/host_request.py is held too."""
    headers: dict[str, list[str]] = {}
    for name, value in call.all_headers():
        headers.setdefault(name.lower(), []).append(value)
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query):
        values.setdefault(name, []).append(value)
    return protos.TypedData(
        http=protos.RpcHttp(
            method=call.method,
            url=f"{call.scheme}://{HOST}{call.target}",
            headers={name: ",".join(parts) for name, parts in headers.items()},
            query={name: ",".join(parts) for name, parts in values.items()},
            params=parameters,
            body=protos.TypedData(bytes=call.body) if call.body else protos.TypedData(),
        )
    )


def _timer_data(call: TimerCall) -> Message:
    info = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": None,
        "IsPastDue": call.past_due,
    }
    return protos.TypedData(json=json.dumps(info))


def _answer(response: Message) -> Answer:
    """What the host sends for this response. A failure is 500, and nothing of it is told."""
    result = response.result
    if result.status != protos.StatusResult.Success:
        return Answer(status=500)
    value = response.return_value
    if value.WhichOneof("data") == "string":
        text = {"content-type": "text/plain; charset=utf-8"}
        return Answer(status=200, headers=text, body=value.string.encode())
    http = value.http
    headers: dict[str, str] = {}
    for name, header in http.headers.items():
        headers.setdefault(name.lower(), header)
    return Answer(
        status=int(http.status_code),
        headers=headers,
        cookies=tuple(_cookie(cookie) for cookie in http.cookies or ()),
        body=http.body.bytes,
    )


def _cookie(cookie: Message) -> Cookie:
    """Every field that the worker sent, as ASP.NET Core writes it."""
    attributes: dict[str, str] = {}
    if cookie.expires is not None:
        moment = datetime.fromtimestamp(cookie.expires.value.seconds, UTC)
        attributes["expires"] = format_datetime(moment, usegmt=True)
    if cookie.max_age is not None:
        attributes["max-age"] = str(int(cookie.max_age.value))
    if cookie.domain is not None:
        attributes["domain"] = cookie.domain.value
    if cookie.path is not None:
        attributes["path"] = cookie.path.value
    if cookie.secure.value:
        attributes["secure"] = ""
    if cookie.same_site in _SAME_SITE:
        attributes["samesite"] = _SAME_SITE[cookie.same_site]
    if cookie.http_only.value:
        attributes["httponly"] = ""
    return Cookie(cookie.name, cookie.value, attributes)


async def _answers(app_dir: Path, calls: list[Call]) -> list[Answer]:
    app = await load(app_dir)
    answers = [await app.answer(call) for call in calls]
    worker.stop_threadpool_executor()
    return answers


def _main(app_dir: str, calls_file: str, answers_file: str) -> None:
    calls = [call_from_json(fields) for fields in json.loads(Path(calls_file).read_bytes())]
    answers = asyncio.run(_answers(Path(app_dir), calls))
    Path(answers_file).write_text(
        json.dumps([answer.to_json() for answer in answers]), encoding="utf-8"
    )


if __name__ == "__main__":
    _main(*sys.argv[1:])
