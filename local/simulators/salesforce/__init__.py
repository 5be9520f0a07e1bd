"""A strict Salesforce: its login hosts, and the orgs behind their My Domains.

Reading order: `orgs.py` and `grants.py` hold what is true; `authorize.py`, `token.py`,
`revocation.py`, `introspection.py`, `identity.py` and `session_bridge.py` are OAuth; `rest.py`,
`flows.py` and `query.py` are the REST API; `control.py` sets the scene, `ledger.py` remembers.
"""

from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web

from local import scene
from local.simulators.salesforce.authorize import Authorize
from local.simulators.salesforce.call import Handler, Reception
from local.simulators.salesforce.control import Control
from local.simulators.salesforce.flows import Flows
from local.simulators.salesforce.identity import Identity
from local.simulators.salesforce.introspection import Introspection
from local.simulators.salesforce.query import QueryApi
from local.simulators.salesforce.rest import Rest
from local.simulators.salesforce.revocation import Revocation
from local.simulators.salesforce.session_bridge import SessionBridge
from local.simulators.salesforce.state import State
from local.simulators.salesforce.token import Token

__all__ = ["Salesforce"]

_OAUTH: Final = "/services/oauth2"
_VERSION: Final = "/services/data/{version}"
_FLOW: Final = _VERSION + "/actions/custom/flow"
_SLASH: Final = "{slash:/?}"  # these may end in a slash


class Salesforce:
    """Satisfies `Simulator`. `clock` gives Unix seconds: codes, tokens and idle times go by it."""

    name = "salesforce"
    hosts: tuple[str, ...] = scene.SALESFORCE_LOGIN_HOSTS + scene.SALESFORCE_ORG_HOSTS

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._state = State(clock=clock)
        self._authorize = Authorize(self._state)
        self._control = Control(self._state, self._authorize)

    def routes(self) -> Sequence[web.RouteDef]:
        """Every method of every path: a wrong method is refused by its endpoint, in its shape."""
        serve = Reception(self._state).serve
        endpoints = [*self._oauth(), *self._rest()]
        return [web.route("*", path, serve(handler)) for path, handler in endpoints]

    def control(self) -> Sequence[web.RouteDef]:
        return self._control.routes()

    def reset(self) -> None:
        self._state.reset()

    def _oauth(self) -> list[tuple[str, Handler]]:
        identity = Identity(self._state)
        bridge = SessionBridge(self._state)
        return [
            (f"{_OAUTH}/authorize", self._authorize.handle),
            (f"{_OAUTH}/token", Token(self._state).handle),
            (f"{_OAUTH}/revoke", Revocation(self._state).handle),
            (f"{_OAUTH}/introspect", Introspection(self._state).handle),
            (f"{_OAUTH}/userinfo", identity.userinfo),
            ("/id/{org_id}/{user_id}", identity.identity_url),
            (f"{_OAUTH}/singleaccess", bridge.single_access),
            (f"{_OAUTH}/lightningoutsingleaccess", bridge.lightning_out),
            ("/secur/frontdoor.jsp", bridge.front_door),
        ]

    def _rest(self) -> list[tuple[str, Handler]]:
        """The most general last."""
        rest = Rest(self._state)
        flows = Flows(self._state)
        query = QueryApi(self._state)
        return [
            (f"/services/data{_SLASH}", rest.versions),
            (f"{_VERSION}/actions/custom{_SLASH}", flows.types),
            (f"{_FLOW}{_SLASH}", flows.list),
            (_FLOW + "/{flow}", flows.one),
            (f"{_VERSION}/query{_SLASH}", query.first),
            (_VERSION + "/query/{locator}", query.more),
            (_VERSION + "/{path:.*}", rest.unknown),
            ("/{path:.*}", rest.nowhere),
        ]
