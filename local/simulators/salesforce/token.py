"""POST /services/oauth2/token: a code or a refresh token in, an access token out.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm&type=5
"""

import asyncio
import base64
import hashlib
import hmac
from contextlib import suppress

from aiohttp import web

from local.simulators.salesforce.answers import oauth_answer
from local.simulators.salesforce.app import scope_text
from local.simulators.salesforce.call import Call
from local.simulators.salesforce.client_authentication import authenticate
from local.simulators.salesforce.errors import OAuthError, expired_token, token_refusal
from local.simulators.salesforce.grant import Grant, Issued
from local.simulators.salesforce.orgs import Org, User
from local.simulators.salesforce.state import State
from local.simulators.salesforce.variables import Json


class Token:
    def __init__(self, state: State) -> None:
        self._state = state

    async def handle(self, call: Call) -> web.Response:
        if call.method != "POST":
            raise token_refusal("invalid_request", "must use HTTP POST")
        if call.repeated:  # RFC 6749, section 3.2
            raise token_refusal("invalid_request", "parameter included more than once")
        if "scope" in call.form:
            raise token_refusal("invalid_request", "scope parameter not supported")
        grant_type = call.form.get("grant_type", "")
        if grant_type not in ("authorization_code", "refresh_token"):
            raise token_refusal("unsupported_grant_type", "grant type not supported")
        authenticate(self._state.app, call)
        if grant_type == "authorization_code":
            return self._answer(call, self._redeem_code(call))
        return await self._refresh(call)

    def _redeem_code(self, call: Call) -> Issued:
        self._state.scripted.raise_for("authorization_code")
        issued = self._state.grants.redeem_code(
            call.form.get("code", ""),
            host=call.host,
            redirect_uri=call.form.get("redirect_uri", ""),
            verifier=call.form.get("code_verifier", ""),
        )
        call.entry.generation = issued.access.generation
        return issued

    async def _refresh(self, call: Call) -> web.Response:
        token = call.form.get("refresh_token", "")
        held = self._state.grants.refresh_token(token)
        if held is None:
            raise expired_token()
        call.entry.generation = held.generation
        org, _ = self._active_user(held.grant)
        if not org.answers_at(call.host):
            raise token_refusal("invalid_grant", "request not supported on this domain")
        self._state.scripted.raise_for("refresh_token")
        mishap = self._state.mishaps.take(held.grant.owner)
        if mishap is None:
            return self._answer(call, await self._rotate(token, org))
        if mishap.processed:
            with suppress(OAuthError):  # whatever would have been answered is not
                await self._rotate(token, org)
        call.entry.outcome = "mishap"
        return await mishap.answer(call.request)

    async def _rotate(self, token: str, org: Org) -> Issued:
        grants = self._state.grants
        grant = grants.begin_refresh(token)
        try:
            await asyncio.sleep(self._state.app.processing_seconds)
        finally:
            grant.in_process = False
        return grants.finish_refresh(grant, rotate=org.rotation)

    def _active_user(self, grant: Grant) -> tuple[Org, User]:
        org = self._state.orgs.by_id(grant.owner.org_id)
        user = org.users.get(grant.owner.user) if org else None
        if org is None or user is None:
            raise expired_token()
        if not user.active:
            raise token_refusal("invalid_grant", "inactive user")
        return org, user

    def _answer(self, call: Call, issued: Issued) -> web.Response:
        org, user = self._active_user(issued.access.grant)
        fields: dict[str, Json] = {"access_token": issued.access.value}
        if issued.refresh_token:
            fields["refresh_token"] = issued.refresh_token
        fields |= {
            "signature": None,
            "scope": scope_text(issued.access.grant.scopes),
            "instance_url": org.instance_url,
            "id": org.identity_url(user),
            "token_type": "Bearer",
            "issued_at": str(int(issued.access.issued_at * 1000)),
        }
        overrides = self._state.scripted.next_token_overrides()
        fields |= overrides
        if "signature" not in overrides:
            secret = self._state.app.client_secret
            fields["signature"] = signature(secret, str(fields["id"]), str(fields["issued_at"]))
        return oauth_answer(
            {name: value for name, value in fields.items() if value is not None},
            accept=call.header("Accept"),
            wanted=call.form.get("format", ""),
        )


def signature(client_secret: str, identity_url: str, issued_at: str) -> str:
    """Proves that `id` and `issued_at` come from Salesforce: HMAC-SHA256 of the two, one after
    the other, keyed with the consumer secret, in base64."""
    message = (identity_url + issued_at).encode()
    digest = hmac.new(client_secret.encode(), message, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
