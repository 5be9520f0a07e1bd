"""Every refusal of Salesforce's token endpoint, and what it means: one table.

The service branches on it, the simulator of the local stack refuses with its rows alone, and the
tests run over it. Sources: Salesforce Help, "OAuth 2.0 Authorization Errors"
(https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_flow_errors.htm), and the
server's list of codes as the Mobile SDK mirrors it
(https://github.com/forcedotcom/SalesforceMobileSDK-Android, OAuthErrorCode.kt).

`error` decides; the description only singles out what an error does not say by itself.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from shared.model import Health


class Remedy(Enum):
    """What helps where the grant has not ended."""

    WAIT_FOR_ANOTHER = auto()
    """Somebody else is redeeming the same refresh token: wait, and read again."""
    WAIT = auto()
    """Salesforce is down, or busy."""
    WAIT_FOR_LIMIT = auto()
    """Too many logins: wait longer."""
    START_AGAIN = auto()
    """This code is no good. Another one is."""
    ALARM = auto()
    """Ours to mend, or known to nobody. No user's grant has ended."""


type Meaning = Remedy | Health
"""A `Health` is why the grant cannot be used; its action says whether waiting may mend that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One row: an error, the words in its description that make it this row, and what it means.

    `words` are in lower case, and empty where the error decides alone. `said` is a description as
    Salesforce words it. `of_code` is what the row means where a code was shown, if that differs
    from what it means for a refresh token.
    """

    error: str
    words: str
    said: str
    meaning: Meaning
    of_code: Meaning

    @property
    def name(self) -> str:
        return f"{self.error}: {self.said}" if self.said else self.error


def _row(
    error: str,
    meaning: Meaning,
    said: str = "",
    *,
    words: str | None = None,
    of_code: Meaning | None = None,
) -> Refusal:
    """The words that decide are the whole of `said`, unless others are given."""
    return Refusal(
        error=error,
        words=said.lower() if words is None else words,
        said=said,
        meaning=meaning,
        of_code=of_code or meaning,
    )


def _by_error(error: str, meaning: Meaning, said: str = "") -> Refusal:
    """The error decides alone, whatever it says."""
    return _row(error, meaning, said, words="")


_INVALID_GRANT: Final = "invalid_grant"
_INVALID_REQUEST: Final = "invalid_request"
_START_AGAIN: Final = Remedy.START_AGAIN
_ALARM: Final = Remedy.ALARM

_GRANT_ENDED: Final = (
    # Revoked, idle for too long, rotated out, or a policy: Salesforce does not tell which.
    _row(_INVALID_GRANT, Health.REVOKED, "expired access/refresh token", of_code=_START_AGAIN),
    _row(_INVALID_GRANT, Health.REVOKED, "authentication failure", of_code=_START_AGAIN),
    _row(_INVALID_GRANT, Health.USER_INACTIVE, "inactive user"),
    _row(_INVALID_GRANT, Health.USER_INACTIVE, "user is inactive"),
    _row(_INVALID_GRANT, Health.APP_NOT_APPROVED, "user hasn't approved this consumer"),
    _row(_INVALID_GRANT, Health.APP_NOT_APPROVED, "user is not admin approved to access this app"),
    # Our own allow-list of addresses, so it stands before the org's, whose words it contains.
    _row(_INVALID_GRANT, _ALARM, "ip restricted by app developer"),
    _row(_INVALID_GRANT, Health.IP_NOT_ALLOWED, "ip restricted or invalid login hours"),
    _row(_INVALID_GRANT, Health.IP_NOT_ALLOWED, "ip restricted"),
    _row(_INVALID_GRANT, Health.IP_NOT_ALLOWED, "invalid login hours"),
    _by_error("inactive_user", Health.USER_INACTIVE, "user is inactive"),
    _by_error(
        "invalid_app_access",
        Health.APP_NOT_APPROVED,
        "user is not admin approved to access this app",
    ),
    _by_error("app_blocked", Health.APP_NOT_APPROVED),
    _by_error("fail_close_app_blocked", Health.APP_NOT_APPROVED),
    _by_error("access_denied", Health.APP_NOT_APPROVED, "end-user denied authorization"),
)

