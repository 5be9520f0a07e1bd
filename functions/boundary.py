"""Where HTTP ends: the one place that turns a failure into a status, and dresses every answer."""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import azure.functions as func

from shared import errors
from shared.telemetry.events import SanitizedError, alarm, event

if TYPE_CHECKING:
    from shared.services import Services

type Handler = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]

STATUS: Final[Mapping[type[errors.FlowRunnerError], HTTPStatus]] = {
    errors.InvalidRequestError: HTTPStatus.BAD_REQUEST,
    errors.NotAuthenticatedError: HTTPStatus.UNAUTHORIZED,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.MethodNotAllowedError: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.SettingsChangedError: HTTPStatus.PRECONDITION_FAILED,
    errors.BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.OtherRegionError: HTTPStatus.MISDIRECTED_REQUEST,
    errors.UnprocessableError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.IfMatchRequiredError: HTTPStatus.PRECONDITION_REQUIRED,
    errors.TooManyRequestsError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.UpstreamError: HTTPStatus.BAD_GATEWAY,
    errors.SalesforceUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SalesforceTimeoutError: HTTPStatus.GATEWAY_TIMEOUT,
}

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""On every answer, unless the handler said otherwise for good reason (a cached public document)."""

EXPOSED_HEADERS: Final = (
    "WWW-Authenticate, Retry-After, X-Request-Id, ETag, X-Export-Signature, Content-Disposition"
)
_AUTHORIZE: Final = "https://login.microsoftonline.com/common/oauth2/authorize"


def status_of(kind: type[errors.FlowRunnerError]) -> HTTPStatus:
    """The status of the nearest ancestor that has one. A kind without one is a bug."""
    return next(STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS)


def json_response(
    body: object,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    headers: Mapping[str, str] | None = None,
    media_type: str = "application/json",
) -> func.HttpResponse:
    """JSON in ASCII: half a surrogate pair, which JSON can spell, has no form in UTF-8."""
    return func.HttpResponse(
        json.dumps(body).encode(),
        status_code=int(status),
        mimetype=media_type,
        headers=dict(headers or {}),
    )


def problem(failure: errors.FlowRunnerError, incident: str) -> func.HttpResponse:
    """A problem document (RFC 9457). `code` is stable, `incident` is in the log."""
    status = status_of(type(failure))
    body = {
        **failure.members(),
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "code": failure.code,
        "incident": incident,
    }
    headers = _headers_of(failure)
    return json_response(body, status, headers=headers, media_type="application/problem+json")


def guarded(services: "Services") -> Callable[[Handler], Handler]:
    """Let no exception out. Expected ones become their code, all others a bare 500.

    Keeps the handler's signature as it is: the Functions worker reads it to bind parameters, so a
    wrapper here must neither add nor hide one.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def wrapper(req: func.HttpRequest) -> func.HttpResponse:
            incident = secrets.token_hex(16)
            try:
                response = await handler(req)
            except errors.FlowRunnerError as exc:
                response = problem(exc, incident)
                _tell_refused(handler.__name__, exc, incident)
            except Exception as exc:  # noqa: BLE001 - the last line of defence, by design
                response = _crashed(incident)
                told = SanitizedError.of(exc)
                alarm("crashed", told, incident=incident, function=handler.__name__)
            return _dressed(response, req, services, incident)

        return wrapper

    return decorate


type TimerHandler = Callable[[func.TimerRequest], Awaitable[None]]


def timed(handler: TimerHandler) -> TimerHandler:
    """Let no exception of a timer out: it becomes an alarm, and the next occurrence tries again.

    Keeps the handler's signature as it is, like `guarded`.
    """

    @wraps(handler)
    async def wrapper(timer: func.TimerRequest) -> None:
        try:
            await handler(timer)
        except Exception as exc:  # noqa: BLE001 - the last line of defence, by design
            alarm("crashed", SanitizedError.of(exc), function=handler.__name__)

    return wrapper


def _tell_refused(function: str, failure: errors.FlowRunnerError, incident: str) -> None:
    cause = failure.__cause__
    event(
        "refused",
        incident=incident,
        function=function,
        code=failure.code,
        status=int(status_of(type(failure))),
        cause=type(cause or failure).__qualname__,
    )


def _crashed(incident: str) -> func.HttpResponse:
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "code": "internal",
        "incident": incident,
    }
    return json_response(body, status, media_type="application/problem+json")


def _headers_of(failure: errors.FlowRunnerError) -> dict[str, str]:
    headers: dict[str, str] = {}
    if failure.retry_after is not None:
        headers["Retry-After"] = str(failure.retry_after)
    match failure:
        case errors.MethodNotAllowedError():
            headers["Allow"] = ", ".join(failure.allowed)
        case errors.InteractionRequiredError():
            challenge = f'Bearer realm="", authorization_uri="{_AUTHORIZE}"'
            if failure.encoded_claims:
                challenge += f', error="insufficient_claims", claims="{failure.encoded_claims}"'
            headers["WWW-Authenticate"] = challenge
        case errors.SessionExpiredError():
            headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        case errors.NotAuthenticatedError():
            headers["WWW-Authenticate"] = "Bearer"
    return headers


def _dressed(
    response: func.HttpResponse, req: func.HttpRequest, services: "Services", incident: str
) -> func.HttpResponse:
    """Security headers, the request's id, and CORS for the add-ins' exact origins.

    An origin decides who may read an answer in a browser; it never decides about access.
    """
    headers = response.headers
    said = {name.lower() for name in headers.keys()}  # noqa: SIM118 - iterating gives pairs
    for name, value in SECURITY_HEADERS.items():
        if name.lower() not in said:
            headers.add(name, value)
    headers["X-Request-Id"] = incident
    headers["Vary"] = f"Origin, {headers['Vary']}" if "vary" in said else "Origin"
    origin = req.headers.get("Origin")
    if origin in services.settings.addin_origins:
        headers["Access-Control-Allow-Origin"] = str(origin)
        headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    return response
