"""The control surface, the ledger, and ids."""

import pytest

from local import scene
from local.simulators.salesforce import Salesforce
from local.simulators.salesforce.ids import derived, is_id, with_suffix
from tests.simulators.conftest import NOON, Serve
from tests.simulators.salesforce_rig import (
    CALLBACK,
    FLOWS,
    LOGIN,
    ORG,
    Rig,
    fingerprint,
    parameters,
)
from tests.simulators.serving import Clock

NEW_ORG = with_suffix("00D5g00000NORTH")


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


def test_a_new_org_can_be_signed_in_to(rig: Rig) -> None:
    made = rig.put_org(
        org_id=NEW_ORG,
        instance_host="north.my.salesforce.com",
        flows=[{"name": "Hello", "inputs": [{"name": "x"}], "outputs": [{"name": "x"}]}],
        users=["dave"],
    )
    fields = rig.connect("dave", org_id=NEW_ORG)

    invoked = rig.rest(
        f"{FLOWS}/Hello",
        fields["access_token"],
        method="POST",
        host="north.my.salesforce.com",
        json={"inputs": [{"x": "1"}]},
    )

    assert made["login_host"] == LOGIN
    assert fields["id"] == f"https://{LOGIN}/id/{NEW_ORG}/{made['users']['dave']}"
    assert invoked.json()[0]["outputValues"]["x"] == "1"


def test_a_new_sandbox_is_reached_through_the_sandbox_login(rig: Rig) -> None:
    made = rig.put_org(org_id=NEW_ORG, instance_host="north--dev.sandbox.my.salesforce.com")

    assert made["login_host"] == "test.salesforce.com"


def test_replacing_an_org_keeps_its_grants(rig: Rig) -> None:
    fields = rig.connect()
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, flows=[{"name": "Only"}])

    assert rig.alive(fields["access_token"])
    assert rig.refresh(fields["refresh_token"]).json()["id"] == fields["id"]


def test_a_user_who_is_gone_has_no_session(rig: Rig) -> None:
    fields = rig.connect("alice")
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, users=["bob"])

    assert not rig.alive(fields["access_token"])
    assert rig.refresh(fields["refresh_token"]).status_code == 400


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"org_id": "00D5g00000NORTH"}, "org_id must be", id="fifteen-characters"),
        pytest.param({"org_id": NEW_ORG[:-1] + "A"}, "org_id must be", id="wrong-suffix"),
        pytest.param({"org_id": None}, "org_id must be", id="no-id"),
        pytest.param({"instance_host": "north.example.com"}, "My Domain", id="foreign-host"),
        pytest.param({"instance_host": ORG}, "belongs to", id="taken-host"),
        pytest.param({"colour": "red"}, "unknown: colour", id="unknown-member"),
        pytest.param({"flows": [{"name": "a b"}]}, "API name", id="flow-name"),
        pytest.param({"flows": [{"name": "A", "kind": "odd"}]}, "kind must be", id="flow-kind"),
        pytest.param({"flows": [{"name": "A", "behaviour": "odd"}]}, "behaviour", id="behaviour"),
        pytest.param(
            {"flows": [{"name": "A", "inputs": [{"name": "x", "type": "MAP"}]}]},
            "type of Flow variables",
            id="variable-type",
        ),
        pytest.param(
            {"flows": [{"name": "A", "inputs": [{"name": "x", "type": "SOBJECT"}]}]},
            "SOBJECT goes with",
            id="record-without-type",
        ),
        pytest.param({"users": "alice"}, "list of texts", id="users-not-a-list"),
        pytest.param({"rotation": 1}, "true or false", id="rotation-not-a-flag"),
        pytest.param({"query_batch": True}, "whole number", id="batch-not-a-number"),
    ],
)
def test_an_org_that_makes_no_sense_is_refused(
    rig: Rig, change: dict[str, object], reason: str
) -> None:
    org = {"org_id": NEW_ORG, "instance_host": "north.my.salesforce.com", **change}

    assert reason in rig.control_refusal("orgs", org)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param({"user": "alice"}, "url must be", id="no-url"),
        pytest.param({"url": "http://login.salesforce.com/"}, "url must be", id="plain-http"),
        pytest.param({"url": "https://login.salesforce.com/x"}, "url must be", id="another-path"),
    ],
)
def test_only_an_authorize_address_can_be_decided(
    rig: Rig, body: dict[str, object], reason: str
) -> None:
    assert reason in rig.control_refusal("authorize", body)


