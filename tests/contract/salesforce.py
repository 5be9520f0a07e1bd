"""A Salesforce org of a test's own, twice: in memory, and in the simulator of the local stack."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import requests

from local import scene
from shared import ports
from shared.errors import (
    Json,
    SalesforceLimitError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import Access, Grant, LightningAppId, OrgId
from shared.outside import Azure
from shared.salesforce.oauth_errors import failure_of
from shared.salesforce.token_refusals import Refusal
from shared.secret import Secret
from tests.control_client import ControlClient
from tests.fakes import FakeFlow, OpenedSession, World
from tests.fakes.salesforce_login import Returned

LOGIN_HOST = scene.SALESFORCE_LOGIN_HOSTS[0]
VERIFIER = Secret("a-verifier-of-at-least-forty-three-characters.~_")
TOKEN = "/services/oauth2/token"
REVOKE = "/services/oauth2/revoke"
REST = "/services/data/"
BRIDGE = "/services/oauth2/lightningoutsingleaccess"


class Scene(Protocol):
    """An org, what its people do, and what goes wrong there."""

    org: OrgId
    host: str

    @property
    def login(self) -> ports.SalesforceLogin: ...
    @property
    def flows(self) -> ports.SalesforceFlows: ...
    @property
    def lightning(self) -> ports.SalesforceSessions: ...
    def approve(self, url: str, user: str) -> Returned: ...
    def withdraw(self, user: str) -> None: ...
    def expire_access_tokens(self, user: str) -> None: ...
    def living(self, user: str) -> int:
        """How many grants of the user are alive."""
        ...

    def unavailable(self, path: str) -> None:
        """The next call below the path is answered 503, and not carried out."""
        ...

    def answer_lost(self, path: str) -> None:
        """The next call below the path is carried out, and its answer is lost."""
        ...

    def refused(self, row: Refusal) -> None:
        """The next call of the token endpoint is refused with this row of the table."""
        ...

    def used_up(self) -> None:
        """The org's API limit is used up for the next call."""
        ...

    def refresh_takes(self, seconds: float) -> None: ...
    def put(self, *flows: FakeFlow) -> None:
        """The org's Flows."""
        ...

    def received(self) -> list[Mapping[str, Json]]:
        """The inputs of every Flow that was run, in order."""
        ...

    def only_app(self, app: LightningAppId) -> None:
        """The org has this Lightning Out app, and no other."""
        ...

    def without_lightning_out(self) -> None:
        """The org is of a release before Lightning Out 2.0."""
        ...

    def browse(self, address: Secret) -> OpenedSession | None:
        """Somebody's browser opens the address. None if it opens nothing."""
        ...


def new_org() -> tuple[OrgId, str]:
    """An org that no other test knows, and its host."""
    name = uuid4().hex[:12]
    return OrgId.parse(f"00D{name}"), f"t{name}.my.salesforce.com"


async def connected(scene: Scene, user: str = "alice") -> Grant:
    url = scene.login.authorize_url(LOGIN_HOST, state="state", verifier=VERIFIER)
    code = scene.approve(url, user).code
    return await scene.login.redeem_code(LOGIN_HOST, code=code, verifier=VERIFIER)


async def access_to(scene: Scene, user: str = "alice") -> Access:
    grant = await connected(scene, user)
    return Access(
        org=grant.org, instance_host=grant.instance_host, token=grant.access_token, generation=1
    )


class FakeScene:
    """Satisfies `Scene` in memory."""

    def __init__(self, world: World) -> None:
        self.login, self.flows = world.login, world.flows
        self.lightning = world.lightning
        self.org, self.host = new_org()
        world.login.hosts[self.org] = self.host

    def approve(self, url: str, user: str) -> Returned:
        return self.login.approve(url, user=user, org=self.org)

    def withdraw(self, user: str) -> None:
        self.login.withdraw(user)

    def expire_access_tokens(self, user: str) -> None:
        del user
        self.login.expire_access_tokens()

    def living(self, user: str) -> int:
        return self.login.living(user)

    def unavailable(self, path: str) -> None:
        self._plan(path, SalesforceUnavailableError)

    def answer_lost(self, path: str) -> None:
        self._plan(path, SalesforceTimeoutError, carried_out=True)

    def refused(self, row: Refusal) -> None:
        self.login.faults.plan("refresh", lambda: failure_of(row.meaning))
        self.login.faults.plan("redeem_code", lambda: failure_of(row.of_code))

    def used_up(self) -> None:
        self._plan(REST, lambda: SalesforceLimitError(60))

    def refresh_takes(self, seconds: float) -> None:
        """As long as the other tasks need to have their turn."""

    def put(self, *flows: FakeFlow) -> None:
        for flow in flows:
            self.flows.put(flow, self.org)

    def received(self) -> list[Mapping[str, Json]]:
        return [one.inputs for one in self.flows.received if one.org == self.org]

    def only_app(self, app: LightningAppId) -> None:
        self.lightning.apps[self.org] = frozenset({app})

    def without_lightning_out(self) -> None:
        self.lightning.plain.add(self.org)

    def browse(self, address: Secret) -> OpenedSession | None:
        return self.lightning.browse(address)

    def _plan(self, path: str, failure: Any, *, carried_out: bool = False) -> None:  # noqa: ANN401 - a class or a function
        """A path of Salesforce's is one or several methods of the port."""
        faults = {REST: self.flows.faults, BRIDGE: self.lightning.faults}.get(
            path, self.login.faults
        )
        for method in {
            TOKEN: ("redeem_code", "refresh"),
            REVOKE: ("revoke",),
            REST: ("list", "describe", "invoke"),
            BRIDGE: ("open",),
        }[path]:
            faults.plan(method, failure, carried_out=carried_out)


