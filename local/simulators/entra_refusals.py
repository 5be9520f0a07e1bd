"""How Entra ID says no: the error body of the token endpoint, and the refusals in use.

Codes and texts: https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from local import scene


class EntraRefusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault of this program
    """One error answer. `claims` is the claims challenge, a JSON text as Entra sends it."""

    def __init__(
        self,
        error: str,
        code: int,
        message: str,
        *,
        status: int = 400,
        suberror: str | None = None,
        claims: str | None = None,
        codes: Sequence[int] = (),
    ) -> None:
        super().__init__(f"AADSTS{code}: {message}")
        self.error = error
        self.code = code
        self.status = status
        self.suberror = suberror
        self.claims = claims
        self.codes = list(codes) or [code]

    def body(self, *, now: float, correlation_id: str) -> dict[str, Any]:
        """The JSON object that goes with `status`; `now` in Unix seconds."""
        timestamp = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S}Z"
        trace_id = str(uuid.uuid4())
        return {
            "error": self.error,
            "error_description": f"{self} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {timestamp}",
            "error_codes": self.codes,
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"https://{scene.ENTRA_HOST}/error?code={self.code}",
            **({} if self.suberror is None else {"suberror": self.suberror}),
            **({} if self.claims is None else {"claims": self.claims}),
        }


def tenant_not_found(tenant: str) -> EntraRefusal:
    return EntraRefusal(
        "invalid_tenant",
        90002,
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are "
        "signing into the correct cloud.",
    )


def only_post(method: str) -> EntraRefusal:
    return EntraRefusal(
        "invalid_request",
        900561,
        f"The endpoint only accepts POST requests. Received a {method} request.",
    )


def parameter_missing(*names: str) -> EntraRefusal:
    listed = " or ".join(f"'{name}'" for name in names)
    return EntraRefusal(
        "invalid_request",
        900144,
        f"The request body must contain the following parameter: {listed}.",
    )


def parameter_invalid(message: str) -> EntraRefusal:
    return EntraRefusal("invalid_request", 90023, message)


def grant_unsupported(grant_type: str) -> EntraRefusal:
    return EntraRefusal(
        "unsupported_grant_type",
        70003,
        f"The app requested an unsupported grant type '{grant_type}'.",
    )


def tenant_required(alias: str) -> EntraRefusal:
    if alias == "organizations":
        return EntraRefusal(
            "invalid_request",
            50059,
            "No tenant-identifying information found in either the request or implied by any "
            "provided credentials.",
        )
    return EntraRefusal(
        "invalid_request",
        9001023,
        "The grant type is not supported over the /common or /consumers endpoints. Please use "
        "the /organizations or tenant-specific endpoint.",
    )


def client_unknown(client_id: str, tenant: str) -> EntraRefusal:
    return EntraRefusal(
        "unauthorized_client",
        700016,
        f"Application with identifier '{client_id}' was not found in the directory '{tenant}'. "
        "This can happen if the application has not been installed by the administrator of the "
        "tenant or consented to by any user in the tenant.",
    )


def client_refused(code: int, message: str) -> EntraRefusal:
    return EntraRefusal("invalid_client", code, message, status=401)


def assertion_refused(code: int, message: str) -> EntraRefusal:
    return EntraRefusal("invalid_grant", code, message)


def scope_invalid(code: int, scope: str) -> EntraRefusal:
    return EntraRefusal(
        "invalid_scope", code, f"The provided value for scope {scope} is not valid."
    )


def resource_unknown(resource: str, tenant: str) -> EntraRefusal:
    return EntraRefusal(
        "invalid_resource",
        500011,
        f"The resource principal named {resource} was not found in the tenant named {tenant}. "
        "This can happen if the application has not been installed by the administrator of the "
        "tenant or consented to by any user in the tenant.",
    )


_MFA_REQUIRED = (
    "Due to a configuration change made by your administrator, or because you moved to a new "
    "location, you must enroll in multi-factor authentication."
)
_COMMANDED_CODES = {  # when a test names an error without a code
    "interaction_required": (50079, _MFA_REQUIRED),
    "invalid_grant": (65001, "The user or administrator has not consented to the application."),
    "temporarily_unavailable": (90033, "A transient error has occurred. Please try again."),
}


def commanded(
    error: str, *, suberror: str | None, claims: str | None, codes: Sequence[int]
) -> EntraRefusal:
    """The refusal that a test ordered by the control surface."""
    code, message = _COMMANDED_CODES.get(error, (50000, "There was an error issuing a token."))
    return EntraRefusal(
        error,
        codes[0] if codes else code,
        message,
        status={"invalid_client": 401, "temporarily_unavailable": 503}.get(error, 400),
        suberror=suberror,
        claims=claims,
        codes=codes,
    )
