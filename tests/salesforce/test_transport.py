"""One call to an org: each bad answer has its failure, and of each it is known what was done."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

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
from shared.model import Access
from shared.salesforce.transport import API_VERSION, Answer, SalesforceRest, error_code
from tests import upstream as up
from tests.salesforce.an_org import ACCESS, HOST
from tests.upstream import Upstream, answering, answering_json, certified, upstream


def refusal(code: str, status: int) -> up.Answer:
    return answering_json([{"errorCode": code, "message": "canary"}], status=status)


@pytest.fixture
async def org() -> AsyncIterator[Upstream]:
    async with upstream(HOST, "evil.example.com") as server:
        yield server


async def get(org: Upstream, **how: Any) -> Answer:  # noqa: ANN401 - arguments of `call`
    return await SalesforceRest(org.network).call(ACCESS, "GET", "actions/custom/flow", **how)


async def post(org: Upstream, **how: Any) -> Answer:  # noqa: ANN401 - arguments of `call`
    body = {"inputs": [{"subject": "Ünïcode"}]}
    return await SalesforceRest(org.network).call(ACCESS, "POST", "x", body=body, **how)


# --- what goes out -------------------------------------------------------------------------------


async def test_a_call_goes_to_the_orgs_own_host_with_the_users_token(org: Upstream) -> None:
    org.answer = answering_json({"actions": []})

    assert await get(org, query={"q": "SELECT Id FROM X WHERE a = 'b&c'"}) == Answer(
        status=200, body={"actions": []}
    )

    (sent,) = org.received
    assert (sent.method, sent.host) == ("GET", HOST)
    assert sent.path.startswith(f"/services/data/{API_VERSION}/actions/custom/flow?q=SELECT")
    assert "b%26c" in sent.path
    assert sent.headers["Authorization"] == f"Bearer {ACCESS.token.reveal()}"
    assert sent.headers["Sforce-Call-Options"] == "client=FlowRunner/1.0"
    assert sent.body == b""


async def test_a_body_goes_as_json(org: Upstream) -> None:
    org.answer = answering_json([])
    await post(org)

    (sent,) = org.received
    assert sent.headers["Content-Type"] == "application/json"
    assert json.loads(sent.body) == {"inputs": [{"subject": "Ünïcode"}]}


async def test_p13_a_netrc_of_the_environment_does_not_replace_our_authorization(
    org: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login eve password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    org.answer = answering_json({})
    await get(org)

    assert org.received[0].headers["Authorization"] == f"Bearer {ACCESS.token.reveal()}"


@pytest.mark.parametrize(
    "host",
    [
        "login.salesforce.com",
        "evil.example.com",
        "contoso.my.salesforce.com:8443",
        "evil.example.com\\@contoso.my.salesforce.com",
        "contoso.my.salesforce.com.evil.example.com",
        "127.0.0.1",
        "",
    ],
)
async def test_no_other_host_is_ever_called(org: Upstream, host: str) -> None:
    elsewhere = Access(
        org=ACCESS.org, instance_host=host, token=ACCESS.token, generation=ACCESS.generation
    )
    with pytest.raises(HostNotAllowedError):
        await SalesforceRest(org.network).call(elsewhere, "GET", "x")

    assert org.received == []


# --- what comes back -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 400, 404])
async def test_an_answer_that_is_the_callers_to_read_is_handed_on(
    org: Upstream, status: int
) -> None:
    org.answer = answering_json([{"a": 1}], status=status)

    assert await get(org) == Answer(status=status, body=[{"a": 1}])


async def test_no_content_is_an_answer(org: Upstream) -> None:
    org.answer = answering(status=204)

    assert await get(org) == Answer(status=204, body=None)


async def test_a_compressed_answer_is_read(org: Upstream) -> None:
    org.answer = up.gzipped(b'{"a": 1}')

    assert (await get(org)).body == {"a": 1}


BAD: Final = [
    pytest.param(refusal("INVALID_SESSION_ID", 401), AccessRefusedError, id="401"),
    pytest.param(answering(status=401), AccessRefusedError, id="401-without-a-body"),
    pytest.param(refusal("REQUEST_LIMIT_EXCEEDED", 403), SalesforceLimitError, id="403-limit"),
    pytest.param(refusal("INSUFFICIENT_ACCESS", 403), SalesforceForbiddenError, id="403"),
    pytest.param(refusal("API_DISABLED_FOR_ORG", 403), SalesforceForbiddenError, id="403-no-api"),
    pytest.param(answering(status=403), SalesforceForbiddenError, id="403-without-a-body"),
    pytest.param(
        answering_json({"errorCode": "REQUEST_LIMIT_EXCEEDED"}, status=403),
        SalesforceForbiddenError,
        id="403-of-another-shape",
    ),
    pytest.param(refusal("SERVER_UNAVAILABLE", 503), SalesforceUnavailableError, id="503"),
    pytest.param(up.page(503), SalesforceUnavailableError, id="503-page"),
    pytest.param(answering(status=503), SalesforceUnavailableError, id="503-without-a-body"),
    pytest.param(refusal("UNKNOWN_EXCEPTION", 500), SalesforceFailedError, id="500"),
    pytest.param(up.page(502), SalesforceFailedError, id="502-page"),
    pytest.param(answering(status=504), SalesforceFailedError, id="504"),
    pytest.param(refusal("X", 405), SalesforceFailedError, id="405"),
    pytest.param(refusal("X", 429), SalesforceLimitError, id="429"),
    pytest.param(answering_json([], status=300), SalesforceFailedError, id="300"),
    pytest.param(up.page(), SalesforceFailedError, id="200-page"),
    pytest.param(answering(b'{"a": '), SalesforceFailedError, id="broken-json"),
    pytest.param(answering(b'{"a": 1, "a": 2}'), SalesforceFailedError, id="duplicate-keys"),
    pytest.param(answering(b'{"a": NaN}'), SalesforceFailedError, id="not-a-number"),
    pytest.param(answering(b"[" * 1_000), SalesforceFailedError, id="an-abyss"),
    pytest.param(answering(b'"\xff"'), SalesforceFailedError, id="not-utf-8"),
    pytest.param(up.redirecting("https://evil.example.com/x"), SalesforceFailedError, id="302"),
    pytest.param(
        up.gzipped(bytes(64 * 1024 * 1024)), SalesforceFailedError, id="a-decompression-bomb"
    ),
    pytest.param(
        answering(gzip.compress(b"{}")[:-4], headers={"Content-Encoding": "gzip"}),
        SalesforceFailedError,
        id="a-gzip-cut-short",
    ),
    pytest.param(answering(b"x" * 6_400_000), SalesforceFailedError, id="too-much"),
]


@pytest.mark.parametrize(("answer", "failure"), BAD)
async def test_each_bad_answer_has_its_failure(
    org: Upstream, answer: up.Answer, failure: type[FlowRunnerError]
) -> None:
    org.answer = answer
    with pytest.raises(failure) as failed:
        await post(org)

    assert type(failed.value) is failure
    assert "canary" not in str(failed.value) + repr(failed.value) + str(failed.value.members())
    assert [request.host for request in org.received] == [HOST]


async def test_a_limit_says_when_to_come_back(org: Upstream) -> None:
    org.answer = refusal("REQUEST_LIMIT_EXCEEDED", 403)
    with pytest.raises(SalesforceLimitError) as limited:
        await get(org)

    assert limited.value.retry_after == 60


# --- when no answer comes ------------------------------------------------------------------------


async def test_a_refused_connection_carried_nothing_out() -> None:
    async with upstream(HOST) as server:
        port = server.port
    network = up.pinned_network({HOST: port})  # where nobody listens any more
    with pytest.raises(SalesforceUnavailableError):
        await SalesforceRest(network).call(ACCESS, "POST", "x", body={})
    await network.close()


async def test_a_name_that_does_not_resolve_carried_nothing_out() -> None:
    network = up.pinned_network({})
    with pytest.raises(SalesforceUnavailableError):
        await SalesforceRest(network).call(ACCESS, "POST", "x", body={})
    await network.close()


async def test_a_server_that_does_not_prove_itself_carried_nothing_out() -> None:
    async with upstream(HOST, tls=certified("evil.my.salesforce.com")) as server:
        with pytest.raises(SalesforceUnavailableError):
            await post(server)
        assert server.received == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(up.dropping, id="dropped-after-it-was-sent"),
        pytest.param(up.hanging, id="no-answer-at-all"),
        pytest.param(up.dripping(b"[" + b" " * 60 + b"]", seconds=0.1), id="a-drip"),
    ],
)
async def test_an_answer_that_does_not_come_leaves_the_outcome_open(
    org: Upstream, answer: up.Answer
) -> None:
    org.answer = answer
    with pytest.raises(SalesforceTimeoutError):
        await asyncio.wait_for(post(org, seconds=0.4), 3)

    assert len(org.received) == 1


async def test_an_answer_cut_short_leaves_the_outcome_open() -> None:
    """It is not of the kinds that say that nothing was carried out."""

    async def half(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")
        await writer.drain()
        await asyncio.sleep(0.05)

    async with up.scripted(half, tls=certified(HOST)) as port:
        network = up.pinned_network({HOST: port})
        with pytest.raises(SalesforceFailedError) as failed:
            await SalesforceRest(network).call(ACCESS, "POST", "x", body={})
        await network.close()

    assert not isinstance(failed.value, (SalesforceUnavailableError, AccessRefusedError))


async def test_p11_nothing_is_sent_twice_when_a_kept_connection_drops(org: Upstream) -> None:
    """Clients like to repeat a request whose kept connection turned out to be gone."""
    org.answer = answering_json([])
    await post(org)
    org.answer = up.dropping
    with pytest.raises(SalesforceTimeoutError):
        await post(org)

    assert len(org.received) == 2


# --- the error array -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([{"errorCode": "NOT_FOUND", "message": "x"}], "NOT_FOUND"),
        ([{"errorCode": "A"}, {"errorCode": "B"}], "A"),
        ([{"message": "x"}], None),
        ([{"errorCode": 1}], None),
        ([{"errorCode": None}], None),
        (["NOT_FOUND"], None),
        ([], None),
        ({"errorCode": "NOT_FOUND"}, None),
        (None, None),
        ("NOT_FOUND", None),
        (7, None),
    ],
)
def test_the_error_code_is_read_from_salesforces_array_alone(body: object, code: object) -> None:
    assert error_code(body) == code
