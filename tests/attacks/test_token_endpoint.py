"""Attacks on and by the token endpoint, over HTTPS against the simulator: O-05, O-06, O-10, O-14,
O-15. What a refused or lost call did is read from the simulator's ledger, not from our own words.
"""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from local import scene
from local.network import pinned_network
from local.stack_info import StackInfo
from shared.errors import (
    FlowRunnerError,
    NotConnectedError,
    SalesforceFailedError,
    SalesforceLimitError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import Grant
from shared.network import Network
from shared.salesforce.oauth import SalesforceOAuth
from shared.salesforce.oauth_errors import failure_of
from shared.salesforce.token_refusals import REFUSALS, Refusal, Remedy
from shared.secret import Secret
from tests import upstream
from tests.contract.salesforce import TOKEN, new_org
from tests.control_client import ControlClient

LOGIN: Final = "login.salesforce.com"
VERIFIER: Final = Secret("v" * 43)
OTHER: Final = "fabrikam.my.salesforce.com"
OTHER_ORG: Final = "00D5g00000FABRIEA5"
DEADLINE: Final = 20.0
GRACE: Final = 1.5


class Salesforce:
    """An org that no other test knows, as the real adapter and the simulator's controls see it."""

    def __init__(self, stack: StackInfo, control: ControlClient) -> None:
        self.org, self.host = new_org()
        self.network = pinned_network(stack)
        self.login = self.adapter(stack, self.network)
        self._control = control
        org = {"org_id": self.org, "instance_host": self.host, "users": ["alice", "bob"]}
        control.post("/_sim/salesforce/orgs", org)

    @staticmethod
    def adapter(stack: StackInfo, network: Network) -> SalesforceOAuth:
        async def secret(_: str) -> Secret:
            return Secret(scene.SALESFORCE_CLIENT_SECRET)

        return SalesforceOAuth(
            network,
            client_id=scene.SALESFORCE_CLIENT_ID,
            client_secret=secret,
            callback_url=f"{stack.service_https}/api/v1/salesforce/callback",
        )

    def approved(self, host: str = LOGIN, user: str = "alice") -> Secret:
        """The code with which the browser comes back."""
        url = self.login.authorize_url(host, state="state", verifier=VERIFIER)
        body = {"url": url, "user": user, "decision": "allow", "org_id": self.org}
        answer = self._control.post("/_sim/salesforce/authorize", body)
        return Secret(parse_qs(urlsplit(answer["redirect"]).query)["code"][0])

    async def connected(self, user: str = "alice") -> Grant:
        code = self.approved(user=user)
        return await self.login.redeem_code(LOGIN, code=code, verifier=VERIFIER)

    def refused(self, row: Refusal) -> None:
        error = {"error": row.error, "error_description": row.said}
        body = {"grant_type": "refresh_token", **error}
        self._control.post("/_sim/salesforce/errors", body)

    def mishap(self, *, user: object = "alice", **mishap: object) -> None:
        body = {"user": user, "org_id": self.org, **mishap}
        self._control.post("/_sim/salesforce/refreshes", body)

    def falsified(self, **members: object) -> None:
        body = {"overrides": members}
        self._control.post("/_sim/salesforce/token_answers", body)

    def fault(self, **fault: object) -> None:
        body = {"target": "salesforce", "match": TOKEN, **fault}
        self._control.post("/_sim/faults", body)

    def entry(self) -> dict[str, Any]:
        """The one grant of this org, as the simulator has it."""
        grants = self._control.get("/_sim/salesforce/ledger")["grants"]
        (own,) = [grant for grant in grants if grant["org_id"] == self.org]
        found: dict[str, Any] = own
        return found

    def seen(self) -> list[dict[str, Any]]:
        """Every request that reached any host of the simulator."""
        requests: list[dict[str, Any]] = self._control.get("/_sim/salesforce/ledger")["requests"]
        return requests


@pytest.fixture
async def salesforce(clean_stack: StackInfo, control: ControlClient) -> AsyncIterator[Salesforce]:
    made = Salesforce(clean_stack, control)
    yield made
    made.login.close()
    await made.network.close()


async def fails(salesforce: Salesforce, grant: Grant) -> FlowRunnerError:
    with pytest.raises(FlowRunnerError) as failed:
        await salesforce.login.refresh(grant)
    return failed.value


def is_live(salesforce: Salesforce, grant: Grant) -> bool:
    """Whether this very refresh token is the one that serves next."""
    digest = hashlib.sha256(grant.refresh_token.reveal().encode()).hexdigest()
    return bool(salesforce.entry()["live_refresh_token"] == digest)


# --- O-14: what ends a grant, and what does not --------------------------------------------------


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.name)
async def test_o14_a_refusal_means_what_its_row_says_and_spends_nothing(
    salesforce: Salesforce, row: Refusal
) -> None:
    grant = await salesforce.connected()
    salesforce.refused(row)

    failure = await fails(salesforce, grant)

    expected = failure_of(row.meaning)
    assert (type(failure), failure.members()) == (type(expected), expected.members())
    assert is_live(salesforce, grant)
    assert (await salesforce.login.refresh(grant)).org == salesforce.org
    assert salesforce.entry()["replays"] == 0


