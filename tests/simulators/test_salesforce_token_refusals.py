"""The token endpoint refuses: each reason has its own error, and does no harm."""

import base64

import pytest

from local import scene
from local.simulators.salesforce import Salesforce
from local.simulators.salesforce.errors import token_refusal
from shared.salesforce.token_refusals import REFUSALS, Refusal
from tests.simulators.conftest import Serve
from tests.simulators.salesforce_rig import (
    CALLBACK,
    CLIENT,
    LOGIN,
    ORG,
    OTHER_ORG,
    SANDBOX,
    SANDBOX_LOGIN,
    VERIFIER,
    Rig,
    oauth_error,
)
from tests.simulators.serving import Clock

TOKEN = f"https://{LOGIN}/services/oauth2/token"
EXPIRED = (400, "invalid_grant", "expired access/refresh token")


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


@pytest.mark.parametrize(
    ("form", "error"),
    [
        pytest.param(
            {"scope": "api"},
            (400, "invalid_request", "scope parameter not supported"),
            id="scope",
        ),
        pytest.param(
            {"grant_type": "password"},
            (400, "unsupported_grant_type", "grant type not supported"),
            id="password-grant",
        ),
        pytest.param(
            {"grant_type": ""},
            (400, "unsupported_grant_type", "grant type not supported"),
            id="no-grant-type",
        ),
        pytest.param(
            {"client_secret": "wrong"},
            (400, "invalid_client", "invalid client credentials"),
            id="wrong-secret",
        ),
        pytest.param(
            {"client_id": "3MVG9.another"},
            (400, "invalid_client_id", "client identifier invalid"),
            id="wrong-client",
        ),
        pytest.param({"refresh_token": "5Aep861Nothing"}, EXPIRED, id="unknown-refresh-token"),
    ],
)
def test_a_refused_refresh_leaves_the_token_alive(
    rig: Rig, form: dict[str, str], error: tuple[int, str, str]
) -> None:
    token = rig.connect()["refresh_token"]
    good = {"grant_type": "refresh_token", "refresh_token": token}

    assert oauth_error(rig.token(LOGIN, **{**good, **form})) == error
    assert rig.refresh(token).status_code == 200


def test_a_secret_is_needed_besides_the_verifier(rig: Rig) -> None:
    form = {
        "grant_type": "authorization_code",
        "code": rig.code(),
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        "client_id": scene.SALESFORCE_CLIENT_ID,
    }

    answer = rig.request("POST", TOKEN, data=form)

    assert oauth_error(answer) == (400, "invalid_client", "invalid client credentials")


def test_a_verifier_is_needed_besides_the_secret(rig: Rig) -> None:
    answer = rig.redeem(rig.code(), code_verifier="")

    assert oauth_error(answer) == (400, "invalid_grant", "missing required code verifier")


def test_a_stolen_code_is_of_no_use_without_its_verifier(rig: Rig) -> None:
    code = rig.code()

    assert oauth_error(rig.redeem(code, code_verifier="another-" + VERIFIER)) == (
        400,
        "invalid_grant",
        "invalid code verifier",
    )
    assert oauth_error(rig.redeem(code)) == (400, "invalid_grant", "expired authorization code")


@pytest.mark.parametrize("in_body_too", [False, True])
def test_http_basic_authenticates_the_client(rig: Rig, in_body_too: bool) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": rig.connect()["refresh_token"]}
    if in_body_too:
        form |= CLIENT
    basic = (scene.SALESFORCE_CLIENT_ID, scene.SALESFORCE_CLIENT_SECRET)

    assert rig.request("POST", TOKEN, data=form, auth=basic).status_code == 200


@pytest.mark.parametrize(
    ("header", "error"),
    [
        pytest.param("Basic !!!", "invalid_basic_auth_header", id="not-base64"),
        pytest.param(
            "Basic " + base64.b64encode(b"no colon").decode(),
            "invalid_basic_auth_header",
            id="no-colon",
        ),
        pytest.param(
            "Basic " + base64.b64encode(f"{CLIENT['client_id']}:wrong".encode()).decode(),
            "invalid_client",
            id="a-secret-other-than-the-body's",
        ),
    ],
)
def test_a_bad_basic_header_is_refused_even_beside_a_good_body(
    rig: Rig, header: str, error: str
) -> None:
    form = {**CLIENT, "grant_type": "refresh_token", "refresh_token": "5Aep861x"}

    answer = rig.request("POST", TOKEN, data=form, headers={"Authorization": header})

    assert answer.status_code == 400
    assert answer.json()["error"] == error


