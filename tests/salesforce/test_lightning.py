"""The address of a front door: taken from the org's own host alone, and told to nobody on the way.

Each bad answer has its failure, and no failure holds what the answer held.
"""

import asyncio
import gzip
import json
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qs

import pytest

from shared.errors import (
    AccessRefusedError,
    FlowRunnerError,
    HostNotAllowedError,
    SalesforceFailedError,
    SalesforceForbiddenError,
    SalesforceLimitError,
    SalesforceTimeoutError,
    SalesforceUnavailableError,
)
from shared.model import Access, LightningAppId
from shared.salesforce.lightning import LightningSessions
from shared.salesforce.transport import CLIENT_NAME
from shared.secret import Secret
from tests import upstream as up
from tests.salesforce.an_org import ACCESS, HOST, TOKEN
from tests.upstream import Upstream, answering, answering_json, certified, in_turn, upstream

APP: Final = LightningAppId.parse("1Us5g000000wXyZCAU")
DOOR: Final = (
    f"https://{HOST}/secur/frontdoor.jsp?otp=IDP_ApexToken%3D%3Dcanary"
    "&startURL=%2Flightning%2Fout&cshc=000001"
)
OF_LIGHTNING_OUT: Final = "/services/oauth2/lightningoutsingleaccess"
PLAIN: Final = "/services/oauth2/singleaccess"
NO_ENDPOINT: Final = answering_json([{"errorCode": "NOT_FOUND", "message": "canary"}], status=404)


def door(address: object) -> up.Answer:
    return answering_json({"frontdoor_uri": address})


def word(text: str, status: int) -> up.Answer:
    return answering(text.encode(), status=status, content_type="text/plain")


@pytest.fixture
async def org() -> AsyncIterator[Upstream]:
    async with upstream(HOST, "evil.example.com") as server:
        server.answer = door(DOOR)
        yield server


async def opened(org: Upstream, access: Access = ACCESS, **how: Any) -> Secret:  # noqa: ANN401 - of the adapter
    return await LightningSessions(org.network, **how).open(access, APP)


# --- what goes out -------------------------------------------------------------------------------


async def test_the_orgs_own_host_is_asked_for_the_app_with_the_users_token(org: Upstream) -> None:
    assert (await opened(org)).reveal() == DOOR

    (sent,) = org.received
    assert (sent.method, sent.host, sent.path) == ("POST", HOST, OF_LIGHTNING_OUT)
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert sent.headers["Sforce-Call-Options"] == f"client={CLIENT_NAME}"
    assert parse_qs(sent.body.decode(), strict_parsing=True) == {
        "access_token": [TOKEN],
        "lightning_out_app_id": [APP],
    }
    assert TOKEN not in str(sent.headers)


async def test_it_is_asked_anew_each_time(org: Upstream) -> None:
    sessions = LightningSessions(org.network)
    another = DOOR.replace("canary", "another")
    org.answer = in_turn(door(DOOR), door(another))

    assert [(await sessions.open(ACCESS, APP)).reveal() for _ in range(2)] == [DOOR, another]


@pytest.mark.parametrize(
    "host",
    [
        "login.salesforce.com",
        "evil.example.com",
        "contoso.my.salesforce.com:8443",
        "evil.example.com\\@contoso.my.salesforce.com",
        "contoso.my.salesforce.com.evil.example.com",
        "Contoso.my.salesforce.com",
        "127.0.0.1",
        "",
    ],
)
async def test_no_other_host_is_ever_shown_the_token(org: Upstream, host: str) -> None:
    with pytest.raises(HostNotAllowedError):
        await opened(org, replace(ACCESS, instance_host=host))

    assert org.received == []


# --- the plain bridge ----------------------------------------------------------------------------


async def test_an_org_without_the_endpoint_is_asked_for_the_plain_session(org: Upstream) -> None:
    org.answer = in_turn(NO_ENDPOINT, door(DOOR))

    assert (await opened(org)).reveal() == DOOR

    _, sent = org.received
    assert (sent.method, sent.host, sent.path) == ("POST", HOST, PLAIN)
    assert parse_qs(sent.body.decode(), strict_parsing=True) == {"access_token": [TOKEN]}


