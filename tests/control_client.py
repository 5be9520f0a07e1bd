"""The control surface of the running stack, for tests that set the scene."""

from typing import Any, Final

import requests

type Json = Any  # what json.loads answers: the test that reads it knows its shape

_DEADLINE_SECONDS: Final = 10.0


class ControlClient:
    """`control.post("/_sim/...", {...})`; anything but success fails the test with the reason."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False  # proxies and bundles of the environment have no say

    def get(self, path: str) -> Json:
        return self._call("GET", path, None)

    def post(self, path: str, body: object = None) -> Json:
        return self._call("POST", path, body)

    def clear_faults(self) -> None:
        """Everybody behaves again, and everything else stays."""
        self._call("DELETE", "/_sim/faults", None)

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, body: object) -> Json:
        answer = self._session.request(
            method, self._address + path, json=body, timeout=_DEADLINE_SECONDS
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None
