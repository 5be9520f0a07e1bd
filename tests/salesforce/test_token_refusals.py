"""What it means when the token endpoint gives no tokens (O-13, O-14, O-16)."""

import json

import pytest

from shared.errors import (
    FlowRunnerError,
    InvalidStateError,
    NotConnectedError,
    RefreshInProgressError,
    SalesforceFailedError,
    SalesforceLimitError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.secret import Secret
from tests import upstream as up
from tests.salesforce.dance import (
    BOTH,
    INSTANCE,
    LOGIN,
    Trade,
    redeem,
    refresh,
    refusal,
    token_answer,
)
from tests.upstream import Upstream, answering, answering_json, certified, upstream


@pytest.mark.parametrize(
    ("error", "description", "failure"),
    [
        ("invalid_grant", "expired authorization code", InvalidStateError),
        ("invalid_grant", "invalid code verifier", InvalidStateError),
        ("invalid_request", "code verifier does not match", InvalidStateError),
        ("invalid_request", "scope parameter not supported", SalesforceFailedError),
        ("invalid_grant", "ip restricted", NotConnectedError),
        ("inactive_user", "user is inactive", NotConnectedError),
        ("rate_limit_exceeded", "login rate exceeded", SalesforceLimitError),
        ("invalid_client", "invalid client credentials", SalesforceFailedError),
        ("invalid_client_id", "client identifier invalid", SalesforceFailedError),
        ("redirect_uri_mismatch", "redirect_uri must match configuration", SalesforceFailedError),
    ],
)
async def test_a_refused_code_means_start_again_or_ours_to_mend(
    salesforce: Upstream, error: str, description: str, failure: type[FlowRunnerError]
) -> None:
    salesforce.answer = refusal(error, description)
    with pytest.raises(failure) as failed:
        await redeem(salesforce)

    assert type(failed.value) is failure


@pytest.mark.parametrize(
    ("error", "description", "failure"),
    [
        ("invalid_grant", "expired access/refresh token", NotConnectedError),
        ("invalid_grant", "token request is already being processed", RefreshInProgressError),
        ("inactive_org", "organization is suspended", NotConnectedError),
        ("rate_limit_exceeded", "login rate exceeded", SalesforceLimitError),
        ("invalid_client", "invalid client credentials", SalesforceFailedError),
        ("invalid_request", "scope parameter not supported", SalesforceFailedError),
    ],
)
async def test_a_refused_refresh_says_what_became_of_the_grant(
    salesforce: Upstream, error: str, description: str, failure: type[FlowRunnerError]
) -> None:
    salesforce.answer = refusal(error, description)
    with pytest.raises(failure) as failed:
        await refresh(salesforce)

    assert type(failed.value) is failure
    assert len(salesforce.received) == 1


async def test_invalid_client_with_401_is_read_like_any_refusal(salesforce: Upstream) -> None:
    salesforce.answer = refusal("invalid_client", "invalid client credentials", 401)
    with pytest.raises(SalesforceFailedError) as failed:
        await refresh(salesforce)

    assert type(failed.value) is SalesforceFailedError


async def test_no_failure_carries_a_token_or_salesforces_words(salesforce: Upstream) -> None:
    salesforce.answer = refusal("invalid_grant", "canary old-refresh!token.&")
    with pytest.raises(FlowRunnerError) as failed:
        await refresh(salesforce)

    shown = repr(failed.value) + str(failed.value) + json.dumps(failed.value.members())
    assert "canary" not in shown
    assert "old-refresh" not in shown


# --- when the answer is no answer -----------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answering(status=503), id="503"),
        pytest.param(up.page(503), id="503-page"),
        pytest.param(up.page(404), id="404-page"),
        pytest.param(up.page(403), id="403-page"),
        pytest.param(up.redirecting("https://evil.my.salesforce.com.example.com/"), id="302"),
        pytest.param(up.redirecting(f"https://{INSTANCE}/", 307), id="307"),
        pytest.param(answering(status=304), id="304"),
        pytest.param(answering_json({}, status=400), id="400-empty-object"),
        pytest.param(answering_json({"error": 5}, status=400), id="400-no-word"),
        pytest.param(answering_json({"error": ""}, status=400), id="400-empty-word"),
        pytest.param(answering_json([], status=403), id="403-list"),
        pytest.param(answering(b"{", status=401), id="401-broken-json"),
        pytest.param(refusal("invalid_grant", "inactive user", 503), id="503-with-an-error"),
    ],
)
async def test_o14_a_refusal_of_the_edge_carried_nothing_out(
    salesforce: Upstream,
    trade: Trade,
    answer: up.Answer,
) -> None:
    salesforce.answer = answer
    with pytest.raises(SalesforceUnavailableError):
        await trade(salesforce)

    assert len(salesforce.received) == 1