@pytest.mark.parametrize("body", [b"", b"<title>URL No Longer Exists</title>"])
async def test_whatever_says_that_there_is_no_endpoint(org: Upstream, body: bytes) -> None:
    org.answer = in_turn(answering(body, status=404, content_type="text/html"), door(DOOR))

    assert (await opened(org)).reveal() == DOOR


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 405, 410, 429, 500, 503])
async def test_nothing_but_a_404_leads_to_the_plain_bridge(org: Upstream, status: int) -> None:
    org.answer = answering_json({"error": "canary"}, status=status)

    with pytest.raises(FlowRunnerError):
        await opened(org)

    assert [sent.path for sent in org.received] == [OF_LIGHTNING_OUT]


@pytest.mark.parametrize("said", ["Inactive", "No_Access", "Bad_Id"])
async def test_a_404_about_the_user_is_no_missing_endpoint(org: Upstream, said: str) -> None:
    org.answer = word(said, 404)

    with pytest.raises(SalesforceForbiddenError):
        await opened(org)

    assert [sent.path for sent in org.received] == [OF_LIGHTNING_OUT]


async def test_an_org_that_has_neither_endpoint_opens_nothing(org: Upstream) -> None:
    org.answer = NO_ENDPOINT

    with pytest.raises(SalesforceForbiddenError):
        await opened(org)

    assert [sent.path for sent in org.received] == [OF_LIGHTNING_OUT, PLAIN]


# --- which address is taken ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(DOOR, id="as-documented"),
        pytest.param(DOOR.replace("contoso", "CONTOSO", 1), id="a-host-in-upper-case"),
        pytest.param(f"https://{HOST}/secur/frontdoor.jsp?otp=a", id="a-key-alone"),
    ],
)
async def test_a_front_door_of_the_org_is_handed_on_to_the_letter(
    org: Upstream, address: str
) -> None:
    org.answer = door(address)

    assert (await opened(org)).reveal() == address


FOREIGN: Final = {
    "another-host": DOOR.replace(HOST, "evil.example.com"),
    "another-org": DOOR.replace("contoso", "fabrikam", 1),
    "the-login-host": DOOR.replace(HOST, "login.salesforce.com"),
    "the-user-interface": DOOR.replace(HOST, "contoso.lightning.force.com"),
    "a-longer-host": DOOR.replace(HOST, f"{HOST}.evil.example.com"),
    "a-trailing-dot": DOOR.replace(HOST, f"{HOST}."),
    "user-information": DOOR.replace(HOST, f"{HOST}@evil.example.com"),
    "own-user-information": DOOR.replace(HOST, f"canary@{HOST}"),
    "a-backslash": DOOR.replace(HOST, f"evil.example.com\\@{HOST}"),
    "a-backslash-behind": DOOR.replace(HOST, f"{HOST}\\.evil.example.com"),
    "a-port": DOOR.replace(HOST, f"{HOST}:8443"),
    "the-usual-port": DOOR.replace(HOST, f"{HOST}:443"),
    "plain-http": DOOR.replace("https", "http", 1),
    "a-script": "javascript:fetch('//evil.example.com')",
    "no-scheme": DOOR.removeprefix("https:"),
    "a-path-alone": DOOR.removeprefix(f"https://{HOST}"),
    "another-path": DOOR.replace("frontdoor.jsp", "logout.jsp"),
    "a-longer-path": DOOR.replace("frontdoor.jsp", "frontdoor.jsp/x"),
    "a-path-that-climbs": DOOR.replace("/secur/", "/secur/../secur/"),
    "an-encoded-path": DOOR.replace("/secur/", "/secur%2F"),
    "another-case": DOOR.replace("/secur/", "/Secur/"),
    "no-query": DOOR.partition("?")[0],
    "an-empty-query": DOOR.partition("?")[0] + "?",
    "a-fragment": DOOR + "#canary",
    "a-newline": DOOR + "\n",
    "a-newline-inside": DOOR.replace("secur", "sec\nur"),
    "a-tab-inside": DOOR.replace("otp", "o\ttp"),
    "a-leading-space": " " + DOOR,
    "a-space-inside": DOOR.replace("&", " &", 1),
    "a-null": DOOR + "\0",
    "markup": DOOR + '"><script>',
    "not-ascii": DOOR + "\u00fc",
    "a-wide-letter": DOOR.replace("contoso", "c\uff4fntoso", 1),
    "the-token-as-the-key": f"https://{HOST}/secur/frontdoor.jsp?sid={TOKEN}",
    "the-token-encoded": f"https://{HOST}/secur/frontdoor.jsp?otp={TOKEN.replace('!', '%21')}",
    "any-session-id": DOOR + "&sid=00D",
    "a-session-id-in-upper-case": DOOR + "&SID=00D",
}


