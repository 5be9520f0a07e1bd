"""What an answer of the token endpoint has to prove before it is a grant (O-09, O-10)."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.errors import (
    SalesforceFailedError,
    SalesforceTimeoutError,
)
from shared.secret import Secret
from tests import upstream as up
from tests.salesforce.dance import (
    BOTH,
    EVIL,
    GRANT,
    INSTANCE,
    LOGIN,
    ORG,
    OTHER_ORG,
    SALESFORCE_USER,
    VERIFIER,
    Trade,
    oauth,
    redeem,
    refresh,
    sign,
    token_answer,
)
from tests.test_salesforce_hosts import FOREIGN
from tests.upstream import Upstream, answering, answering_json, upstream


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
        pytest.param({"refresh_token": "x" * 16_385}, id="a-refresh-token-too-long-to-be-stored"),
        pytest.param({"access_token": "x\r\nX-Injected: 1"}, id="an-access-token-of-two-lines"),
        pytest.param({"access_token": "\u00e4"}, id="an-access-token-that-no-header-takes"),
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


@BOTH
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
    salesforce: Upstream, trade: Trade, identity: str
) -> None:
    """The signature is good in each of these: a signature alone is not enough."""
    salesforce.answer = answering_json(token_answer(id=identity))

    with pytest.raises(SalesforceFailedError):
        await trade(salesforce)


@BOTH
@pytest.mark.parametrize("host", [LOGIN, "test.salesforce.com", INSTANCE])
async def test_o10_the_identity_stands_where_users_log_in_or_at_the_org_itself(
    salesforce: Upstream, trade: Trade, host: str
) -> None:
    identity = f"https://{host}/id/{ORG}/{SALESFORCE_USER}"
    salesforce.answer = answering_json(token_answer(id=identity))

    assert (await trade(salesforce)).org == ORG


@BOTH
@pytest.mark.parametrize(
    "host",
    [
        pytest.param("fabrikam.my.salesforce.com", id="another-org"),
        pytest.param("contoso--uat.sandbox.my.salesforce.com", id="a-sandbox-of-the-org"),
        pytest.param("my.salesforce.com", id="no-org"),
    ],
)
async def test_o10_the_identity_stands_at_no_other_org_of_salesforces(
    salesforce: Upstream, trade: Trade, host: str
) -> None:
    identity = f"https://{host}/id/{ORG}/{SALESFORCE_USER}"
    salesforce.answer = answering_json(token_answer(id=identity))

    with pytest.raises(SalesforceFailedError):
        await trade(salesforce)


async def test_o10_the_identity_may_stand_where_this_user_has_logged_in() -> None:
    """An Experience site or a renamed My Domain: neither login.salesforce.com nor the instance."""
    here = "old-contoso.my.salesforce.com"
    identity = f"https://{here}/id/{ORG}/{SALESFORCE_USER}"
    async with upstream(here, INSTANCE) as server:
        server.answer = answering_json(token_answer(id=identity))
        login = oauth(server.network)

        redeemed = await login.redeem_code(here, code=Secret("c"), verifier=VERIFIER)
        refreshed = await login.refresh(redeemed)
        moved = await login.refresh(replace(GRANT, instance_host=here))

    assert redeemed.login_host == refreshed.login_host == here
    assert moved.instance_host == INSTANCE


@BOTH
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(f"{OTHER_ORG[:15]}!new-access", id="another-org"),
        pytest.param(f"{ORG[:15].lower()}!new-access", id="the-org-in-another-case"),
        pytest.param("001xx0000000001!new-access", id="no-org"),
    ],
)
async def test_o10_an_access_token_is_of_the_org_that_the_identity_names(
    salesforce: Upstream, trade: Trade, token: str
) -> None:
    salesforce.answer = answering_json(token_answer(access_token=token))

    with pytest.raises(SalesforceFailedError):
        await trade(salesforce)


@BOTH
@pytest.mark.parametrize("token", ["eyJ0bmsiOiJjb3JlIn0.eyJzdWIiOiJ4In0.c2ln", f"{ORG}!x", "x!y"])
async def test_an_access_token_that_names_no_org_is_opaque(
    salesforce: Upstream, trade: Trade, token: str
) -> None:
    """A JWT (`isNamedUserJwtEnabled`), or a form that is yet to come."""
    salesforce.answer = answering_json(token_answer(access_token=token))

    assert (await trade(salesforce)).access_token == Secret(token)


@BOTH
@pytest.mark.parametrize(
    "scope",
    [
        pytest.param("api web", id="nothing-that-lasts"),
        pytest.param("web lightning refresh_token", id="no-api"),
        pytest.param("sfap_api refresh_token", id="another-api"),
        pytest.param("full", id="full-does-not-last"),
        pytest.param("", id="none"),
        pytest.param("api,refresh_token", id="not-a-list-of-words"),
        pytest.param(None, id="null"),
        pytest.param(["api", "refresh_token"], id="a-json-list"),
    ],
)
async def test_o10_a_grant_that_does_not_reach_far_enough_is_refused(
    salesforce: Upstream, trade: Trade, scope: object
) -> None:
    salesforce.answer = answering_json(token_answer(scope=scope))

    with pytest.raises(SalesforceFailedError):
        await trade(salesforce)


@BOTH
@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(..., id="not-told"),
        pytest.param("api refresh_token", id="the-least"),
        pytest.param("visualforce offline_access id  api", id="another-set-in-another-order"),
        pytest.param("full refresh_token", id="full"),
    ],
)
async def test_o10_the_scope_is_a_set_that_differs_from_what_was_asked_for(
    salesforce: Upstream, trade: Trade, scope: object
) -> None:
    salesforce.answer = answering_json(token_answer(scope=scope))

    assert (await trade(salesforce)).org == ORG


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
    access_token = f"{urlsplit(identity).path[4:19]}!new-access"
    salesforce.answer = answering_json(token_answer(id=identity, access_token=access_token))

    with pytest.raises(SalesforceTimeoutError):
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


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"instance_url": f"https://{EVIL}"}, id="o09-instance"),
        pytest.param({"id": f"https://{EVIL}/id/{ORG}/{SALESFORCE_USER}"}, id="o10-identity"),
        pytest.param({"access_token": f"{OTHER_ORG[:15]}!x"}, id="o10-another-org"),
        pytest.param({"scope": "web"}, id="o10-scope"),
        pytest.param({"signature": "AAAA"}, id="signature"),
        pytest.param({"access_token": ...}, id="no-access-token"),
    ],
)
async def test_o09_a_grant_that_is_refused_is_revoked_where_it_was_given(
    salesforce: Upstream, changes: dict[str, Any]
) -> None:
    """Nobody will ever use it; left alive, it counts against the user's five approvals."""
    bad = answering_json(token_answer(**changes))
    salesforce.answer = up.in_turn(bad, answering(b""))

    with pytest.raises(SalesforceFailedError):
        await redeem(salesforce)

    _, revoked = salesforce.received
    assert (revoked.host, revoked.path) == (LOGIN, "/services/oauth2/revoke")
    assert parse_qs(revoked.body.decode())["token"] == ["new-refresh"]
