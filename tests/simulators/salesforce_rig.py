"""Drives the Salesforce simulator over TLS: connects users, calls endpoints, reads the ledger."""

import hashlib
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from local import scene
from local.simulators.salesforce.pkce import challenge_of
from tests.simulators.serving import Json, Served

LOGIN: Final = "login.salesforce.com"
SANDBOX_LOGIN: Final = "test.salesforce.com"
ORG: Final = scene.SALESFORCE_ORG_HOST
OTHER_ORG: Final = "fabrikam.my.salesforce.com"
SANDBOX: Final = "contoso--uat.sandbox.my.salesforce.com"
CALLBACK: Final = "https://flowrunner.example.com/api/v1/salesforce/callback"
VERIFIER: Final = "a-verifier-of-at-least-forty-three-characters.~_"
SCOPE: Final = "lightning api web refresh_token offline_access"
CLIENT: Final = {
    "client_id": scene.SALESFORCE_CLIENT_ID,
    "client_secret": scene.SALESFORCE_CLIENT_SECRET,
}
FLOWS: Final = "/services/data/v66.0/actions/custom/flow"
_DEADLINE: Final = 20.0


class Rig:
    def __init__(self, served: Served) -> None:
        self.served = served
        self._http = served.session()
        self.app(redirect_uris=[CALLBACK])

    def app(self, **settings: object) -> Json:
        return self.served.control_post("/_sim/salesforce/app", settings)

    def put_org(self, **org: object) -> Json:
        return self.served.control_post("/_sim/salesforce/orgs", org)

    def script(self, **answer: object) -> None:
        self.served.control_post("/_sim/salesforce/errors", answer)

    def mishap(self, **mishap: object) -> None:
        self.served.control_post("/_sim/salesforce/refreshes", mishap)

    def control_refusal(self, path: str, body: object) -> str:
        """Why the control surface refuses this."""
        with requests.Session() as plain:
            plain.trust_env = False
            url = f"{self.served.control_url}/_sim/salesforce/{path}"
            answer = plain.post(url, json=body, timeout=_DEADLINE)
        assert answer.status_code == 400
        return str(answer.json()["error"])

    def ledger(self) -> Json:
        return self.served.control_get("/_sim/salesforce/ledger")

    def request(
        self, method: str, url: str, *, http: requests.Session | None = None, **options: Json
    ) -> requests.Response:
        """No redirect is followed: the callback is not ours."""
        return (http or self._http).request(
            method,
            url,
            allow_redirects=False,
            timeout=_DEADLINE,
            **options,
        )

    def authorize_url(self, host: str = LOGIN, /, **changes: str | None) -> str:
        """An address that would be accepted, with parameters replaced or (None) left out."""
        query: dict[str, str | None] = {
            "response_type": "code",
            "client_id": scene.SALESFORCE_CLIENT_ID,
            "redirect_uri": CALLBACK,
            "scope": SCOPE,
            "state": "st/a+te=",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            **changes,
        }
        given = {name: value for name, value in query.items() if value is not None}
        return f"https://{host}/services/oauth2/authorize?{urlencode(given)}"

    def decide(self, url: str, user: str = "alice", **more: object) -> Json:
        body = {"url": url, "user": user, "decision": "allow", **more}
        return self.served.control_post("/_sim/salesforce/authorize", body)

    def code(
        self, user: str = "alice", host: str = LOGIN, org_id: str | None = None, scope: str = SCOPE
    ) -> str:
        answer = self.decide(self.authorize_url(host, scope=scope), user, org_id=org_id)
        return parameters(answer["redirect"])["code"]

    def token(self, host: str = LOGIN, **form: str) -> requests.Response:
        """POST to the token endpoint with client id and secret in the body."""
        return self.request(
            "POST", f"https://{host}/services/oauth2/token", data={**CLIENT, **form}
        )

    def redeem(self, code: str, host: str = LOGIN, **changes: str) -> requests.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **changes,
        }
        return self.token(host, **form)

    def refresh(self, refresh_token: str, host: str = LOGIN) -> requests.Response:
        return self.token(host, grant_type="refresh_token", refresh_token=refresh_token)

    def connect(
        self, user: str = "alice", host: str = LOGIN, org_id: str | None = None, scope: str = SCOPE
    ) -> dict[str, str]:
        """The whole code grant: the fields of the token answer."""
        answer = self.redeem(self.code(user, host, org_id, scope), host)
        assert answer.status_code == 200, answer.text
        fields: dict[str, str] = answer.json()
        return fields

    def rest(
        self, path: str, token: str, *, method: str = "GET", host: str = ORG, **options: Json
    ) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return self.request(method, f"https://{host}{path}", headers=headers, **options)

    def alive(self, token: str) -> bool:
        """Whether the REST API takes this access token."""
        return self.rest(FLOWS, token).status_code == 200

    def invoke(self, flow: str, token: str, *inputs: object) -> requests.Response:
        return self.rest(f"{FLOWS}/{flow}", token, method="POST", json={"inputs": [*inputs]})


def parameters(url: str) -> dict[str, str]:
    """The query of an address, decoded once; a repeated parameter fails the test."""
    found = parse_qs(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values())
    return {name: values[0] for name, values in found.items()}


def oauth_error(answer: requests.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert body.keys() == {"error", "error_description"}
    return answer.status_code, body["error"], body["error_description"]


def rest_error(answer: requests.Response) -> tuple[int, str]:
    (error,) = answer.json()
    assert error["message"]
    return answer.status_code, error["errorCode"]


def fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
