"""Ten texts that must never leave, and the search for them."""

import base64
from collections.abc import Mapping
from urllib.parse import quote

CANARIES = {
    "local_variable": "canary-loc@l!variable",
    "exception_text": "canary-exc@ption!text",
    "chained_exception": "canary-ch@ined!exception",
    "log_message": "canary-log@message!",
    "log_args": "canary-log@args!",
    "url_query": "canary-url-query",
    "headers": "canary-he@der!",
    "argv": "canary-@rgv!",
    "server_name": "canary-server-name",
    "env": "canary-env@ironment!",
}


def hits(haystack: bytes, canaries: Mapping[str, str] = CANARIES) -> set[str]:
    """The names of the canaries that are in there, in clear or encoded."""
    lowered = haystack.lower()
    return {
        name
        for name, text in canaries.items()
        if any(form in haystack for form in _cased(text))
        or any(form.lower() in lowered for form in _caseless(text))
    }


def _cased(text: str) -> set[bytes]:
    """As base64, at each of the three offsets that it may have inside a longer text."""
    raw = text.encode()
    forms = set()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).rstrip(b"=")
        start = (0, 2, 3)[offset]  # characters that the padding bytes have touched
        inner = encoded[start:-1]
        forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return forms


def _caseless(text: str) -> set[bytes]:
    return {text.encode(), quote(text, safe="").encode(), text.encode().hex().encode()}
