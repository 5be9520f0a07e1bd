"""Codes and refresh tokens traded against a real HTTPS server: where the browser is sent, and what
leaves the service (O-05)."""

import asyncio
import base64
import hashlib
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from local import scene
from shared.errors import (
    HostNotAllowedError,
)
from shared.model import Grant
from shared.network import Network
from shared.salesforce.oauth import SCOPES
from shared.secret import Secret
from tests.salesforce.dance import (
    CALLBACK,
    CONSUMER_SECRET,
    GRANT,
    INSTANCE,
    LOGIN,
    ORG,
    SALESFORCE_USER,
    VERIFIER,
    form,
    oauth,
    redeem,
    refresh,
    token_answer,
)
from tests.test_salesforce_hosts import FOREIGN
from tests.upstream import Upstream, answering_json


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


async def test_many_trades_at_once_do_not_mix_up_their_grants(salesforce: Upstream) -> None:
    """One library object for each trade: nothing of one user's is left for another."""

    async def echo(request: Any) -> Any:  # noqa: ANN401 - aiohttp's request and response
        sent = parse_qs((await request.read()).decode())["refresh_token"][0]
        identity = f"https://{LOGIN}/id/{ORG}/{sent.removeprefix('of-')}"
        changes = {"id": identity, "refresh_token": f"new-{sent}"}
        return await answering_json(token_answer(**changes))(request)

    salesforce.answer = echo
    login = oauth(salesforce.network)
    users = [f"005xx000001S{number:03}AAS" for number in range(20)]
    grants = [
        replace(GRANT, salesforce_user=user, refresh_token=Secret(f"of-{user}")) for user in users
    ]

    fresh = await asyncio.gather(*(login.refresh(grant) for grant in grants))

    assert [grant.salesforce_user for grant in fresh] == users
    assert [grant.refresh_token.reveal() for grant in fresh] == [f"new-of-{user}" for user in users]