@BOTH
async def test_o14_a_429_is_a_limit_whatever_it_says(salesforce: Upstream, trade: Trade) -> None:
    for answer in (up.page(429), refusal("invalid_grant", "inactive user", 429)):
        salesforce.answer = answer
        with pytest.raises(SalesforceLimitError) as failed:
            await trade(salesforce)

        assert failed.value.retry_after == 60


@BOTH
async def test_members_that_only_the_library_reads_lose_no_grant(
    salesforce: Upstream, trade: Trade
) -> None:
    """It trips over these; what a grant needs is all there."""
    members: list[dict[str, object]] = [{"expires_in": "soon"}, {"expires_in": []}]
    for member in members:
        salesforce.answer = answering_json(token_answer(**member))

        assert (await trade(salesforce)).refresh_token == Secret("new-refresh")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answering(status=500), id="500"),
        pytest.param(up.page(502), id="502-page"),
        pytest.param(up.page(), id="200-page"),
        pytest.param(answering(b""), id="200-empty"),
        pytest.param(answering(b"", content_type="text/plain"), id="200-empty-text"),
        pytest.param(answering(b'{"access_token": '), id="200-broken-json"),
        pytest.param(answering(b"[]"), id="200-list"),
        pytest.param(answering(b"null"), id="200-null"),
        pytest.param(answering(b'"text"'), id="200-text"),
        pytest.param(answering(b"7"), id="200-number"),
        pytest.param(answering(b"{}"), id="200-empty-object"),
        pytest.param(answering_json({"access_token": None}), id="200-null-token"),
        pytest.param(answering(b"a=b", content_type="application/json"), id="200-form-as-json"),
        pytest.param(answering(b'{"a":' * 50_000), id="200-an-abyss"),
        pytest.param(answering_json(token_answer(more="x" * 65_536)), id="200-too-much"),
        pytest.param(answering(b'{"id": "\xff"}'), id="200-no-utf-8"),
        pytest.param(
            answering(json.dumps(token_answer())[:-1].encode() + b',"id":"x"}'), id="200-id-twice"
        ),
        pytest.param(
            answering(json.dumps(token_answer()).encode(), content_type="text/plain"),
            id="200-not-called-json",
        ),
        pytest.param(answering_json(token_answer(), status=201), id="201"),
        pytest.param(answering_json(token_answer(), status=500), id="500-with-tokens"),
        pytest.param(refusal("invalid_grant", "inactive user", 500), id="500-with-an-error"),
        pytest.param(refusal("server_error", "", 502), id="502-with-an-error"),
        pytest.param(answering(status=504), id="504"),
        pytest.param(up.dropping, id="dropped"),
        pytest.param(up.gzipped(bytes(16 * 1024 * 1024)), id="a-decompression-bomb"),
    ],
)
async def test_o14_o16_an_unreadable_answer_leaves_open_whether_the_token_is_spent(
    salesforce: Upstream, answer: up.Answer
) -> None:
    """The request left. Salesforce may have rotated the token: redeeming it again would look like
    theft, and end everything. So none of these may count as 'nothing happened'."""
    salesforce.answer = answer
    with pytest.raises(SalesforceTimeoutError):
        await refresh(salesforce)

    assert {request.host for request in salesforce.received} == {INSTANCE}
    assert len(salesforce.received) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(up.page(), id="a-page"),
        pytest.param(answering(b""), id="empty"),
        pytest.param(answering(b"[]"), id="a-list"),
        pytest.param(answering(b"null"), id="null"),
        pytest.param(answering(b'{"access_token": '), id="broken-json"),
        pytest.param(answering(b"{}"), id="an-empty-object"),
        pytest.param(up.dropping, id="dropped"),
    ],
)
async def test_an_unreadable_answer_to_a_code_is_salesforces_failure(
    salesforce: Upstream, answer: up.Answer
) -> None:
    salesforce.answer = answer

    with pytest.raises(SalesforceFailedError):
        await redeem(salesforce)


@BOTH
async def test_o14_a_connection_that_is_refused_carried_nothing_out(trade: Trade) -> None:
    async with upstream(LOGIN, INSTANCE) as server:
        pass  # where nobody listens any more
    with pytest.raises(SalesforceUnavailableError):
        await trade(server)


@BOTH
async def test_o14_a_server_that_does_not_prove_itself_gets_no_token(trade: Trade) -> None:
    async with upstream(LOGIN, INSTANCE, tls=certified("evil.my.salesforce.com")) as server:
        with pytest.raises(SalesforceUnavailableError):
            await trade(server)

        assert server.received == []
