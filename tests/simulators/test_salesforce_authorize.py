"""The authorize endpoint: what is refused where, and the pages that a person sees."""

import re
from html import unescape

import pytest

from local import scene
from local.simulators.salesforce import Salesforce
from local.simulators.salesforce.orgs_at_start import SANDBOX_ORG_ID, SECOND_ORG_ID
from tests.simulators.conftest import Serve
from tests.simulators.salesforce_rig import (
    CALLBACK,
    LOGIN,
    ORG,
    OTHER_ORG,
    SANDBOX_LOGIN,
    Rig,
    parameters,
)
from tests.simulators.serving import Clock


@pytest.fixture
def rig(serve: Serve, clock: Clock) -> Rig:
    return Rig(serve(Salesforce(clock=clock)))


def test_the_code_and_the_state_come_back_percent_encoded(rig: Rig) -> None:
    redirect = rig.decide(rig.authorize_url())["redirect"]

    assert redirect.startswith(CALLBACK + "?")
    assert "%3D%3D" in redirect
    found = parameters(redirect)
    assert found.keys() == {"code", "state"}
    assert found["code"].endswith("==")
    assert found["state"] == "st/a+te="


def test_without_a_state_none_comes_back(rig: Rig) -> None:
    redirect = rig.decide(rig.authorize_url(state=None))["redirect"]

    assert parameters(redirect).keys() == {"code"}


def test_a_denial_is_told_to_the_callback(rig: Rig) -> None:
    redirect = rig.decide(rig.authorize_url(), decision="deny")["redirect"]

    assert redirect == (
        f"{CALLBACK}?error=access_denied&error_description=end-user+denied+authorization"
        "&state=st%2Fa%2Bte%3D"
    )


@pytest.mark.parametrize(
    ("changes", "error", "description"),
    [
        pytest.param(
            {"code_challenge": None},
            "invalid_request",
            "missing required code challenge",
            id="no-challenge",
        ),
        pytest.param(
            {"code_challenge": "too-short"},
            "invalid_request",
            "invalid code challenge",
            id="not-a-digest",
        ),
        pytest.param(
            {"code_challenge_method": "plain"},
            "invalid_request",
            "invalid code challenge method",
            id="plain-challenge",
        ),
        pytest.param(
            {"response_type": "token"},
            "unsupported_response_type",
            "response type not supported",
            id="implicit-flow",
        ),
        pytest.param(
            {"response_type": None},
            "unsupported_response_type",
            "response type not supported",
            id="no-response-type",
        ),
        pytest.param(
            {"scope": "api everything"},
            "invalid_scope",
            "the requested scope is not allowed",
            id="unknown-scope",
        ),
        pytest.param(
            {"scope": "full"},
            "invalid_scope",
            "the requested scope is not allowed",
            id="a-scope-the-app-does-not-have",
        ),
        pytest.param(
            {"prompt": "none"}, "immediate_unsuccessful", "immediate unsuccessful", id="no-prompt"
        ),
    ],
)
def test_a_bad_request_is_told_to_the_callback(
    rig: Rig, changes: dict[str, str | None], error: str, description: str
) -> None:
    answer = rig.request("GET", rig.authorize_url(**changes))

    assert answer.status_code == 302
    assert parameters(answer.headers["Location"]) == {
        "error": error,
        "error_description": description,
        "state": "st/a+te=",
    }


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"client_id": "3MVG9.another"}, "invalid_client_id", id="unknown-client"),
        pytest.param({"client_id": None}, "invalid_client_id", id="no-client"),
        pytest.param({"redirect_uri": CALLBACK + "/"}, "redirect_uri_mismatch", id="slash-added"),
        pytest.param(
            {"redirect_uri": CALLBACK + "?x=1"}, "redirect_uri_mismatch", id="query-added"
        ),
        pytest.param({"redirect_uri": CALLBACK.upper()}, "redirect_uri_mismatch", id="other-case"),
        pytest.param({"redirect_uri": None}, "redirect_uri_missing", id="no-callback"),
    ],
)
def test_an_untrusted_callback_learns_nothing(
    rig: Rig, changes: dict[str, str | None], error: str
) -> None:
    answer = rig.request("GET", rig.authorize_url(**changes))

    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert f'<p id="error">{error}</p>' in answer.text
    assert rig.decide(rig.authorize_url(**changes))["error"] == error


def test_a_challenge_without_a_method_means_s256(rig: Rig) -> None:
    url = rig.authorize_url(code_challenge_method=None)
    code = parameters(rig.decide(url)["redirect"])["code"]

    assert rig.redeem(code).status_code == 200


def test_a_callback_must_be_registered_first(serve: Serve, clock: Clock) -> None:
    rig = Rig(serve(Salesforce(clock=clock)))
    rig.app(redirect_uris=[])

    assert rig.decide(rig.authorize_url())["error"] == "redirect_uri_mismatch"


