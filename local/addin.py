"""An add-in without a mailbox: calls the service over HTTP as the pane in Outlook or Gmail does."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import requests

from local import scene
from local.network import pinned_network
from local.stack_info import StackInfo

_SECONDS: Final = 30.0
_ADMIN_ROLE: Final = "FlowRunner.Admin"


class UnexpectedAnswerError(Exception):
    """The service answered something else than the journey expects. Names status and code only."""


class AddIn:
    """One user's pane and browser. Speaks TLS, and trusts the stack's authority alone."""

    def __init__(self, info: StackInfo) -> None:
        self._info = info
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.verify = str(info.authority)
        self._session_token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def control(self, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - any JSON value
        """Set the scene, or look at it: the simulators' control surface."""
        url = self._info.control + path
        if body is None:
            answer = self._http.get(url, timeout=_SECONDS)
        else:
            answer = self._http.post(url, json=body, timeout=_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        expect: int = 200,
    ) -> Any:  # noqa: ANN401 - any JSON value
        """Call the service with the session, if there is one. Raises UnexpectedAnswerError."""
        answer = self.send(method, path, body=body, headers=headers)
        if answer.status_code != expect:
            is_json = "json" in answer.headers.get("Content-Type", "")
            code = answer.json().get("code") if is_json else "no problem document"
            raise UnexpectedAnswerError(
                f"{method} {path.partition('?')[0]} answered {answer.status_code} ({code}), "
                f"not {expect}"
            )
        return answer.json() if answer.content else None

    def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The same, for whoever wants the answer as it is, whatever it is."""
        return self._http.request(
            method,
            f"{self._info.service_https}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {self._session_token}", **(headers or {})},
            allow_redirects=False,
            timeout=_SECONDS,
        )

    def browse(self, url: str) -> requests.Response:
        """The user's browser opens an address of Salesforce's."""
        with pinned_network(self._info).requests_session() as browser:
            return browser.get(url, timeout=_SECONDS)

    def run_timer(self, name: str) -> None:
        """Hurry a timer of the service, by the way that the Functions host has for it."""
        url = f"{self._info.service_https}/admin/functions/{name}"
        self._http.post(url, json={}, timeout=_SECONDS).raise_for_status()

    def sign_in_with_microsoft(self, tid: str, oid: str, *, administrator: bool = False) -> Any:  # noqa: ANN401 - any JSON value
        """`administrator`: somebody gave this user the app role in Entra ID."""
        roles = {"roles": [_ADMIN_ROLE]} if administrator else {}
        asked = {"tid": tid, "oid": oid, "overrides": roles}
        return self._exchange("microsoft", self.control("/_sim/entra/token", asked)["token"])

    def sign_in_with_google(self, domain: str, subject: str) -> Any:  # noqa: ANN401 - any JSON value
        """Google's administrators are those that the service's settings name."""
        token = self.control("/_sim/google/token", {"hd": domain, "sub": subject})["token"]
        return self._exchange("google", token)

    def _exchange(self, provider: str, token: str) -> Any:  # noqa: ANN401 - any JSON value
        signed_in = self.call(
            "POST",
            "/sso/exchange",
            body={"provider": provider},
            headers={"Authorization": f"Bearer {token}"},
        )
        self._session_token = signed_in["session_token"]
        return signed_in

    def connect(self, salesforce_user: str, org_id: str | None = None) -> Any:  # noqa: ANN401 - any JSON value
        """The whole dance: begin, open the browser, log in at Salesforce, come back, complete.

        The user logs in to that org, else to the first one.
        """
        return_to = f"{self._info.sidebar}/connected.html"
        begun = self.call(
            "POST", "/salesforce/connections", body={"return_to": return_to}, expect=201
        )
        start = self._http.get(begun["connect_url"], allow_redirects=False, timeout=_SECONDS)
        cookie = start.headers["Set-Cookie"].partition(";")[0]
        login = {"user": salesforce_user, **({"org_id": org_id} if org_id else {})}
        decided = self.control(
            "/_sim/salesforce/authorize",
            {"url": start.headers["Location"], "decision": "allow", **login},
        )
        home = self._http.get(
            decided["redirect"],
            headers={"Cookie": cookie},
            allow_redirects=False,
            timeout=_SECONDS,
        )
        outcome = parse_qs(urlsplit(home.headers.get("Location", "")).fragment)
        if "completion" not in outcome:
            raise UnexpectedAnswerError(f"connecting ended with {outcome.get('error')}")
        completion = {"completion": outcome["completion"][0]}
        return self.call("POST", "/salesforce/connections/complete", body=completion)


MICROSOFT_USER: Final = (scene.ENTRA_TENANT, "5a2f80c4-1d6e-4b93-a7f8-e90c3b716d24")
MICROSOFT_ADMINISTRATOR: Final = (scene.ENTRA_TENANT, "c81d3e07-42a9-4f6b-9d50-7b16e8f2a3d4")
GOOGLE_USER: Final = (scene.GOOGLE_DOMAIN, "107691503500061507151130823")
GOOGLE_ADMINISTRATOR: Final = (scene.GOOGLE_DOMAIN, scene.GOOGLE_ADMINISTRATOR)
