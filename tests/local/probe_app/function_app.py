"""Functions that show what a host gives them, and give it what is hard to send."""

import hashlib
import json
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import cast
from uuid import UUID

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

seen_by_timers: list[dict[str, object]] = []


def _json(value: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(value), mimetype="application/json")


def _told(context: func.Context) -> object:
    """What a logger in this thread would be told."""
    return getattr(context.thread_local_storage, "invocation_id", None)


def _everything(req: func.HttpRequest) -> func.HttpResponse:
    return _json(
        {
            "method": req.method,
            "url": req.url,
            "headers": dict(req.headers),
            "params": dict(req.params),
            "route_params": dict(req.route_params),
            "body": req.get_body().decode("latin-1"),
        }
    )


@app.route("echo/{name?}")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return _everything(req)


@app.route("echo-sync/{number:int}/{word:alpha}", methods=["GET", "POST"])
def echo_sync(req: func.HttpRequest) -> func.HttpResponse:
    return _everything(req)


@app.route("rest/{*path}")
async def rest(req: func.HttpRequest) -> func.HttpResponse:
    return _everything(req)


@app.route("header")
async def header(req: func.HttpRequest) -> func.HttpResponse:
    """Names of headers are compared without case."""
    return _json([req.headers.get("X-Probe"), req.headers.get("x-probe"), "X-PROBE" in req.headers])


@app.route("json")
async def json_body(req: func.HttpRequest) -> func.HttpResponse:
    return _json(req.get_json())


@app.route("form")
async def form_body(req: func.HttpRequest) -> func.HttpResponse:
    files: dict[str, str] = {}
    for name, uploaded in req.files.items():
        with closing(uploaded) as file:
            files[name] = file.read().decode("latin-1")
    return _json([req.form.to_dict(flat=False), files])


@app.route("digest")
async def digest(req: func.HttpRequest) -> func.HttpResponse:
    body = req.get_body()
    return _json([len(body), hashlib.sha256(body).hexdigest()])


@app.route("large")
async def large(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(bytes(range(256)) * 1024, mimetype="application/octet-stream")


@app.route("status/{code:int}")
async def status(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("as asked", status_code=int(req.route_params["code"]))


@app.route("status-of-enum")
async def status_of_enum(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=HTTPStatus.CONFLICT)


@app.route("no-content")
async def no_content(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=204)


@app.route("redirect/{code:int}")
async def redirect(req: func.HttpRequest) -> func.HttpResponse:
    location = "https://login.salesforce.com/services/oauth2/authorize?state=a%2Fb&scope=api+web"
    code = int(req.route_params["code"])
    return func.HttpResponse(status_code=code, headers={"Location": location})


@app.route("cookies")
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("set")
    strict = "__Host-probe=a/b+c=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"
    response.headers.add("Set-Cookie", strict)
    response.headers.add("Set-Cookie", "plain=1")
    response.headers.add("Set-Cookie", "gone=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0")
    response.headers.add("Set-Cookie", 'quoted="x y"; Domain=example.com; SameSite=None')
    response.headers.add("X-After", "still here")
    return response


@app.route("cookie-worse/{fault}")
async def cookie_worse(req: func.HttpRequest) -> func.HttpResponse:
    faults = {
        "old-date": "a=b; Expires=Thu, 12-Jan-2017 13:55:08 GMT",
        "max-age": "a=b; Max-Age=soon",
        "same-site": "a=b; SameSite=whatever",
        "garbage": "=;;garbage",
    }
    return func.HttpResponse("", headers={"Set-Cookie": faults[req.route_params["fault"]]})


@app.route("headers-twice")
async def headers_twice(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("")
    for name, value in (("X-Same", "1"), ("X-Same", "2"), ("X-Case", "1"), ("x-case", "2")):
        response.headers.add(name, value)
    return response


@app.route("content-type/{kind}")
async def content_type(req: func.HttpRequest) -> func.HttpResponse:
    answers = {
        "default": func.HttpResponse("text"),
        "html": func.HttpResponse("<p>", mimetype="text/html"),
        "problem": func.HttpResponse("{}", mimetype="application/problem+json"),
        "latin-1": func.HttpResponse("Zoë", charset="iso-8859-1"),
        "header": func.HttpResponse("a,b", headers={"content-type": "text/csv"}, mimetype="x/y"),
        "unicode": func.HttpResponse("Zoë ☃ 漢字"),
        "none": func.HttpResponse(None),
    }
    return answers[req.route_params["kind"]]


@app.route("text")
def text(req: func.HttpRequest) -> str:
    return "plain Zoë"


@app.route("none")
async def none(req: func.HttpRequest) -> func.HttpResponse:
    return cast("func.HttpResponse", None)


@app.route("dict")
async def dictionary(req: func.HttpRequest) -> func.HttpResponse:
    return cast("func.HttpResponse", {"status": 200})


@app.route("bytes")
async def raw_bytes(req: func.HttpRequest) -> func.HttpResponse:
    return cast("func.HttpResponse", b"bytes")


@app.route("fails")
async def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("told to nobody")


@app.route("fails-sync")
def fails_sync(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("told to nobody")


@app.route("context")
async def with_context(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    UUID(context.invocation_id)
    return _json(
        [
            context.function_name,
            Path(context.function_directory).name,
            context.retry_context.retry_count,
            _told(context) == context.invocation_id,
        ]
    )


@app.route("context-sync")
def with_context_sync(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    UUID(context.invocation_id)
    return _json([context.function_name, _told(context) == context.invocation_id])


@app.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
async def tick(timer: func.TimerRequest) -> None:
    seen_by_timers.append({"timer": "tick", "past_due": timer.past_due})


@app.timer_trigger(arg_name="timer", schedule="0 0 3 * * MON-FRI")
def tick_sync(timer: func.TimerRequest, context: func.Context) -> None:
    named = context.function_name
    seen_by_timers.append({"timer": named, "past_due": timer.past_due, "rest": timer.to_json()})


@app.timer_trigger(arg_name="timer", schedule="0 0 4 1 1 *")
async def tick_fails(timer: func.TimerRequest) -> None:
    seen_by_timers.append({"timer": "tick_fails"})
    raise ValueError("told to nobody")


@app.route("seen-by-timers")
async def timer_log(req: func.HttpRequest) -> func.HttpResponse:
    return _json(seen_by_timers)
