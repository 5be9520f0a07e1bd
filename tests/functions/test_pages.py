"""The one page of the service: what it runs, whom it tells, and that it repeats nothing."""

import json
import re
from html.parser import HTMLParser
from typing import Any, Final

import azure.functions as func
import pytest

from functions.pages import connect_page
from functions.salesforce_oauth import COOKIE
from local.scene import EXTENSION_ORIGIN
from shared import errors
from shared.errors import FlowRunnerError
from shared.model import OneTimeCode, TenantId
from shared.usecases.finish_connection import Arrival
from tests.fakes import World
from tests.functions.host import call

ORIGINS: Final = ("https://addin.example.com", EXTENSION_ORIGIN)
COMPLETION: Final = OneTimeCode.new(TenantId.parse("ms-7c1e5b9a-3f64-4d0e-9b7a-2f8d61c0a4e3"))
DONE: Final = Arrival(completion=COMPLETION)


class Page(HTMLParser):
    """What a browser makes of the page: its elements, and the one script."""

    def __init__(self, response: func.HttpResponse) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.script = ""
        self.text = ""
        self._open = ""
        self.feed(response.get_body().decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.script += data
        else:
            self.text += data

    def value_of(self, pattern: str) -> Any:  # noqa: ANN401 - JSON
        """A JSON value that stands in the script."""
        match = re.search(pattern, self.script)
        assert match is not None, self.script
        return json.loads(match[1])

    @property
    def message(self) -> dict[str, str]:
        message: dict[str, str] = self.value_of(r"const message = (.+);\n")
        return message

    @property
    def origins(self) -> list[str]:
        origins: list[str] = self.value_of(r"for \(const origin of (.+)\) \{\n")
        return origins


def policy_of(response: func.HttpResponse) -> dict[str, str]:
    directives = (part.strip() for part in response.headers["Content-Security-Policy"].split(";"))
    return {name: rest for name, _, rest in (part.partition(" ") for part in directives)}


def nonce_of(response: func.HttpResponse) -> str:
    (script,) = [attrs for tag, attrs in Page(response).elements if tag == "script"]
    nonce = script["nonce"]
    assert nonce
    return nonce


def test_the_completion_is_posted_for_our_origins_alone() -> None:
    page = Page(connect_page(DONE, ORIGINS))

    assert page.message == {"type": "flowrunner.connected", "completion": COMPLETION.reveal()}
    assert page.origins == list(ORIGINS)
    assert "window.opener.postMessage(message, origin)" in page.script
    assert '"*"' not in page.script


def test_the_policy_runs_the_one_script_by_its_nonce_and_nothing_else() -> None:
    response = connect_page(DONE, ORIGINS)
    policy = policy_of(response)

    assert policy == {
        "default-src": "'none'",
        "script-src": f"'nonce-{nonce_of(response)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    page = Page(response)
    assert [tag for tag, _ in page.elements] == ["html", "meta", "title", "p", "script"]
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)


def test_each_page_has_a_nonce_of_its_own() -> None:
    nonces = {nonce_of(connect_page(DONE, ORIGINS)) for _ in range(50)}

    assert len(nonces) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22,}", nonce) for nonce in nonces)


def every_failure() -> list[Any]:
    """Each error that a page may have to tell."""
    kinds = (
        errors.InvalidRequestError,
        errors.InvalidStateError,
        errors.SalesforceForbiddenError,
        errors.TenantNotAllowedError,
        errors.OrgNotAllowedError,
        errors.NotConnectedError,
        errors.StorageFailedError,
        errors.KeyVaultFailedError,
        errors.SalesforceFailedError,
        errors.SalesforceUnavailableError,
        errors.SalesforceTimeoutError,
    )
    return [pytest.param(kind(), id=kind.__name__) for kind in kinds]


@pytest.mark.parametrize("failure", every_failure())
def test_a_failure_is_told_by_its_code_and_in_words_for_people(failure: FlowRunnerError) -> None:
    response = connect_page(Arrival(failure=failure), ORIGINS)
    page = Page(response)

    assert page.message == {"type": "flowrunner.connected", "error": failure.code}
    assert response.status_code >= 400
    assert "could not be connected" in page.text
    assert "completion" not in page.script


def test_no_outcome_at_all_is_told_as_a_failure() -> None:
    response = connect_page(Arrival(), ORIGINS)

    assert response.status_code == 500
    assert Page(response).message["error"] == "internal"


def test_a_cookie_goes_along_only_where_there_is_one() -> None:
    assert "Set-Cookie" not in connect_page(DONE, ORIGINS).headers
    assert connect_page(DONE, ORIGINS, "a=b; Secure").headers["Set-Cookie"] == "a=b; Secure"


@pytest.mark.parametrize(
    "canary",
    [
        pytest.param("<script>canary()</script>", id="a-script"),
        pytest.param("</script><script>canary()</script>", id="the-end-of-a-script"),
        pytest.param("'\"><img src=x onerror=canary()>", id="an-attribute"),
        pytest.param("canary\r\nSet-Cookie: canary=1", id="a-header"),
        pytest.param("${canary}$canary{{canary}}", id="a-template"),
        pytest.param("%3Cscript%3Ecanary%3C/script%3E", id="encoded"),
        pytest.param("canary\x00\u2028", id="control-characters"),
        pytest.param("javascript:canary()", id="a-scheme"),
    ],
)
@pytest.mark.parametrize("name", ["salesforce_callback", "salesforce_start"])
async def test_o07_nothing_of_the_request_stands_in_the_page(
    world: World, name: str, canary: str
) -> None:
    parameters = ("state", "code", "error", "error_description", "error_uri", "ticket", "iss", "x")
    response = await call(
        world.services,
        name,
        params=dict.fromkeys(parameters, canary),
        headers={"Cookie": f"{COOKIE}={canary.replace(chr(13), '')}", "Referer": "canary"},
    )

    assert response.status_code == 400
    assert "canary" not in response.get_body().decode() + str(dict(response.headers))


@pytest.mark.parametrize("missing", ["state", "code", "everything"])
async def test_o07_missing_parameters_get_a_safe_page(world: World, missing: str) -> None:
    params = {"state": "x", "code": "y"}
    params.pop(missing, None)
    response = await call(
        world.services, "salesforce_callback", params={} if missing == "everything" else params
    )

    assert (response.status_code, response.mimetype) == (400, "text/html")
    assert Page(response).message == {"type": "flowrunner.connected", "error": "invalid_state"}
