"""What can be made to go wrong with the next refreshes, and whether they happened all the same."""

import pytest
import requests

from local import scene
from local.simulators.salesforce import Salesforce
from tests.simulators.conftest import Serve
from tests.simulators.salesforce_rig import LOGIN, Rig, fingerprint
from tests.simulators.serving import Clock


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


def has_rotated(rig: Rig, token: str) -> bool:
    """Whether the token has served, as the ledger shows it; nobody is asked."""
    (grant,) = rig.ledger()["grants"]
    assert grant["replays"] == 0
    assert (grant["live_refresh_token"] == fingerprint(token)) == (grant["redemptions"] == 0)
    return bool(grant["redemptions"])


@pytest.mark.parametrize("processed", [False, True])
def test_an_answer_is_lost(rig: Rig, processed: bool) -> None:
    token = rig.connect()["refresh_token"]
    rig.mishap(answer="lost", processed=processed)

    with pytest.raises(requests.ConnectionError):
        rig.refresh(token)

    assert has_rotated(rig, token) == processed
    assert rig.ledger()["requests"][-1]["outcome"] == "mishap"


@pytest.mark.parametrize("processed", [False, True])
def test_an_answer_never_comes(rig: Rig, processed: bool) -> None:
    token = rig.connect()["refresh_token"]
    rig.mishap(answer="never", processed=processed)

    with rig.served.session() as http, pytest.raises(requests.ReadTimeout):
        http.post(
            f"https://{LOGIN}/services/oauth2/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": token,
                "client_id": scene.SALESFORCE_CLIENT_ID,
                "client_secret": scene.SALESFORCE_CLIENT_SECRET,
            },
            timeout=0.5,
        )

    assert has_rotated(rig, token) == processed


@pytest.mark.parametrize("processed", [False, True])
def test_an_answer_says_nothing_of_what_happened(rig: Rig, processed: bool) -> None:
    token = rig.connect()["refresh_token"]
    rig.mishap(
        answer="bare", processed=processed, status=502, body="<html>", content_type="text/html"
    )

    answer = rig.refresh(token)

    assert (answer.status_code, answer.text) == (502, "<html>")
    assert answer.headers["Content-Type"] == "text/html"
    assert has_rotated(rig, token) == processed


def test_a_bare_answer_may_lead_elsewhere(rig: Rig) -> None:
    token = rig.connect()["refresh_token"]
    rig.mishap(answer="bare", status=302, location="https://elsewhere.example.com/")

    answer = rig.refresh(token)

    assert answer.headers["Location"] == "https://elsewhere.example.com/"
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.text == ""


def test_a_mishap_befalls_so_many_refreshes_of_the_user_named(rig: Rig) -> None:
    alice, bob = (rig.connect(user)["refresh_token"] for user in ("alice", "bob"))
    rig.mishap(answer="bare", status=500, times=2, user="alice", org_id=scene.SALESFORCE_ORG_ID)

    assert rig.refresh(bob).status_code == 200
    assert [rig.refresh(alice).status_code for _ in range(3)] == [500, 500, 200]


def test_mishaps_come_in_the_order_in_which_they_were_put(rig: Rig) -> None:
    token = rig.connect()["refresh_token"]
    for status in (500, 504):
        rig.mishap(answer="bare", status=status, user="alice")

    assert [rig.refresh(token).status_code for _ in range(3)] == [500, 504, 200]


def test_no_mishap_befalls_a_code(rig: Rig) -> None:
    rig.mishap(answer="lost")

    assert rig.redeem(rig.code()).status_code == 200


def test_a_replay_is_one_whatever_becomes_of_its_answer(rig: Rig) -> None:
    token = rig.connect()["refresh_token"]
    rig.refresh(token)
    rig.mishap(answer="bare", processed=True, status=500)

    assert rig.refresh(token).status_code == 500
    assert rig.ledger()["replays"] == 1
    assert rig.ledger()["live_refresh_tokens"] == {}