def test_an_app_without_named_scopes_gets_all_of_them(rig: Rig) -> None:
    url = rig.authorize_url(scope=None)
    fields = rig.redeem(parameters(rig.decide(url)["redirect"])["code"]).json()

    assert fields["scope"] == "refresh_token web api lightning"


def test_the_login_host_leads_to_the_org_that_the_user_belongs_to(rig: Rig) -> None:
    first = rig.connect("alice")
    second = rig.connect("alice", org_id=SECOND_ORG_ID)
    sandbox = rig.connect("alice", host=SANDBOX_LOGIN)

    assert first["instance_url"] == f"https://{ORG}"
    assert first["id"].startswith(f"https://{LOGIN}/id/{scene.SALESFORCE_ORG_ID}/005")
    assert second["instance_url"] == f"https://{OTHER_ORG}"
    assert sandbox["instance_url"] == "https://contoso--uat.sandbox.my.salesforce.com"
    assert sandbox["id"].startswith(f"https://{SANDBOX_LOGIN}/id/{SANDBOX_ORG_ID}/005")


def test_a_my_domain_signs_in_to_its_own_org_alone(rig: Rig) -> None:
    fields = rig.connect("bob", host=OTHER_ORG)
    refused = rig.decide(rig.authorize_url(OTHER_ORG), org_id=scene.SALESFORCE_ORG_ID)

    assert fields["instance_url"] == f"https://{OTHER_ORG}"
    assert fields["id"].startswith(f"https://{LOGIN}/id/{SECOND_ORG_ID}/")
    assert refused["error"] == "login_error"


def test_a_sandbox_is_not_reached_from_the_production_login(rig: Rig) -> None:
    refused = rig.decide(rig.authorize_url(LOGIN), org_id=SANDBOX_ORG_ID)

    assert refused["error"] == "login_error"


def test_a_my_domain_that_nobody_has_is_gone(rig: Rig) -> None:
    answer = rig.request("GET", rig.authorize_url("nobody.my.salesforce.com"))

    assert answer.status_code == 404
    assert "URL No Longer Exists" in answer.text


def test_an_inactive_user_cannot_allow(rig: Rig) -> None:
    rig.put_org(
        org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, users=["bob"], inactive_users=["alice"]
    )

    assert rig.decide(rig.authorize_url())["error"] == "login_error"


def test_an_authorize_error_can_be_scripted(rig: Rig) -> None:
    rig.script(
        grant_type="authorize",
        error="OAUTH_APP_BLOCKED",
        error_description="this app is blocked by admin",
    )

    redirect = rig.decide(rig.authorize_url())["redirect"]

    assert parameters(redirect)["error"] == "OAUTH_APP_BLOCKED"
    assert "code" in parameters(rig.decide(rig.authorize_url())["redirect"])


def test_a_person_chooses_a_user_and_allows(rig: Rig) -> None:
    url = rig.authorize_url()
    login = rig.request("GET", url)
    alice = _button(login.text, "user-alice")
    consent = rig.request("POST", url, data=alice)
    allow = _button(consent.text, "allow")
    hidden = {"user": _hidden(consent.text, "user")}

    done = rig.request("POST", url, data={**hidden, **allow})

    assert login.status_code == consent.status_code == 200
    assert done.status_code == 302
    code = parameters(done.headers["Location"])["code"]
    assert rig.redeem(code).json()["instance_url"] == f"https://{ORG}"


@pytest.mark.parametrize("page", ["login", "consent"])
def test_a_person_may_deny_on_either_page(rig: Rig, page: str) -> None:
    url = rig.authorize_url()
    shown = rig.request("GET", url).text
    if page == "consent":
        shown = rig.request("POST", url, data=_button(shown, "user-alice")).text

    denied = rig.request("POST", url, data=_button(shown, "deny"))

    assert parameters(denied.headers["Location"])["error"] == "access_denied"


def test_the_pages_load_nothing_and_cannot_be_framed(rig: Rig) -> None:
    page = rig.request("GET", rig.authorize_url())

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in page.text
    assert not re.findall(r"""(?:src|href)=""", page.text)


def test_a_user_who_was_not_offered_cannot_be_posted(rig: Rig) -> None:
    url = rig.authorize_url(OTHER_ORG)
    form = {"user": f"{scene.SALESFORCE_ORG_ID}/alice", "decision": "allow"}

    answer = rig.request("POST", url, data=form)

    assert answer.status_code == 200
    assert "<h1>Log in</h1>" in answer.text


def test_what_the_page_shows_is_escaped(rig: Rig) -> None:
    rig.put_org(
        org_id=scene.SALESFORCE_ORG_ID, instance_host=ORG, users=['<img src=x onerror="x">']
    )

    assert "<img" not in rig.request("GET", rig.authorize_url()).text


def _button(page: str, element_id: str) -> dict[str, str]:
    found = re.search(rf'<button id="{element_id}" name="([^"]*)" value="([^"]*)">', page)
    assert found, f"no button {element_id}"
    return {found[1]: unescape(found[2])}


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', page)
    assert found
    return unescape(found[1])
