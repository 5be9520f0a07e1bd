"""Connecting Salesforce through HTTP: begin, start, come back, complete, list, disconnect."""

import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from functions.salesforce_oauth import COOKIE
from local import scene
from shared import errors
from shared.errors import FlowRunnerError
from shared.model import TenantSettings
from shared.secret import Secret
from tests.fakes import CONTOSO_ORG, FABRIKAM_ORG, World
from tests.functions.browser import Browser, cookie_of, fragment_of, query_of
from tests.functions.host import call, failure_of, json_of
from tests.settings import RETURN_URL

CODE: Final = re.compile(r"ms-[0-9a-f-]{36}\.[A-Za-z0-9_-]{43}")


@pytest.fixture
def browser(world: World) -> Browser:
    return Browser(world)


async def complete(world: World, session: Secret, completion: str) -> Any:  # noqa: ANN401
    return await call(
        world.services, "salesforce_complete", token=session, body={"completion": completion}
    )


async def completion_for(browser: Browser, session: Secret, **body: str) -> str:
    response = await browser.consent(session, return_to=RETURN_URL, **body)
    (completion,) = fragment_of(response)[1]["completion"]
    return completion


# --- begin ---------------------------------------------------------------------------------------


async def test_the_pane_gets_an_address_to_open(world: World, alice: Secret) -> None:
    response = await call(world.services, "salesforce_connect", token=alice, body={})
    body = json_of(response)

    assert response.status_code == 201
    assert body["expires_in"] == 600
    address, _, ticket = body["connect_url"].partition("?ticket=")
    assert address == "https://flowrunner.example.com/api/v1/salesforce/start"
    assert CODE.fullmatch(ticket)


@pytest.mark.parametrize(
    "host",
    ["test.salesforce.com", "acme.my.salesforce.com", "acme--uat.sandbox.my.salesforce.com"],
)
async def test_the_user_may_log_in_elsewhere_at_salesforce(
    browser: Browser, alice: Secret, host: str
) -> None:
    url = await browser.leave(alice, login_host=host)

    assert url.startswith(f"https://{host}/services/oauth2/authorize?")


@pytest.mark.parametrize(
    "host",
    ["evil.example.com", "login.salesforce.com.evil.test", "https://login.salesforce.com",
     "evil.test\\@acme.my.salesforce.com", "127.0.0.1", "LOGIN.SALESFORCE.COM"],
)  # fmt: skip
async def test_but_nowhere_else(world: World, alice: Secret, host: str) -> None:
    response = await call(
        world.services, "salesforce_connect", token=alice, body={"login_host": host}
    )

    assert failure_of(response) == (400, "host_not_allowed")
    assert world.pending.rows == {}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"login_host": 1}, id="a-number"),
        pytest.param({"login_host": ""}, id="an-empty-host"),
        pytest.param({"return_to": ["x"]}, id="a-list"),
        pytest.param({"return_url": RETURN_URL}, id="an-unknown-member"),
        pytest.param({"login_host": "x" * 3_000}, id="too-long-a-text"),
    ],
)
async def test_a_body_of_another_shape_is_invalid(
    world: World, alice: Secret, body: dict[str, Any]
) -> None:
    response = await call(world.services, "salesforce_connect", token=alice, body=body)

    assert failure_of(response) == (400, "invalid_request")


# --- start ---------------------------------------------------------------------------------------


async def test_the_browser_is_bound_and_sent_to_salesforce(browser: Browser, alice: Secret) -> None:
    response = await browser.start(await browser.begin(alice))
    cookie = cookie_of(response)

    assert response.status_code == 302
    assert response.headers["Location"].startswith("https://login.salesforce.com/services/oauth2/")
    assert CODE.fullmatch(query_of(response.headers["Location"])["state"][0])
    assert cookie is not None
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie.value)
    assert (cookie["path"], cookie["max-age"], cookie["samesite"]) == ("/", "600", "Lax")
    assert cookie["secure"] is True
    assert cookie["httponly"] is True
    assert cookie["domain"] == ""
    assert COOKIE.startswith("__")


async def test_a_ticket_opens_one_browser_once(browser: Browser, alice: Secret) -> None:
    ticket = await browser.begin(alice)
    assert (await browser.start(ticket)).status_code == 302

    again = await browser.start(ticket)

    assert (again.status_code, again.mimetype) == (400, "text/html")
    assert '"error": "invalid_state"' in again.get_body().decode()
    assert "Set-Cookie" not in again.headers


