"""How Entra ID judges the two kinds of token it is shown: a user's, and a federated client's."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from jwt.types import Options

from local import scene
from local.simulators.azure_tokens import IDENTITY_OBJECT_ID, ISSUER, AzureTokens
from local.simulators.entra_claims import User, issuer_v1, issuer_v2
from local.simulators.entra_refusals import (
    EntraRefusal,
    assertion_refused,
    client_refused,
    parameter_invalid,
)
from local.simulators.signing_keys import KeySet

FEDERATION_AUDIENCE: Final = "api://AzureADTokenExchange"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_MALFORMED: Final = "JWT token is invalid or malformed."
_UNCHECKED: Final[Options] = {  # each is checked here, with the error that Entra gives
    "verify_aud": False,
    "verify_iss": False,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_sub": False,
    "verify_jti": False,
}
_AUDIENCES: Final = (scene.ENTRA_API_CLIENT_ID, f"api://{scene.ENTRA_API_CLIENT_ID}")


class UserAssertions:
    """The `assertion` of on-behalf-of: an access token that this authority issued for the client
    that now presents it (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow)."""

    def __init__(self, keys: KeySet, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock

    def user_of(self, assertion: str, tenant: str) -> User:
        """Raises `EntraRefusal` for anything but a good token of a user of `tenant`."""
        claims = self._signed_claims(assertion)
        issuers = (issuer_v2(tenant), issuer_v1(tenant))
        if claims.get("iss") not in issuers or claims.get("tid") != tenant:
            raise assertion_refused(
                50013, "Assertion issuer does not match the tenant of this request."
            )
        self._check_times(claims)
        if claims.get("aud") not in _AUDIENCES:
            raise assertion_refused(
                500131,
                "Assertion audience does not match the Client app presenting the assertion. The "
                f"audience in the assertion was '{claims.get('aud')}' and the expected audience "
                f"is '{_AUDIENCES[0]}' or one of the Application Uris of this application with "
                f"App ID '{_AUDIENCES[0]}'. The downstream client must request a token for the "
                "expected audience (the application that made the OBO request) and this "
                "application should use that token as the assertion.",
            )
        oid = claims.get("oid")
        if claims.get("idtyp") == "app" or not claims.get("scp") or not isinstance(oid, str):
            raise assertion_refused(
                7000114,
                f"Application '{_AUDIENCES[0]}' is not allowed to make application on-behalf-of "
                "calls.",
            )
        return User(tid=tenant, oid=oid)

    def _signed_claims(self, assertion: str) -> dict[str, Any]:
        try:
            kid = jwt.get_unverified_header(assertion).get("kid")
            key = next((key for key in self._keys.published() if key.x5t == kid), None)
            if key is None:
                raise assertion_refused(
                    50013,
                    "Assertion failed signature validation. [Reason - The key was not found.]",
                )
            claims: dict[str, Any] = jwt.decode(
                assertion, key.private.public_key(), algorithms=["RS256"], options=_UNCHECKED
            )
        except jwt.InvalidSignatureError as exc:
            raise assertion_refused(
                50013,
                "Assertion failed signature validation. [Reason - The provided signature value "
                "did not match the expected signature value.]",
            ) from exc
        except jwt.InvalidTokenError as exc:
            raise assertion_refused(50027, _MALFORMED) from exc
        return claims

    def _check_times(self, claims: dict[str, Any]) -> None:
        begins, ends = claims.get("nbf"), claims.get("exp")
        if type(begins) is not int or type(ends) is not int:
            raise assertion_refused(50027, _MALFORMED)
        now = self._clock()
        if not begins <= now < ends:
            raise assertion_refused(
                500133,
                "Assertion is not within its valid time range. Ensure that the access token is "
                "not expired before using it for user assertion, or request a new token. "
                f"Current time: {_iso(now)}, assertion valid from {_iso(begins)}, expiry time of "
                f"assertion {_iso(ends)}.",
            )


class ClientAssertions:
    """The `client_assertion` of a client that has a managed identity as federated credential
    (https://learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity)."""

    def __init__(self, tokens: AzureTokens | None, clock: Callable[[], float]) -> None:
        self._tokens = tokens
        self._clock = clock

    def check(self, assertion_type: str, assertion: str) -> None:
        """Raises `EntraRefusal` for anything but a good token of the service's own identity."""
        if assertion_type != ASSERTION_TYPE:
            raise parameter_invalid("The value of 'client_assertion_type' is not supported.")
        try:
            unverified: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError as exc:
            raise client_refused(50027, _MALFORMED) from exc
        if self._tokens is None:
            raise _no_federated_identity(700211, "issuer", unverified.get("iss"))
        for code, what, claim, expected in (
            (700211, "issuer", "iss", ISSUER),
            (700212, "audience", "aud", FEDERATION_AUDIENCE),
            (700213, "subject", "sub", IDENTITY_OBJECT_ID),
        ):
            if unverified.get(claim) != expected:
                raise _no_federated_identity(code, what, unverified.get(claim))
        try:
            self._tokens.verify(assertion, FEDERATION_AUDIENCE)
        except ValueError as exc:
            expires = unverified.get("exp")
            if isinstance(expires, int) and expires <= self._clock():
                raise client_refused(
                    700024, "Client assertion is not within its valid time range."
                ) from exc
            raise client_refused(700027, "Client assertion failed signature validation.") from exc


def _no_federated_identity(code: int, what: str, presented: object) -> EntraRefusal:
    return client_refused(
        code,
        f"No matching federated identity record found for presented assertion {what} "
        f"'{presented}'. Check your federated identity credential Subject, Audience and Issuer "
        "against the presented assertion.",
    )


def _iso(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.0000000Z"
    except (ValueError, OverflowError, OSError):
        return "out of range"