def test_a_user_who_does_not_exist_is_told_apart(rig: Rig) -> None:
    body = {"url": rig.authorize_url(), "user": "zoe"}

    assert "no user 'zoe'" in rig.control_refusal("authorize", body)
    assert "no user 'zoe'" in rig.control_refusal("expire", {"user": "zoe"})


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("errors", {"grant_type": "password", "error": "x"}, "grant_type must be one of"),
        ("errors", {"grant_type": "refresh_token", "error": "app_blocked", "y": 1}, "unknown: y"),
        ("errors", {"grant_type": "refresh_token", "error": "x"}, "has no row 'x'"),
        (
            "errors",
            {
                "grant_type": "authorization_code",
                "error": "invalid_grant",
                "error_description": "words of my own",
            },
            "has no row 'invalid_grant' with 'words of my own'",
        ),
        ("refreshes", {}, "answer must be"),
        ("refreshes", {"answer": "odd"}, "answer must be one of lost, never, bare"),
        ("refreshes", {"answer": "bare"}, "status must be"),
        ("refreshes", {"answer": "bare", "status": 199}, "from 200 to 599"),
        ("refreshes", {"answer": "bare", "status": 600}, "from 200 to 599"),
        ("refreshes", {"answer": "lost", "status": 500}, "unknown: status"),
        ("refreshes", {"answer": "lost", "processed": 1}, "true or false"),
        ("refreshes", {"answer": "lost", "times": 0}, "times must be 1 or more"),
        ("refreshes", {"answer": "lost", "org_id": NEW_ORG}, "org_id goes with a user"),
        ("refreshes", {"answer": "lost", "user": "zoe"}, "has no user 'zoe'"),
        ("errors", {"errorCode": "X", "y": 1}, "unknown: y"),
        ("token_answers", {"overrides": []}, "overrides must be an object"),
        ("app", {"processing_seconds": -1}, "zero or more"),
        ("app", [], "an object is needed"),
        ("revoke", {"user": "alice", "org_id": "00D"}, "has no user"),
        ("authorize", {"url": "https://login.salesforce.com:1/"}, "url must be"),
    ],
)
def test_a_scene_that_makes_no_sense_is_refused_and_changes_nothing(
    rig: Rig, path: str, body: object, reason: str
) -> None:
    assert reason in rig.control_refusal(path, body)
    fields = rig.connect()
    assert rig.refresh(fields["refresh_token"]).status_code == 200


def test_too_many_callbacks_are_refused(rig: Rig) -> None:
    long = [f"{CALLBACK}/{number:0100d}" for number in range(20)]

    assert "2000 characters" in rig.control_refusal("app", {"redirect_uris": long})
    assert "code" in parameters(rig.decide(rig.authorize_url())["redirect"])


def test_expire_ends_access_tokens_and_revoke_ends_grants(rig: Rig) -> None:
    fields = rig.connect()
    expired = rig.served.control_post(
        "/_sim/salesforce/expire", {"user": "alice", "org_id": scene.SALESFORCE_ORG_ID}
    )
    assert not rig.alive(fields["access_token"])
    fresh = rig.refresh(fields["refresh_token"]).json()
    revoked = rig.served.control_post("/_sim/salesforce/revoke", {"user": "alice"})

    assert (expired, revoked) == ({"expired": 1}, {"revoked": 1})
    assert not rig.alive(fresh["access_token"])
    assert rig.refresh(fresh["refresh_token"]).status_code == 400


def test_the_ledger_tells_what_arrived(rig: Rig) -> None:
    fields = rig.connect()
    rig.invoke("Log_Email", fields["access_token"], {"subject": "Hello"})
    rig.refresh("5Aep861Nothing")

    code, invoked, refused = rig.ledger()["requests"]

    assert (code["method"], code["host"], code["path"]) == (
        "POST",
        LOGIN,
        "/services/oauth2/token",
    )
    assert code["body"]["grant_type"] == "authorization_code"
    assert (code["status"], code["outcome"], code["generation"]) == (200, "ok", 1)
    assert code["time"] == NOON
    assert (invoked["host"], invoked["path"]) == (ORG, f"{FLOWS}/Log_Email")
    assert invoked["body"] == {"inputs": [{"subject": "Hello"}]}
    assert "Authorization" in invoked["headers"]
    assert invoked["header_values"]["Content-Type"] == "application/json"
    assert (refused["status"], refused["outcome"]) == (400, "invalid_grant")


