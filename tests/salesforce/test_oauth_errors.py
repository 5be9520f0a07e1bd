"""What each refusal of Salesforce's token endpoint means, row by row (O-14).

The table decides what the service does, so it is written down here a second time, by hand: a row
that is added, dropped or changed there alone fails.
"""

from typing import Final

import pytest

from shared.errors import (
    FlowRunnerError,
    InvalidStateError,
    NotConnectedError,
    RefreshInProgressError,
    SalesforceFailedError,
    SalesforceLimitError,
    SalesforceUnavailableError,
)
from shared.salesforce.oauth_errors import code_error, refresh_error
from shared.salesforce.token_refusals import REFUSALS, Refusal, refusal_of

ENDED: Final = [
    # error, description, health, action
    ("invalid_grant", "expired access/refresh token", "revoked", "reconnect"),
    ("invalid_grant", "authentication failure", "revoked", "reconnect"),
    ("invalid_grant", "inactive user", "user_inactive", "ask_admin"),
    ("invalid_grant", "user is inactive", "user_inactive", "ask_admin"),
    ("invalid_grant", "user hasn't approved this consumer", "app_not_approved", "ask_admin"),
    (
        "invalid_grant",
        "user is not admin approved to access this app",
        "app_not_approved",
        "ask_admin",
    ),
    ("invalid_grant", "ip restricted or invalid login hours", "ip_not_allowed", "ask_admin"),
    ("invalid_grant", "ip restricted", "ip_not_allowed", "ask_admin"),
    ("invalid_grant", "invalid login hours", "ip_not_allowed", "ask_admin"),
    ("inactive_user", "user is inactive", "user_inactive", "ask_admin"),
    (
        "invalid_app_access",
        "user is not admin approved to access this app",
        "app_not_approved",
        "ask_admin",
    ),
    ("app_blocked", "", "app_not_approved", "ask_admin"),
    ("fail_close_app_blocked", "", "app_not_approved", "ask_admin"),
    ("access_denied", "end-user denied authorization", "app_not_approved", "ask_admin"),
    # An org that is away takes no grant along.
    ("inactive_org", "org is locked", "org_unavailable", "wait"),
    ("invalid_grant", "org is locked", "org_unavailable", "wait"),
    ("invalid_grant", "org is closed", "org_unavailable", "wait"),
    ("invalid_grant", "org is suspended", "org_unavailable", "wait"),
    ("invalid_grant", "organization is locked", "org_unavailable", "wait"),
    ("invalid_grant", "organization is closed", "org_unavailable", "wait"),
    ("invalid_grant", "organization is suspended", "org_unavailable", "wait"),
]

IN_PROGRESS: Final = [
    ("invalid_grant", "token request is already being processed"),
    ("invalid_grant", "expired authorization code"),  # the wording before Winter '25
]

UNAVAILABLE: Final = [
    ("server_error", ""),
    ("service_unavailable", ""),
    ("system_down", ""),
    ("slow_down", ""),
    ("unknown_error", ""),
]

LIMIT: Final = [("rate_limit_exceeded", "login rate exceeded")]

OURS_TO_MEND: Final = [
    ("invalid_client", "invalid client credentials"),
    ("invalid_client_id", "client identifier invalid"),
    ("invalid_basic_auth_header", "invalid basic auth header"),
    ("redirect_uri_mismatch", "redirect_uri must match configuration"),
    ("redirect_uri_missing", "redirect_uri must match configuration"),
    ("invalid_grant", "ip restricted by app developer"),
    ("invalid_grant", "request not supported on this domain"),
    ("invalid_grant", "audience validation failed"),
    ("invalid_grant", "invalid assertion"),
    ("invalid_grant", "invalid authorization code"),
    ("invalid_grant", "invalid code verifier"),
    ("invalid_grant", "missing required code verifier"),
    ("invalid_grant", ""),
    ("invalid_request", "HTTPS required"),
    ("invalid_request", "must use HTTP POST"),
    ("invalid_request", "scope parameter not supported"),
    ("invalid_request", "missing required code challenge"),
    ("invalid_request", "parameter included more than once"),
    ("invalid_request", "invalid code verifier"),
    ("invalid_request", ""),
    ("unsupported_grant_type", "grant type not supported"),
    ("unsupported_response_type", "response type not supported"),
    ("invalid_scope", "the requested scope is not allowed"),
    ("immediate_unsuccessful", "immediate unsuccessful"),
    ("app_attest_failed", ""),
    ("app_attest_failed_retry", ""),
    ("app_not_found", ""),
    ("authorization_pending", ""),
    ("bad_jti_claim", ""),
    ("ecapp_policy_not_found", ""),
    ("exceeded_registration_limit", ""),
    ("failed_registration", ""),
    ("installation_error", ""),
    ("invalid_assertion_type", ""),
    ("invalid_distribution_state", ""),
    ("invalid_dpop_proof", ""),
    ("invalid_expid", ""),
    ("invalid_otp", ""),
    ("invalid_session_level", ""),
    ("invalid_token", ""),
    ("login_error", ""),
    ("oauth_flow_disabled", ""),
    ("oauth_policy_not_found", ""),
    ("otp_error", ""),
    ("registration_error", ""),
    ("unsupported_expid", ""),
    ("unsupported_token_type", ""),
    ("use_dpop_nonce", ""),
]