def test_a_parameter_may_come_once(rig: Rig) -> None:
    pairs = [*CLIENT.items(), ("grant_type", "refresh_token"), ("grant_type", "refresh_token")]

    assert rig.request("POST", TOKEN, data=pairs).json()["error"] == "invalid_request"


def test_parameters_in_the_address_do_not_count(rig: Rig) -> None:
    form = {**CLIENT, "grant_type": "refresh_token", "refresh_token": "5Aep861x"}

    assert rig.request("POST", TOKEN, params=form).json()["error"] == "unsupported_grant_type"


def test_the_token_endpoint_takes_posts_only(rig: Rig) -> None:
    assert oauth_error(rig.request("GET", TOKEN)) == (
        400,
        "invalid_request",
        "must use HTTP POST",
    )


def test_parameters_it_does_not_know_are_ignored(rig: Rig) -> None:
    token = rig.connect()["refresh_token"]

    answer = rig.token(grant_type="refresh_token", refresh_token=token, code_verifier=VERIFIER)

    assert answer.status_code == 200


@pytest.mark.parametrize("host", [OTHER_ORG, SANDBOX, SANDBOX_LOGIN])
def test_a_refresh_at_a_host_of_another_org_is_refused_without_harm(rig: Rig, host: str) -> None:
    token = rig.connect()["refresh_token"]

    assert oauth_error(rig.refresh(token, host)) == (
        400,
        "invalid_grant",
        "request not supported on this domain",
    )
    assert rig.refresh(token).status_code == 200


def test_a_code_must_be_redeemed_where_it_was_issued(rig: Rig) -> None:
    assert oauth_error(rig.redeem(rig.code(host=LOGIN), ORG))[2] == (
        "request not supported on this domain"
    )


def test_an_inactive_user_cannot_refresh(rig: Rig) -> None:
    token = rig.connect("alice")["refresh_token"]
    rig.put_org(
        org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, users=["bob"], inactive_users=["alice"]
    )

    assert oauth_error(rig.refresh(token)) == (400, "invalid_grant", "inactive user")


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.name)
def test_every_row_of_the_table_can_be_answered_and_harms_nothing(rig: Rig, row: Refusal) -> None:
    """What the service knows how to take is what the simulator can say, in whatever case."""
    token = rig.connect()["refresh_token"]
    code = rig.code()
    said = {"error": row.error, "error_description": row.said}
    loud = {**said, "error_description": row.said.upper(), "status": 401}
    rig.script(grant_type="refresh_token", **said)
    rig.script(grant_type="refresh_token", **loud)
    rig.script(grant_type="authorization_code", **said)

    refreshed = [oauth_error(rig.refresh(token)) for _ in range(2)]
    redeemed = oauth_error(rig.redeem(code))

    assert refreshed == [(400, row.error, row.said), (401, row.error, row.said.upper())]
    assert redeemed == (400, row.error, row.said)
    assert rig.refresh(token).status_code == rig.redeem(code).status_code == 200
    assert rig.ledger()["replays"] == 0


def test_an_error_without_a_description_says_what_its_own_row_says(rig: Rig) -> None:
    token = rig.connect()["refresh_token"]
    rig.script(grant_type="refresh_token", error="invalid_client", times=2)
    rig.script(grant_type="refresh_token", error="invalid_grant")

    refused = [oauth_error(rig.refresh(token)) for _ in range(3)]

    client = (400, "invalid_client", "invalid client credentials")
    assert refused == [client, client, (400, "invalid_grant", "")]


def test_the_simulator_refuses_with_rows_of_the_table_alone() -> None:
    assert token_refusal("invalid_grant", "inactive user").code == "invalid_grant"
    with pytest.raises(ValueError, match="no row"):
        token_refusal("invalid_grant", "words of its own")