def test_o14_only_these_errors_let_a_grant_end() -> None:
    """Those that only a new consent mends. An org that is away, an administrator, an address and
    a mistake of ours can all be mended without."""
    ending = {
        (row.error, row.said)
        for row in REFUSALS
        if not isinstance(row.meaning, Remedy) and row.meaning.action == "reconnect"
    }

    assert ending == {
        ("invalid_grant", "expired access/refresh token"),
        ("invalid_grant", "authentication failure"),
    }


UNDECIDED: Final = [
    pytest.param({"status": 500}, id="500"),
    pytest.param({"status": 500, "body": '{"error": "invalid_grant"}'}, id="500-with-an-error"),
    pytest.param({"status": 502, "body": "<html>", "content_type": "text/html"}, id="502-page"),
    pytest.param({"status": 504}, id="504"),
    pytest.param({"status": 200, "body": "<html>", "content_type": "text/html"}, id="200-page"),
    pytest.param({"status": 200}, id="200-empty"),
    pytest.param({"status": 200, "body": '{"access_token": "00D'}, id="200-truncated"),
    pytest.param({"status": 200, "body": '["access_token"]'}, id="200-list"),
    pytest.param({"status": 200, "body": '"access_token"'}, id="200-text"),
    pytest.param({"status": 200, "body": "null"}, id="200-null"),
    pytest.param({"status": 200, "body": "{}"}, id="200-empty-object"),
]


@pytest.mark.parametrize("processed", [False, True], ids=["not-processed", "processed"])
@pytest.mark.parametrize("answer", UNDECIDED)
async def test_o14_what_no_answer_decides_is_told_so_whether_it_happened_or_not(
    salesforce: Salesforce, answer: dict[str, object], processed: bool
) -> None:
    grant = await salesforce.connected()
    salesforce.mishap(answer="bare", processed=processed, **answer)

    failure = await fails(salesforce, grant)

    assert type(failure) is SalesforceTimeoutError
    assert is_live(salesforce, grant) is not processed
    assert (salesforce.entry()["redemptions"], salesforce.entry()["ended"]) == (processed, None)


