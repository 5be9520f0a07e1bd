"""Salesforce's OAuth endpoints: send users there, trade codes, refresh, revoke.

The dance is requests-oauthlib's. Its sharp edges are met here: the scope goes to the authorize
address alone (the token endpoint refuses it), client id and secret go into the form, and the debug
logs of both libraries, which print tokens, are off (`shared.telemetry.events.quiet_libraries`).
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final

import aiohttp
from requests_oauthlib import OAuth2Session

from shared.errors import (
    HostNotAllowedError,
    SalesforceFailedError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import Grant
from shared.network import Network, read_body
from shared.salesforce.oauth_errors import code_error, refresh_error
from shared.salesforce.token_answers import grant_in
from shared.salesforce.token_endpoint import SECONDS, TokenEndpoint, TokenRefusedError
from shared.salesforce_hosts import is_instance_host, is_login_host
from shared.secret import Secret

SCOPES: Final = ("lightning", "api", "web", "refresh_token", "offline_access")
"""Exactly what the External Client App asks for, and no more."""

CLIENT_SECRET: Final = "salesforce-client-secret"  # noqa: S105 - its name in Key Vault
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)  # RFC 7636, 4.1
_MAX_BYTES: Final = 64 * 1024


class SalesforceOAuth:
    """Satisfies `ports.SalesforceLogin`. `seconds` is the longest that any call takes."""

    def __init__(
        self,
        network: Network,
        *,
        client_id: str,
        client_secret: Callable[[str], Awaitable[Secret]],
        callback_url: str,
        seconds: float = SECONDS,
    ) -> None:
        self._network = network
        self._client_id, self._client_secret = client_id, client_secret
        self._callback_url = callback_url
        self._deadline = aiohttp.ClientTimeout(total=seconds, sock_connect=min(5.0, seconds))
        self._tokens = TokenEndpoint(
            network, client_id=client_id, callback_url=callback_url, seconds=seconds
        )
        self._codes = count(1)

    def authorize_url(self, login_host: str, *, state: str, verifier: Secret) -> str:
        """Where to send the browser. PKCE is always S256 (RFC 7636), one verifier an attempt.

        Raises HostNotAllowedError; ValueError for a verifier that RFC 7636 does not allow.
        """
        _require(is_login_host(login_host))
        if not _VERIFIER.fullmatch(verifier.reveal()):
            raise ValueError("a verifier has 43 to 128 unreserved characters")
        session = OAuth2Session(
            self._client_id, redirect_uri=self._callback_url, scope=list(SCOPES)
        )
        digest = hashlib.sha256(verifier.reveal().encode()).digest()
        url, _ = session.authorization_url(
            f"https://{login_host}/services/oauth2/authorize",
            state=state,
            code_challenge=base64.urlsafe_b64encode(digest).decode().rstrip("="),
            code_challenge_method="S256",
        )
        return str(url)

    async def redeem_code(self, login_host: str, *, code: Secret, verifier: Secret) -> Grant:
        """Raises HostNotAllowedError and SalesforceTimeoutError, too, and what the table of
        refusals makes of a code's."""
        _require(is_login_host(login_host))
        secret = await self._client_secret(CLIENT_SECRET)

        def trade(session: OAuth2Session, seconds: float) -> None:
            session.fetch_token(
                _token_url(login_host),
                code=code.reveal(),
                code_verifier=verifier.reveal(),
                include_client_id=True,
                client_secret=secret.reveal(),
                timeout=seconds,
            )

        # Whose code it is shows in the answer only, so each counts for a user of its own.
        user = f"code {next(self._codes)}"
        try:
            answer = await self._tokens.ask(trade, host=login_host, user=user)
        except TokenRefusedError as refused:
            raise code_error(refused.error, refused.description) from None
        try:
            return grant_in(answer, login_host=login_host, asked=login_host, client_secret=secret)
        except SalesforceFailedError:
            await self._revoke_refused(login_host, answer)
            raise

    async def _revoke_refused(self, login_host: str, answer: Mapping[str, Any]) -> None:
        """Nobody will use it; left alive, it counts against the user's five approvals. Revoked
        where it was given: where else the answer points to is what may be wrong with it."""
        refresh_token = answer.get("refresh_token")
        if isinstance(refresh_token, str) and refresh_token:
            with suppress(SalesforceUnavailableError):
                await self._revoke_at(login_host, Secret(refresh_token))

    async def refresh(self, grant: Grant) -> Grant:
        host = grant.instance_host
        _require(is_instance_host(host))
        secret = await self._client_secret(CLIENT_SECRET)

        def redeem(session: OAuth2Session, seconds: float) -> None:
            session.refresh_token(
                _token_url(host),
                refresh_token=grant.refresh_token.reveal(),
                client_id=self._client_id,
                client_secret=secret.reveal(),
                timeout=seconds,
            )

        try:
            answer = await self._tokens.ask(redeem, host=host, user=grant.salesforce_user)
        except TokenRefusedError as refused:
            raise refresh_error(refused.error, refused.description) from None
        try:
            refreshed = grant_in(
                answer,
                login_host=grant.login_host,
                asked=host,
                client_secret=secret,
                unless_rotated=grant.refresh_token,
            )
        except SalesforceFailedError as exc:
            raise SalesforceTimeoutError from exc  # the old token is spent all the same
        if (refreshed.org, refreshed.salesforce_user) != (grant.org, grant.salesforce_user):
            raise SalesforceTimeoutError
        return refreshed

    async def revoke(self, grant: Grant) -> bool:
        """Revoking the refresh token ends its access tokens, too. No client secret is needed."""
        _require(is_instance_host(grant.instance_host))
        return await self._revoke_at(grant.instance_host, grant.refresh_token)

    def close(self) -> None:
        """Let go of the threads."""
        self._tokens.close()

    async def _revoke_at(self, host: str, refresh_token: Secret) -> bool:
        try:
            async with self._network.session().post(
                f"https://{host}/services/oauth2/revoke",
                data={"token": refresh_token.reveal()},
                headers={"Accept": "application/json"},
                allow_redirects=False,
                timeout=self._deadline,
            ) as response:
                body = await read_body(response, max_bytes=_MAX_BYTES)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise SalesforceUnavailableError from exc
        is_over_already = response.status == 400 and b"invalid_token" in body  # noqa: PLR2004
        if response.status != 200 and not is_over_already:  # noqa: PLR2004
            raise SalesforceUnavailableError
        return not is_over_already


def _token_url(host: str) -> str:
    return f"https://{host}/services/oauth2/token"


def _require(is_allowed: bool) -> None:  # noqa: FBT001 - reads as a sentence at the call
    if not is_allowed:
        raise HostNotAllowedError
