"""Connecting a user's own Salesforce org: begin, start, come back, complete, list, disconnect."""

# ruff: noqa: PLC0415 - imported at first use: see functions/__init__.py

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import azure.functions as func

from functions.boundary import guarded, json_response
from functions.pages import connect_page
from functions.requests import (
    caller_of,
    json_object,
    optional_text_member,
    query_text,
    text_member,
)
from shared.errors import (
    FlowRunnerError,
    InvalidRequestError,
    NotFoundError,
    TooManyRequestsError,
)
from shared.secret import Secret

if TYPE_CHECKING:
    from shared.model import ConnectedOrg, OrgId
    from shared.services import Services
    from shared.usecases.finish_connection import Arrival, NoCode

COOKIE: Final = "__Secure-flr-connect"
"""Binds the dance to one browser. The prefix makes browsers insist on Secure (RFC 6265bis).

Not `__Host-`, which would insist on our host alone as well: the Functions host writes an empty
`domain=` into every cookie, App Service fills in the app's host name, and browsers then refuse
`__Host-` (Azure/azure-functions-python-worker#1902). A cookie that a neighbouring host plants
beside ours gains nothing: two of this name are none.
"""

_COOKIE_RULES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"


def blueprint(services: "Services") -> func.Blueprint:
    bp = func.Blueprint()

    @bp.route("v1/salesforce/connections", methods=["POST"])
    @guarded(services)
    async def salesforce_connect(req: func.HttpRequest) -> func.HttpResponse:
        from shared.usecases.begin_connection import TICKET_LIFETIME

        caller = await caller_of(req, services)
        body = json_object(req, allowed=("login_host", "return_to"))

        ticket = await services.begin_connection(
            caller,
            optional_text_member(body, "login_host"),
            optional_text_member(body, "return_to"),
        )

        start = f"{services.settings.public_base_url}/v1/salesforce/start"
        answer = {
            "connect_url": f"{start}?ticket={ticket.reveal()}",
            "expires_in": int(TICKET_LIFETIME.total_seconds()),
        }
        return json_response(answer, HTTPStatus.CREATED)

    @bp.route("v1/salesforce/start", methods=["GET"])
    @guarded(services)
    async def salesforce_start(req: func.HttpRequest) -> func.HttpResponse:
        from shared.model import OneTimeCode
        from shared.usecases.finish_connection import Arrival

        try:
            ticket = OneTimeCode.parse(query_text(req, "ticket") or "")
            departure = await services.start_connection(ticket)
        except FlowRunnerError as exc:
            return connect_page(Arrival(failure=exc), services.settings.addin_origins)
        cookie = f"{COOKIE}={departure.browser_nonce.reveal()}; Max-Age=600; {_COOKIE_RULES}"
        return _redirect(HTTPStatus.FOUND, departure.authorize_url, cookie)

    @bp.route("v1/salesforce/callback", methods=["GET"])
    @guarded(services)
    async def salesforce_callback(req: func.HttpRequest) -> func.HttpResponse:
        from shared.model import OneTimeCode
        from shared.usecases.finish_connection import Arrival

        try:
            state = OneTimeCode.parse(query_text(req, "state") or "")
            arrival = await services.finish_connection(state, _code(req), _browser_nonce(req))
        except FlowRunnerError as exc:
            arrival = Arrival(failure=exc)
        return _answer_to(arrival, services.settings.addin_origins)

    @bp.route("v1/salesforce/connections/complete", methods=["POST"])
    @guarded(services)
    async def salesforce_complete(req: func.HttpRequest) -> func.HttpResponse:
        from shared.model import OneTimeCode

        caller = await caller_of(req, services)
        body = json_object(req, allowed=("completion",))
        completion = OneTimeCode.parse(text_member(body, "completion"))

        connected = await services.complete_connection(caller, completion)

        return json_response(_connection(connected))

    @bp.route("v1/salesforce/connections", methods=["GET"])
    @guarded(services)
    async def salesforce_connections(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)

        connected = await services.list_connections(caller)

        return json_response({"connections": [_connection(org) for org in connected]})

    @bp.route("v1/salesforce/connections/{org_id}", methods=["DELETE"])
    @guarded(services)
    async def salesforce_disconnect(req: func.HttpRequest) -> func.HttpResponse:
        caller = await caller_of(req, services)
        org = _org_in_path(req)

        await services.disconnect(caller, org)

        return func.HttpResponse(status_code=HTTPStatus.NO_CONTENT)

    return bp


def _org_in_path(req: func.HttpRequest) -> "OrgId":
    """Malformed, absent, or somebody else's: all have one answer."""
    from shared.model import OrgId

    try:
        return OrgId.parse(req.route_params.get("org_id", ""))
    except InvalidRequestError:
        raise NotFoundError from None


def _code(req: func.HttpRequest) -> "Secret | NoCode":
    """The authorization code, or that Salesforce says it was denied (RFC 6749, 4.1.2).

    Both at once, or neither, is no answer of Salesforce's. Nor is one that names an issuer
    (RFC 9207): Salesforce sends none, so it comes from somebody else.
    """
    from shared.usecases.finish_connection import NoCode

    try:
        code, error = query_text(req, "code"), query_text(req, "error")
        issuer = query_text(req, "iss")
    except InvalidRequestError:  # too long to be Salesforce's; the state is used up all the same
        return NoCode.UNREADABLE
    if (code is None) == (error is None) or issuer is not None:
        return NoCode.UNREADABLE
    return NoCode.DENIED if code is None else Secret(code)


def _browser_nonce(req: func.HttpRequest) -> Secret | None:
    """Our cookie. Two of that name are none: one of them is not ours."""
    pairs = (part.strip().partition("=") for part in req.headers.get("Cookie", "").split(";"))
    values = [value for name, _, value in pairs if name == COOKIE]
    return Secret(values[0]) if len(values) == 1 and values[0] else None


def _answer_to(arrival: "Arrival", origins: Sequence[str]) -> func.HttpResponse:
    """Home to the add-in's page, or where none is known, a page of ours; the cookie goes.

    It stays where the state was none of ours while states were being guessed: nothing was begun
    that it belongs to. (A kind of TooManyRequestsError is Salesforce's, and comes after.)
    """
    if type(arrival.failure) is TooManyRequestsError:
        return connect_page(arrival, origins)
    cookie = f"{COOKIE}=; Max-Age=0; {_COOKIE_RULES}"
    if arrival.return_to is None:
        return connect_page(arrival, origins, cookie)
    return _redirect(HTTPStatus.SEE_OTHER, _way_home(arrival), cookie)


def _way_home(arrival: "Arrival") -> str:
    """The add-in's page, with the outcome in the fragment: fragments reach no server's log."""
    if arrival.completion is not None:
        return f"{arrival.return_to}#completion={quote(arrival.completion.reveal(), safe='.')}"
    code = arrival.failure.code if arrival.failure else "internal"
    return f"{arrival.return_to}#error={code}"


def _redirect(status: HTTPStatus, location: str, cookie: str) -> func.HttpResponse:
    return func.HttpResponse(
        status_code=status, headers={"Location": location, "Set-Cookie": cookie}
    )


def _connection(org: "ConnectedOrg") -> dict[str, object]:
    connection = org.connection
    return {
        "org_id": connection.org,
        "instance_host": org.instance_host,
        "health": org.health.value,
        "action": org.health.action,
        "connected_at": connection.connected_at.isoformat().replace("+00:00", "Z"),
        "last_used_at": f"{connection.last_used_day}T00:00:00Z",
    }