async def test_a_ticket_is_over_after_ten_minutes(
    world: World, browser: Browser, alice: Secret
) -> None:
    ticket = await browser.begin(alice)
    world.clock.move(minutes=10)

    assert (await browser.start(ticket)).status_code == 400


@pytest.mark.parametrize(
    "ticket", ["", "x", "ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3.", "../x", "x" * 5_000, "a.b"]
)
async def test_a_ticket_that_is_none_gets_a_page(browser: Browser, ticket: str) -> None:
    response = await browser.start(ticket)

    assert (response.status_code, response.mimetype) == (400, "text/html")


@pytest.mark.parametrize(
    ("where", "failure", "status"),
    [
        ("pending", errors.StorageFailedError, 502),
        ("key_wrapper", errors.KeyVaultFailedError, 502),
    ],
)
async def test_a_start_that_fails_gets_a_page_that_says_so(
    browser: Browser,
    alice: Secret,
    where: str,
    failure: Callable[[], FlowRunnerError],
    status: int,
) -> None:
    ticket = await browser.begin(alice)
    (key,) = browser.world.tenant_keys.rows
    browser.world.vault._opened.forget(key)
    getattr(browser.world, where).faults.plan("take", failure)
    getattr(browser.world, where).faults.plan("unwrap", failure)

    response = await browser.start(ticket)

    assert (response.status_code, response.mimetype) == (status, "text/html")
    assert f'"error": "{failure().code}"' in response.get_body().decode()


# --- come back -----------------------------------------------------------------------------------


async def test_the_browser_goes_home_with_a_completion_code_in_the_fragment(
    browser: Browser, alice: Secret
) -> None:
    response = await browser.consent(alice, return_to=RETURN_URL)
    address, fragment = fragment_of(response)

    assert response.status_code == 303
    assert address == RETURN_URL
    assert fragment.keys() == {"completion"}
    assert CODE.fullmatch(fragment["completion"][0])


async def test_without_an_address_a_page_tells_the_opener(browser: Browser, alice: Secret) -> None:
    response = await browser.consent(alice)

    assert (response.status_code, response.mimetype) == (200, "text/html")
    assert '"completion": "ms-' in response.get_body().decode()


@pytest.mark.parametrize("body", [{}, {"return_to": RETURN_URL}], ids=["page", "redirect"])
async def test_the_cookie_goes_when_the_dance_is_over(
    browser: Browser, alice: Secret, body: dict[str, str]
) -> None:
    cookie = cookie_of(await browser.consent(alice, **body))

    assert cookie is not None
    assert (cookie.value, cookie["max-age"], cookie["path"]) == ("", "0", "/")
    assert cookie["secure"] is True


async def test_o01_another_browser_cannot_bring_the_answer_home(
    world: World, browser: Browser, alice: Secret
) -> None:
    """Login CSRF: the attacker's state and code in the victim's browser."""
    back = world.login.approve(await browser.leave(alice, return_to=RETURN_URL), user="u")
    victim = Browser(world)
    victim.cookie = "x" * 43

    response = await victim.come_back(state=back.state, code=back.code.reveal())

    assert fragment_of(response) == (RETURN_URL, {"error": ["invalid_state"]})
    assert world.login.code_redemptions == 0


@pytest.mark.parametrize(
    "cookies",
    [
        pytest.param("", id="none"),
        pytest.param(f"{COOKIE}=", id="empty"),
        pytest.param(f"{COOKIE}=NONCE; {COOKIE}=NONCE", id="two-of-the-name"),
        pytest.param(f"{COOKIE}=planted; {COOKIE}=NONCE", id="one-planted-in-front"),
        pytest.param(f"X{COOKIE}=NONCE", id="a-longer-name"),
        pytest.param(f"{COOKIE.lower()}x=NONCE", id="another-name"),
        pytest.param("flr-connect=NONCE", id="without-the-prefix"),
        pytest.param(f"{COOKIE}=NONCE,{COOKIE}=NONCE", id="two-headers-joined"),
        pytest.param(f'{COOKIE}="NONCE"', id="in-quotes"),
    ],
)
async def test_o01_a_cookie_of_another_form_is_none(
    world: World, browser: Browser, alice: Secret, cookies: str
) -> None:
    back = world.login.approve(await browser.leave(alice, return_to=RETURN_URL), user="u")
    response = await call(
        world.services,
        "salesforce_callback",
        params={"state": back.state, "code": back.code.reveal()},
        headers={"Cookie": cookies.replace("NONCE", str(browser.cookie))},
    )

    assert fragment_of(response)[1] == {"error": ["invalid_state"]}
    assert world.login.code_redemptions == 0


