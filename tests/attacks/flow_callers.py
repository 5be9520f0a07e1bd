"""People who run Flows over HTTP, each in an org of the simulator that nobody else is in; and what
reached that org."""

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import requests
from requests.adapters import HTTPAdapter

from local.addin import AddIn
from local.stack_info import StackInfo
from shared.salesforce.transport import API_VERSION
from tests.contract.salesforce import new_org

ACTIONS: Final = f"/services/data/{API_VERSION}/actions/custom/flow"
_AT_ONCE: Final = 64
_USER: Final = "alice"
"""What everybody is called in their own org."""

type Json = Any  # what json.loads answers: the test that reads it knows its shape


def flow(name: str, *inputs: Mapping[str, Json], **further: Json) -> dict[str, Json]:
    """An autolaunched Flow in the words of the control surface."""
    return {"name": name, "inputs": list(inputs), **further}


def texts(*names: str) -> list[dict[str, Json]]:
    return [{"name": name, "type": "STRING"} for name in names]


class FlowCaller(AddIn):
    """Signed in and connected. What the service answers is handed on, whatever it is."""

    def __init__(self, info: StackInfo, *, tid: str = "") -> None:
        super().__init__(info)
        self._use_many_connections()
        self.tid, self.oid = tid or str(uuid4()), str(uuid4())
        self.org, self.host = new_org()
        self._seen = 0
        self.put()
        self._entered: list[FlowCaller] = []

    @classmethod
    def connected(cls, info: StackInfo, *, tid: str = "", administrator: bool = False) -> Self:
        caller = cls(info, tid=tid)
        caller.sign_in_with_microsoft(caller.tid, caller.oid, administrator=administrator)
        caller.connect(_USER, caller.org)
        caller.news()
        return caller

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for twin in self._entered:
            twin.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)

    def at(self, info: StackInfo) -> "FlowCaller":
        """The same person with the same session, in front of another process of the service."""
        twin = FlowCaller.__new__(FlowCaller)
        AddIn.__init__(twin, info)
        twin._use_many_connections()
        twin.tid, twin.oid, twin.org, twin.host = self.tid, self.oid, self.org, self.host
        twin._session_token, twin._seen, twin._entered = self._session_token, self._seen, []
        self._entered.append(twin)
        return twin

    def _use_many_connections(self) -> None:
        """As many as there are threads that ask at once: none is left open and forgotten."""
        self._http.mount("https://", HTTPAdapter(pool_maxsize=_AT_ONCE))

    @property
    def authorization(self) -> str:
        return f"Bearer {self._session_token}"

    # --- the org ---

    def put(self, *flows: Mapping[str, Json], **further: Json) -> None:
        """From now on the org has these Flows and no others, and has been asked for nothing yet."""
        org = {"org_id": self.org, "instance_host": self.host, "users": [_USER], **further}
        self.control("/_sim/salesforce/orgs", {**org, "flows": list(flows)})

    def expire_access(self) -> None:
        self.control("/_sim/salesforce/expire", {"user": _USER, "org_id": self.org})

    def misbehave(self, name: str, fault: str, **further: Json) -> None:
        """The next call of this Flow's address fails in this way."""
        body = {"target": "salesforce", "match": f"{ACTIONS}/{name}", "fault": fault, **further}
        self.control("/_sim/faults", body)

    def news(self) -> list[Mapping[str, Json]]:
        """Every request that reached the org since the last time, in order."""
        entries = self.control("/_sim/salesforce/ledger")["requests"]
        new, self._seen = entries[self._seen :], len(entries)
        return [one for one in new if one["host"] == self.host]

    def news_of_runs(self) -> list[Json]:
        """The bodies of every call of a Flow that reached the org since the last time, carried out
        or not."""
        return [one["body"] for one in self.news() if is_invocation(one)]

    # --- the service ---

    def describe(self, name: str) -> requests.Response:
        return self.send("GET", f"/flows/{name}")

    def invoke(
        self,
        name: str,
        *,
        email: Mapping[str, Json] | None = None,
        inputs: Mapping[str, Json] | None = None,
        key: str | None = None,
    ) -> requests.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {"email": email or {}, "inputs": inputs or {}}
        return self.send("POST", f"/flows/{name}/runs", body=body, headers=headers)

    def post_bytes(
        self, name: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Run a Flow with a body of any kind."""
        sent = {"Content-Type": "application/json", "Authorization": self.authorization}
        return self._http.post(
            f"{self._info.service_https}/api/v1/flows/{name}/runs",
            data=body,
            headers={**sent, **(headers or {})},
            allow_redirects=False,
            timeout=30.0,
        )


def is_invocation(entry: Mapping[str, Json]) -> bool:
    return bool(entry["method"] == "POST" and entry["path"].startswith(ACTIONS))


def told(answer: requests.Response) -> tuple[int, str]:
    """Status and code of a refusal; the code is empty where the answer is none of ours."""
    is_ours = "problem" in answer.headers.get("Content-Type", "")
    return answer.status_code, json.loads(answer.content)["code"] if is_ours else ""


def carried_out(entries: Sequence[Mapping[str, Json]]) -> int:
    """How many of these requests ran a Flow."""
    return sum(is_invocation(one) and one["outcome"] in ("ok", "flow_fault") for one in entries)