def test_the_ledger_numbers_the_refresh_tokens_shown(rig: Rig) -> None:
    first = rig.connect()["refresh_token"]
    second = rig.refresh(first).json()
    third = rig.refresh(second["refresh_token"]).json()
    rig.alive(second["access_token"])
    rig.alive(third["access_token"])
    rig.refresh(first)

    ledger = rig.ledger()

    assert [entry["generation"] for entry in ledger["requests"]] == [1, 1, 2, 2, 3, 1]
    assert (ledger["code_redemptions"], ledger["redemptions"], ledger["replays"]) == (1, 2, 1)
    assert ledger["grants"] == [
        {
            "user": "alice",
            "org_id": scene.SALESFORCE_ORG_ID,
            "generation": 3,
            "redeemed": True,
            "redemptions": 2,
            "replays": 1,
            "live_refresh_token": None,
            "ended": "replayed",
        }
    ]


def test_the_ledger_proves_which_refresh_token_lives_without_telling_it(rig: Rig) -> None:
    token = rig.refresh(rig.connect("bob")["refresh_token"]).json()["refresh_token"]

    live = rig.ledger()["live_refresh_tokens"]

    assert live == {f"bob|{scene.SALESFORCE_ORG_ID}": fingerprint(token)}


def test_the_ledger_tells_the_grants_of_one_user_apart(rig: Rig) -> None:
    idle = rig.connect()["refresh_token"]
    busy = rig.connect()["refresh_token"]
    for _ in range(2):
        busy = rig.refresh(busy).json()["refresh_token"]

    ledger = rig.ledger()

    first, second = ledger["grants"]
    assert (first["redemptions"], first["live_refresh_token"]) == (0, fingerprint(idle))
    assert (second["redemptions"], second["live_refresh_token"]) == (2, fingerprint(busy))
    newest = {f"alice|{scene.SALESFORCE_ORG_ID}": fingerprint(busy)}
    assert ledger["live_refresh_tokens"] == newest


@pytest.mark.parametrize("host", [LOGIN, ORG])
def test_no_port_of_salesforces_own_tells_what_only_the_control_surface_may(
    rig: Rig, host: str
) -> None:
    token = rig.connect()["refresh_token"]

    answer = rig.request("GET", f"https://{host}/_sim/salesforce/ledger")

    assert answer.status_code == 404
    assert fingerprint(token) not in answer.text
    assert "grants" not in answer.text


def test_a_repeated_parameter_shows_as_a_list(rig: Rig) -> None:
    rig.request("POST", f"https://{LOGIN}/services/oauth2/token", data=[("a", "1"), ("a", "2")])

    assert rig.ledger()["requests"][0]["body"] == {"a": ["1", "2"]}


def test_requests_that_lead_nowhere_are_in_the_ledger_too(rig: Rig) -> None:
    answer = rig.request("PUT", f"https://{ORG}/anything?x=1", data=b"bytes")

    (entry,) = rig.ledger()["requests"]
    assert answer.status_code == 404
    assert (entry["method"], entry["path"], entry["query"]) == ("PUT", "/anything", {"x": "1"})
    assert entry["body"] == "bytes"


def test_reset_brings_the_start_back_and_keeps_the_registered_callbacks(rig: Rig) -> None:
    fields = rig.connect()
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, flows=[])
    rig.put_org(org_id=NEW_ORG, instance_host="north.my.salesforce.com")
    rig.script(grant_type="refresh_token", error="server_error", times=9)
    rig.mishap(answer="lost", times=9)
    rig.app(processing_seconds=5)

    rig.served.simulator.reset()

    assert rig.ledger()["requests"] == []
    assert not rig.alive(fields["access_token"])
    again = rig.connect()
    assert rig.refresh(again["refresh_token"]).status_code == 200
    assert len(rig.rest(FLOWS, again["access_token"]).json()["actions"]) == 6
    assert rig.request("GET", "https://north.my.salesforce.com/").status_code == 404
    assert rig.app()["processing_seconds"] == 0.02


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("00D5g00000CONTO", "00D5g00000CONTOEA5"),
        ("005xx000001SwiU", "005xx000001SwiUAAS"),
        ("00Dxx0000001gPL", "00Dxx0000001gPLEAY"),
    ],
)
def test_the_suffix_of_an_id_tells_its_case(short: str, long: str) -> None:
    assert with_suffix(short) == long
    assert is_id(short)
    assert is_id(long)
    assert not is_id(long.lower())


def test_derived_ids_are_well_formed_and_repeatable() -> None:
    assert derived("005", "a", "b") == derived("005", "a", "b")
    assert derived("005", "a", "b") != derived("005", "ab")
    assert is_id(derived("005", "a"))
