"""Every failure this service expects, each with the code that the caller sees.

    FlowRunnerError
    ├── InvalidRequestError             400 invalid_request
    │   ├── InvalidInputError           400 invalid_input
    │   ├── UndeclaredInputError        400 undeclared_input
    │   ├── InvalidStateError           400 invalid_state
    │   ├── InvalidReturnUrlError       400 invalid_return_url
    │   └── HostNotAllowedError         400 host_not_allowed
    ├── NotAuthenticatedError           401 not_authenticated
    │   ├── SessionExpiredError         401 session_expired
    │   └── InteractionRequiredError    401 interaction_required
    ├── ForbiddenError                  403
    │   ├── NotAdminError                   not_admin
    │   ├── PersonalAccountError            personal_account_not_supported
    │   ├── GuestNotAllowedError            guest_not_allowed
    │   ├── TenantNotAllowedError           tenant_not_allowed
    │   ├── OrgNotAllowedError              org_not_allowed
    │   ├── CompletionNotYoursError         completion_not_yours
    │   ├── ConfirmationRequiredError       confirmation_required
    │   └── SalesforceForbiddenError        salesforce_forbidden
    ├── NotFoundError                   404 not_found
    ├── MethodNotAllowedError           405 method_not_allowed
    ├── SettingsChangedError            412 settings_changed
    ├── BodyTooLargeError               413 body_too_large
    ├── UnsupportedMediaTypeError       415 unsupported_media_type
    ├── ConflictError                   409
    │   ├── NotConnectedError               salesforce_not_connected
    │   │   └── AccessRefusedError          salesforce_not_connected
    │   ├── DeletionInProgressError         deletion_in_progress
    │   ├── DuplicateRunError               duplicate_run
    │   └── OrgAmbiguousError               org_ambiguous
    ├── OtherRegionError                421 other_region
    ├── UnprocessableError              422
    │   ├── FlowFailedError                 flow_failed
    │   └── IdempotencyKeyReusedError       idempotency_key_reused
    ├── IfMatchRequiredError            428 if_match_required
    ├── TooManyRequestsError            429 too_many_requests
    │   └── SalesforceLimitError        429 salesforce_limit_reached
    └── UpstreamError                   502
        ├── StorageFailedError              storage_failed
        ├── KeyVaultFailedError             key_vault_failed
        │   └── SealBrokenError             key_vault_failed
        ├── IdentityProviderFailedError     identity_provider_failed
        └── SalesforceFailedError           salesforce_failed
            ├── SalesforceUnavailableError  503 salesforce_unavailable
            │   └── RefreshInProgressError  503 salesforce_unavailable
            └── SalesforceTimeoutError      504 salesforce_timeout

The boundary (`functions/boundary.py`) turns these into HTTP; nothing else does. An error carries
no free text: `code` and the documented `members()` are all that a caller ever sees. What went
wrong inside stays in `__cause__`, and of that only types and places reach the log.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import ClassVar

type Json = str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None


class FlowRunnerError(Exception):
    """Base of every expected failure."""

    code: ClassVar[str]
    retry_after: int | None = None
    """Seconds after which trying again may help; None where waiting does not help."""

    def members(self) -> dict[str, Json]:
        """The documented members that this failure adds to the problem document."""
        return {}


# --- 400: the request cannot be carried out as it is ---------------------------------------------


class InvalidRequestError(FlowRunnerError):
    """The request cannot be read: wrong shape, wrong type, out of bounds."""

    code = "invalid_request"


class InvalidInputError(InvalidRequestError):
    """An input of a Flow has the wrong type. Names the input and the wanted type, not the value."""

    code = "invalid_input"

    def __init__(self, name: str, wanted: str) -> None:
        self._name, self._wanted = name, wanted
        super().__init__()

    def members(self) -> dict[str, Json]:
        return {"input": self._name, "wanted": self._wanted}


class UndeclaredInputError(InvalidRequestError):
    """The Flow declares no input of this name."""

    code = "undeclared_input"

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__()

    def members(self) -> dict[str, Json]:
        return {"input": self._name}


class InvalidStateError(InvalidRequestError):
    """A one-time code is unknown, used, expired, or belongs to another browser."""

    code = "invalid_state"


class InvalidReturnUrlError(InvalidRequestError):
    """`return_to` is none of the registered addresses."""

    code = "invalid_return_url"


class HostNotAllowedError(InvalidRequestError):
    """The host is no Salesforce host by the strict pattern."""

    code = "host_not_allowed"


# --- 401, 403: who, and may they --------------------------------------------------------------


class NotAuthenticatedError(FlowRunnerError):
    """No token, or one that did not verify. Which of the two is not told."""

    code = "not_authenticated"


class SessionExpiredError(NotAuthenticatedError):
    """The session was valid, and is over: by age, sign-out, deletion or a disabled tenant."""

    code = "session_expired"


class InteractionRequiredError(NotAuthenticatedError):
    """Entra ID wants the user: MFA, conditional access, consent.

    `claims` is the challenge as Entra sent it (a JSON text); the caller gets it in base64, as
    Microsoft's clients expect it, byte for byte. None where consent alone is missing.
    """

    code = "interaction_required"

    def __init__(self, claims: str | None) -> None:
        self.encoded_claims = claims and base64.b64encode(claims.encode()).decode()
        super().__init__()

    def members(self) -> dict[str, Json]:
        return {"claims": self.encoded_claims}


class ForbiddenError(FlowRunnerError):
    """Known, and not allowed."""


class NotAdminError(ForbiddenError):
    code = "not_admin"


class PersonalAccountError(ForbiddenError):
    """A personal Microsoft account, or a Google account outside any Workspace."""

    code = "personal_account_not_supported"


class GuestNotAllowedError(ForbiddenError):
    """A guest in this Microsoft tenant, where `ENTRA_ADMIT_GUESTS` does not let guests in."""

    code = "guest_not_allowed"


class TenantNotAllowedError(ForbiddenError):
    """`ALLOWED_TENANTS` does not hold the tenant, or the tenant is disabled."""

    code = "tenant_not_allowed"


class OrgNotAllowedError(ForbiddenError):
    """The tenant's settings do not allow this Salesforce org."""

    code = "org_not_allowed"


