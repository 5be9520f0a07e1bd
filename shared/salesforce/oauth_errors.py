"""What each error of Salesforce's token endpoint means for a grant: one table.

Branches on `error`; the description only singles out what `invalid_grant` does not say by itself
(Salesforce Help, "OAuth 2.0 Authorization Errors"). Three kinds: the grant has ended, waiting
helps, or the mistake is ours and ends nothing.
"""

from collections.abc import Mapping
from typing import Final

from shared.errors import (
    FlowRunnerError,
    NotConnectedError,
    RefreshInProgressError,
    SalesforceFailedError,
    SalesforceLimitError,
    SalesforceUnavailableError,
)
from shared.model import Health

_RATE_LIMIT_SECONDS: Final = 60

ENDED: Final[Mapping[str, Health]] = {
    "inactive_user": Health.USER_INACTIVE,
    "invalid_app_access": Health.APP_NOT_APPROVED,
    "app_blocked": Health.APP_NOT_APPROVED,
    "fail_close_app_blocked": Health.APP_NOT_APPROVED,
    "access_denied": Health.APP_NOT_APPROVED,
    "inactive_org": Health.ORG_UNAVAILABLE,
}
"""Errors that say by themselves why the grant cannot be used."""

INVALID_GRANT: Final[tuple[tuple[str, Health], ...]] = (
    ("expired access/refresh token", Health.REVOKED),
    ("inactive user", Health.USER_INACTIVE),
    ("user is inactive", Health.USER_INACTIVE),
    ("hasn't approved this consumer", Health.APP_NOT_APPROVED),
    ("not admin approved", Health.APP_NOT_APPROVED),
    ("ip restricted", Health.IP_NOT_ALLOWED),
    ("login hours", Health.IP_NOT_ALLOWED),
    ("authentication failure", Health.REVOKED),
)
"""What the description of an `invalid_grant` contains, and what that means."""

IN_PROGRESS: Final = ("already being processed", "expired authorization code")
"""Somebody else is redeeming this refresh token (the second wording: before Winter '25)."""

TRANSIENT: Final = frozenset(
    {"server_error", "service_unavailable", "system_down", "slow_down", "unknown_error"}
)


def refresh_error(error: str, description: str) -> FlowRunnerError:
    """The failure that an error of the refresh stands for. Unknown errors end nothing."""
    if error in ENDED:
        return _ended(ENDED[error])
    if error in TRANSIENT:
        return SalesforceUnavailableError()
    if error == "rate_limit_exceeded":
        return SalesforceLimitError(_RATE_LIMIT_SECONDS)
    if error == "invalid_grant":
        return _invalid_grant(description.lower())
    return SalesforceFailedError()


def _invalid_grant(said: str) -> FlowRunnerError:
    if any(words in said for words in IN_PROGRESS):
        return RefreshInProgressError()
    for words, health in INVALID_GRANT:
        if words in said:
            return _ended(health)
    return SalesforceFailedError()


def _ended(health: Health) -> NotConnectedError:
    return NotConnectedError(health.value, health.action)
