"""Codes and refresh tokens traded against a real HTTPS server: what a grant must prove, and what
each bad answer means (O-05, O-09, O-10, O-13 to O-16)."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from local import scene
from shared.errors import (
    FlowRunnerError,
    HostNotAllowedError,
    InvalidStateError,
    NotConnectedError,
    RefreshInProgressError,
    SalesforceFailedError,
    SalesforceLimitError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import Grant, OrgId
from shared.network import Network
from shared.salesforce.oauth import CLIENT_SECRET, SCOPES, SalesforceOAuth
from shared.secret import Secret
from tests import upstream as up
from tests.test_salesforce_hosts import FOREIGN
from tests.upstream import Upstream, answering, answering_json, certified, upstream

LOGIN: Final = "login.salesforce.com"
INSTANCE: Final = "contoso.my.salesforce.com"
EVIL: Final = "evil.my.salesforce.com.example.com"
CONSUMER_SECRET: Final = "made-up consumer secret"
CALLBACK: Final = "https://flowrunner.example.com/api/v1/salesforce/callback"
ORG: Final = OrgId.parse(scene.SALESFORCE_ORG_ID)
SALESFORCE_USER: Final = "005xx000001SwiUAAS"
OTHER_ORG: Final = OrgId.parse("00D5g00000FABRI")
VERIFIER: Final = Secret("v" * 86)
GRANT: Final = Grant(
    org=ORG,
    salesforce_user=SALESFORCE_USER,
    instance_host=INSTANCE,
    login_host=LOGIN,
    refresh_token=Secret("old-refresh!token.&"),
    access_token=Secret("old-access"),
)


type Trade = Callable[[Upstream], Awaitable[Grant]]


def sign(identity: object, issued_at: object, secret: str = CONSUMER_SECRET) -> str:
    """HMAC-SHA256 of `id` and `issued_at`, as Salesforce makes it (protocols A4)."""
    digest = hmac.digest(secret.encode(), f"{identity}{issued_at}".encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def token_answer(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """A good answer of the token endpoint (A2), signed after the changes; `...` removes."""
    answer = {
        "access_token": f"{ORG[:15]}!new-access",
        "refresh_token": "new-refresh",
        "scope": "refresh_token web api lightning",
        "instance_url": f"https://{INSTANCE}",
        "id": f"https://{LOGIN}/id/{ORG}/{SALESFORCE_USER}",
        "token_type": "Bearer",
        "issued_at": "1768478400000",
        **changes,
    }
    answer.setdefault("signature", sign(answer["id"], answer["issued_at"]))
    return {name: value for name, value in answer.items() if value is not ...}


def refusal(error: str, description: str, status: int = 400) -> up.Answer:
    return answering_json({"error": error, "error_description": description}, status=status)


def oauth(network: Network) -> SalesforceOAuth:
    async def secret(name: str) -> Secret:
        assert name == CLIENT_SECRET
        return Secret(CONSUMER_SECRET)

    return SalesforceOAuth(
        network,
        client_id=scene.SALESFORCE_CLIENT_ID,
        client_secret=secret,
        callback_url=CALLBACK,
    )


@pytest.fixture
async def salesforce() -> AsyncIterator[Upstream]:
    async with upstream(LOGIN, INSTANCE, EVIL) as server:
        server.answer = answering_json(token_answer())
        yield server


async def redeem(salesforce: Upstream) -> Grant:
    return await oauth(salesforce.network).redeem_code(
        LOGIN, code=Secret("aPrx-code=="), verifier=VERIFIER
    )


async def refresh(salesforce: Upstream) -> Grant:
    return await oauth(salesforce.network).refresh(GRANT)


BOTH: Final = pytest.mark.parametrize(
    "trade", [pytest.param(redeem, id="code"), pytest.param(refresh, id="refresh")]
)


def form(salesforce: Upstream) -> dict[str, str]:
    """The one form that was sent."""
    (sent,) = salesforce.received
    assert sent.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    pairs = parse_qs(sent.body.decode(), keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in pairs.values())
    return {name: values[0] for name, values in pairs.items()}


# --- the address to send the browser to ----------------------------------------------------------


def test_o05_the_authorize_address_asks_for_exactly_our_scopes_with_s256() -> None:
    url = oauth(Network()).authorize_url(LOGIN, state="the-state", verifier=VERIFIER)
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    challenge = hashlib.sha256(VERIFIER.reveal().encode()).digest()

    assert (parts.scheme, parts.netloc) == ("https", LOGIN)
    assert parts.path == "/services/oauth2/authorize"
    assert query == {
        "response_type": "code",
        "client_id": scene.SALESFORCE_CLIENT_ID,
        "redirect_uri": CALLBACK,
        "scope": "lightning api web refresh_token offline_access",
        "state": "the-state",
        "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    assert VERIFIER.reveal() not in url
    assert " ".join(SCOPES) == query["scope"]


async def test_no_foreign_host_is_a_place_to_log_in(salesforce: Upstream) -> None:
    login = oauth(salesforce.network)
    for (host,) in (case.values for case in FOREIGN):
        with pytest.raises(HostNotAllowedError):
            login.authorize_url(str(host), state="s", verifier=VERIFIER)
        with pytest.raises(HostNotAllowedError):
            await login.redeem_code(str(host), code=Secret("c"), verifier=VERIFIER)

    assert salesforce.received == []


# --- what goes out -------------------------------------------------------------------------------


async def test_a_code_is_traded_with_verifier_and_secret_and_without_scope(
    salesforce: Upstream,
) -> None:
    grant = await redeem(salesforce)

    assert form(salesforce) == {
        "grant_type": "authorization_code",
        "code": "aPrx-code==",
        "redirect_uri": CALLBACK,
        "client_id": scene.SALESFORCE_CLIENT_ID,
        "client_secret": CONSUMER_SECRET,
        "code_verifier": VERIFIER.reveal(),
    }
    (sent,) = salesforce.received
    assert (sent.method, sent.host, sent.path) == ("POST", LOGIN, "/services/oauth2/token")
    assert "Authorization" not in sent.headers
    assert grant == Grant(
        org=ORG,
        salesforce_user=SALESFORCE_USER,
        instance_host=INSTANCE,
        login_host=LOGIN,
        refresh_token=Secret("new-refresh"),
        access_token=Secret(f"{ORG[:15]}!new-access"),
    )


async def test_a_refresh_goes_to_the_orgs_own_host_without_scope(salesforce: Upstream) -> None:
    grant = await refresh(salesforce)

    assert form(salesforce) == {
        "grant_type": "refresh_token",
        "refresh_token": GRANT.refresh_token.reveal(),
        "client_id": scene.SALESFORCE_CLIENT_ID,
        "client_secret": CONSUMER_SECRET,
    }
    assert salesforce.received[0].host == INSTANCE
    assert grant.refresh_token == Secret("new-refresh")


async def test_without_rotation_the_refresh_token_stays(salesforce: Upstream) -> None:
    salesforce.answer = answering_json(token_answer(refresh_token=...))

    assert (await refresh(salesforce)).refresh_token == GRANT.refresh_token


async def test_a_refresh_follows_an_org_that_moved(salesforce: Upstream) -> None:
    salesforce.answer = answering_json(
        token_answer(instance_url="https://renamed.my.salesforce.com")
    )

    assert (await refresh(salesforce)).instance_host == "renamed.my.salesforce.com"


async def test_a_token_answer_may_hold_members_that_nobody_asked_for(salesforce: Upstream) -> None:
    extra = {"sfdc_community_url": "https://x", "id_token": "eyJ", "state": "x", "new": [1]}
    salesforce.answer = answering_json(token_answer(**extra))

    assert (await redeem(salesforce)).org == ORG


# --- what a grant must prove ---------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"signature": ...}, id="no-signature"),
        pytest.param({"signature": ""}, id="an-empty-signature"),
        pytest.param({"signature": None}, id="a-null-signature"),
        pytest.param({"signature": "****"}, id="a-signature-that-is-no-base64"),
        pytest.param({"signature": "ü"}, id="a-signature-beyond-ascii"),
        pytest.param({"signature": ["x"]}, id="a-signature-that-is-a-list"),
        pytest.param({"signature": sign("x", "y")}, id="the-signature-of-something-else"),
        pytest.param(
            {
                "signature": sign(
                    f"https://{LOGIN}/id/{ORG}/{SALESFORCE_USER}", "1768478400000", "other secret"
                )
            },
            id="a-signature-under-another-secret",
        ),
        pytest.param(
            {"signature": sign(f"https://{LOGIN}/id/{ORG}/{SALESFORCE_USER}", "1768478400001")},
            id="the-signature-of-another-time",
        ),
        pytest.param({"id": ...}, id="no-identity"),
        pytest.param({"id": None}, id="a-null-identity"),
        pytest.param({"issued_at": ...}, id="no-time"),
        pytest.param({"issued_at": 1_768_478_400_000}, id="a-time-that-is-a-number"),
        pytest.param({"access_token": ["x"]}, id="an-access-token-that-is-a-list"),
        pytest.param({"refresh_token": 5}, id="a-refresh-token-that-is-a-number"),
        pytest.param({"refresh_token": ""}, id="an-empty-refresh-token"),
        pytest.param({"instance_url": ...}, id="no-instance"),
        pytest.param({"instance_url": None}, id="a-null-instance"),
        pytest.param({"instance_url": [f"https://{INSTANCE}"]}, id="an-instance-list"),
    ],
)
async def test_an_answer_that_does_not_prove_itself_is_no_grant(
    salesforce: Upstream,
    trade: Trade,
    changes: dict[str, Any],
) -> None:
    salesforce.answer = answering_json(token_answer(**changes))

    with pytest.raises(SalesforceFailedError):
        await trade(salesforce)


async def test_a_code_grant_without_a_refresh_token_is_no_grant(salesforce: Upstream) -> None:
    salesforce.answer = answering_json(token_answer(refresh_token=...))

    with pytest.raises(SalesforceFailedError):
        await redeem(salesforce)


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(f"https://{EVIL}/id/{ORG}/{SALESFORCE_USER}", id="another-host"),
        pytest.param(f"http://{LOGIN}/id/{ORG}/{SALESFORCE_USER}", id="http"),
        pytest.param(f"https://{LOGIN}/id/{ORG[:15]}/{SALESFORCE_USER}", id="15-characters"),
        pytest.param(f"https://{LOGIN}/id/{ORG[:15]}AAA/{SALESFORCE_USER}", id="a-wrong-suffix"),
        pytest.param(f"https://{LOGIN}/id/001xx0000000001AAA/{SALESFORCE_USER}", id="no-org"),
        pytest.param(f"https://{LOGIN}/id/{ORG}/003xx000001SwiUAAS", id="no-user"),
        pytest.param(f"https://{LOGIN}/id/{ORG}/", id="an-empty-user"),
        pytest.param(f"https://{LOGIN}/id/{ORG}/{SALESFORCE_USER}/x", id="a-longer-path"),
        pytest.param(f"https://{LOGIN}/id/{ORG}/{SALESFORCE_USER}?x=1", id="a-query"),
        pytest.param(f"https://{LOGIN}/id/{ORG}/{SALESFORCE_USER}\n", id="a-line-break"),
        pytest.param(f"https://evil.test@{LOGIN}/id/{ORG}/{SALESFORCE_USER}", id="at"),
        pytest.param(f"https://{LOGIN}/services/id/{ORG}/{SALESFORCE_USER}", id="another-path"),
    ],
)
async def test_o10_the_identity_is_salesforces_own_address_of_a_user(
    salesforce: Upstream, identity: str
) -> None:
    """The signature is good in each of these: a signature alone is not enough."""
    salesforce.answer = answering_json(token_answer(id=identity))

    with pytest.raises(SalesforceFailedError):
        await redeem(salesforce)


@pytest.mark.parametrize("host", ["test.salesforce.com", INSTANCE])
async def test_o10_the_identity_may_stand_on_any_host_to_log_in(
    salesforce: Upstream, host: str
) -> None:
    identity = f"https://{host}/id/{ORG}/{SALESFORCE_USER}"
    salesforce.answer = answering_json(token_answer(id=identity))

    assert (await redeem(salesforce)).org == ORG


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param(f"https://{LOGIN}/id/{OTHER_ORG}/{SALESFORCE_USER}", id="another-org"),
        pytest.param(f"https://{LOGIN}/id/{ORG}/005xx000001OtheAAA", id="another-user"),
    ],
)
async def test_o10_a_refresh_never_changes_whose_grant_it_is(
    salesforce: Upstream, identity: str
) -> None:
    salesforce.answer = answering_json(token_answer(id=identity))

    with pytest.raises(SalesforceFailedError):
        await refresh(salesforce)


@BOTH
async def test_o09_an_instance_that_is_not_salesforces_is_refused_and_hears_nothing(
    salesforce: Upstream, trade: Trade
) -> None:
    """The whole corpus of hosts, at one server: what passes anywhere is told with its host."""
    for (host,) in (case.values for case in FOREIGN):
        salesforce.answer = answering_json(token_answer(instance_url=f"https://{host}"))
        try:
            await trade(salesforce)
        except SalesforceFailedError:
            continue
        pytest.fail(f"a grant for {host!r}")

    assert {request.host for request in salesforce.received} <= {LOGIN, INSTANCE}


async def test_o09_a_grant_that_is_refused_is_revoked_where_it_was_given(
    salesforce: Upstream,
) -> None:
    """Nobody will ever use it; left alive, it counts against the user's five approvals."""
    bad = answering_json(token_answer(instance_url=f"https://{EVIL}"))
    salesforce.answer = up.in_turn(bad, answering(b""))

    with pytest.raises(SalesforceFailedError):
        await redeem(salesforce)

    revoked = salesforce.received[-1]
    assert (revoked.host, revoked.path) == (LOGIN, "/services/oauth2/revoke")
    assert parse_qs(revoked.body.decode())["token"] == ["new-refresh"]


