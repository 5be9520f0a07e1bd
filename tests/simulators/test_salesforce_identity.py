"""Userinfo, the identity URL, and the ways from an access token to a browser session."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from local import scene
from local.simulators.salesforce import Salesforce
from local.simulators.salesforce.orgs_at_start import SECOND_ORG_ID
from tests.simulators.conftest import Serve
from tests.simulators.salesforce_rig import LOGIN, ORG, OTHER_ORG, SANDBOX_LOGIN, Rig
from tests.simulators.serving import Clock, Json

USERINFO = f"https://{ORG}/services/oauth2/userinfo"
SINGLE_ACCESS = f"https://{ORG}/services/oauth2/singleaccess"
LIGHTNING_OUT = f"https://{ORG}/services/oauth2/lightningoutsingleaccess"
APP_ID = "1Us5g000000wXyZCAU"


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def word(answer: requests.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"].startswith("text/plain")
    return answer.status_code, answer.text


def test_userinfo_and_identity_url_name_the_same_person(rig: Rig) -> None:
    fields = rig.connect()
    token = fields["access_token"]

    userinfo = rig.request("GET", USERINFO, headers=bearer(token)).json()
    identity = rig.request("GET", fields["id"], headers=bearer(token)).json()

    assert userinfo["sub"] == identity["id"] == fields["id"]
    assert userinfo["organization_id"] == identity["organization_id"] == scene.SALESFORCE_ORG_ID
    assert userinfo["user_id"] == identity["user_id"]
    assert userinfo["preferred_username"] == identity["username"] == "alice@contoso.example.com"
    assert userinfo["urls"]["custom_domain"] == f"https://{ORG}"


def test_the_identity_url_fills_in_the_version_when_asked(rig: Rig) -> None:
    fields = rig.connect()
    at_instance = fields["id"].replace(LOGIN, ORG)
    headers = bearer(fields["access_token"])

    plain = rig.request("GET", at_instance, headers=headers).json()
    latest = rig.request("GET", at_instance + "?version=latest", headers=headers).json()

    assert plain["urls"]["rest"] == f"https://{ORG}/services/data/v{{version}}/"
    assert latest["urls"]["rest"] == f"https://{ORG}/services/data/v68.0/"


def dead_token(rig: Rig, clock: Clock) -> str:
    token = rig.connect()["access_token"]
    clock.advance(7200)
    return token


@pytest.mark.parametrize("url", [USERINFO, SINGLE_ACCESS, LIGHTNING_OUT])
def test_a_missing_or_dead_token_is_403_with_one_word(rig: Rig, clock: Clock, url: str) -> None:
    dead = bearer(dead_token(rig, clock))

    assert word(rig.request("POST", url)) == (403, "Missing_OAuth_Token")
    assert word(rig.request("POST", url, headers=dead)) == (403, "Bad_OAuth_Token")


def test_the_identity_url_refuses_with_its_own_words(rig: Rig, clock: Clock) -> None:
    alice, bob = rig.connect("alice"), rig.connect("bob")
    other = rig.connect("alice", org_id=SECOND_ORG_ID)
    headers = bearer(alice["access_token"])
    nobody = alice["id"].rsplit("/", 1)[0] + "/0055g00000NOBODY"

    assert word(rig.request("GET", alice["id"])) == (403, "Missing_OAuth_Token")
    assert word(rig.request("GET", other["id"], headers=headers)) == (403, "Wrong_Org")
    assert word(rig.request("GET", nobody, headers=headers)) == (404, "Bad_Id")
    assert word(rig.request("GET", bob["id"], headers=headers)) == (404, "No_Access")
    assert word(rig.request("GET", alice["id"].replace(LOGIN, SANDBOX_LOGIN), headers=headers)) == (
        403,
        "Bad_OAuth_Token",
    )
    clock.advance(7200)
    assert word(rig.request("GET", alice["id"], headers=headers)) == (403, "Bad_OAuth_Token")


def test_the_identity_of_an_inactive_user_is_404(rig: Rig) -> None:
    fields = rig.connect()
    rig.put_org(
        org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, users=[], inactive_users=["alice"]
    )
    headers = bearer(fields["access_token"])

    assert word(rig.request("GET", fields["id"], headers=headers)) == (404, "Inactive")
    assert word(rig.request("GET", USERINFO, headers=headers)) == (404, "Inactive")


def test_single_access_opens_one_browser_session(rig: Rig) -> None:
    token = rig.connect()["access_token"]

    answer = rig.request(
        "POST",
        SINGLE_ACCESS,
        headers=bearer(token),
        data={"redirect_uri": "lightning/r/Account/001/view"},
    )
    door = front_door(answer.json())
    opened, again = rig.request("GET", door), rig.request("GET", door)

    assert parse_qs(urlsplit(door).query)["startURL"] == ["/lightning/r/Account/001/view"]
    assert token not in door
    assert opened.status_code == 200
    assert '<span id="user">alice</span>' in opened.text
    assert again.status_code == 403


def test_single_access_works_by_get_and_with_the_token_in_the_form(rig: Rig) -> None:
    token = rig.connect()["access_token"]
    query = {"redirect_uri": "/flow/New_Lead_Screen"}

    by_get = rig.request("GET", SINGLE_ACCESS, headers=bearer(token), params=query)
    by_form = rig.request("POST", SINGLE_ACCESS, data={"access_token": token})

    assert "startURL=%2Fflow%2FNew_Lead_Screen" in front_door(by_get.json())
    assert "startURL=%2F&" in front_door(by_form.json())


def test_a_front_door_closes_after_a_minute(rig: Rig, clock: Clock) -> None:
    answer = rig.request("POST", SINGLE_ACCESS, headers=bearer(rig.connect()["access_token"]))
    clock.advance(60)

    assert rig.request("GET", front_door(answer.json())).status_code == 403


def test_a_front_door_of_one_org_does_not_open_another(rig: Rig) -> None:
    answer = rig.request("POST", SINGLE_ACCESS, headers=bearer(rig.connect()["access_token"]))
    door = front_door(answer.json())

    assert rig.request("GET", door.replace(ORG, OTHER_ORG)).status_code == 403
    assert rig.request("GET", door).status_code == 200


def test_an_access_token_in_the_address_opens_nothing(rig: Rig) -> None:
    token = rig.connect()["access_token"]

    answer = rig.request("GET", f"https://{ORG}/secur/frontdoor.jsp", params={"sid": token})

    assert answer.status_code == 403


@pytest.mark.parametrize("target", ["https://evil.example.com/", "//evil.example.com", "/\\evil"])
def test_single_access_takes_relative_targets_only(rig: Rig, target: str) -> None:
    answer = rig.request(
        "POST",
        SINGLE_ACCESS,
        headers=bearer(rig.connect()["access_token"]),
        data={"redirect_uri": target},
    )

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("url", [SINGLE_ACCESS, LIGHTNING_OUT])
def test_the_bridge_needs_the_scope_web(rig: Rig, url: str) -> None:
    token = rig.connect(scope="api refresh_token")["access_token"]

    assert word(rig.request("POST", url, headers=bearer(token))) == (403, "Invalid_Scope")


@pytest.mark.parametrize("path", ["singleaccess", "lightningoutsingleaccess"])
def test_the_bridge_is_not_on_the_login_host_nor_in_another_org(rig: Rig, path: str) -> None:
    headers = bearer(rig.connect()["access_token"])

    login = rig.request("POST", f"https://{LOGIN}/services/oauth2/{path}", headers=headers)
    other = rig.request("POST", f"https://{OTHER_ORG}/services/oauth2/{path}", headers=headers)

    assert login.status_code == 400
    assert word(other) == (403, "Bad_OAuth_Token")


@pytest.mark.parametrize("in_form", [True, False])
def test_lightning_out_takes_the_token_in_the_form_or_the_header(rig: Rig, in_form: bool) -> None:
    token = rig.connect()["access_token"]
    form = {"lightning_out_app_id": APP_ID, **({"access_token": token} if in_form else {})}
    headers = {} if in_form else bearer(token)

    answer = rig.request("POST", LIGHTNING_OUT, data=form, headers=headers)

    assert answer.status_code == 200
    assert rig.request("GET", front_door(answer.json())).status_code == 200


def test_lightning_out_knows_its_apps(rig: Rig) -> None:
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, lightning_out_apps=[APP_ID])
    headers = bearer(rig.connect()["access_token"])

    def status(app_id: str) -> int:
        form = {"lightning_out_app_id": app_id}
        return rig.request("POST", LIGHTNING_OUT, data=form, headers=headers).status_code

    assert status(APP_ID) == 200
    assert status("1Us5g000000AAAAAA0") == 400
    assert status("001" + APP_ID[3:]) == 400
    assert status("") == 400
    assert rig.request("GET", LIGHTNING_OUT, headers=headers).status_code == 400


def test_an_org_without_lightning_out_has_the_plain_bridge_alone(rig: Rig) -> None:
    rig.put_org(org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, lightning_out=False)
    headers = bearer(rig.connect()["access_token"])
    form = {"lightning_out_app_id": APP_ID}

    for sent in (headers, {}, bearer("no-token")):
        answer = rig.request("POST", LIGHTNING_OUT, data=form, headers=sent)
        assert answer.status_code == 404
        assert [error["errorCode"] for error in answer.json()] == ["NOT_FOUND"]
    door = front_door(rig.request("POST", SINGLE_ACCESS, headers=headers).json())
    assert rig.request("GET", door).status_code == 200


def test_an_org_without_lightning_out_has_no_apps(rig: Rig) -> None:
    org = {"org_id": scene.SALESFORCE_ORG_ID, "instance_host": ORG}

    refusal = rig.control_refusal(
        "orgs", {**org, "lightning_out": False, "lightning_out_apps": [APP_ID]}
    )

    assert refusal == "an org without Lightning Out 2.0 has no lightning_out_apps"


@pytest.mark.parametrize("url", [SINGLE_ACCESS, LIGHTNING_OUT])
def test_the_bridge_opens_nothing_for_an_inactive_user(rig: Rig, url: str) -> None:
    headers = bearer(rig.connect()["access_token"])
    rig.put_org(
        org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, users=[], inactive_users=["alice"]
    )

    assert word(rig.request("POST", url, headers=headers)) == (404, "Inactive")


def front_door(body: Json) -> str:
    assert body.keys() == {"frontdoor_uri"}
    door = str(body["frontdoor_uri"])
    assert door.startswith(f"https://{ORG}/secur/frontdoor.jsp?otp=")
    return door
