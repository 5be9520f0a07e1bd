"""What becomes of a `Set-Cookie` on its way through the Python worker and the real host.

The worker takes the header apart and sends the pieces (azure_functions_runtime's
`parse_to_rpc_http_cookie_list`); the host writes a new header from them (ASP.NET Core's
ResponseCookies). Two things come out changed: the value is percent-encoded, and an absent
`Domain` or `Path` comes out as an empty one (Azure/azure-functions-python-worker#1794, #1902),
which the front end of App Service fills with the host's name. A browser then refuses a cookie
whose name begins with `__Host-`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from http.cookies import Morsel, SimpleCookie
from typing import Final
from urllib.parse import quote

_WORKER_DATE: Final = "%a, %d %b %Y %H:%M:%S GMT"
_SAME_SITE: Final = ("lax", "strict", "none")


class UnsendableCookieError(Exception):
    """The worker or the host fails on this cookie: the caller gets a bare 500."""


def set_cookie_values(cookies: Iterable[SimpleCookie]) -> list[str]:
    """One `Set-Cookie` value per cookie. Raises UnsendableCookieError."""
    return [_set_cookie(morsel) for jar in cookies for morsel in jar.values()]


def _set_cookie(morsel: Morsel[str]) -> str:
    parts = [f"{morsel.key}={quote(morsel.value, safe='')}"]
    if morsel["expires"]:
        parts.append(f"expires={format_datetime(_expires(morsel), usegmt=True)}")
    if morsel["max-age"]:
        parts.append(f"max-age={_max_age(morsel)}")
    parts.append(f"domain={morsel['domain']}")
    parts.append(f"path={morsel['path']}")
    if morsel["secure"]:
        parts.append("secure")
    if morsel["samesite"].lower() in _SAME_SITE:
        parts.append(f"samesite={morsel['samesite'].lower()}")
    if morsel["httponly"]:
        parts.append("httponly")
    return "; ".join(parts)


def _expires(morsel: Morsel[str]) -> datetime:
    """The worker reads one form only, not the older `12-Jan-2017`."""
    try:
        return datetime.strptime(morsel["expires"], _WORKER_DATE).replace(tzinfo=UTC)
    except ValueError as exc:
        raise UnsendableCookieError("the worker cannot read Expires") from exc


def _max_age(morsel: Morsel[str]) -> int:
    try:
        seconds = int(float(morsel["max-age"]))
    except (ValueError, OverflowError) as exc:
        raise UnsendableCookieError("the worker cannot read Max-Age") from exc
    if seconds < 0:
        raise UnsendableCookieError("the host refuses a negative Max-Age")
    return seconds