async def test_our_cookie_is_found_among_others(
    world: World, browser: Browser, alice: Secret
) -> None:
    back = world.login.approve(await browser.leave(alice, return_to=RETURN_URL), user="u")
    response = await call(
        world.services,
        "salesforce_callback",
        params={"state": back.state, "code": back.code.reveal()},
        headers={"Cookie": f"a=b; {COOKIE}={browser.cookie};c=d"},
    )

    assert "completion" in fragment_of(response)[1]


async def test_o02_a_state_serves_one_return_only(
    world: World, browser: Browser, alice: Secret
) -> None:
    back = world.login.approve(await browser.leave(alice, return_to=RETURN_URL), user="u")
    nonce = browser.cookie
    await browser.come_back(state=back.state, code=back.code.reveal())
    browser.cookie = nonce

    again = await browser.come_back(state=back.state, code=back.code.reveal())

    assert (again.status_code, again.mimetype) == (400, "text/html")
    assert world.login.code_redemptions == 1


async def test_o03_a_state_is_over_after_ten_minutes(
    world: World, browser: Browser, alice: Secret
) -> None:
    back = world.login.approve(await browser.leave(alice, return_to=RETURN_URL), user="u")
    world.clock.move(minutes=10)

    response = await browser.come_back(state=back.state, code=back.code.reveal())

    assert response.status_code == 400
    assert world.login.code_redemptions == 0


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({"error": "access_denied"}, "salesforce_forbidden", id="denied"),
        pytest.param(
            {"error": "access_denied", "error_description": "<script>canary"},
            "salesforce_forbidden",
            id="denied-with-a-script",
        ),
        pytest.param({"code": "CODE", "error": "access_denied"}, "invalid_state", id="both"),
        pytest.param({}, "invalid_state", id="neither"),
        pytest.param({"code": ""}, "invalid_state", id="an-empty-code"),
        pytest.param(
            {"code": "CODE", "iss": "https://login.salesforce.com"},
            "invalid_state",
            id="o06-an-issuer",
        ),
        pytest.param({"code": "CODE,CODE"}, "invalid_state", id="the-code-twice"),
        pytest.param({"code": "another"}, "invalid_state", id="o04-another-code"),
        pytest.param({"code": "x" * 2_049}, "invalid_state", id="too-long-a-code"),
        pytest.param({"error": "x" * 2_049}, "invalid_state", id="too-long-an-error"),
    ],
)
async def test_o07_whatever_comes_back_uses_the_state_up_and_goes_home(
    world: World, browser: Browser, alice: Secret, params: dict[str, str], code: str
) -> None:
    back = world.login.approve(await browser.leave(alice, return_to=RETURN_URL), user="u")
    sent = {name: text.replace("CODE", back.code.reveal()) for name, text in params.items()}

    response = await browser.come_back(state=back.state, **sent)

    assert response.status_code == 303
    assert fragment_of(response) == (RETURN_URL, {"error": [code]})
    assert world.pending.rows == {}
    assert world.login.living("u") == 0


async def test_o07_a_state_given_twice_is_no_state(
    world: World, browser: Browser, alice: Secret
) -> None:
    back = world.login.approve(await browser.leave(alice), user="u")

    response = await browser.come_back(state=f"{back.state},{back.state}", code=back.code.reveal())

    assert (response.status_code, response.mimetype) == (400, "text/html")
    assert world.login.code_redemptions == 0


@pytest.mark.parametrize(
    "failure",
    [
        errors.InvalidStateError,
        errors.SalesforceFailedError,
        errors.SalesforceUnavailableError,
        errors.SalesforceTimeoutError,
        errors.KeyVaultFailedError,
        pytest.param(
            lambda: errors.NotConnectedError("user_inactive", "ask_admin"), id="NotConnectedError"
        ),
        pytest.param(lambda: errors.SalesforceLimitError(60), id="SalesforceLimitError"),
    ],
)
@pytest.mark.parametrize("body", [{}, {"return_to": RETURN_URL}], ids=["page", "redirect"])
async def test_each_failure_of_the_trade_is_told_by_its_code(
    world: World,
    browser: Browser,
    alice: Secret,
    failure: Callable[[], FlowRunnerError],
    body: dict[str, str],
) -> None:
    """By both ways home; the statuses of the page are those of the contract."""
    world.login.faults.plan("redeem_code", failure)

    response = await browser.consent(alice, **body)

    if body:
        assert fragment_of(response) == (RETURN_URL, {"error": [failure().code]})
    else:
        assert f'"error": "{failure().code}"' in response.get_body().decode()


