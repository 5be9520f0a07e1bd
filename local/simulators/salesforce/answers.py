"""Turns results and refusals into the bytes that Salesforce sends."""

import json
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from aiohttp import web

from local.simulators.salesforce.variables import Json

_JSON: Final = "application/json;charset=UTF-8"
_FORM: Final = "application/x-www-form-urlencoded;charset=UTF-8"
_XML: Final = "application/xml;charset=UTF-8"
_FORMATS: Final = {
    "application/json": "json",
    "application/x-www-form-urlencoded": "urlencoded",
    "application/xml": "xml",
}
_NEVER_STORED: Final = {"Cache-Control": "no-cache, no-store", "Pragma": "no-cache"}


def json_answer(value: Json, status: int = 200) -> web.Response:
    return _bytes(json.dumps(value), _JSON, status)


def text_answer(text: str, status: int) -> web.Response:
    return _bytes(text, "text/plain;charset=UTF-8", status)


def oauth_answer(
    fields: Mapping[str, Json],
    status: int = 200,
    *,
    accept: str = "",
    wanted: str = "",
    fallback: str = "json",
) -> web.Response:
    """In the format of the parameter `format` (`wanted`), else of the header Accept, else of the
    endpoint (`fallback`): `json`, `urlencoded` or `xml`."""
    kind = wanted or _format_of(accept) or fallback
    flat = {name: _text(value) for name, value in fields.items()}
    if kind == "urlencoded":
        return _bytes(urlencode(flat), _FORM, status)
    if kind == "xml":
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in flat.items())
        return _bytes(f'<?xml version="1.0" encoding="UTF-8"?><OAuth>{inner}</OAuth>', _XML, status)
    return _bytes(json.dumps(dict(fields)), _JSON, status)


def compressed(answer: web.Response, accept_encoding: str) -> web.Response:
    """The same, as gzip if the client asks for it; `gzip;q=0` asks not to."""
    for offered in accept_encoding.lower().split(","):
        coding, _, weight = offered.strip().partition(";")
        if coding.strip() == "gzip" and weight.replace(" ", "") not in ("q=0", "q=0.0"):
            answer.enable_compression(web.ContentCoding.gzip)
    return answer


def _format_of(accept: str) -> str:
    return next((name for media, name in _FORMATS.items() if media in accept), "")


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _bytes(text: str, content_type: str, status: int) -> web.Response:
    headers = {"Content-Type": content_type, **_NEVER_STORED}
    return web.Response(body=text.encode(), status=status, headers=headers)
