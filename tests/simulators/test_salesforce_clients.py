"""Unmodified libraries that know nothing of it: requests-oauthlib and simple-salesforce."""

from collections.abc import Iterator

import pytest
from oauthlib.oauth2 import InvalidGrantError, InvalidScopeError, OAuth2Error
from requests_oauthlib import OAuth2Session
from simple_salesforce.api import Salesforce as SimpleSalesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from local import scene
from local.simulators.salesforce import Salesforce
from local.simulators.salesforce.pkce import challenge_of
from tests.simulators.conftest import Serve
from tests.simulators.salesforce_rig import CALLBACK, LOGIN, ORG, SCOPE, VERIFIER, Rig
from tests.simulators.serving import Clock, Json

AUTHORIZE = f"https://{LOGIN}/services/oauth2/authorize"
TOKEN = f"https://{LOGIN}/services/oauth2/token"
SECRET = scene.SALESFORCE_CLIENT_SECRET
_DEADLINE = 20.0


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


@pytest.fixture
def oauth(rig: Rig) -> Iterator[OAuth2Session]:
    with _session(rig) as session:
        yield session


def _session(rig: Rig, **options: Json) -> OAuth2Session:
    session = OAuth2Session(scene.SALESFORCE_CLIENT_ID, redirect_uri=CALLBACK, **options)
    session.trust_env = False
    session.adapters = rig.served.session().adapters
    return session


def _authorized(rig: Rig, user: str = "alice") -> str:
    """Where the browser is sent, after the user allowed what the library asked for."""
    with _session(rig, scope=SCOPE.split()) as session:
        url, _ = session.authorization_url(
            AUTHORIZE,
            code_challenge=challenge_of(VERIFIER),
            code_challenge_method="S256",
        )
    return str(rig.decide(url, user)["redirect"])


def _fetch(rig: Rig, oauth: OAuth2Session, **options: Json) -> Json:
    return oauth.fetch_token(
        TOKEN,
        authorization_response=_authorized(rig),
        code_verifier=VERIFIER,
        timeout=_DEADLINE,
        **{"client_secret": SECRET, "include_client_id": True, **options},
    )


def _refresh(oauth: OAuth2Session, token: str) -> Json:
    return oauth.refresh_token(
        TOKEN,
        refresh_token=token,
        client_id=scene.SALESFORCE_CLIENT_ID,
        client_secret=SECRET,
        timeout=_DEADLINE,
    )


def test_requests_oauthlib_completes_the_code_grant_with_its_own_pkce(rig: Rig) -> None:
    with _session(rig, scope=SCOPE.split(), pkce="S256") as session:
        url, _ = session.authorization_url(AUTHORIZE)
        redirect = rig.decide(url)["redirect"]
        # Salesforce names the scopes in its own words; a session with scopes takes that ill.
        with pytest.raises(Warning, match="Scope has changed"):
            session.fetch_token(
                TOKEN,
                authorization_response=redirect,
                client_secret=SECRET,
                include_client_id=True,
                timeout=_DEADLINE,
            )

    assert rig.ledger()["code_redemptions"] == 1


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="id-and-secret-in-the-body"),
        pytest.param(
            {"include_client_id": None, "client_secret": SECRET}, id="http-basic-by-default"
        ),
    ],
)
def test_requests_oauthlib_redeems_a_code_in_a_new_session(
    rig: Rig, oauth: OAuth2Session, options: dict[str, Json]
) -> None:
    token = _fetch(rig, oauth, **options)

    assert token["instance_url"] == f"https://{ORG}"
    assert "expires_in" not in token
    answer = oauth.get(f"https://{ORG}/services/oauth2/userinfo", timeout=_DEADLINE)
    assert answer.json()["preferred_username"] == "alice@contoso.example.com"


def test_requests_oauthlib_adopts_the_rotated_refresh_token(rig: Rig, oauth: OAuth2Session) -> None:
    first = _fetch(rig, oauth)["refresh_token"]
    second = _refresh(oauth, first)["refresh_token"]
    third = _refresh(oauth, second)["refresh_token"]

    assert len({first, second, third}) == 3


def test_requests_oauthlib_sees_reuse_as_an_invalid_grant_and_everything_is_dead(
    rig: Rig, oauth: OAuth2Session
) -> None:
    first = _fetch(rig, oauth)
    second = _refresh(oauth, first["refresh_token"])

    with pytest.raises(InvalidGrantError, match="expired access/refresh token"):
        _refresh(oauth, first["refresh_token"])

    assert not rig.alive(first["access_token"])
    assert not rig.alive(second["access_token"])
    with pytest.raises(InvalidGrantError):
        _refresh(oauth, second["refresh_token"])


