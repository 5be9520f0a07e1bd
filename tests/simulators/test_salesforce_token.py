"""The token endpoint: what it answers to a code and to a refresh token."""

import base64
import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from local import scene
from local.simulators.salesforce import Salesforce
from tests.simulators.conftest import NOON, Serve
from tests.simulators.salesforce_rig import (
    CLIENT,
    LOGIN,
    ORG,
    Rig,
    oauth_error,
)
from tests.simulators.serving import Clock

TOKEN = f"https://{LOGIN}/services/oauth2/token"
EXPIRED = (400, "invalid_grant", "expired access/refresh token")


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


def test_the_answer_to_a_code_has_salesforces_fields_and_no_lifetime(rig: Rig) -> None:
    answer = rig.redeem(rig.code())
    fields = answer.json()

    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert answer.headers["Cache-Control"] == "no-cache, no-store"
    assert fields.keys() == {
        "access_token",
        "refresh_token",
        "signature",
        "scope",
        "instance_url",
        "id",
        "token_type",
        "issued_at",
    }
    assert fields["access_token"].startswith("00D5g00000CONTO!")
    assert len(fields["refresh_token"]) >= 90
    assert fields["scope"] == "refresh_token web api lightning"
    assert fields["token_type"] == "Bearer"
    assert fields["issued_at"] == str(int(NOON * 1000))
    organisation, user = fields["id"].split("/")[-2:]
    assert (len(organisation), len(user)) == (18, 18)


def test_the_signature_proves_the_identity_url(rig: Rig) -> None:
    fields = rig.connect()

    expected = hmac.new(
        scene.SALESFORCE_CLIENT_SECRET.encode(),
        (fields["id"] + fields["issued_at"]).encode(),
        hashlib.sha256,
    )
    assert base64.b64decode(fields["signature"]) == expected.digest()


def test_a_refresh_rotates_at_the_login_host_and_at_the_my_domain(rig: Rig) -> None:
    first = rig.connect()["refresh_token"]
    second = rig.refresh(first, LOGIN).json()["refresh_token"]
    third = rig.refresh(second, ORG).json()["refresh_token"]

    assert len({first, second, third}) == 3
    assert rig.ledger()["redemptions"] == 2


def test_without_rotation_a_refresh_carries_no_refresh_token(rig: Rig) -> None:
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, rotation=False)
    token = rig.connect()["refresh_token"]

    answers = [rig.refresh(token).json() for _ in range(2)]

    assert all("refresh_token" not in answer for answer in answers)
    assert all(rig.alive(answer["access_token"]) for answer in answers)


def test_reuse_of_a_rotated_token_kills_everything(rig: Rig) -> None:
    first = rig.connect()
    second = rig.refresh(first["refresh_token"]).json()
    assert rig.alive(first["access_token"])

    assert oauth_error(rig.refresh(first["refresh_token"])) == EXPIRED

    assert not rig.alive(first["access_token"])
    assert not rig.alive(second["access_token"])
    assert oauth_error(rig.refresh(second["refresh_token"])) == EXPIRED
    ledger = rig.ledger()
    assert (ledger["redemptions"], ledger["replays"]) == (1, 1)
    assert ledger["live_refresh_tokens"] == {}


def test_parallel_redemption_has_one_winner_and_harms_nobody(rig: Rig) -> None:
    rig.app(processing_seconds=0.5)
    token = rig.connect()["refresh_token"]
    form = {**CLIENT, "grant_type": "refresh_token", "refresh_token": token}

    def redeem(http: requests.Session) -> requests.Response:
        return rig.request("POST", TOKEN, http=http, data=form)

    sessions = [rig.served.session() for _ in range(8)]
    with ThreadPoolExecutor(len(sessions)) as pool:
        answers = list(pool.map(redeem, sessions))

    winners = [answer for answer in answers if answer.status_code == 200]
    losers = {oauth_error(answer) for answer in answers if answer.status_code != 200}
    assert len(winners) == 1
    assert losers == {(400, "invalid_grant", "token request is already being processed")}
    assert rig.ledger()["replays"] == 0
    assert rig.refresh(winners[0].json()["refresh_token"]).status_code == 200


def test_a_grant_idle_for_thirty_days_is_gone(rig: Rig, clock: Clock) -> None:
    token = rig.connect()["refresh_token"]
    clock.advance(30 * 24 * 3600 + 1)

    assert oauth_error(rig.refresh(token)) == EXPIRED


def test_a_sixth_approval_ends_the_first_grant(rig: Rig) -> None:
    tokens = [rig.connect()["refresh_token"] for _ in range(6)]

    assert oauth_error(rig.refresh(tokens[0])) == EXPIRED
    assert rig.refresh(tokens[1]).status_code == 200


@pytest.mark.parametrize(
    ("wanted", "content_type", "start"),
    [
        pytest.param(
            "urlencoded", "application/x-www-form-urlencoded", "access_token=00D", id="form"
        ),
        pytest.param("xml", "application/xml", "<?xml", id="xml"),
        pytest.param("json", "application/json", "{", id="json"),
    ],
)
def test_the_answer_comes_in_the_format_asked_for(
    rig: Rig, wanted: str, content_type: str, start: str
) -> None:
    answer = rig.redeem(rig.code(), format=wanted)

    assert answer.headers["Content-Type"].startswith(content_type)
    assert answer.text.startswith(start)


def test_a_token_answer_can_be_falsified_with_a_signature_that_fits(rig: Rig) -> None:
    rig.served.control_post(
        "/_sim/salesforce/token_answers",
        {"overrides": {"instance_url": "https://evil.example.com", "issued_at": "1"}},
    )
    fields = rig.connect()
    message = (fields["id"] + "1").encode()
    expected = hmac.new(scene.SALESFORCE_CLIENT_SECRET.encode(), message, hashlib.sha256)

    assert fields["instance_url"] == "https://evil.example.com"
    assert base64.b64decode(fields["signature"]) == expected.digest()
    assert rig.connect()["instance_url"] == f"https://{ORG}"


def test_a_field_of_a_token_answer_can_be_left_out_or_forged(rig: Rig) -> None:
    rig.served.control_post(
        "/_sim/salesforce/token_answers", {"overrides": {"signature": "AAAA", "scope": None}}
    )
    fields = rig.connect()

    assert fields["signature"] == "AAAA"
    assert "scope" not in fields


def test_a_renamed_my_domain_shows_in_the_next_refresh(rig: Rig) -> None:
    token = rig.connect()["refresh_token"]
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host="contoso-new.my.salesforce.com")

    assert rig.refresh(token).json()["instance_url"] == "https://contoso-new.my.salesforce.com"
