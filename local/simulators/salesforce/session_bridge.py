"""From an access token to a browser session: single access, Lightning Out, and the front door.

https://help.salesforce.com/s/articleView?id=xcloud.frontdoor_singleaccess.htm&type=5 and
https://help.salesforce.com/s/articleView?id=platform.lightning_out_auth.htm
"""

import re
from typing import Final
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from local.simulators.salesforce.answers import json_answer
from local.simulators.salesforce.call import Call
from local.simulators.salesforce.errors import IdentityError, OAuthError, PageError, not_found
from local.simulators.salesforce.orgs import Org
from local.simulators.salesforce.pages import front_door_page
from local.simulators.salesforce.sessions import Session, identity_session
from local.simulators.salesforce.state import State

_LIGHTNING_OUT_APP: Final = re.compile(r"1Us[0-9A-Za-z]{15}")


class SessionBridge:
    def __init__(self, state: State) -> None:
        self._state = state

    async def single_access(self, call: Call) -> web.Response:
        """POST with a form, as the Mobile SDK does, or GET with a query, as @salesforce/core."""
        if call.method not in ("GET", "POST"):
            raise OAuthError("invalid_request", "must use HTTP GET or POST")
        session = self._session(call)
        given = call.form if call.method == "POST" else call.query
        start = given.get("redirect_uri", "")
        if urlsplit(start).scheme or start.startswith(("//", "\\", "/\\")):
            raise OAuthError("invalid_request", "redirect_uri must be relative")
        return self._front_door(session, "/" + start.lstrip("/"))

    async def lightning_out(self, call: Call) -> web.Response:
        """An org of a release before Lightning Out 2.0 knows no such path, whoever asks."""
        if call.org is not None and not call.org.lightning_out:
            raise not_found()
        if call.method != "POST":
            raise OAuthError("invalid_request", "must use HTTP POST")
        session = self._session(call)
        app_id = call.form.get("lightning_out_app_id", "")
        if not _LIGHTNING_OUT_APP.fullmatch(app_id) or not _has_app(session.org, app_id):
            raise OAuthError("invalid_request", "invalid lightning_out_app_id")
        return self._front_door(session, f"/lightning/out/{app_id}")

    async def front_door(self, call: Call) -> web.Response:
        """GET /secur/frontdoor.jsp: what a browser sees; `sid` in the address is not taken."""
        org = _own_domain(call)
        door = self._state.one_time_passwords.spend(call.query.get("otp", ""), org.org_id)
        if door is None:
            raise PageError("invalid_otp", "This link has expired or was used before", 403)
        return front_door_page(
            {"user": door.owner.user, "org": org.org_id, "start-url": door.start_url}
        )

    def _session(self, call: Call) -> Session:
        _own_domain(call)
        session = identity_session(self._state, call, in_form=True)
        if not session.user.active:
            raise IdentityError("Inactive", 404)
        if "web" not in session.access.grant.scopes:
            raise IdentityError("Invalid_Scope")
        return session

    def _front_door(self, session: Session, start_url: str) -> web.Response:
        password = self._state.one_time_passwords.issue(session.owner, start_url)
        query = urlencode({"otp": password, "startURL": start_url, "cshc": session.org.org_id})
        return json_answer(
            {"frontdoor_uri": f"{session.org.instance_url}/secur/frontdoor.jsp?{query}"}
        )


def _own_domain(call: Call) -> Org:
    if call.org is None:
        raise OAuthError("invalid_request", "request not supported on this domain")
    return call.org


def _has_app(org: Org, app_id: str) -> bool:
    return org.lightning_out_apps is None or app_id in org.lightning_out_apps
