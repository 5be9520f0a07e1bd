"""N-04 over HTTP: what a token of Entra ID or Google must say before one is an administrator."""

import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from local import scene
from local.addin import GOOGLE_ADMINISTRATOR, AddIn
from local.stack_info import StackInfo

pytestmark = pytest.mark.stack

GLOBAL_ADMINISTRATOR: Final = "62e90394-69f5-4237-9190-012177145e10"  # the same in every tenant


@pytest.fixture
def pane(clean_stack: StackInfo) -> Iterator[AddIn]:
    with AddIn(clean_stack) as opened:
        yield opened


def microsoft_token(pane: AddIn, overrides: Mapping[str, Any]) -> str:
    asked = {"tid": str(uuid.uuid4()), "oid": str(uuid.uuid4()), "overrides": overrides}
    token: str = pane.control("/_sim/entra/token", asked)["token"]
    return token


def exchanged(pane: AddIn, token: str, provider: str = "microsoft", **headers: str) -> Any:  # noqa: ANN401
    answer = pane.send(
        "POST",
        "/sso/exchange",
        body={"provider": provider},
        headers={"Authorization": f"Bearer {token}", **headers},
    )
    return answer.status_code, answer.json()


def test_N04_the_app_role_makes_an_administrator(pane: AddIn) -> None:
    status, answer = exchanged(pane, microsoft_token(pane, {"roles": ["FlowRunner.Admin"]}))

    assert (status, answer["user"]["is_admin"]) == (200, True)


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"wids": [GLOBAL_ADMINISTRATOR]}, id="administers-the-directory"),
        pytest.param({"roles": ["Global Administrator", "admin"]}, id="other-roles"),
        pytest.param({"roles": ["flowrunner.admin"]}, id="in-another-case"),
        pytest.param({"roles": "FlowRunner.Admin"}, id="a-text-and-no-list"),
        pytest.param({"roles": {"FlowRunner.Admin": True}}, id="an-object"),
        pytest.param({"groups": ["FlowRunner.Admin"]}, id="a-group"),
        pytest.param({"role": ["FlowRunner.Admin"]}, id="a-claim-of-nearly-that-name"),
    ],
)
def test_N04_nothing_else_in_a_token_does(pane: AddIn, claims: dict[str, Any]) -> None:
    status, answer = exchanged(pane, microsoft_token(pane, claims))

    assert (status, answer["user"]["is_admin"]) == (200, False)


def test_N04_a_role_that_was_written_into_the_token_is_refused(pane: AddIn) -> None:
    header, claims, signature = microsoft_token(pane, {}).split(".")
    padded = claims + "=" * (-len(claims) % 4)
    altered = {**json.loads(base64.urlsafe_b64decode(padded)), "roles": ["FlowRunner.Admin"]}
    forged = base64.urlsafe_b64encode(json.dumps(altered).encode()).decode().rstrip("=")

    status, answer = exchanged(pane, f"{header}.{forged}.{signature}")

    assert (status, answer["code"]) == (401, "not_authenticated")


def test_N04_headers_of_the_platform_count_for_nothing(pane: AddIn) -> None:
    principal = {"claims": [{"typ": "roles", "val": "FlowRunner.Admin"}], "role_typ": "roles"}
    encoded = base64.b64encode(json.dumps(principal).encode()).decode()
    spoofed = {"X-MS-CLIENT-PRINCIPAL": encoded, "x-functions-key": "canary"}
    status, answer = exchanged(pane, microsoft_token(pane, {}), **spoofed)
    session = {"Authorization": f"Bearer {answer['session_token']}", **spoofed}

    assert (status, answer["user"]["is_admin"]) == (200, False)
    for path in ("/runs/export?code=canary", "/runs?scope=tenant&code=canary"):
        refused = pane.send("GET", path, headers=session)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_admin")


def test_N04_at_google_the_settings_say_who_is_one(pane: AddIn) -> None:
    domain, subject = GOOGLE_ADMINISTRATOR
    people = {
        (domain, subject): True,
        (domain, "1" + subject): False,
        ("other.example.com", subject): False,
    }

    for (hd, sub), is_admin in people.items():
        token = pane.control("/_sim/google/token", {"hd": hd, "sub": sub})["token"]
        status, answer = exchanged(pane, token, "google")
        assert (status, answer["user"]["is_admin"]) == (200, is_admin), (hd, sub)
    assert domain == scene.GOOGLE_DOMAIN
