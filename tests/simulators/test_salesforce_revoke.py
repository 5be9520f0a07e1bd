"""Revocation and introspection."""

from urllib.parse import parse_qs

import pytest

from local import scene
from local.simulators.salesforce import Salesforce
from tests.simulators.conftest import NOON, Serve
from tests.simulators.salesforce_rig import (
    CLIENT,
    LOGIN,
    ORG,
    OTHER_ORG,
    SANDBOX_LOGIN,
    Rig,
    oauth_error,
)
from tests.simulators.serving import Clock, Json

BASIC = (scene.SALESFORCE_CLIENT_ID, scene.SALESFORCE_CLIENT_SECRET)
JSON = {"Accept": "application/json"}


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


def revoke_url(host: str = LOGIN) -> str:
    return f"https://{host}/services/oauth2/revoke"


@pytest.mark.parametrize("host", [LOGIN, ORG])
def test_revoking_the_refresh_token_kills_the_grant_without_client_authentication(
    rig: Rig, host: str
) -> None:
    fields = rig.connect()

    answer = rig.request("POST", revoke_url(host), data={"token": fields["refresh_token"]})

    assert (answer.status_code, answer.content) == (200, b"")
    assert not rig.alive(fields["access_token"])
    assert oauth_error(rig.refresh(fields["refresh_token"]))[2] == "expired access/refresh token"
    assert rig.ledger()["revocations"] == 1


def test_revoking_the_access_token_leaves_the_refresh_token_alive(rig: Rig) -> None:
    fields = rig.connect()

    answer = rig.request("POST", revoke_url(), data={"token": fields["access_token"]})

    assert answer.status_code == 200
    assert not rig.alive(fields["access_token"])
    assert rig.refresh(fields["refresh_token"]).status_code == 200


def test_revoking_by_get_works_too(rig: Rig) -> None:
    fields = rig.connect()

    answer = rig.request("GET", revoke_url(), params={"token": fields["refresh_token"]})

    assert answer.status_code == 200
    assert not rig.alive(fields["access_token"])


@pytest.mark.parametrize("host", [SANDBOX_LOGIN, OTHER_ORG])
def test_another_orgs_host_does_not_know_the_token(rig: Rig, host: str) -> None:
    fields = rig.connect()

    answer = rig.request(
        "POST", revoke_url(host), data={"token": fields["refresh_token"]}, headers=JSON
    )

    assert oauth_error(answer) == (400, "invalid_token", "invalid token")
    assert rig.alive(fields["access_token"])


def test_a_dead_token_is_invalid_and_a_strange_one_unsupported(rig: Rig) -> None:
    token = rig.connect()["refresh_token"]
    rig.request("POST", revoke_url(), data={"token": token})

    again = rig.request("POST", revoke_url(), data={"token": token}, headers=JSON)
    strange = rig.request("POST", revoke_url(), data={"token": "ey.J.hb"}, headers=JSON)
    absent = rig.request("POST", revoke_url(), headers=JSON)

    assert again.json()["error"] == "invalid_token"
    assert strange.json()["error"] == absent.json()["error"] == "unsupported_token_type"
    assert rig.ledger()["revocations"] == 1


def test_an_error_is_urlencoded_for_who_does_not_accept_json(rig: Rig) -> None:
    answer = rig.request("POST", revoke_url(), data={"token": "5Aep861x"})

    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert parse_qs(answer.text)["error"] == ["invalid_token"]


def test_a_script_may_revoke_by_jsonp(rig: Rig) -> None:
    fields = rig.connect()
    query = {"token": fields["refresh_token"], "callback": "done"}

    first = rig.request("GET", revoke_url(), params=query)
    second = rig.request("GET", revoke_url(), params=query)
    evil = rig.request("GET", revoke_url(), params={**query, "callback": "alert(1)//"})

    assert first.text == "done({});"
    assert '"error": "invalid_token"' in second.text
    assert evil.status_code == 400


def introspect(rig: Rig, token: str, host: str = LOGIN) -> Json:
    answer = rig.request(
        "POST",
        f"https://{host}/services/oauth2/introspect",
        data={"token": token, "token_type_hint": "access_token"},
        auth=BASIC,
    )
    assert answer.status_code == 200
    return answer.json()


def test_introspection_tells_lifetime_and_owner_of_an_access_token(rig: Rig) -> None:
    fields = rig.connect()

    assert introspect(rig, fields["access_token"]) == {
        "active": True,
        "scope": "refresh_token web api lightning",
        "client_id": scene.SALESFORCE_CLIENT_ID,
        "username": "alice@contoso.example.com",
        "sub": fields["id"],
        "token_type": "access_token",
        "exp": int(NOON) + 7200,
        "iat": int(NOON),
        "nbf": int(NOON),
    }


def test_introspection_knows_refresh_tokens(rig: Rig) -> None:
    told = introspect(rig, rig.connect()["refresh_token"], ORG)

    assert told["token_type"] == "refresh_token"
    assert told["exp"] == int(NOON) + 30 * 24 * 3600


def test_what_is_dead_or_elsewhere_is_inactive(rig: Rig, clock: Clock) -> None:
    fields = rig.connect()
    assert introspect(rig, fields["access_token"], OTHER_ORG) == {"active": False}
    clock.advance(7200)

    assert introspect(rig, fields["access_token"]) == {"active": False}
    assert introspect(rig, "nothing") == {"active": False}


def test_introspection_needs_the_client_and_a_post(rig: Rig) -> None:
    url = f"https://{LOGIN}/services/oauth2/introspect"
    wrong = {**CLIENT, "client_secret": "wrong"}

    assert oauth_error(rig.request("POST", url, data=wrong))[1] == "invalid_client"
    assert oauth_error(rig.request("GET", url, auth=BASIC))[2] == "must use HTTP POST"