# --- what each refusal means ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "description", "failure"),
    [
        ("invalid_grant", "expired authorization code", InvalidStateError),
        ("invalid_grant", "invalid code verifier", InvalidStateError),
        ("invalid_request", "code verifier does not match", InvalidStateError),
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


# --- when the answer is no answer ----------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answering(status=503), id="503"),
        pytest.param(up.page(503), id="503-page"),
        pytest.param(up.page(404), id="404-page"),
        pytest.param(up.page(403), id="403-page"),
        pytest.param(up.redirecting("https://evil.my.salesforce.com.example.com/"), id="302"),
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
        pytest.param(
            answering_json({**token_answer(), "expires_in": "soon"}), id="200-bad-lifetime"
        ),
        pytest.param(answering_json({"access_token": None}), id="200-null-token"),
        pytest.param(answering(b"a=b", content_type="application/json"), id="200-form-as-json"),
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


# --- revoking ------------------------------------------------------------------------------------


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


async def test_no_failure_carries_a_token_or_salesforces_words(salesforce: Upstream) -> None:
    salesforce.answer = refusal("invalid_grant", "canary old-refresh!token.&")
    with pytest.raises(FlowRunnerError) as failed:
        await refresh(salesforce)

    shown = repr(failed.value) + str(failed.value) + json.dumps(failed.value.members())
    assert "canary" not in shown
    assert "old-refresh" not in shown


async def test_many_trades_at_once_do_not_mix_up_their_grants(salesforce: Upstream) -> None:
    """One library object for each trade: nothing of one user's is left for another."""

    async def echo(request: Any) -> Any:  # noqa: ANN401 - aiohttp's request and response
        sent = parse_qs((await request.read()).decode())["refresh_token"][0]
        return await answering_json(token_answer(refresh_token=f"new-{sent}"))(request)

    salesforce.answer = echo
    login = oauth(salesforce.network)
    grants = [
        Grant(
            org=ORG,
            salesforce_user=SALESFORCE_USER,
            instance_host=INSTANCE,
            login_host=LOGIN,
            refresh_token=Secret(f"user-{number}"),
            access_token=Secret("x"),
        )
        for number in range(20)
    ]

    fresh = await asyncio.gather(*(login.refresh(grant) for grant in grants))

    assert [grant.refresh_token.reveal() for grant in fresh] == [
        f"new-user-{number}" for number in range(20)
    ]
