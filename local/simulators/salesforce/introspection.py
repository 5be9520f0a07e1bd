"""POST /services/oauth2/introspect (RFC 7662): is this token alive, and until when?"""

from aiohttp import web

from local.simulators.salesforce.answers import json_answer
from local.simulators.salesforce.app import scope_text
from local.simulators.salesforce.call import Call
from local.simulators.salesforce.client_authentication import authenticate
from local.simulators.salesforce.errors import OAuthError
from local.simulators.salesforce.grant import Grant
from local.simulators.salesforce.grants import IDLE_LIMIT
from local.simulators.salesforce.state import State
from local.simulators.salesforce.variables import Json


class Introspection:
    def __init__(self, state: State) -> None:
        self._state = state

    async def handle(self, call: Call) -> web.Response:
        if call.method != "POST":
            raise OAuthError("invalid_request", "must use HTTP POST")
        authenticate(self._state.app, call)
        return json_answer(self._introspect(call, call.form.get("token", "")))

    def _introspect(self, call: Call, token: str) -> Json:
        access = self._state.grants.live_access_token(token)
        if access:
            issued, expires = access.issued_at, access.expires_at
            return self._active(call, access.grant, "access_token", issued, expires)
        refresh = self._state.grants.live_refresh_token(token)
        if refresh:
            used = refresh.grant.refreshed_at
            return self._active(call, refresh.grant, "refresh_token", used, used + IDLE_LIMIT)
        return {"active": False}

    def _active(
        self, call: Call, grant: Grant, token_type: str, issued: float, expires: float
    ) -> Json:
        org = self._state.orgs.by_id(grant.owner.org_id)
        user = org.users.get(grant.owner.user) if org else None
        if org is None or user is None or not org.answers_at(call.host):
            return {"active": False}
        return {
            "active": True,
            "scope": scope_text(grant.scopes),
            "client_id": self._state.app.client_id,
            "username": user.username,
            "sub": org.identity_url(user),
            "token_type": token_type,
            "exp": int(expires),
            "iat": int(issued),
            "nbf": int(issued),
        }