_ORG_AWAY: Final = (
    # Locked orgs are unlocked again, and their grants serve as before: nothing has ended.
    *(
        _row(_INVALID_GRANT, Health.ORG_UNAVAILABLE, f"{org} is {state}")
        for org in ("org", "organization")
        for state in ("locked", "closed", "suspended")
    ),
    _by_error("inactive_org", Health.ORG_UNAVAILABLE, "org is locked"),
)

_WAITING_HELPS: Final = (
    _row(_INVALID_GRANT, Remedy.WAIT_FOR_ANOTHER, "token request is already being processed"),
    # The same before Winter '25; for a code it means what it says.
    _row(
        _INVALID_GRANT,
        Remedy.WAIT_FOR_ANOTHER,
        "expired authorization code",
        of_code=_START_AGAIN,
    ),
    _by_error("rate_limit_exceeded", Remedy.WAIT_FOR_LIMIT, "login rate exceeded"),
    _by_error("server_error", Remedy.WAIT),
    _by_error("service_unavailable", Remedy.WAIT),
    _by_error("slow_down", Remedy.WAIT),
    _by_error("system_down", Remedy.WAIT),
    _by_error("unknown_error", Remedy.WAIT),
)

_OF_A_CODE: Final = tuple(
    _row(error, _ALARM, said, of_code=_START_AGAIN)
    for error, said in (
        (_INVALID_GRANT, "invalid authorization code"),
        (_INVALID_GRANT, "invalid code verifier"),
        (_INVALID_GRANT, "missing required code verifier"),
        (_INVALID_GRANT, "request not supported on this domain"),
        (_INVALID_REQUEST, "invalid code verifier"),
    )
)

_OURS_TO_MEND: Final = (
    _row(_INVALID_GRANT, _ALARM, "audience validation failed"),
    _row(_INVALID_GRANT, _ALARM, "invalid assertion"),
    _row(_INVALID_REQUEST, _ALARM, "HTTPS required"),
    _row(_INVALID_REQUEST, _ALARM, "must use HTTP POST"),
    _row(_INVALID_REQUEST, _ALARM, "scope parameter not supported"),
    _row(_INVALID_REQUEST, _ALARM, "missing required code challenge"),
    _row(_INVALID_REQUEST, _ALARM, "parameter included more than once"),
    _by_error("invalid_client", _ALARM, "invalid client credentials"),
    _by_error("invalid_client_id", _ALARM, "client identifier invalid"),
    _by_error("invalid_basic_auth_header", _ALARM, "invalid basic auth header"),
    _by_error("redirect_uri_mismatch", _ALARM, "redirect_uri must match configuration"),
    _by_error("redirect_uri_missing", _ALARM, "redirect_uri must match configuration"),
    _by_error("unsupported_grant_type", _ALARM, "grant type not supported"),
    _by_error("unsupported_response_type", _ALARM, "response type not supported"),
    _by_error("invalid_scope", _ALARM, "the requested scope is not allowed"),
    _by_error("immediate_unsuccessful", _ALARM, "immediate unsuccessful"),
    *(
        _by_error(error, _ALARM)
        for error in (
            "app_attest_failed",
            "app_attest_failed_retry",
            "app_not_found",
            "authorization_pending",
            "bad_jti_claim",
            "ecapp_policy_not_found",
            "exceeded_registration_limit",
            "failed_registration",
            "installation_error",
            "invalid_assertion_type",
            "invalid_distribution_state",
            "invalid_dpop_proof",
            "invalid_expid",
            "invalid_otp",
            "invalid_session_level",
            "invalid_token",
            "login_error",
            "oauth_flow_disabled",
            "oauth_policy_not_found",
            "otp_error",
            "registration_error",
            "unsupported_expid",
            "unsupported_token_type",
            "use_dpop_nonce",
        )
    ),
    # Whatever else they say.
    _row(_INVALID_GRANT, _ALARM, of_code=_START_AGAIN),
    _row(_INVALID_REQUEST, _ALARM, of_code=_START_AGAIN),
)

REFUSALS: Final = (*_GRANT_ENDED, *_ORG_AWAY, *_WAITING_HELPS, *_OF_A_CODE, *_OURS_TO_MEND)
"""All rows. The first that fits an answer is its row."""


def refusal_of(error: str, description: str) -> Refusal | None:
    """The row of an answer; None for an error that is not in the table."""
    said = description.lower()
    fitting = (row for row in REFUSALS if row.error == error and row.words in said)
    return next(fitting, None)
