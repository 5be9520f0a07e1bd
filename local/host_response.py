"""What the real host makes of a function's result: RawScriptResult and Kestrel's checks."""

import json
import re
from contextlib import suppress
from typing import Any, Final

from azure.functions.meta import Datum
from starlette.responses import Response

from local.host_cookies import UnsendableCookieError, set_cookie_values

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")  # Kestrel writes header values as ASCII
_WITHOUT_BODY: Final = frozenset({*range(100, 200), 204, 304})


class UnsendableResultError(Exception):
    """The host cannot turn this result into an answer: the caller gets a bare 500."""


def to_response(datum: Datum) -> Response:
    """The answer for what azure.functions' converter made of a result.

    Raises UnsendableResultError.
    """
    if datum.type == "string":
        return Response(_plain_text(datum.value), media_type="text/plain")
    answer: dict[str, Any] = datum.value
    body: bytes = answer["body"].value
    response = Response(body, _status(answer["status_code"].value))
    if body and response.status_code in _WITHOUT_BODY:
        raise UnsendableResultError(f"a body with status {response.status_code}")
    for name, value in answer["headers"].items():
        _add_header(response, name, value.value)
    try:
        cookies = set_cookie_values(answer["cookies"] or ())
    except UnsendableCookieError as exc:
        raise UnsendableResultError(str(exc)) from exc
    for cookie in cookies:
        response.raw_headers.append((b"set-cookie", _checked("Set-Cookie", cookie)))
    return response


def _plain_text(result: str) -> str:
    """A `str` result is sent as text, unless it is JSON.

    The real host reads such a text and writes it anew: an object comes out indented, one with a
    `body` member becomes a response of its own, `true` comes out as `True`. Rather than imitate
    that, this host refuses it: return an HttpResponse.
    """
    with suppress(ValueError):
        json.loads(result)
        raise UnsendableResultError("a str that is JSON; return an HttpResponse instead")
    return result


def _status(text: str) -> int:
    """Kestrel accepts three digits; the host takes what is no number at all for 200."""
    try:
        status = int(text)
    except ValueError:
        return 200
    if not 100 <= status <= 999:  # noqa: PLR2004 - three digits
        raise UnsendableResultError(f"the status {status}")
    return status


def _add_header(response: Response, name: str, value: str) -> None:
    """Of headers that differ in case only, the host sends the first."""
    if not _TOKEN.fullmatch(name):
        raise UnsendableResultError("a header name with characters that are not allowed")
    encoded = _checked(name, value)
    if name.lower() == "content-length":
        if int(response.headers["content-length"]) != int(value):
            raise UnsendableResultError("a Content-Length that is not the body's")
    elif name.lower() not in response.headers:
        response.raw_headers.append((name.lower().encode("ascii"), encoded))


def _checked(name: str, value: str) -> bytes:
    if not _FIELD_VALUE.fullmatch(value):
        raise UnsendableResultError(f"control or non-ASCII characters in {name}")
    return value.encode("ascii")
