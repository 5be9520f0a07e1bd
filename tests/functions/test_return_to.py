"""Where a connection may end: at a registered address to the letter, and nowhere else (O-08)."""

import pytest

from shared.secret import Secret
from tests.fakes import World
from tests.functions.browser import Browser, fragment_of
from tests.functions.host import call, failure_of
from tests.settings import RETURN_URL, settings

TRICKS = [
    pytest.param("https://evil.example.com/", id="another-host"),
    pytest.param("//evil.example.com/connected.html", id="scheme-relative"),
    pytest.param("///evil.example.com", id="three-slashes"),
    pytest.param("/\\evil.example.com", id="slash-backslash"),
    pytest.param("\\\\evil.example.com", id="two-backslashes"),
    pytest.param("https:evil.example.com", id="no-slashes"),
    pytest.param("https:/evil.example.com", id="one-slash"),
    pytest.param("https:\\\\evil.example.com", id="backslashes-for-slashes"),
    pytest.param("/connected.html", id="a-path-alone"),
    pytest.param("connected.html", id="a-relative-path"),
    pytest.param("", id="empty"),
    pytest.param(" ", id="a-space"),
    pytest.param(
        "https://addin.example.com@evil.example.com/connected.html", id="user-information"
    ),
    pytest.param("https://addin.example.com:443@evil.example.com/", id="a-port-that-is-a-password"),
    pytest.param("https://evil.example.com\\@addin.example.com/connected.html", id="a-backslash"),
    pytest.param("https://evil.example.com#@addin.example.com/connected.html", id="a-fragment"),
    pytest.param("https://evil.example.com?@addin.example.com/connected.html", id="a-query"),
    pytest.param("https://evil.example.com/addin.example.com/connected.html", id="ours-as-a-path"),
    pytest.param(
        "https://addin.example.com.evil.example.com/connected.html", id="ours-as-a-prefix"
    ),
    pytest.param("https://evil-addin.example.com/connected.html", id="ours-as-a-suffix"),
    pytest.param("https://addin.example.com", id="the-origin-alone"),
    pytest.param("https://addin.example.com/", id="the-root"),
    pytest.param("https://addin.example.com/other.html", id="another-page"),
    pytest.param("https://addin.example.com/connected.html/", id="a-trailing-slash"),
    pytest.param("https://addin.example.com/connected.html?next=//evil.test", id="a-longer-query"),
    pytest.param("https://addin.example.com/connected.html#x", id="a-fragment-behind"),
    pytest.param("https://addin.example.com/x/../connected.html", id="a-way-round"),
    pytest.param("https://addin.example.com/./connected.html", id="a-dot"),
    pytest.param("https://addin.example.com//connected.html", id="two-slashes"),
    pytest.param("https://addin.example.com/%63onnected.html", id="an-encoded-letter"),
    pytest.param("https://addin.example.com/connected.html%00", id="an-encoded-nul"),
    pytest.param("https://addin.example.com:443/connected.html", id="the-port-in-words"),
    pytest.param("https://addin.example.com:8443/connected.html", id="another-port"),
    pytest.param("http://addin.example.com/connected.html", id="http"),
    pytest.param("HTTPS://addin.example.com/connected.html", id="a-scheme-in-capitals"),
    pytest.param("https://ADDIN.example.com/connected.html", id="a-host-in-capitals"),
    pytest.param("https://addin.example.com./connected.html", id="a-trailing-dot"),
    pytest.param("https://addin\u3002example.com/connected.html", id="an-ideographic-full-stop"),
    pytest.param("https://аddin.example.com/connected.html", id="a-cyrillic-letter"),  # noqa: RUF001
    pytest.param(" https://addin.example.com/connected.html", id="a-space-in-front"),
    pytest.param("https://addin.example.com/connected.html ", id="a-space-behind"),
    pytest.param("https://addin.example.com/connected.html\r\nX-Canary: 1", id="p06-a-header"),
    pytest.param("https://addin.example.com/connected.html\x00", id="p06-a-nul"),
    pytest.param("\thttps://evil.example.com", id="a-tab-in-front"),
    pytest.param("javascript:alert(1)", id="a-script"),
    pytest.param("java\nscript:alert(1)", id="a-script-in-two-lines"),
    pytest.param("data:text/html,<script>alert(1)</script>", id="data"),
    pytest.param("file:///etc/passwd", id="a-file"),
    pytest.param("ms-word:ofe|u|https://evil.example.com", id="a-protocol-of-office"),
    pytest.param("chrome-extension://" + "b" * 32 + "/x.html", id="another-extension"),
    pytest.param("*", id="a-star"),
    pytest.param("https://addin.example.com/connected.html,https://evil.test", id="two-joined"),
]


@pytest.mark.parametrize("return_to", TRICKS)
async def test_o08_no_other_address_is_a_way_home(
    world: World, alice: Secret, return_to: str
) -> None:
    response = await call(
        world.services, "salesforce_connect", token=alice, body={"return_to": return_to}
    )

    expected = "invalid_return_url" if return_to else "invalid_request"
    assert failure_of(response) == (400, expected)
    assert world.pending.rows == {}
    assert not return_to.strip() or return_to not in response.get_body().decode()


async def test_a_registered_address_is_one(world: World, alice: Secret) -> None:
    response = await Browser(world).consent(alice, return_to=RETURN_URL)

    assert fragment_of(response)[0] == RETURN_URL


async def test_o08_the_callback_takes_no_address_from_the_request(
    world: World, alice: Secret
) -> None:
    browser = Browser(world)
    back = world.login.approve(await browser.leave(alice, return_to=RETURN_URL), user="u")
    response = await browser.come_back(
        state=back.state,
        code=back.code.reveal(),
        return_to="https://evil.example.com/",
        redirect_uri="https://evil.example.com/",
        RelayState="https://evil.example.com/",
    )

    assert fragment_of(response)[0] == RETURN_URL


async def test_o08_where_nothing_is_registered_there_is_no_way_home_but_the_page() -> None:
    world = World(settings(addin_return_urls=()))
    alice = await world.session_of("alice")
    refused = await call(
        world.services, "salesforce_connect", token=alice, body={"return_to": RETURN_URL}
    )

    assert failure_of(refused) == (400, "invalid_return_url")
    assert (await Browser(world).consent(alice)).mimetype == "text/html"