@pytest.mark.parametrize("address", FOREIGN.values(), ids=FOREIGN.keys())
async def test_an_address_that_is_no_front_door_of_the_org_goes_nowhere(
    org: Upstream, address: str
) -> None:
    org.answer = door(address)

    with pytest.raises(SalesforceFailedError) as failed:
        await opened(org)

    assert type(failed.value) is SalesforceFailedError
    assert everything_held(failed.value) == set()


# --- what else may come back ---------------------------------------------------------------------


def everything_held(failure: BaseException) -> set[str]:
    """Which secrets the failure, its causes or what they carry would show to whoever prints it."""
    told = "".join(traceback.format_exception(failure))
    seen: BaseException | None = failure
    while seen is not None:
        told += repr(seen.args) + repr(getattr(seen, "__dict__", ""))
        told += "".join(str(getattr(seen, name, "")) for name in ("doc", "object", "message"))
        seen = seen.__cause__ or seen.__context__
    return {secret for secret in ("canary", TOKEN) if secret in told}


BAD: Final = [
    pytest.param(word("Bad_OAuth_Token", 403), AccessRefusedError, id="a-spent-token"),
    pytest.param(word("Bad_OAuth_Token\n", 403), AccessRefusedError, id="with-a-newline"),
    pytest.param(word("canary", 401), AccessRefusedError, id="401"),
    pytest.param(answering(status=401), AccessRefusedError, id="401-without-a-body"),
    pytest.param(word("Missing_OAuth_Token", 403), SalesforceFailedError, id="ours-to-mend"),
    pytest.param(word("Invalid_Scope", 403), SalesforceForbiddenError, id="without-the-scope-web"),
    pytest.param(word("Wrong_Org", 403), SalesforceForbiddenError, id="wrong-org"),
    pytest.param(answering(status=403), SalesforceForbiddenError, id="403-without-a-body"),
    pytest.param(
        answering_json(
            {"error": "invalid_request", "error_description": "invalid lightning_out_app_id"},
            status=400,
        ),
        SalesforceForbiddenError,
        id="no-such-app",
    ),
    pytest.param(
        answering_json({"error": "invalid_request", "error_description": "canary"}, status=400),
        SalesforceFailedError,
        id="400",
    ),
    pytest.param(answering(status=429), SalesforceLimitError, id="429"),
    pytest.param(up.page(503), SalesforceUnavailableError, id="503-page"),
    pytest.param(answering(status=503), SalesforceUnavailableError, id="503-without-a-body"),
    pytest.param(answering(status=500), SalesforceFailedError, id="500"),
    pytest.param(up.page(502), SalesforceFailedError, id="502-page"),
    pytest.param(answering(status=504), SalesforceFailedError, id="504"),
    pytest.param(
        answering_json({"frontdoor_uri": DOOR}, status=201), SalesforceFailedError, id="201"
    ),
    pytest.param(up.redirecting(DOOR), SalesforceFailedError, id="a-redirect-to-the-door"),
    pytest.param(
        up.redirecting("https://evil.example.com/x", 307), SalesforceFailedError, id="a-redirect"
    ),
    pytest.param(up.page(), SalesforceFailedError, id="200-page"),
    pytest.param(answering(), SalesforceFailedError, id="200-without-a-body"),
    pytest.param(answering(DOOR.encode()), SalesforceFailedError, id="the-address-as-text"),
    pytest.param(answering_json(DOOR), SalesforceFailedError, id="the-address-as-a-json-text"),
    pytest.param(answering_json([DOOR]), SalesforceFailedError, id="an-array"),
    pytest.param(answering_json({"url": DOOR}), SalesforceFailedError, id="another-name"),
    pytest.param(door(None), SalesforceFailedError, id="null"),
    pytest.param(door([DOOR]), SalesforceFailedError, id="several"),
    pytest.param(door({"x": DOOR}), SalesforceFailedError, id="an-object"),
    pytest.param(
        answering(f'{{"frontdoor_uri": "{DOOR}"'.encode()), SalesforceFailedError, id="cut-short"
    ),
    pytest.param(
        answering(f'{{"frontdoor_uri": "{DOOR}", "frontdoor_uri": "x"}}'.encode()),
        SalesforceFailedError,
        id="duplicate-keys",
    ),
    pytest.param(
        answering(b'{"frontdoor_uri": "canary\xff"}'), SalesforceFailedError, id="not-utf-8"
    ),
    pytest.param(answering(b"[" * 60_000), SalesforceFailedError, id="an-abyss"),
    pytest.param(
        answering_json({"frontdoor_uri": DOOR, "padding": "x" * 65_536}),
        SalesforceFailedError,
        id="too-much",
    ),
    pytest.param(
        up.gzipped(bytes(64 * 1024 * 1024)), SalesforceFailedError, id="a-decompression-bomb"
    ),
    pytest.param(
        answering(gzip.compress(b"{}")[:-4], headers={"Content-Encoding": "gzip"}),
        SalesforceFailedError,
        id="a-gzip-cut-short",
    ),
]


