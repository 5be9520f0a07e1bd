"""Takes each Microsoft sign-in back to Entra ID (OAuth 2.0 on-behalf-of), with msal.

Verifying a token says who somebody was when it was issued. Asking Entra ID for a token on the
user's behalf says that they still may: disabled accounts, conditional access and MFA bite here.
The token that comes back is thrown away. No secret of ours is involved: the managed identity is
the app registration's federated credential.

msal by itself keeps every user's tokens in memory, and lets one user's error answer for all
others; both are switched off below, and each user has a pause of their own instead. It also blocks,
so it has threads of its own: a slow Entra ID delays sign-ins and nothing else.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any, Final

import msal

from shared.bounded_threads import BoundedThreads
from shared.errors import (
    IdentityProviderFailedError,
    InteractionRequiredError,
    NotAuthenticatedError,
)
from shared.identity.back_off import BackOff
from shared.identity.entra_client import Call, EntraClient
from shared.model import Identity
from shared.network import Network
from shared.ports import Clock
from shared.secret import Secret

_SCOPES: Final = ["https://graph.microsoft.com/User.Read"]
_DEADLINE_SECONDS: Final = 15.0
_THREADS: Final = 16
_THREADS_OF_A_TENANT: Final = 8
_THREADS_OF_A_USER: Final = 2
_APPS: Final = 200
_WANTS_THE_USER: Final = frozenset({"interaction_required", "login_required", "consent_required"})
_WANTS_THE_USER_SUBERRORS: Final = frozenset(
    {"basic_action", "additional_action", "message_only", "consent_required"}
)
_ASSERTION_REFUSED: Final = frozenset({"invalid_grant"})
_LONGEST_CHALLENGE: Final = 6_000
"""Bytes. In base64 it goes out as a header, and clients and proxies refuse lines of more than 8 KiB
(aiohttp, nginx): a challenge that does not arrive helps nobody."""


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

    def setdefault(self, key: object, default: Any = None) -> Any:  # noqa: ANN401 - as dict's
        """Keep nothing."""
        del key
        return default


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a call went: what msal answered, or why it has no answer."""

    call: Call
    answer: dict[str, Any] | None = None
    failure: Exception | None = None


class MsalOnBehalfOf:
    """Satisfies `ports.OnBehalfOf`. `client_assertion` gives a token of the managed identity.

    `seconds` is the longest that anybody waits, and that a thread is kept by Entra ID.
    """

    def __init__(
        self,
        network: Network,
        *,
        client_id: str,
        client_assertion: Callable[[], str],
        clock: Clock,
        seconds: float = _DEADLINE_SECONDS,
    ) -> None:
        self._client_id = client_id
        self._client_assertion = client_assertion
        self._client = EntraClient(network.requests_session())
        self._seconds = seconds
        self._back_off = BackOff[tuple[str, str]](clock)
        self._threads = BoundedThreads(
            threads=_THREADS,
            share=_THREADS_OF_A_TENANT,
            share_of_user=_THREADS_OF_A_USER,
            name="on-behalf-of",
        )
        self._apps: OrderedDict[str, Any] = OrderedDict()
        self._apps_lock = Lock()

    async def confirm(self, identity: Identity, token: Secret) -> None:
        user = (identity.directory, identity.subject)
        if left := self._back_off.seconds_left(user):
            raise IdentityProviderFailedError(left)
        until = monotonic() + self._seconds
        work = partial(self._ask, identity.directory, token, until)
        try:
            outcome = await self._threads.run(*user, work, seconds=self._seconds)
        except TimeoutError as exc:
            raise IdentityProviderFailedError from exc
        if outcome.call.asks_for_a_pause:
            pause = self._back_off.begin(user, outcome.call.retry_after)
            raise IdentityProviderFailedError(pause) from outcome.failure
        if outcome.answer is None:
            raise IdentityProviderFailedError from outcome.failure
        if not isinstance(outcome.answer.get("access_token"), str):
            _raise_for(outcome.answer)

    def close(self) -> None:
        """Let go of threads and connections."""
        self._threads.close()
        self._client.close()

    def _ask(self, tenant: str, token: Secret, until: float) -> _Outcome:
        """Runs in a thread, and raises nothing."""
        with self._client.until(until) as call:
            try:
                app = self._app(tenant)
                answer = app.acquire_token_on_behalf_of(token.reveal(), scopes=_SCOPES)
            except Exception as exc:  # noqa: BLE001 - kept for the caller, who tells it on
                # msal and the credential raise their own errors, those of requests, and whatever
                # reading an answer of the wrong shape trips over.
                return _Outcome(call, failure=exc)
        return _Outcome(call, answer if isinstance(answer, dict) else None)

    def _app(self, tenant: str) -> Any:  # noqa: ANN401 - msal carries no types
        """msal's application for one tenant; making it asks the tenant's metadata once.

        It is made outside the lock: a tenant whose metadata does not come holds up no other. Of
        two made at once for a tenant, one is dropped.
        """
        with self._apps_lock:
            if tenant in self._apps:
                self._apps.move_to_end(tenant)
                return self._apps[tenant]
        made = msal.ConfidentialClientApplication(
            self._client_id,
            client_credential={"client_assertion": self._client_assertion},
            authority=f"https://login.microsoftonline.com/{tenant}",
            http_client=self._client,
            token_cache=_KeepsNothing(),
            http_cache=_Forgets(),
            client_capabilities=["cp1"],
        )
        # Tells Entra ID, in the next user's request, of the errors of the users before. One error
        # that fits into no header would break the calls of all who come after.
        made._telemetry_buffer = _Forgets()  # noqa: SLF001 - msal has no public way
        with self._apps_lock:
            app = self._apps.setdefault(tenant, made)
            while len(self._apps) > _APPS:
                self._apps.popitem(last=False)
        return app


def _raise_for(answer: dict[str, Any]) -> None:
    """Branch on `error`, `suberror` and `claims`; descriptions are for people, and stay here."""
    error, suberror = str(answer.get("error")), str(answer.get("suberror"))
    claims = answer.get("claims")
    if error in _WANTS_THE_USER or suberror in _WANTS_THE_USER_SUBERRORS or claims:
        raise InteractionRequiredError(_challenge(claims) if isinstance(claims, str) else None)
    if error in _ASSERTION_REFUSED:
        raise NotAuthenticatedError
    raise IdentityProviderFailedError


def _challenge(claims: str) -> str:
    """What the caller can be sent. Raises IdentityProviderFailedError."""
    try:
        size = len(claims.encode())
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can spell
        raise IdentityProviderFailedError from None
    if size > _LONGEST_CHALLENGE:
        raise IdentityProviderFailedError
    return claims
