"""GET /services/oauth2/authorize: who is asking, may they ask, and what the user answered.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm&type=5
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from local.simulators.salesforce.app import granted_scopes, scope_text
from local.simulators.salesforce.call import Call
from local.simulators.salesforce.errors import OAuthError, PageError, RedirectedError
from local.simulators.salesforce.grant import Owner
from local.simulators.salesforce.orgs import Org, User
from local.simulators.salesforce.pages import Choice, consent_page, login_page
from local.simulators.salesforce.pkce import is_challenge
from local.simulators.salesforce.state import State

_DENIED: Final = "end-user denied authorization"


@dataclass(frozen=True, kw_only=True)
class AuthorizeRequest:
    """A request that may be put before the user. `host` is where it came in."""

    host: str
    redirect_uri: str
    state: str | None
    scopes: frozenset[str]
    challenge: str


class Authorize:
    def __init__(self, state: State) -> None:
        self._state = state

    async def handle(self, call: Call) -> web.Response:
        """The pages for a person: choose a user, then allow or deny."""
        if call.method not in ("GET", "HEAD", "POST"):
            raise PageError("method_not_allowed", "use GET", 405)
        request = self.check(call.host, call.query)
        choices = self._choices(call.host)
        decision = call.form.get("decision", "")
        if decision == "deny":
            raise self.denied(request)
        chosen = choices.get(call.form.get("user", ""))
        if chosen is None:
            return login_page(call.host, [choice for choice, _, _ in choices.values()])
        choice, org, user = chosen
        if decision != "allow":
            return consent_page(choice, scope_text(request.scopes))
        return web.Response(
            status=302, headers={"Location": self.allowed(request, org=org, user=user)}
        )

    def check(self, host: str, query: Mapping[str, str]) -> AuthorizeRequest:
        """Raises `PageError` where the callback cannot be trusted, else `RedirectedError`."""
        if query.get("client_id") != self._state.app.client_id:
            raise PageError("invalid_client_id", "client identifier invalid")
        redirect_uri = query.get("redirect_uri")
        if not redirect_uri:
            raise PageError("redirect_uri_missing", "redirect_uri must match configuration")
        if redirect_uri not in self._state.app.redirect_uris:
            raise PageError("redirect_uri_mismatch", "redirect_uri must match configuration")
        state = query.get("state")
        try:
            return self._check_rest(host, redirect_uri, state, query)
        except OAuthError as error:
            raise _redirected(redirect_uri, state, error) from error

    def allowed(self, request: AuthorizeRequest, *, org: Org, user: User) -> str:
        """The user said yes: the address of the callback with the code. Raises `PageError`."""
        if not user.active:
            raise PageError("login_error", "user is inactive")
        code = self._state.grants.approve(
            Owner(org.org_id, user.name),
            scopes=request.scopes,
            host=request.host,
            redirect_uri=request.redirect_uri,
            challenge=request.challenge,
        )
        return _callback(request.redirect_uri, request.state, {"code": code})

    def denied(self, request: AuthorizeRequest) -> RedirectedError:
        error = OAuthError("access_denied", _DENIED)
        return _redirected(request.redirect_uri, request.state, error)

    def _check_rest(
        self, host: str, redirect_uri: str, state: str | None, query: Mapping[str, str]
    ) -> AuthorizeRequest:
        self._state.scripted.raise_for("authorize")
        if query.get("response_type") != "code":
            raise OAuthError("unsupported_response_type", "response type not supported")
        scopes = granted_scopes(query.get("scope", ""))
        if scopes is None:
            raise OAuthError("invalid_scope", "the requested scope is not allowed")
        # Without a method jsforce means S256, and Salesforce takes it so.
        if query.get("code_challenge_method", "S256") != "S256":
            raise OAuthError("invalid_request", "invalid code challenge method")
        challenge = query.get("code_challenge", "")
        if not challenge:
            raise OAuthError("invalid_request", "missing required code challenge")
        if not is_challenge(challenge):
            raise OAuthError("invalid_request", "invalid code challenge")
        if query.get("immediate") == "true" or query.get("prompt") == "none":
            raise OAuthError("immediate_unsuccessful", "immediate unsuccessful")
        return AuthorizeRequest(
            host=host, redirect_uri=redirect_uri, state=state, scopes=scopes, challenge=challenge
        )

    def _choices(self, host: str) -> dict[str, tuple[Choice, Org, User]]:
        """What the buttons send -> who that is. Users of the first org have the plain ids."""
        choices = {}
        for place, org in enumerate(self._state.orgs.reached_from(host)):
            for user in org.users.values():
                suffix = f"-{org.my_domain}" if place else ""
                value = f"{org.org_id}/{user.name}"
                choice = Choice(f"user-{user.name}{suffix}", value, user.username)
                choices[value] = (choice, org, user)
        return choices


def _redirected(redirect_uri: str, state: str | None, error: OAuthError) -> RedirectedError:
    answer = {"error": error.code, "error_description": error.message}
    return RedirectedError(error.code, error.message, _callback(redirect_uri, state, answer))


def _callback(redirect_uri: str, state: str | None, answer: dict[str, str]) -> str:
    if state is not None:
        answer = {**answer, "state": state}
    separator = "&" if "?" in redirect_uri else "?"
    return redirect_uri + separator + urlencode(answer)
