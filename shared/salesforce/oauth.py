"""Salesforce's OAuth endpoints: send users there, trade codes, refresh, revoke.

The dance is requests-oauthlib's, which is synchronous and so runs in a thread; its sharp edges
are met here: the scope goes to the authorize address alone (the token endpoint refuses it), client
id and secret go into the form, and the debug logs of both libraries, which print tokens, are off
(`shared.telemetry.events.quiet_libraries`).
"""

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import aiohttp
import requests
from oauthlib.oauth2 import MissingTokenError, OAuth2Error
from requests_oauthlib import OAuth2Session
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from shared.errors import (
    HostNotAllowedError,
    InvalidRequestError,
    InvalidStateError,
    SalesforceFailedError,
    SalesforceLimitError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import Grant, OrgId
from shared.network import Network, read_body
from shared.salesforce.oauth_errors import refresh_error
from shared.salesforce_hosts import instance_host_of, is_instance_host, is_login_host
from shared.secret import Secret

SCOPES: Final = ("lightning", "api", "web", "refresh_token", "offline_access")
"""Exactly what the External Client App asks for, and no more."""

CLIENT_SECRET: Final = "salesforce-client-secret"  # noqa: S105 - its name in Key Vault
_DEADLINE: Final = aiohttp.ClientTimeout(total=15.0, sock_connect=5.0)
_MAX_BYTES: Final = 64 * 1024
_IDENTITY: Final = re.compile(
    r"https://([a-z0-9.-]+)/id/(00D[A-Za-z0-9]{15})/(005[A-Za-z0-9]{15})", re.ASCII
)
_SERVER_ERROR: Final = 500
_LIMIT_SECONDS: Final = 60


class SalesforceOAuth:
    """Satisfies `ports.SalesforceLogin`."""

    def __init__(
        self,
        network: Network,
        *,
        client_id: str,
        client_secret: Callable[[str], Awaitable[Secret]],
        callback_url: str,
    ) -> None:
        self._network = network
        self._client_id, self._client_secret = client_id, client_secret
        self._callback_url = callback_url

    def authorize_url(self, login_host: str, *, state: str, verifier: Secret) -> str:
        """Where to send the browser. PKCE is always S256 (RFC 7636), one verifier an attempt."""
        _require(is_login_host(login_host))
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
        _require(is_login_host(login_host))
        secret = await self._client_secret(CLIENT_SECRET)

        def trade(session: OAuth2Session) -> Mapping[str, Any]:
            token: Mapping[str, Any] = session.fetch_token(
                _token_url(login_host),
                code=code.reveal(),
                code_verifier=verifier.reveal(),
                include_client_id=True,
                client_secret=secret.reveal(),
            )
            return token

        try:
            answer = await asyncio.to_thread(self._ask, trade)
        except OAuth2Error as exc:
            # A code that is no good, or a verifier that does not match: start again.
            if exc.error in ("invalid_grant", "invalid_request"):
                raise InvalidStateError from exc
            raise refresh_error(str(exc.error), str(exc.description)) from exc
        refresh_token = answer.get("refresh_token")
        try:
            return self._grant(answer, login_host, refresh_token, secret)
        except SalesforceFailedError:
            # Nobody will use it; left alive, it counts against the user's five approvals.
            if isinstance(refresh_token, str) and refresh_token:
                with suppress(SalesforceUnavailableError):
                    await self._revoke_at(login_host, Secret(refresh_token))
            raise

    async def refresh(self, grant: Grant) -> Grant:
        _require(is_instance_host(grant.instance_host))
        secret = await self._client_secret(CLIENT_SECRET)

        def redeem(session: OAuth2Session) -> Mapping[str, Any]:
            token: Mapping[str, Any] = session.refresh_token(
                _token_url(grant.instance_host),
                refresh_token=grant.refresh_token.reveal(),
                client_id=self._client_id,
                client_secret=secret.reveal(),
            )
            return token

        try:
            answer = await asyncio.to_thread(self._ask, redeem)
        except OAuth2Error as exc:
            raise refresh_error(str(exc.error), str(exc.description)) from exc
        # Without rotation the answer holds no refresh token, and requests-oauthlib adds the old.
        try:
            refreshed = self._grant(answer, grant.login_host, answer.get("refresh_token"), secret)
        except SalesforceFailedError as exc:
            raise SalesforceTimeoutError from exc  # the old token is spent all the same
        if (refreshed.org, refreshed.salesforce_user) != (grant.org, grant.salesforce_user):
            raise SalesforceTimeoutError
        return refreshed

    async def revoke(self, grant: Grant) -> bool:
        """Revoking the refresh token ends its access tokens, too. No client secret is needed."""
        _require(is_instance_host(grant.instance_host))
        return await self._revoke_at(grant.instance_host, grant.refresh_token)

    async def _revoke_at(self, host: str, refresh_token: Secret) -> bool:
        try:
            async with self._network.session().post(
                f"https://{host}/services/oauth2/revoke",
                data={"token": refresh_token.reveal()},
                headers={"Accept": "application/json"},
                allow_redirects=False,
                timeout=_DEADLINE,
            ) as response:
                body = await read_body(response, max_bytes=_MAX_BYTES)
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise SalesforceUnavailableError from exc
        is_over_already = response.status == 400 and b"invalid_token" in body  # noqa: PLR2004
        if response.status != 200 and not is_over_already:  # noqa: PLR2004
            raise SalesforceUnavailableError
        return not is_over_already

    def _ask(self, call: Callable[[OAuth2Session], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Runs in a thread. Raises OAuth2Error for Salesforce's own errors, ours for the rest."""
        session = OAuth2Session(self._client_id, redirect_uri=self._callback_url)
        self._network.equip(session)
        for hook in ("access_token_response", "refresh_token_response"):
            session.register_compliance_hook(hook, _require_readable)
        try:
            return call(session)
        except requests.TooManyRedirects as exc:  # not followed, and nothing was redeemed
            raise SalesforceUnavailableError from exc
        except requests.RequestException as exc:
            if _was_never_sent(exc):
                raise SalesforceUnavailableError from exc
            raise SalesforceTimeoutError from exc
        except OSError as exc:  # the name does not resolve: nothing was sent
            raise SalesforceUnavailableError from exc
        except (MissingTokenError, AttributeError, TypeError, ValueError) as exc:
            # JSON, and no token answer: the library trips over it in one way or another.
            raise SalesforceTimeoutError from exc
        finally:
            session.close()

    def _grant(
        self, answer: Mapping[str, Any], login_host: str, refresh_token: object, secret: Secret
    ) -> Grant:
        """The grant in a token answer, once its signature, identity and instance are right."""
        identity, issued_at = answer.get("id"), answer.get("issued_at")
        access_token, instance_url = answer.get("access_token"), answer.get("instance_url")
        texts = (identity, issued_at, access_token, instance_url, refresh_token)
        if not all(isinstance(text, str) and text for text in texts):
            raise SalesforceFailedError
        if not _signature_holds(answer, secret):
            raise SalesforceFailedError
        match = _IDENTITY.fullmatch(str(identity))
        instance_host = instance_host_of(str(instance_url))
        if match is None or instance_host is None or not is_login_host(match.group(1)):
            raise SalesforceFailedError
        try:
            org = OrgId.parse(match.group(2))
        except InvalidRequestError as exc:
            raise SalesforceFailedError from exc
        return Grant(
            org=org,
            salesforce_user=match.group(3),
            instance_host=instance_host,
            login_host=login_host,
            refresh_token=Secret(str(refresh_token)),
            access_token=Secret(str(access_token)),
        )


def _token_url(host: str) -> str:
    return f"https://{host}/services/oauth2/token"


def _require(is_allowed: bool) -> None:  # noqa: FBT001 - reads as a sentence at the call
    if not is_allowed:
        raise HostNotAllowedError


def _signature_holds(answer: Mapping[str, Any], secret: Secret) -> bool:
    """`signature` is the HMAC-SHA256 of `id` and `issued_at` under the consumer secret."""
    message = f"{answer['id']}{answer['issued_at']}".encode()
    expected = hmac.digest(secret.reveal().encode(), message, hashlib.sha256)
    try:
        given = base64.b64decode(str(answer.get("signature")), validate=True)
    except ValueError:
        return False
    return hmac.compare_digest(expected, given)


def _require_readable(response: requests.Response) -> requests.Response:
    """Called before the library parses: an outage page must not pass for an OAuth answer.

    A 5xx, or a success that is no JSON, leaves open whether the token was redeemed. A redirect, a
    refusal of the edge (4xx without an OAuth error) and a 503 say that it was not.
    """
    is_json = "json" in response.headers.get("Content-Type", "")
    if response.status_code == 429:  # noqa: PLR2004
        raise SalesforceLimitError(_LIMIT_SECONDS)
    if response.status_code == 503 or (_is_refusal(response) and not is_json):  # noqa: PLR2004
        raise SalesforceUnavailableError
    if response.status_code >= _SERVER_ERROR or not is_json:
        raise SalesforceTimeoutError
    return response


def _is_refusal(response: requests.Response) -> bool:
    return 300 <= response.status_code < _SERVER_ERROR  # noqa: PLR2004 - RFC 9110, 15.4 and 15.5


def _was_never_sent(exc: requests.RequestException) -> bool:
    """Whether no byte of the request left: refused, unresolved, not connected in time, no TLS."""
    if isinstance(exc, (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError)):
        return True
    cause = exc.args[0] if exc.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))