START_AGAIN: Final = [
    # What a code is refused with if it is no good; the rest means the same for both.
    ("invalid_grant", "expired authorization code"),
    ("invalid_grant", "invalid authorization code"),
    ("invalid_grant", "invalid code verifier"),
    ("invalid_grant", "missing required code verifier"),
    ("invalid_grant", "request not supported on this domain"),
    ("invalid_grant", "expired access/refresh token"),
    ("invalid_grant", "authentication failure"),
    ("invalid_grant", ""),
    ("invalid_request", "invalid code verifier"),
    ("invalid_request", ""),
]

UNKNOWN: Final = [
    ("invalid_grant", "words that nobody has seen"),
    ("invalid_request", "words that nobody has seen"),
    ("something_new", "expired access/refresh token"),
    ("invalid_grants", "expired access/refresh token"),
    ("", ""),
    ("None", "None"),
]

ALL: Final = [
    *((error, said) for error, said, _, _ in ENDED),
    *IN_PROGRESS,
    *UNAVAILABLE,
    *LIMIT,
    *OURS_TO_MEND,
]

SERVERS_OWN_LIST: Final = """
access_denied app_attest_failed app_attest_failed_retry app_blocked app_not_found
authorization_pending bad_jti_claim ecapp_policy_not_found exceeded_registration_limit
fail_close_app_blocked failed_registration immediate_unsuccessful installation_error
invalid_app_access invalid_assertion_type invalid_basic_auth_header invalid_client
invalid_client_id invalid_distribution_state invalid_dpop_proof invalid_expid invalid_grant
invalid_otp invalid_request invalid_scope invalid_session_level invalid_token login_error
oauth_flow_disabled oauth_policy_not_found otp_error redirect_uri_mismatch redirect_uri_missing
registration_error server_error service_unavailable slow_down system_down unknown_error
unsupported_expid unsupported_grant_type unsupported_response_type unsupported_token_type
use_dpop_nonce
"""
"""https://github.com/forcedotcom/SalesforceMobileSDK-Android, OAuthErrorCode.kt."""

SPELT: Final = pytest.mark.parametrize(
    "spelt", [str, str.upper, str.title], ids=["plain", "upper", "title"]
)


def test_the_table_and_this_file_have_the_same_rows() -> None:
    assert sorted((row.error, row.said) for row in REFUSALS) == sorted(ALL)


def test_every_error_of_the_servers_own_list_is_in_the_table() -> None:
    listed = SERVERS_OWN_LIST.split()

    assert set(listed) <= {row.error for row in REFUSALS}
    assert len(listed) == 44


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.name)
@SPELT
def test_no_row_stands_in_anothers_way(row: Refusal, spelt: type[str]) -> None:
    """The first row that fits is taken; where one is hidden by an earlier one, this fails."""
    assert refusal_of(row.error, spelt(row.said)) is row
    assert row.words == row.words.lower()
    assert row.words in row.said.lower()


@pytest.mark.parametrize(("error", "description", "health", "action"), ENDED)
@SPELT
def test_a_grant_that_has_ended_says_why_and_what_mends_it(
    error: str, description: str, health: str, action: str, spelt: type[str]
) -> None:
    failure = refresh_error(error, f"Sorry: {spelt(description)}!")

    assert type(failure) is NotConnectedError
    assert failure.members() == {"health": health, "action": action}


@pytest.mark.parametrize(("error", "description"), IN_PROGRESS)
@SPELT
def test_a_token_that_somebody_else_is_redeeming_is_waited_for(
    error: str, description: str, spelt: type[str]
) -> None:
    failure = refresh_error(error, spelt(description))

    assert type(failure) is RefreshInProgressError
    assert failure.retry_after == 2


@pytest.mark.parametrize(("error", "description"), UNAVAILABLE)
def test_what_passes_by_itself_ends_nothing(error: str, description: str) -> None:
    failure = refresh_error(error, description)

    assert type(failure) is SalesforceUnavailableError
    assert failure.retry_after == 30


@pytest.mark.parametrize(("error", "description"), LIMIT)
def test_too_many_logins_are_a_limit_with_a_time_to_wait(error: str, description: str) -> None:
    failure = refresh_error(error, description)

    assert type(failure) is SalesforceLimitError
    assert failure.retry_after == 60


@pytest.mark.parametrize(("error", "description"), [*OURS_TO_MEND, *UNKNOWN])
def test_what_is_ours_to_mend_and_what_nobody_knows_ends_no_users_grant(
    error: str, description: str
) -> None:
    assert type(refresh_error(error, description)) is SalesforceFailedError


@pytest.mark.parametrize(("error", "description"), START_AGAIN)
@SPELT
def test_a_code_that_is_no_good_means_start_again(
    error: str, description: str, spelt: type[str]
) -> None:
    assert type(code_error(error, spelt(description))) is InvalidStateError


@pytest.mark.parametrize(
    ("error", "description"), [row for row in ALL if row not in START_AGAIN], ids=str
)
def test_every_other_refusal_of_a_code_means_what_it_means_for_a_refresh(
    error: str, description: str
) -> None:
    of_code, of_refresh = code_error(error, description), refresh_error(error, description)

    assert type(of_code) is type(of_refresh)
    assert of_code.members() == of_refresh.members()


@pytest.mark.parametrize(("error", "description"), [*ALL, *UNKNOWN])
def test_no_text_of_salesforces_goes_along(error: str, description: str) -> None:
    """An error carries a code and documented members; upstream texts stay out of it."""
    for read in (refresh_error, code_error):
        failure: FlowRunnerError = read(error, f"{description} canary")

        assert "canary" not in repr(failure) + str(failure) + str(failure.members())
