"""Takes each Microsoft sign-in back to Entra ID (OAuth 2.0 on-behalf-of), with msal.

Verifying a token says who somebody was when it was issued. Asking Entra ID for a token on the
user's behalf says that they still may: disabled accounts, conditional access and MFA bite here.
The token that comes back is thrown away. No secret of ours is involved: the managed identity is
the app registration's federated credential.

msal by itself keeps every user's tokens in memory, and lets one user's error answer for all
others; both are switched off below.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msal

from shared.errors import (
    IdentityProviderFailedError,
    InteractionRequiredError,
    NotAuthenticatedError,
)
from shared.model import Identity
from shared.network import Network
from shared.secret import Secret

_SCOPES: Final = ["https://graph.microsoft.com/User.Read"]
_DEADLINE_SECONDS: Final = 15.0
_APPS: Final = 200
_WANTS_THE_USER: Final = frozenset({"interaction_required", "login_required", "consent_required"})
_WANTS_THE_USER_SUBERRORS: Final = frozenset(
    {"basic_action", "additional_action", "message_only", "consent_required"}
)
_ASSERTION_REFUSED: Final = frozenset({"invalid_grant"})


class _KeepsNothing(msal.TokenCache):  # type: ignore[misc]
    """msal stores each user's access and refresh tokens, in clear and without bound. Not here."""

    def add(self, event: object, now: object = None) -> None:
        """Store nothing."""

    def modify(self, *args: object, **kwargs: object) -> None:
        """Store nothing."""


class _Forgets(dict[Any, Any]):
    """msal answers later users from an earlier user's 429 or 5xx. It cannot if nothing is kept."""

    def __setitem__(self, key: object, value: object) -> None:
        """Keep nothing."""


class MsalOnBehalfOf:
    """Satisfies `ports.OnBehalfOf`. `client_assertion` gives a token of the managed identity."""

    def __init__(
        self, network: Network, *, client_id: str, client_assertion: Callable[[], str]
    ) -> None:
        self._network = network
        self._client_id = client_id
        self._client_assertion = client_assertion
        self._apps: OrderedDict[str, Any] = OrderedDict()

    async def confirm(self, identity: Identity, token: Secret) -> None:
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                answer = await asyncio.to_thread(self._ask, identity.directory, token)
        except TimeoutError as exc:
            raise IdentityProviderFailedError from exc
        if not isinstance(answer.get("access_token"), str):
            _raise_for(answer)

    def _ask(self, tenant: str, token: Secret) -> dict[str, Any]:
        """Runs in a thread. Raises IdentityProviderFailedError for all that is no answer."""
        try:
            answer = self._app(tenant).acquire_token_on_behalf_of(token.reveal(), scopes=_SCOPES)
        except Exception as exc:
            # msal and the credential raise their own errors, those of requests, and whatever
            # reading an answer of the wrong shape trips over.
            raise IdentityProviderFailedError from exc
        if not isinstance(answer, dict):
            raise IdentityProviderFailedError
        return answer

    def _app(self, tenant: str) -> Any:  # noqa: ANN401 - msal carries no types
        """msal's application for one tenant; making it asks the tenant's metadata once."""
        if tenant not in self._apps:
            self._apps[tenant] = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential={"client_assertion": self._client_assertion},
                authority=f"https://login.microsoftonline.com/{tenant}",
                http_client=self._network.requests_session(),
                token_cache=_KeepsNothing(),
                http_cache=_Forgets(),
                client_capabilities=["cp1"],
            )
            while len(self._apps) > _APPS:
                self._apps.popitem(last=False)
        return self._apps[tenant]


def _raise_for(answer: dict[str, Any]) -> None:
    """Branch on `error`, `suberror` and `claims`; descriptions are for people, and stay here."""
    error, suberror = str(answer.get("error")), str(answer.get("suberror"))
    claims = answer.get("claims")
    if error in _WANTS_THE_USER or suberror in _WANTS_THE_USER_SUBERRORS or claims:
        raise InteractionRequiredError(claims if isinstance(claims, str) else None)
    if error in _ASSERTION_REFUSED:
        raise NotAuthenticatedError
    raise IdentityProviderFailedError
