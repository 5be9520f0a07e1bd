"""Revoking a grant at its own org, against a real HTTPS server."""

import pytest

from shared.errors import (
    HostNotAllowedError,
    SalesforceUnavailableError,
)
from shared.model import Grant
from tests import upstream as up
from tests.salesforce.dance import (
    EVIL,
    GRANT,
    INSTANCE,
    LOGIN,
    ORG,
    SALESFORCE_USER,
    form,
    oauth,
    refusal,
)
from tests.upstream import Upstream, answering


async def test_revoking_sends_the_refresh_token_and_no_client_secret(salesforce: Upstream) -> None:
    salesforce.answer = answering(b"")
    await oauth(salesforce.network).revoke(GRANT)

    (sent,) = salesforce.received
    assert (sent.method, sent.host, sent.path) == ("POST", INSTANCE, "/services/oauth2/revoke")
    assert form(salesforce) == {"token": GRANT.refresh_token.reveal()}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refusal("invalid_token", "invalid token"), id="json"),
        pytest.param(
            answering(
                b"error=invalid_token&error_description=invalid",
                status=400,
                content_type="application/x-www-form-urlencoded",
            ),
            id="form",
        ),
    ],
)
async def test_revoking_what_is_over_already_is_no_error(
    salesforce: Upstream, answer: up.Answer
) -> None:
    salesforce.answer = answer

    await oauth(salesforce.network).revoke(GRANT)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answering(status=503), id="503"),
        pytest.param(answering(status=500), id="500"),
        pytest.param(refusal("unsupported_token_type", "x"), id="400-for-another-reason"),
        pytest.param(up.dropping, id="dropped"),
        pytest.param(up.redirecting(f"https://{EVIL}/"), id="a-redirect"),
        pytest.param(answering(b"x" * 100_000), id="too-much"),
    ],
)
async def test_a_revocation_that_failed_is_told(salesforce: Upstream, answer: up.Answer) -> None:
    salesforce.answer = answer
    with pytest.raises(SalesforceUnavailableError):
        await oauth(salesforce.network).revoke(GRANT)

    assert {request.host for request in salesforce.received} == {INSTANCE}


async def test_revoking_stops_at_a_host_that_is_not_salesforces(salesforce: Upstream) -> None:
    stored = Grant(
        org=ORG,
        salesforce_user=SALESFORCE_USER,
        instance_host=EVIL,
        login_host=LOGIN,
        refresh_token=GRANT.refresh_token,
        access_token=GRANT.access_token,
    )
    with pytest.raises(HostNotAllowedError):
        await oauth(salesforce.network).revoke(stored)
    with pytest.raises(HostNotAllowedError):
        await oauth(salesforce.network).refresh(stored)

    assert salesforce.received == []