@pytest.mark.parametrize(("answer", "failure"), BAD)
@pytest.mark.parametrize("is_plain", [False, True], ids=["of-lightning-out", "plain"])
async def test_each_bad_answer_has_its_failure(
    org: Upstream, answer: up.Answer, failure: type[FlowRunnerError], is_plain: bool
) -> None:
    org.answer = in_turn(NO_ENDPOINT, answer) if is_plain else answer

    with pytest.raises(failure) as failed:
        await opened(org)

    assert type(failed.value) is failure
    assert everything_held(failed.value) == set()
    assert {sent.host for sent in org.received} == {HOST}
    assert len(org.received) == 1 + is_plain


async def test_a_compressed_answer_is_read(org: Upstream) -> None:
    org.answer = up.gzipped(json.dumps({"frontdoor_uri": DOOR}).encode())

    assert (await opened(org)).reveal() == DOOR


async def test_a_limit_says_when_to_come_back(org: Upstream) -> None:
    org.answer = answering(status=429)
    with pytest.raises(SalesforceLimitError) as limited:
        await opened(org)

    assert limited.value.retry_after == 60


async def test_the_address_shows_itself_to_nobody_who_prints_it(org: Upstream) -> None:
    address = await opened(org)

    assert "canary" not in f"{address} {address!r}"


# --- when no answer comes ------------------------------------------------------------------------


async def test_a_refused_connection_opened_nothing() -> None:
    async with upstream(HOST) as server:
        port = server.port
    network = up.pinned_network({HOST: port})  # where nobody listens any more
    with pytest.raises(SalesforceUnavailableError):
        await LightningSessions(network).open(ACCESS, APP)
    await network.close()


async def test_a_server_that_does_not_prove_itself_is_shown_nothing() -> None:
    async with upstream(HOST, tls=certified("evil.my.salesforce.com")) as server:
        with pytest.raises(SalesforceUnavailableError):
            await opened(server)
        assert server.received == []


def after_no_endpoint(answer: up.Answer) -> up.Answer:
    return in_turn(NO_ENDPOINT, answer)


@pytest.mark.parametrize("when", [lambda answer: answer, after_no_endpoint], ids=["first", "plain"])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(up.dropping, id="dropped-after-it-was-sent"),
        pytest.param(up.hanging, id="no-answer-at-all"),
        pytest.param(up.dripping(b"{" + b" " * 60 + b"}", seconds=0.1), id="a-drip"),
    ],
)
async def test_an_answer_that_does_not_come_is_not_waited_for(
    org: Upstream, when: Callable[[up.Answer], up.Answer], answer: up.Answer
) -> None:
    org.answer = when(answer)
    with pytest.raises(SalesforceTimeoutError):
        await asyncio.wait_for(opened(org, seconds=0.4), 3)