def test_requests_oauthlib_with_a_scope_is_refused_at_the_token_endpoint(
    rig: Rig, oauth: OAuth2Session
) -> None:
    token = _fetch(rig, oauth)["refresh_token"]
    with (
        _session(rig, scope=SCOPE.split()) as scoped,
        pytest.raises(OAuth2Error, match="scope parameter not supported"),
    ):
        _refresh(scoped, token)

    assert _refresh(oauth, token)["refresh_token"]


def test_requests_oauthlib_sees_the_wrong_verifier(rig: Rig, oauth: OAuth2Session) -> None:
    with pytest.raises(InvalidGrantError, match="invalid code verifier"):
        oauth.fetch_token(
            TOKEN,
            authorization_response=_authorized(rig),
            code_verifier="w" * 43,
            client_secret=SECRET,
            include_client_id=True,
            timeout=_DEADLINE,
        )


def test_requests_oauthlib_sees_an_unknown_scope_in_the_callback(
    rig: Rig, oauth: OAuth2Session
) -> None:
    redirect = rig.decide(rig.authorize_url(scope="api everything", state=None))["redirect"]

    with pytest.raises(InvalidScopeError):
        oauth.fetch_token(
            TOKEN, authorization_response=redirect, client_secret=SECRET, timeout=_DEADLINE
        )


def _simple(rig: Rig, token: str, **options: Json) -> SimpleSalesforce:
    return SimpleSalesforce(
        session_id=token, instance_url=f"https://{ORG}", session=rig.served.session(), **options
    )


def _flow(sf: SimpleSalesforce, name: str = "", **options: Json) -> Json:
    return sf.restful(f"actions/custom/flow/{name}", timeout=_DEADLINE, **options)


def test_simple_salesforce_lists_describes_and_invokes_flows(rig: Rig) -> None:
    sf = _simple(rig, rig.connect()["access_token"], version="66.0")

    listed = _flow(sf)
    described = _flow(sf, "Log_Email")
    (result,) = _flow(sf, "Log_Email", method="POST", json={"inputs": [{"subject": "Hello"}]})

    assert "Log_Email" in {action["name"] for action in listed["actions"]}
    assert {variable["name"] for variable in described["inputs"]} >= {"subject", "senderEmail"}
    assert result["outputValues"]["subject"] == "Hello"


def test_simple_salesforce_works_with_its_own_default_version(rig: Rig) -> None:
    sf = _simple(rig, rig.connect()["access_token"])

    assert sf.sf_version == "59.0"
    assert _flow(sf)["actions"]


def test_simple_salesforce_queries_all_pages(rig: Rig) -> None:
    flows = [{"name": f"Flow_{number}"} for number in range(5)]
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, flows=flows, query_batch=2)
    sf = _simple(rig, rig.connect()["access_token"], version="66.0")

    found = sf.query_all("SELECT ApiName FROM FlowDefinitionView WHERE ActiveVersionId != null")

    assert [record["ApiName"] for record in found["records"]] == [flow["name"] for flow in flows]


def test_simple_salesforce_reads_the_limits(rig: Rig) -> None:
    sf = _simple(rig, rig.connect()["access_token"], version="66.0")
    _flow(sf)
    _flow(sf)

    usage = sf.api_usage["api-usage"]

    assert (usage.used, usage.total) == (2, 1_000_000)


def test_simple_salesforce_sees_an_expired_session(rig: Rig, clock: Clock) -> None:
    sf = _simple(rig, rig.connect()["access_token"], version="66.0")
    clock.advance(7200)

    with pytest.raises(SalesforceExpiredSession) as caught:
        _flow(sf)

    content: Json = caught.value.content  # annotated as bytes, parsed in truth
    assert content == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_simple_salesforce_tells_refusals_apart(rig: Rig) -> None:
    sf = _simple(rig, rig.connect()["access_token"], version="66.0")
    rig.script(errorCode="REQUEST_LIMIT_EXCEEDED", message="too many", status=403)

    with pytest.raises(SalesforceRefusedRequest):
        _flow(sf)
    with pytest.raises(SalesforceResourceNotFound):
        _flow(sf, "Nothing")
    with pytest.raises(SalesforceMalformedRequest):
        sf.query("SELECT Secret FROM FlowDefinitionView")


def test_simple_salesforce_sees_a_fault_as_a_malformed_request_with_the_result(rig: Rig) -> None:
    sf = _simple(rig, rig.connect()["access_token"], version="66.0")

    with pytest.raises(SalesforceMalformedRequest) as caught:
        _flow(sf, "Always_Faults", method="POST", json={"inputs": [{}]})

    content: Json = caught.value.content  # annotated as bytes, parsed in truth
    assert content[0]["isSuccess"] is False
    assert content[0]["errors"][0]["statusCode"] == "UNKNOWN_EXCEPTION"