@pytest.mark.parametrize("processed", [False, True], ids=["not-processed", "processed"])
async def test_o14_a_lost_answer_is_told_whether_it_happened_or_not(
    salesforce: Salesforce, processed: bool
) -> None:
    grant = await salesforce.connected()
    salesforce.mishap(answer="lost", processed=processed)

    assert type(await fails(salesforce, grant)) is SalesforceTimeoutError
    assert is_live(salesforce, grant) is not processed


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        pytest.param({"status": 429}, SalesforceLimitError, id="429"),
        pytest.param({"status": 503}, SalesforceUnavailableError, id="503"),
        pytest.param(
            {"status": 503, "body": "<html>", "content_type": "text/html"},
            SalesforceUnavailableError,
            id="503-page",
        ),
        pytest.param(
            {"status": 403, "body": "<html>", "content_type": "text/html"},
            SalesforceUnavailableError,
            id="403-page-of-the-edge",
        ),
        pytest.param({"status": 400, "body": "{}"}, SalesforceUnavailableError, id="400-no-error"),
        pytest.param(
            {"status": 307, "location": f"https://{OTHER}{TOKEN}"},
            SalesforceUnavailableError,
            id="redirect-to-another-org",
        ),
    ],
)
async def test_o14_what_was_refused_before_it_was_read_leaves_the_grant_as_it_is(
    salesforce: Salesforce, answer: dict[str, object], failure: type[FlowRunnerError]
) -> None:
    grant = await salesforce.connected()
    salesforce.mishap(answer="bare", **answer)

    assert type(await fails(salesforce, grant)) is failure
    assert is_live(salesforce, grant)
    assert {one["host"] for one in salesforce.seen()} == {LOGIN, salesforce.host}


async def test_o14_a_replay_is_the_end_of_the_grant(salesforce: Salesforce) -> None:
    grant = await salesforce.connected()
    await salesforce.login.refresh(grant)

    failure = await fails(salesforce, grant)

    assert isinstance(failure, NotConnectedError)
    assert (failure.health, failure.action) == ("revoked", "reconnect")
    assert salesforce.entry()["ended"] == "replayed"


# --- O-10: an answer that does not fit together --------------------------------------------------

FALSE: Final = [
    pytest.param({"id": f"https://{LOGIN}/id/{OTHER_ORG}/005xx000001SwiUAAS"}, id="another-org"),
    pytest.param({"access_token": f"{OTHER_ORG[:15]}!AR8"}, id="a-token-of-another-org"),
    pytest.param({"instance_url": "https://evil.example.com"}, id="a-host-that-is-not-salesforces"),
    pytest.param({"scope": "web"}, id="no-api"),
    pytest.param({"scope": "api"}, id="nothing-that-lasts"),
    pytest.param({"signature": "AAAA"}, id="signature"),
]


@pytest.mark.parametrize("members", FALSE)
async def test_o10_a_code_whose_answer_is_false_gives_no_grant_and_leaves_none(
    salesforce: Salesforce, members: dict[str, object]
) -> None:
    code = salesforce.approved()
    salesforce.falsified(**members)

    with pytest.raises(SalesforceFailedError):
        await salesforce.login.redeem_code(LOGIN, code=code, verifier=VERIFIER)

    assert salesforce.entry()["ended"] == "revoked"
    called = [(one["host"], one["path"]) for one in salesforce.seen()]
    assert called == [(LOGIN, TOKEN), (LOGIN, "/services/oauth2/revoke")]


@pytest.mark.parametrize("members", FALSE)
async def test_o10_a_refresh_whose_answer_is_false_counts_as_unanswered(
    salesforce: Salesforce, members: dict[str, object]
) -> None:
    grant = await salesforce.connected()
    salesforce.falsified(**members)

    assert type(await fails(salesforce, grant)) is SalesforceTimeoutError
    assert (salesforce.entry()["redemptions"], salesforce.entry()["ended"]) == (1, None)


async def test_o10_the_identity_of_another_orgs_host_is_refused(salesforce: Salesforce) -> None:
    grant = await salesforce.connected()
    user = f"{salesforce.org}/{grant.salesforce_user}"
    salesforce.falsified(id=f"https://{OTHER}/id/{user}")

    assert type(await fails(salesforce, grant)) is SalesforceTimeoutError


async def test_o10_a_refresh_that_answers_for_another_user_is_refused(
    salesforce: Salesforce,
) -> None:
    grant = await salesforce.connected()
    salesforce.falsified(id=f"https://{LOGIN}/id/{salesforce.org}/005xx000001OtheAAA")

    assert type(await fails(salesforce, grant)) is SalesforceTimeoutError


# --- O-05, O-06: proof of the code, and the one server that may have it --------------------------


