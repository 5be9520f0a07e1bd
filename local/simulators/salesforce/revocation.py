"""/services/oauth2/revoke: by POST or GET, with no client authentication.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_revoke_token.htm&type=5
"""

import json
import re
from typing import Final

from aiohttp import web

from local.simulators.salesforce.call import Call
from local.simulators.salesforce.errors import OAuthError
from local.simulators.salesforce.grant import Grant
from local.simulators.salesforce.state import State
from local.simulators.salesforce.tokens import looks_like_a_token

_CALLBACK: Final = re.compile(r"[A-Za-z_$][\w$.]*")


class Revocation:
    def __init__(self, state: State) -> None:
        self._state = state

    async def handle(self, call: Call) -> web.Response:
        """An empty 200, or an error as JSON for who accepts JSON and urlencoded for others."""
        call.error_format = "urlencoded"
        if call.method == "POST":
            self._revoke(call, call.form.get("token", ""))
            return web.Response(status=200)
        if call.method != "GET":
            raise OAuthError("invalid_request", "must use HTTP GET or POST")
        callback = call.query.get("callback")
        if callback is None:
            self._revoke(call, call.query.get("token", ""))
            return web.Response(status=200)
        return self._jsonp(call, callback)

    def _revoke(self, call: Call, token: str) -> None:
        grants = self._state.grants
        refresh = grants.live_refresh_token(token)
        access = grants.live_access_token(token)
        held = refresh or access
        if held:
            call.entry.generation = held.generation
        if held and self._known_here(call, held.grant):
            grants.revoke(token)
        elif looks_like_a_token(token):
            raise OAuthError("invalid_token", "invalid token")
        else:
            raise OAuthError("unsupported_token_type", "this token type is not supported")

    def _known_here(self, call: Call, grant: Grant) -> bool:
        """A sandbox's tokens are unknown to the production login host, and to other orgs."""
        org = self._state.orgs.by_id(grant.owner.org_id)
        return org is not None and org.answers_at(call.host)

    def _jsonp(self, call: Call, callback: str) -> web.Response:
        if not _CALLBACK.fullmatch(callback):
            raise OAuthError("invalid_request", "invalid callback")
        answer = {}
        try:
            self._revoke(call, call.query.get("token", ""))
        except OAuthError as error:
            answer = {"error": error.code, "error_description": error.message}
            call.entry.outcome = error.code
        return web.Response(
            text=f"{callback}({json.dumps(answer)});", content_type="application/javascript"
        )
