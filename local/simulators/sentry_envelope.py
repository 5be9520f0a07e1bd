"""Sentry's envelope format: https://develop.sentry.dev/sdk/foundations/transport/envelopes/."""

import json
from typing import Any, Final

_JSON_ITEMS: Final = {"event", "transaction", "session", "sessions", "client_report", "check_in"}


def parse_envelope(body: bytes) -> dict[str, Any]:
    """`{"headers": {...}, "items": [{"headers": {...}, "payload": ...}]}`.

    Payloads of JSON items are parsed, others are text. Raises ValueError for what Sentry's relay
    would not read.
    """
    first, _, rest = body.partition(b"\n")
    headers = _object(first, "envelope header")
    items = []
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        item = _object(line, "item header")
        payload, rest = _payload(item, rest)
        items.append({"headers": item, "payload": payload})
    return {"headers": headers, "items": items}


def _payload(item: dict[str, Any], rest: bytes) -> tuple[object, bytes]:
    """One item's payload, and what follows it."""
    kind = item.get("type")
    if not isinstance(kind, str):
        raise ValueError("an item header has no type")  # noqa: TRY004 - one error for callers
    length = item.get("length")
    if length is None:
        raw, _, rest = rest.partition(b"\n")
    else:
        if not isinstance(length, int) or not 0 <= length <= len(rest):
            raise ValueError("an item's length is beyond the envelope's end")
        raw, rest = rest[:length], rest[length:]
        if rest and not rest.startswith(b"\n"):
            raise ValueError("an item's payload is longer than its length")
        rest = rest[1:]
    return (_object(raw, kind) if kind in _JSON_ITEMS else raw.decode(errors="replace")), rest


def _object(raw: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError as exc:
        raise ValueError(f"the {what} is not JSON") from exc
    if not isinstance(value, dict):
        raise ValueError(f"the {what} is not an object")  # noqa: TRY004 - one error for callers
    return value
