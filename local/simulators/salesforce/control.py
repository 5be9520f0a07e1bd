"""/_sim/salesforce/: sets the scene, and shows what happened. JSON in, JSON out."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from local.simulators.salesforce.app import (
    SCRIPTED_KINDS,
    TOKEN_KINDS,
    ScriptedOAuthError,
    ScriptedRestError,
)
from local.simulators.salesforce.authorize import Authorize
from local.simulators.salesforce.errors import PageError, RedirectedError, row_of
from local.simulators.salesforce.grant import Owner
from local.simulators.salesforce.json_fields import Fields
from local.simulators.salesforce.mishaps import read_mishap
from local.simulators.salesforce.org_spec import read_org
from local.simulators.salesforce.orgs import Org, User
from local.simulators.salesforce.state import State
from local.simulators.salesforce.variables import Json

_BASE: Final = "/_sim/salesforce"
_AUTHORIZE: Final = "/services/oauth2/authorize"
_MANY: Final = 1_000_000

type Action = Callable[[Fields], Json]


class Control:
    def __init__(self, state: State, authorize: Authorize) -> None:
        self._state = state
        self._authorize = authorize

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post(f"{_BASE}/orgs", _posted(self._orgs)),
            web.post(f"{_BASE}/app", _posted(self._app)),
            web.post(f"{_BASE}/authorize", _posted(self._decide)),
            web.post(f"{_BASE}/errors", _posted(self._errors)),
            web.post(f"{_BASE}/token_answers", _posted(self._token_answers)),
            web.post(f"{_BASE}/refreshes", _posted(self._refreshes)),
            web.post(f"{_BASE}/expire", _posted(self._expire)),
            web.post(f"{_BASE}/revoke", _posted(self._revoke)),
            web.get(f"{_BASE}/ledger", self._ledger),
        ]

    async def _ledger(self, _: web.Request) -> web.Response:
        return web.json_response(self._state.ledger.as_json(self._state.grants))

    def _orgs(self, fields: Fields) -> Json:
        org = read_org(fields)
        self._state.orgs.put(org)
        users: dict[str, Json] = {user.name: user.user_id for user in org.users.values()}
        return {
            "org_id": org.org_id,
            "instance_url": org.instance_url,
            "login_host": org.login_host,
            "users": users,
        }

    def _app(self, fields: Fields) -> Json:
        app = self._state.app
        redirect_uris = fields.optional_texts("redirect_uris")
        seconds = fields.number("processing_seconds", default=app.processing_seconds)
        fields.done()
        if redirect_uris is not None:
            app.register(redirect_uris)
        app.processing_seconds = seconds
        return {
            "client_id": app.client_id,
            "redirect_uris": [*sorted(app.redirect_uris)],
            "processing_seconds": seconds,
        }

    def _decide(self, fields: Fields) -> Json:
        """What a browser would do with an authorize address."""
        address = urlsplit(fields.text("url"))
        decision = fields.text("decision", default="allow")
        name = fields.text("user", default="")
        org_id = fields.optional_text("org_id")
        fields.done()
        host = (address.hostname or "").lower()
        if address.scheme != "https" or address.path != _AUTHORIZE or address.port:
            raise ValueError(f"url must be https://<host>{_AUTHORIZE}?...")
        if decision not in ("allow", "deny"):
            raise ValueError("decision must be allow or deny")
        try:
            query = {name: values[0] for name, values in _query(address.query).items()}
            request = self._authorize.check(host, query)
            if decision == "deny":
                raise self._authorize.denied(request)
            org, user = self._user_at(host, org_id, name)
            return {"redirect": self._authorize.allowed(request, org=org, user=user)}
        except RedirectedError as redirected:
            return {"redirect": redirected.redirect}
        except PageError as page:
            return {"error": page.code, "page": page.message}

    def _user_at(self, host: str, org_id: str | None, name: str) -> tuple[Org, User]:
        """The user who signs in; raises `PageError` where the org is not reached from the host."""
        reached = self._state.orgs.reached_from(host)
        wanted = [org for org in reached if org_id in (None, org.org_id)]
        if not wanted:
            raise PageError("login_error", "no such org at this login host")
        user = wanted[0].users.get(name)
        if user is None:
            raise ValueError(f"{wanted[0].org_id} has no user {name!r}")
        return wanted[0], user

    def _errors(self, fields: Fields) -> Json:
        """`error` scripts an OAuth answer, `errorCode` a REST answer. The token endpoint refuses
        with rows of the table of refusals alone."""
        status = fields.whole("status", default=400)
        times = fields.whole("times", default=1)
        error_code = fields.optional_text("errorCode")
        if error_code is None:
            oauth = _oauth_error(fields, status=status, times=times)
            fields.done()
            self._state.scripted.oauth.append(oauth)
        else:
            rest = ScriptedRestError(
                path=fields.text("path", default="/services/data/"),
                error_code=error_code,
                message=fields.text("message", default=""),
                status=status,
                times=times,
                fields=tuple(fields.optional_texts("fields") or ()),
            )
            fields.done()
            self._state.scripted.rest.append(rest)
        return {"times": times}

    def _token_answers(self, fields: Fields) -> Json:
        """The next `times` token answers carry these fields; null removes one. The signature
        fits, unless it is among them."""
        overrides = fields.any("overrides")
        times = fields.whole("times", default=1)
        fields.done()
        if not isinstance(overrides, dict) or not 0 <= times <= _MANY:
            raise ValueError("overrides must be an object, times a whole number")
        self._state.scripted.token_overrides.extend(dict(overrides) for _ in range(times))
        return {"times": times}

    def _refreshes(self, fields: Fields) -> Json:
        """What becomes of the next `times` refreshes: of one user's, where `user` is named."""
        user = fields.optional_text("user")
        org_id = fields.optional_text("org_id")
        if user is None and org_id is not None:
            raise ValueError("org_id goes with a user")
        mishap = read_mishap(fields, None if user is None else self._known(user, org_id))
        fields.done()
        self._state.mishaps.put(mishap)
        return {"times": mishap.times}

    def _expire(self, fields: Fields) -> Json:
        """The user's access tokens expire now."""
        return {"expired": self._state.grants.expire_access_tokens(self._owner(fields))}

    def _revoke(self, fields: Fields) -> Json:
        """The user takes back every grant."""
        return {"revoked": self._state.grants.withdraw(self._owner(fields))}

    def _owner(self, fields: Fields) -> Owner:
        user = fields.text("user")
        org_id = fields.optional_text("org_id")
        fields.done()
        return self._known(user, org_id)

    def _known(self, user: str, org_id: str | None) -> Owner:
        """Without an org, a user of the first. Raises `ValueError`."""
        org_id = self._state.orgs.first().org_id if org_id is None else org_id
        org = self._state.orgs.by_id(org_id)
        if org is None or user not in org.users:
            raise ValueError(f"{org_id} has no user {user!r}")
        return Owner(org_id, user)


def _oauth_error(fields: Fields, *, status: int, times: int) -> ScriptedOAuthError:
    kind, error = fields.text("grant_type"), fields.text("error")
    if kind not in SCRIPTED_KINDS:
        raise ValueError(f"grant_type must be one of {', '.join(SCRIPTED_KINDS)}")
    description = fields.optional_text("error_description")
    if kind in TOKEN_KINDS:
        row = row_of(error, description)
        description = row.said if description is None else description
    return ScriptedOAuthError(
        kind=kind, error=error, description=description or "", status=status, times=times
    )


def _posted(action: Action) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(action(Fields(await request.json())))
        except ValueError as wrong:
            return web.json_response({"error": str(wrong)}, status=400)

    return handle


def _query(text: str) -> dict[str, list[str]]:
    return parse_qs(text, keep_blank_values=True)