class SimulatedScene:
    """Satisfies `Scene` with the real adapters, and the simulator's control surface."""

    def __init__(
        self, azure: Azure, control: ControlClient, browser: requests.Session | None = None
    ) -> None:
        self.login, self.flows = azure.login, azure.flows
        self.lightning = azure.lightning
        self.org, self.host = new_org()
        self._control = control
        self._browser = browser
        self.put()

    def approve(self, url: str, user: str) -> Returned:
        body = {"url": url, "user": user, "decision": "allow", "org_id": self.org}
        answer = self._control.post("/_sim/salesforce/authorize", body)
        query = parse_qs(urlsplit(answer["redirect"]).query)
        return Returned(state=query["state"][0], code=Secret(query["code"][0]))

    def withdraw(self, user: str) -> None:
        self._control.post("/_sim/salesforce/revoke", {"user": user, "org_id": self.org})

    def expire_access_tokens(self, user: str) -> None:
        self._control.post("/_sim/salesforce/expire", {"user": user, "org_id": self.org})

    def living(self, user: str) -> int:
        grants = self._control.get("/_sim/salesforce/ledger")["grants"]
        own = [g for g in grants if (g["user"], g["org_id"]) == (user, self.org)]
        return sum(grant["ended"] is None for grant in own)

    def unavailable(self, path: str) -> None:
        self._fault(path, fault="status", value=503)

    def answer_lost(self, path: str) -> None:
        self._fault(path, fault="reset_after")

    def refused(self, row: Refusal) -> None:
        for grant_type in ("refresh_token", "authorization_code"):
            error = {"error": row.error, "error_description": row.said, "grant_type": grant_type}
            self._control.post("/_sim/salesforce/errors", error)

    def used_up(self) -> None:
        error = {"errorCode": "REQUEST_LIMIT_EXCEEDED", "status": 403}
        self._control.post("/_sim/salesforce/errors", error)

    def refresh_takes(self, seconds: float) -> None:
        self._control.post("/_sim/salesforce/app", {"processing_seconds": seconds})

    def put(self, *flows: FakeFlow) -> None:
        self._put_org(flows=[_spec(flow) for flow in flows])

    def received(self) -> list[Mapping[str, Json]]:
        requests = self._control.get("/_sim/salesforce/ledger")["requests"]
        return [
            inputs
            for one in requests
            if one["host"] == self.host and one["method"] == "POST"
            if "/actions/custom/flow/" in one["path"] and one["outcome"] in ("ok", "flow_fault")
            for inputs in one["body"]["inputs"]
        ]

    def only_app(self, app: LightningAppId) -> None:
        self._put_org(lightning_out_apps=[app])

    def without_lightning_out(self) -> None:
        self._put_org(lightning_out=False)

    def browse(self, address: Secret) -> OpenedSession | None:
        assert self._browser is not None, "this scene was made without a browser"
        answer = self._browser.get(address.reveal(), timeout=10)
        page = dict(re.findall(r'<span id="([a-z-]+)">([^<]*)</span>', answer.text))
        if answer.status_code != 200:
            return None
        app = page["start-url"].removeprefix("/lightning/out/")
        return OpenedSession(
            page["user"],
            OrgId.parse(page["org"]),
            None if app == "/" else LightningAppId.parse(app),
        )

    def _put_org(self, **settings: object) -> None:
        org = {"org_id": self.org, "instance_host": self.host, **settings}
        self._control.post("/_sim/salesforce/orgs", org)

    def _fault(self, path: str, **fault: object) -> None:
        fault = {"target": "salesforce", "match": path, "times": 1, **fault}
        self._control.post("/_sim/faults", fault)


def _spec(flow: FakeFlow) -> dict[str, object]:
    """A Flow in the words of the control surface."""
    spec = asdict(flow)
    spec |= {
        "inputs": [_variable_spec(one) for one in spec["inputs"]],
        "outputs": [_variable_spec(one) for one in spec["outputs"]],
        "users": None if flow.users is None else sorted(flow.users),
        "label": flow.label or flow.name,
    }
    return {name: value for name, value in spec.items() if value is not None}


def _variable_spec(variable: Mapping[str, Any]) -> dict[str, object]:
    spec = {
        "name": variable["name"],
        "type": variable["type"],
        "collection": variable["is_collection"],
        "sobject_type": variable["record_type"],
        "description": variable["description"],
    }
    return {name: value for name, value in spec.items() if value is not None}