async def test_an_org_that_the_tenant_does_not_allow_is_refused_and_revoked(
    world: World, browser: Browser, alice: Secret
) -> None:
    world.tenants.change(
        next(iter(world.tenants.rows)), settings=TenantSettings(allowed_orgs=(FABRIKAM_ORG,))
    )

    response = await browser.consent(alice, return_to=RETURN_URL)

    assert fragment_of(response)[1] == {"error": ["org_not_allowed"]}
    assert world.login.living("u") == 0


async def test_a_crash_in_the_middle_says_nothing_of_itself(
    world: World, browser: Browser, alice: Secret
) -> None:
    world.login.faults.plan("redeem_code", lambda: RuntimeError("canary"))

    response = await browser.consent(alice)

    assert failure_of(response) == (500, "internal")
    assert "canary" not in response.get_body().decode()


# --- complete ------------------------------------------------------------------------------------


async def test_the_same_user_completes_the_connection(
    world: World, browser: Browser, alice: Secret
) -> None:
    response = await complete(world, alice, await completion_for(browser, alice))

    assert response.status_code == 200
    assert json_of(response) == {
        "org_id": CONTOSO_ORG,
        "instance_host": scene.SALESFORCE_ORG_HOST,
        "health": "active",
        "action": "none",
        "connected_at": "2026-01-15T12:00:00Z",
        "last_used_at": "2026-01-15T00:00:00Z",
    }


async def test_s08_no_answer_on_the_way_holds_a_token_of_salesforces(
    world: World, browser: Browser, alice: Secret
) -> None:
    completion = await completion_for(browser, alice)
    for answer in (
        await complete(world, alice, completion),
        await call(world.services, "salesforce_connections", token=alice),
        await call(world.services, "flow_list", token=alice),
    ):
        assert b"access-token" not in answer.get_body()
        assert b"refresh-token" not in answer.get_body()


async def test_o11_somebody_else_cannot_complete_it_and_the_grant_is_revoked(
    world: World, browser: Browser, alice: Secret
) -> None:
    completion = await completion_for(browser, alice)
    assert world.login.living("u") == 1

    stolen = await complete(world, await world.session_of("bob"), completion)

    assert failure_of(stolen) == (403, "completion_not_yours")
    assert world.login.living("u") == 0
    assert failure_of(await complete(world, alice, completion)) == (400, "invalid_state")
    assert world.connections.rows == {}


async def test_a_completion_code_serves_once(world: World, browser: Browser, alice: Secret) -> None:
    completion = await completion_for(browser, alice)
    await complete(world, alice, completion)

    assert failure_of(await complete(world, alice, completion)) == (400, "invalid_state")


async def test_a_completion_code_is_over_after_ten_minutes(
    world: World, browser: Browser, alice: Secret
) -> None:
    completion = await completion_for(browser, alice)
    world.clock.move(minutes=10)

    late = await complete(world, await world.session_of("alice"), completion)

    assert failure_of(late) == (400, "invalid_state")
    assert world.login.living("u") == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"completion": None}, "invalid_request"),
        ({"completion": 1}, "invalid_request"),
        ({"completion": "x", "user": "u"}, "invalid_request"),
        ({"completion": "x"}, "invalid_state"),
        ({"completion": "ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3." + "a" * 43}, "invalid_state"),
        ({"completion": "../../x." + "a" * 43}, "invalid_state"),
        ({"completion": "\ud800"}, "invalid_request"),
    ],
    ids=str,
)
async def test_a_completion_that_is_none_is_refused(
    world: World, alice: Secret, body: object, code: str
) -> None:
    response = await call(world.services, "salesforce_complete", token=alice, body=body)

    assert failure_of(response) == (400, code)


# --- list and disconnect -------------------------------------------------------------------------


