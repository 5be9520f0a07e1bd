"""Cross-origin requests: exact origins, and no access decided by them (X-03)."""

from typing import Final

import pytest

from local.scene import EXTENSION_ORIGIN
from tests.fakes import World
from tests.functions.host import call, failure_of

ADDIN: Final = "https://addin.example.com"
OURS: Final = pytest.mark.parametrize("origin", [ADDIN, EXTENSION_ORIGIN])
FOREIGN: Final = pytest.mark.parametrize(
    "origin",
    [
        pytest.param("null", id="null"),
        pytest.param("", id="empty"),
        pytest.param("*", id="a-star"),
        pytest.param("https://evil.example.com", id="another-host"),
        pytest.param(f"{ADDIN}.evil.test", id="ours-as-a-prefix"),
        pytest.param("https://evil-addin.example.com", id="ours-as-a-suffix"),
        pytest.param("https://x.addin.example.com", id="a-host-below-ours"),
        pytest.param("https://example.com", id="the-host-above-ours"),
        pytest.param("http://addin.example.com", id="http"),
        pytest.param(f"{ADDIN}:443", id="the-port-in-words"),
        pytest.param(f"{ADDIN}:8443", id="another-port"),
        pytest.param(f"{ADDIN}/", id="a-trailing-slash"),
        pytest.param(f"{ADDIN}/connected.html", id="a-path"),
        pytest.param("https://ADDIN.example.com", id="upper-case"),
        pytest.param(f" {ADDIN}", id="a-space"),
        pytest.param(f"{ADDIN},{ADDIN}", id="two-headers-joined"),
        pytest.param(f"{ADDIN} {EXTENSION_ORIGIN}", id="two-origins"),
        pytest.param("chrome-extension://" + "b" * 32, id="another-extension"),
        pytest.param(f"{EXTENSION_ORIGIN}/", id="the-extension-with-a-slash"),
        pytest.param(f"chrome-extension://{'abcdefghijklmnop' * 2}x", id="a-longer-extension-id"),
        pytest.param("https://mail.google.com", id="the-page-of-a-content-script"),
        pytest.param("https://outlook.office.com", id="outlook-itself"),
        pytest.param("file://", id="a-file"),
        pytest.param(f"{ADDIN}\r\nX-Canary: 1", id="a-header"),
    ],
)
CORS_HEADERS: Final = (
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Credentials",
    "Access-Control-Expose-Headers",
    "Access-Control-Max-Age",
)


@OURS
async def test_our_origins_may_read_the_answer(world: World, origin: str) -> None:
    for name in ("health", "flow_list"):
        response = await call(world.services, name, headers={"Origin": origin})
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert response.headers["Access-Control-Expose-Headers"] == (
            "WWW-Authenticate, Retry-After, X-Request-Id, ETag, X-Export-Signature, "
            "Content-Disposition"
        )
        assert "Access-Control-Allow-Credentials" not in response.headers


@FOREIGN
async def test_no_other_origin_may(world: World, origin: str) -> None:
    for name in ("health", "flow_list", "cors_preflight"):
        response = await call(world.services, name, headers={"Origin": origin})
        assert [header for header in CORS_HEADERS if header in response.headers] == []
        assert response.headers["Vary"] == "Origin"


async def test_a_request_without_an_origin_gets_no_headers_of_this_kind(world: World) -> None:
    response = await call(world.services, "health")

    assert [header for header in CORS_HEADERS if header in response.headers] == []
    assert response.headers["Vary"] == "Origin"


@OURS
async def test_a_preflight_of_ours_says_what_may_be_sent(world: World, origin: str) -> None:
    response = await call(
        world.services,
        "cors_preflight",
        route={"path": "v1/flows/x/runs"},
        headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
    )

    assert (response.status_code, response.get_body()) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert set(response.headers["Access-Control-Allow-Methods"].split(", ")) == {
        "GET",
        "POST",
        "PUT",
        "DELETE",
    }
    assert set(response.headers["Access-Control-Allow-Headers"].split(", ")) >= {
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
    }
    assert 0 < int(response.headers["Access-Control-Max-Age"]) <= 7_200
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("origin", [ADDIN, "https://evil.example.com", "null"])
async def test_an_origin_never_decides_about_access(world: World, origin: str) -> None:
    headers = {"Origin": origin}
    session = await world.session_of("alice")

    refused = await call(world.services, "salesforce_connections", headers=headers)
    allowed = await call(world.services, "salesforce_connections", token=session, headers=headers)

    assert failure_of(refused) == (401, "not_authenticated")
    assert allowed.status_code == 200