class CompletionNotYoursError(ForbiddenError):
    """Somebody else started this connection. Their parked grant has been revoked."""

    code = "completion_not_yours"


class ConfirmationRequiredError(ForbiddenError):
    """Not with this session, which is too old, or not with this confirmation code."""

    code = "confirmation_required"


class SalesforceForbiddenError(ForbiddenError):
    """Salesforce refuses this user: a missing permission, or an API that is switched off."""

    code = "salesforce_forbidden"


# --- 404, 405, 412, 413, 415: the envelope of the request -----------------------------------------


class NotFoundError(FlowRunnerError):
    """There is none, or it belongs to somebody else: both answer alike."""

    code = "not_found"


class MethodNotAllowedError(FlowRunnerError):
    """The route exists, for other methods. `allowed` goes into the Allow header (RFC 9110)."""

    code = "method_not_allowed"

    def __init__(self, allowed: Sequence[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__()


class SettingsChangedError(FlowRunnerError):
    """The settings are not as they were read (`If-Match`): read them again, then change them."""

    code = "settings_changed"


class BodyTooLargeError(FlowRunnerError):
    code = "body_too_large"


class UnsupportedMediaTypeError(FlowRunnerError):
    code = "unsupported_media_type"


# --- 409, 421, 422: understood, and not now, not here, or not so ----------------------------------


class ConflictError(FlowRunnerError):
    """The state of things stands against it."""


class NotConnectedError(ConflictError):
    """There is no usable Salesforce grant: none was ever made, or it has ended.

    `health` says why it ended (None: there is none), `action` what mends it; the words are those
    of `shared.model.Health` and `shared.model.Action`.
    """

    code = "salesforce_not_connected"

    def __init__(self, health: str | None = None, action: str = "reconnect") -> None:
        self.health, self.action = health, action
        super().__init__()

    def members(self) -> dict[str, Json]:
        return {"health": self.health, "action": self.action}


class AccessRefusedError(NotConnectedError):
    """Salesforce does not take the access token, so nothing was carried out.

    One refresh and one more try may mend it; if not, the grant counts as expired.
    """

    def __init__(self) -> None:
        super().__init__(health="expired")


class DeletionInProgressError(ConflictError):
    """This user, or the whole tenant, is being deleted: nothing is let in or written any more."""

    code = "deletion_in_progress"


class DuplicateRunError(ConflictError):
    """The idempotency key was used before, for the same request."""

    code = "duplicate_run"

    def __init__(self, run_id: str, run_status: str) -> None:
        self.run_id, self.run_status = run_id, run_status
        super().__init__()

    def members(self) -> dict[str, Json]:
        return {"run_id": self.run_id, "run_status": self.run_status}


class OrgAmbiguousError(ConflictError):
    """Several orgs are connected, and the request names none."""

    code = "org_ambiguous"


class OtherRegionError(FlowRunnerError):
    """The tenant is served by the deployment of another region."""

    code = "other_region"

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        super().__init__()

    def members(self) -> dict[str, Json]:
        return {"base_url": self._base_url}


class UnprocessableError(FlowRunnerError):
    """Understood, and refused by its content."""


class FlowFailedError(UnprocessableError):
    """The Flow ran into a fault of its own.

    Salesforce's `errors` (statusCode and message) go to the caller, whose Flow it is, and to
    nowhere else: they may quote record data.
    """

    code = "flow_failed"

    def __init__(self, errors: Sequence[Mapping[str, str]], run_id: str | None = None) -> None:
        self.errors = tuple(dict(error) for error in errors)
        self.run_id = run_id
        super().__init__()

    def members(self) -> dict[str, Json]:
        return {"run_id": self.run_id, "errors": list(self.errors)}


class IdempotencyKeyReusedError(UnprocessableError):
    """The idempotency key was used before, for a different request."""

    code = "idempotency_key_reused"


# --- 428, 429 -------------------------------------------------------------------------------------


class IfMatchRequiredError(FlowRunnerError):
    """A change must say which state it is a change of (RFC 6585, section 3)."""

    code = "if_match_required"


class TooManyRequestsError(FlowRunnerError):
    """Over the caller's or the tenant's share of this instance."""

    code = "too_many_requests"

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__()


class SalesforceLimitError(TooManyRequestsError):
    """The org's own API limit is used up."""

    code = "salesforce_limit_reached"


# --- 502, 503, 504: something we depend on --------------------------------------------------------


class UpstreamError(FlowRunnerError):
    """Something we depend on did not answer as agreed."""

    run_id: str | None = None
    """The run whose outcome is not known because of this failure."""

    def members(self) -> dict[str, Json]:
        if self.run_id is None:
            return {}
        return {"run_id": self.run_id, "run_status": "outcome_unknown"}


class StorageFailedError(UpstreamError):
    """The table store did not answer, or answered what cannot be read."""

    code = "storage_failed"
    retry_after = 5


class KeyVaultFailedError(UpstreamError):
    """Key Vault did not answer, or refused."""

    code = "key_vault_failed"
    retry_after: int | None = 5


class SealBrokenError(KeyVaultFailedError):
    """A sealed value does not open here: moved, altered, cut, or sealed for another tenant.

    The caller is told no more than of any failure of the keys; waiting does not help.
    """

    retry_after = None


class IdentityProviderFailedError(UpstreamError):
    """Microsoft's or Google's keys or token endpoint did not answer as agreed."""

    code = "identity_provider_failed"

    def __init__(self, retry_after: int = 10) -> None:
        self.retry_after = retry_after
        super().__init__()


class SalesforceFailedError(UpstreamError):
    """Salesforce answered what cannot be read, or refused for a reason that is ours to mend."""

    code = "salesforce_failed"


class SalesforceUnavailableError(SalesforceFailedError):
    """Salesforce is down or unreachable; nothing was carried out."""

    code = "salesforce_unavailable"
    retry_after = 30


class RefreshInProgressError(SalesforceUnavailableError):
    """Salesforce is redeeming this refresh token for somebody else: wait and read again."""

    retry_after = 2


class SalesforceTimeoutError(SalesforceFailedError):
    """The request left, and no answer came that can be read: nobody knows if it was carried out."""

    code = "salesforce_timeout"
