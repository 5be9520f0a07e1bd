"""Who a Bearer token stands for, at the host where it was shown."""

from typing import NamedTuple

from local.simulators.salesforce.call import Call
from local.simulators.salesforce.errors import IdentityError, RestError, session_expired
from local.simulators.salesforce.grant import AccessToken, Owner
from local.simulators.salesforce.orgs import Org, User
from local.simulators.salesforce.state import State


class Session(NamedTuple):
    access: AccessToken
    org: Org
    user: User

    @property
    def owner(self) -> Owner:
        return Owner(self.org.org_id, self.user.name)


def shown_token(call: Call, *, in_form: bool = False) -> str:
    """The access token in the header, or where allowed in the form; empty if there is none."""
    scheme, _, token = call.header("Authorization").partition(" ")
    if scheme.lower() in ("bearer", "oauth"):
        return token.strip()
    return call.form.get("access_token", "") if in_form else ""


def open_session(state: State, call: Call, token: str) -> Session | None:
    """None for a token that is dead, or of another org than the host's."""
    access = state.grants.live_access_token(token)
    if access is None:
        return None
    call.entry.generation = access.generation
    org = state.orgs.by_id(access.grant.owner.org_id)
    user = org.users.get(access.grant.owner.user) if org else None
    if org is None or user is None or not org.answers_at(call.host):
        return None
    return Session(access, org, user)


def identity_session(state: State, call: Call, *, in_form: bool = False) -> Session:
    """For userinfo, identity URL and single access, which answer 403 where REST answers 401."""
    token = shown_token(call, in_form=in_form)
    if not token:
        raise IdentityError("Missing_OAuth_Token")
    session = open_session(state, call, token)
    if session is None:
        raise IdentityError("Bad_OAuth_Token")
    return session


def rest_session(state: State, call: Call) -> Session:
    """For everything below /services/data/vNN.N/. Counts the call; raises `RestError`."""
    session = open_session(state, call, shown_token(call))
    if session is None or call.org is None or not session.user.active:
        call.headers["WWW-Authenticate"] = "Token"
        raise session_expired()
    within_limit = session.org.count_call(state.clock())
    call.headers["Sforce-Limit-Info"] = session.org.limit_info()
    if not within_limit:
        raise RestError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)
    if "api" not in session.access.grant.scopes:
        raise RestError(
            "INVALID_SESSION_ID", "This session is not valid for use with the REST API", 401
        )
    state.scripted.raise_for_path(call.request.path)
    return session
