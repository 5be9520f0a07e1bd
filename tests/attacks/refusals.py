"""What every refused sign-in has in common: a stable code, an incident, one line, and silence."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import requests

from bench.tokens.specimen import part_bytes
from local.addin import AddIn
from local.stack_info import StackInfo
from shared.storage import TABLE_NAMES
from tests.attacks.azurite_rows import AzuriteRows, Rows

_TELLING: Final = 8
"""Characters: what is as long as this cannot stand in an answer by chance."""
_PROBLEM: Final = {"type", "title", "status", "code", "incident"}


class Entrance:
    """`POST /v1/sso/exchange` of the running stack, with eyes on its log and its tables."""

    def __init__(self, info: StackInfo, rows: AzuriteRows) -> None:
        self.pane = AddIn(info)
        self._log = info.data / "service.log"
        self._rows = rows
        self._began = self._log.stat().st_size

    def close(self) -> None:
        self.pane.__exit__(None, None, None)

    def stored(self) -> Rows:
        """Every row there is."""
        return {name: self._rows.table(name) for name in TABLE_NAMES}

    def logged(self) -> str:
        """What the service has logged since this was opened."""
        with self._log.open("rb") as log:
            log.seek(self._began)
            return log.read().decode()

    def events(self, name: str) -> list[Mapping[str, Any]]:
        """Of that name, since this was opened."""
        lines = (line[line.find("{") :] for line in self.logged().splitlines() if "{" in line)
        found = [json.loads(line) for line in lines if '"event"' in line]
        return [one for one in found if one["event"] == name]

    def microsoft(self, **asked: Any) -> str:  # noqa: ANN401 - any JSON value
        """A token made to order by the simulator: `overrides`, `header`, `key`, `tid`, `oid`."""
        token: str = self.pane.control("/_sim/entra/token", asked)["token"]
        return token

    def google(self, **asked: Any) -> str:  # noqa: ANN401 - any JSON value
        token: str = self.pane.control("/_sim/google/token", asked)["token"]
        return token

    def shown(self, token: str, provider: str = "microsoft") -> requests.Response:
        return self.pane.send(
            "POST",
            "/sso/exchange",
            body={"provider": provider},
            headers={"Authorization": f"Bearer {token}"},
        )

    def refuses(
        self,
        token: str,
        provider: str = "microsoft",
        *,
        status: int = 401,
        code: str = "not_authenticated",
    ) -> None:
        """As the contract has it, telling nothing of the token, with one line in the log."""
        answer = self.shown(token, provider)

        problem = answer.json()
        assert (answer.status_code, problem.get("code")) == (status, code), token
        assert problem.keys() == _PROBLEM
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-Request-Id"] == problem["incident"]
        assert (answer.headers.get("WWW-Authenticate") == "Bearer") is (status == 401)
        lines = [one for one in self.events("refused") if one["incident"] == problem["incident"]]
        assert [(one["function"], one["code"], one["status"]) for one in lines] == [
            ("sso_exchange", code, status)
        ]
        told = answer.text + json.dumps(dict(answer.headers)) + self.logged()
        assert [text for text in telling(token) if text in told] == []


def telling(token: str) -> Iterator[str]:
    """The parts of a token, and every text in it that says something of somebody."""
    for part in token.split("."):
        if len(part) >= _TELLING:
            yield part
        try:
            yield from _texts(json.loads(part_bytes(part)))
        except (ValueError, RecursionError):
            continue


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(value, str) and len(value) >= _TELLING:
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _texts(member)
