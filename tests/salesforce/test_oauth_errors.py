"""What each error of Salesforce's token endpoint means for a grant: the whole table (O-14)."""

from typing import Final

import pytest

from shared.errors import (
    FlowRunnerError,
    NotConnectedError,
    RefreshInProgressError,
    SalesforceFailedError,
    SalesforceLimitError,
    SalesforceUnavailableError,
)
from shared.salesforce.oauth_errors import refresh_error

ENDED: Final = [
    # error, description, health, action
    ("invalid_grant", "expired access/refresh token", "revoked", "reconnect"),
    ("invalid_grant", "authentication failure", "revoked", "reconnect"),
    ("invalid_grant", "user hasn't approved this consumer", "app_not_approved", "ask_admin"),
    ("invalid_grant", "inactive user", "user_inactive", "ask_admin"),
    ("invalid_grant", "user is inactive", "user_inactive", "ask_admin"),
    ("invalid_grant", "ip restricted or invalid login hours", "ip_not_allowed", "ask_admin"),
    ("invalid_grant", "ip restricted", "ip_not_allowed", "ask_admin"),
    ("invalid_grant", "ip restricted by app developer", "ip_not_allowed", "ask_admin"),
    ("inactive_user", "user is inactive", "user_inactive", "ask_admin"),
    ("inactive_org", "organization is locked", "org_unavailable", "wait"),
    ("inactive_org", "organization is closed", "org_unavailable", "wait"),
    ("inactive_org", "organization is suspended", "org_unavailable", "wait"),
    (
        "invalid_app_access",
        "user is not admin approved to access this app",
        "app_not_approved",
        "ask_admin",
    ),
    ("app_blocked", "app is blocked", "app_not_approved", "ask_admin"),
]

IN_PROGRESS: Final = [
    ("invalid_grant", "token request is already being processed"),
    ("invalid_grant", "expired authorization code"),  # the wording before Winter '25
]

UNAVAILABLE: Final = [
    ("server_error", "server error"),
    ("service_unavailable", "service unavailable"),
    ("system_down", "system down"),
    ("slow_down", "slow down"),
    ("unknown_error", "unknown error"),
]

OURS_TO_MEND: Final = [
    ("invalid_client", "invalid client credentials"),
    ("invalid_client_id", "client identifier invalid"),
    ("invalid_grant", "request not supported on this domain"),
    ("invalid_grant", "audience validation failed"),
    ("invalid_grant", "invalid assertion"),
    ("invalid_grant", ""),
    ("invalid_grant", "words that nobody has seen"),
    ("redirect_uri_mismatch", "redirect_uri must match configuration"),
    ("redirect_uri_missing", "redirect_uri is missing"),
    ("unsupported_grant_type", "grant type not supported"),
    ("unsupported_response_type", "response type not supported"),
    ("invalid_request", "HTTPS required"),
    ("invalid_request", "must use HTTP POST"),
    ("invalid_request", "scope parameter not supported"),
    ("invalid_request", "missing required code challenge"),
    ("invalid_scope", "the requested scope is invalid"),
    ("invalid_assertion_type", "assertion type not supported"),
    ("oauth_flow_disabled", "flow disabled"),
    ("app_not_found", "app not found"),
    ("missing_token", "what the library says of an answer without a token"),
    ("something_new", "expired access/refresh token"),
    ("", ""),
    ("None", "None"),
]


@pytest.mark.parametrize(("error", "description", "health", "action"), ENDED)
@pytest.mark.parametrize("spelt", [str, str.upper, str.title], ids=["plain", "upper", "title"])
def test_a_grant_that_has_ended_says_why_and_what_mends_it(
    error: str, description: str, health: str, action: str, spelt: type[str]
) -> None:
    failure = refresh_error(error, spelt(description))

    assert type(failure) is NotConnectedError
    assert failure.members() == {"health": health, "action": action}


@pytest.mark.parametrize(("error", "description"), IN_PROGRESS)
@pytest.mark.parametrize("spelt", [str, str.upper], ids=["plain", "upper"])
def test_a_token_that_somebody_else_is_redeeming_is_waited_for(
    error: str, description: str, spelt: type[str]
) -> None:
    failure = refresh_error(error, spelt(description))

    assert type(failure) is RefreshInProgressError
    assert failure.retry_after is not None


@pytest.mark.parametrize(("error", "description"), UNAVAILABLE)
def test_what_passes_by_itself_ends_nothing(error: str, description: str) -> None:
    failure = refresh_error(error, description)

    assert type(failure) is SalesforceUnavailableError
    assert failure.retry_after is not None


def test_too_many_logins_are_a_limit_with_a_time_to_wait() -> None:
    failure = refresh_error("rate_limit_exceeded", "login rate exceeded")

    assert type(failure) is SalesforceLimitError
    assert failure.retry_after == 60


@pytest.mark.parametrize(("error", "description"), OURS_TO_MEND)
def test_what_is_ours_to_mend_and_what_nobody_knows_ends_no_users_grant(
    error: str, description: str
) -> None:
    assert type(refresh_error(error, description)) is SalesforceFailedError


@pytest.mark.parametrize(
    ("error", "description"),
    [
        *((error, description) for error, description, _, _ in ENDED),
        *IN_PROGRESS,
        *UNAVAILABLE,
        *OURS_TO_MEND,
    ],
)
def test_no_text_of_salesforces_goes_along(error: str, description: str) -> None:
    """An error carries a code and documented members; upstream texts stay out of it."""
    failure: FlowRunnerError = refresh_error(error, f"{description} canary")

    assert "canary" not in repr(failure) + str(failure) + str(failure.members())