async def test_nobody_has_connections_before_the_first(world: World, alice: Secret) -> None:
    response = await call(world.services, "salesforce_connections", token=alice)

    assert json_of(response) == {"connections": []}


async def test_the_users_own_orgs_are_listed(world: World) -> None:
    caller = await world.signed_in("alice")
    await world.connect(caller, CONTOSO_ORG)
    await world.connect(caller, FABRIKAM_ORG)
    await world.connect(await world.signed_in("bob"), CONTOSO_ORG)

    response = await call(
        world.services, "salesforce_connections", token=await world.session_of("alice")
    )

    listed = json_of(response)["connections"]
    assert {org["org_id"] for org in listed} == {CONTOSO_ORG, FABRIKAM_ORG}
    assert [org["action"] for org in listed] == ["none", "none"]


async def test_while_the_key_is_away_the_orgs_are_still_listed(
    world: World, connected: Secret
) -> None:
    (key,) = world.tenant_keys.rows
    world.vault._opened.forget(key)
    world.key_wrapper.faults.plan("unwrap", errors.KeyVaultFailedError)

    response = await call(world.services, "salesforce_connections", token=connected)

    (org,) = json_of(response)["connections"]
    assert (org["health"], org["action"], org["instance_host"]) == ("key_unavailable", "wait", None)


async def test_disconnecting_revokes_and_forgets(world: World, connected: Secret) -> None:
    response = await call(
        world.services, "salesforce_disconnect", token=connected, route={"org_id": CONTOSO_ORG}
    )

    assert (response.status_code, response.get_body()) == (204, b"")
    assert world.connections.rows == {}
    assert world.login.revocations == 1


async def test_the_short_form_of_an_org_id_means_the_same_org(
    world: World, connected: Secret
) -> None:
    response = await call(
        world.services,
        "salesforce_disconnect",
        token=connected,
        route={"org_id": CONTOSO_ORG[:15]},
    )

    assert response.status_code == 204


async def test_o22_disconnecting_is_done_here_even_if_salesforce_does_not_answer(
    world: World, connected: Secret
) -> None:
    world.login.faults.plan("revoke", errors.SalesforceUnavailableError, times=9)
    response = await call(
        world.services, "salesforce_disconnect", token=connected, route={"org_id": CONTOSO_ORG}
    )

    assert response.status_code == 204
    assert world.connections.rows == {}


@pytest.mark.parametrize(
    "org_id",
    [
        pytest.param("00D5g00000FABRIEAX", id="not-connected"),
        pytest.param("00D5g00000CONTOEA4", id="a-wrong-check-suffix"),
        pytest.param("00D5g00000CONTO'or'1", id="an-injection"),
        pytest.param("001000000000001", id="not-an-org"),
        pytest.param("../../x", id="a-path"),
        pytest.param("", id="empty"),
        pytest.param("x" * 3_000, id="very-long"),
    ],
)
async def test_s07_absent_malformed_and_somebody_elses_have_one_answer(
    world: World, org_id: str
) -> None:
    """N-01: the same body but for the incident, so that nothing can be found out."""
    await world.connect(await world.signed_in("bob"), CONTOSO_ORG)
    alice = await world.session_of("alice")
    known = await call(
        world.services, "salesforce_disconnect", token=alice, route={"org_id": CONTOSO_ORG}
    )

    response = await call(
        world.services, "salesforce_disconnect", token=alice, route={"org_id": org_id}
    )

    assert failure_of(response) == (404, "not_found")
    bodies = [json_of(known), json_of(response)]
    for body in bodies:
        del body["incident"]
    assert bodies[0] == bodies[1]
    assert len(world.connections.rows) == 1


@pytest.mark.parametrize(
    ("method", "failure", "answer"),
    [
        ("load", errors.StorageFailedError, (502, "storage_failed")),
        ("disconnect", errors.StorageFailedError, (502, "storage_failed")),
        ("load", RuntimeError, (500, "internal")),
    ],
)
async def test_a_disconnection_that_could_not_be_written_is_not_told_as_done(
    world: World,
    connected: Secret,
    method: str,
    failure: Callable[[], Exception],
    answer: tuple[int, str],
) -> None:
    world.connections.faults.plan(method, failure)
    response = await call(
        world.services, "salesforce_disconnect", token=connected, route={"org_id": CONTOSO_ORG}
    )

    assert failure_of(response) == answer
    assert len(world.connections.rows) == 1