async def test_o05_every_departure_is_s256_and_every_trade_shows_verifier_and_secret(
    salesforce: Salesforce,
) -> None:
    for host in (LOGIN, salesforce.host):
        url = salesforce.login.authorize_url(host, state="state", verifier=VERIFIER)
        query = parse_qs(urlsplit(url).query)
        digest = hashlib.sha256(VERIFIER.reveal().encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        assert query["code_challenge_method"] == ["S256"]
        assert query["code_challenge"] == [challenge]
        assert VERIFIER.reveal() not in url
    assert salesforce.seen() == [], "no server's metadata was asked for what it would do without"

    await salesforce.connected()

    (traded,) = salesforce.seen()
    assert traded["body"]["code_verifier"] == VERIFIER.reveal()
    assert traded["body"]["client_secret"] == scene.SALESFORCE_CLIENT_SECRET


@pytest.mark.parametrize("verifier", ["v" * 42, "v" * 129, "v", "v" * 42 + "+", "v" * 43 + "\n"])
def test_o05_no_departure_with_a_verifier_that_rfc_7636_does_not_allow(
    salesforce: Salesforce, verifier: str
) -> None:
    with pytest.raises(ValueError, match="43 to 128"):
        salesforce.login.authorize_url(LOGIN, state="state", verifier=Secret(verifier))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_o06_a_code_is_shown_to_no_other_server_than_the_one_it_was_asked_of(
    salesforce: Salesforce, status: int
) -> None:
    """The callback refuses an issuer that it knows nothing of; here the server itself points to
    another one."""
    code = salesforce.approved()
    elsewhere = {"Location": f"https://test.salesforce.com{TOKEN}"}
    salesforce.fault(fault="status", value=status, headers=elsewhere)

    with pytest.raises(SalesforceUnavailableError):
        await salesforce.login.redeem_code(LOGIN, code=code, verifier=VERIFIER)

    assert salesforce.seen() == []
    redeemed = await salesforce.login.redeem_code(LOGIN, code=code, verifier=VERIFIER)
    assert redeemed.org == salesforce.org


# --- O-15: a server that keeps us waiting --------------------------------------------------------


async def half_closed(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """No more from this side; the connection stays, and takes whatever comes."""
    writer.get_extra_info("socket").shutdown(1)
    await asyncio.sleep(60)


async def test_o15_bytes_that_drip_silence_and_a_half_closed_connection_end_in_twenty_seconds(
    salesforce: Salesforce, clean_stack: StackInfo
) -> None:
    """At the deadline of production. Each was sent, so none of them may count as not sent."""
    dripped, silent = await salesforce_connections(salesforce)
    salesforce.fault(fault="drip", value=0.4)
    salesforce.mishap(answer="never", user="bob")
    tls = upstream.certified(salesforce.host)
    async with upstream.scripted(half_closed, tls=tls) as port:
        closing = salesforce.adapter(clean_stack, upstream.pinned_network({salesforce.host: port}))
        first = asyncio.create_task(timed(salesforce.login, dripped))
        await asyncio.sleep(0.5)  # the drip is for the first call to arrive
        outcomes = await asyncio.gather(
            first, timed(salesforce.login, silent), timed(closing, silent)
        )
        closing.close()

    assert [failure for failure, _ in outcomes] == [SalesforceTimeoutError] * 3
    (_, dripping), (_, silence), (_, closed) = outcomes
    assert DEADLINE - 0.5 < dripping < DEADLINE + GRACE
    assert DEADLINE - 0.5 < silence < DEADLINE + GRACE
    assert closed < DEADLINE + GRACE


async def salesforce_connections(salesforce: Salesforce) -> tuple[Grant, Grant]:
    return await salesforce.connected("alice"), await salesforce.connected("bob")


async def timed(login: SalesforceOAuth, grant: Grant) -> tuple[type[Exception], float]:
    began = monotonic()
    with pytest.raises(FlowRunnerError) as failed:
        await login.refresh(grant)
    return type(failed.value), monotonic() - began
