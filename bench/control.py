"""Setting the scene of a bench at the stack's control surface."""

import json
from typing import Final
from urllib.request import ProxyHandler, Request, build_opener

from local.stack_info import StackInfo

_MANY: Final = 100_000
_http: Final = build_opener(ProxyHandler({}))


def set_delay(info: StackInfo, milliseconds: int) -> None:
    """From now on each call to the Table service takes so much longer; 0: none does.

    Rows stay: this sets aside planned faults alone.
    """
    _send(info, "DELETE", "/_sim/faults", None)
    if milliseconds:
        fault = {"target": "tables", "match": "/", "fault": "delay", "value": milliseconds / 1_000}
        post(info, "/_sim/faults", {**fault, "times": _MANY})


def post(info: StackInfo, path: str, body: object) -> None:
    _send(info, "POST", path, body)


def _send(info: StackInfo, method: str, path: str, body: object) -> None:
    request = Request(  # noqa: S310 - the stack's own control surface, plain HTTP on 127.0.0.1
        info.control + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={} if body is None else {"Content-Type": "application/json"},
        method=method,
    )
    with _http.open(request, timeout=30):
        pass
