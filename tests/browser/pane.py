"""The demo sidebar as a person uses it: what they click, and what they can read."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from playwright.sync_api import CDPSession, ConsoleMessage, Locator, Page, Request, expect

from local.addin import AddIn
from local.stack_info import StackInfo

type Provider = Literal["microsoft", "google"]

_HEIGHT: Final = 760


@dataclass(frozen=True)
class Somebody:
    """`organisation` and `person` are ids: tenant and object at Microsoft, domain and subject at
    Google."""

    provider: Provider
    organisation: str
    person: str

    @classmethod
    def new(cls, provider: Provider = "microsoft") -> Self:
        """A person of an organisation that no other test knows."""
        organisation, person = uuid.uuid4(), uuid.uuid4()
        if provider == "microsoft":
            return cls(provider, str(organisation), str(person))
        return cls(provider, f"{organisation.hex[:12]}.example.com", str(person.int)[:21])


@dataclass
class Pane:
    """`page` holds the sidebar; `requests` are all of this browser's, those of windows included."""

    page: Page
    stack: StackInfo
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)  # of any console of this browser
    expected: list[str] = field(default_factory=list)

    def expect_complaint(self, words: str) -> None:
        """Refused and lost requests stand in the console; a test says which it provokes."""
        self.expected.append(words)

    def be(self, somebody: Somebody) -> None:
        """Fill in who to be; the button is not pressed."""
        self.page.locator(f"#person-{somebody.provider}").check()
        if not self.page.locator("#person-id").is_visible():
            self.page.get_by_text("Be somebody else").click()
        self.page.locator("#person-organisation").fill(somebody.organisation)
        self.page.locator("#person-id").fill(somebody.person)

    def sign_in(self, somebody: Somebody) -> None:
        self.be(somebody)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.locator("#account")).to_contain_text("signed in")

    def sign_in_connected(self, provider: Provider = "microsoft") -> Somebody:
        """Sign in as somebody who has connected alice's org before, on another device."""
        somebody = Somebody.new(provider)
        with AddIn(self.stack) as device:
            if provider == "microsoft":
                device.sign_in_with_microsoft(somebody.organisation, somebody.person)
            else:
                device.sign_in_with_google(somebody.organisation, somebody.person)
            device.connect("alice")
        self.sign_in(somebody)
        expect(self.page.locator("#connections .health")).to_have_text("Connected")
        return somebody

    def open_salesforce(self) -> Page:
        """Press Connect; the window that opens, at the login page."""
        with self.page.expect_popup() as opening:
            self.page.get_by_role("button", name="Connect Salesforce").click()
        window = opening.value
        expect(window.get_by_role("heading", name="Log in")).to_be_visible()
        return window

    def connect(self, user: str = "alice") -> None:
        window = self.open_salesforce()
        with window.expect_event("close"):
            window.locator(f"#user-{user}").click()
            window.locator("#allow").click()
        expect(self.page.locator("#connections .health")).to_have_text("Connected")

    def open_mail(self, mail: str) -> None:
        self.page.locator(f"#mail-{mail}").click()

    def open_flow(self, flow: str) -> None:
        """Go back to the list if another one is open."""
        if self.page.locator("#flow-back").is_visible():
            self.page.locator("#flow-back").click()
        self.page.locator(f"#choose-{flow}").click()
        expect(self.page.locator("#flow")).to_be_visible()

    def run(self) -> None:
        """Press Run, and wait for an answer of either kind."""
        self.page.get_by_role("button", name="Run once").click()
        answered = self.page.locator("#result [data-status], #problem-run .problem")
        expect(answered).to_be_visible()

    @property
    def run_button(self) -> Locator:
        return self.page.locator("#run-button")

    def lose_the_next_answer(self, url_pattern: str) -> None:
        """The next such request is carried out; its answer is dropped as it reaches the browser."""

        def lose(devtools: CDPSession, request_id: str) -> None:
            failure = {"requestId": request_id, "errorReason": "ConnectionReset"}
            devtools.send("Fetch.failRequest", failure)

        self._stop_the_next_answer(url_pattern, lose)

    def hold_the_next_answer(self, url_pattern: str) -> Callable[[], None]:
        """The next such answer reaches the page only when the returned function is called."""
        held: list[tuple[CDPSession, str]] = []
        self._stop_the_next_answer(url_pattern, lambda *answer: held.append(answer))

        def release() -> None:
            ((devtools, request_id),) = held
            devtools.send("Fetch.continueRequest", {"requestId": request_id})

        return release

    def _stop_the_next_answer(
        self, url_pattern: str, stopped: Callable[[CDPSession, str], None]
    ) -> None:
        """By https://chromedevtools.github.io/devtools-protocol/tot/Fetch/."""
        devtools = self.page.context.new_cdp_session(self.page)
        awaited = [stopped]

        def pause(paused: dict[str, Any]) -> None:
            is_preflight = paused["request"]["method"] == "OPTIONS"
            if awaited and not is_preflight:
                awaited.pop()(devtools, paused["requestId"])
            else:
                devtools.send("Fetch.continueRequest", {"requestId": paused["requestId"]})

        pattern = {"urlPattern": url_pattern, "requestStage": "Response"}
        devtools.on("Fetch.requestPaused", pause)
        devtools.send("Fetch.enable", {"patterns": [pattern]})

    def leaving(self) -> dict[str, list[str]]:
        """What "What leaves your mailbox" shows: field -> its values, as they can be read."""
        rows = self.page.locator("#leaving > [data-field]")
        return {
            str(row.get_attribute("data-field")): row.locator(".value").all_inner_texts()
            for row in rows.all()
        }

    def input(self, name: str) -> Locator:
        """The field for an input of the open Flow, by the label that a person reads."""
        return self.page.get_by_label(name, exact=True)

    def problem(self, section: str) -> Locator:
        """The problem shown in a section, with its code in `data-code`."""
        return self.page.locator(f"#problem-{section} .problem")

    def history(self) -> Locator:
        return self.page.locator("#runs > li")


@contextmanager
def opened_pane(page: Page, stack: StackInfo, *, width: int = 1120) -> Iterator[Pane]:
    """The sidebar, loaded anew. In the end nothing may stand in any console that the test has not
    provoked: a violated content security policy would, and so would an exception."""
    context = page.context
    pane = Pane(page, stack)
    listeners: dict[Any, Callable[[Any], None]] = {
        "request": lambda request: _keep(pane, request),
        "console": lambda message: _note(pane, message),
        "weberror": lambda error: pane.complaints.append(str(error.error)),
    }
    for event, listener in listeners.items():
        context.on(event, listener)
    page.set_viewport_size({"width": width, "height": _HEIGHT})
    page.goto(stack.sidebar)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    try:
        yield pane
    finally:
        page.unroute_all()
        page.goto("about:blank")  # ends what is under way
        for window in context.pages:
            if window != page:
                window.close()
        for event, listener in listeners.items():
            context.remove_listener(event, listener)
        context.clear_cookies()
    unexpected = [
        complaint
        for complaint in pane.complaints
        if not any(words in complaint for words in pane.expected)
    ]
    assert not unexpected, unexpected


def _keep(pane: Pane, request: Request) -> None:
    pane.requests.append(request)


def _note(pane: Pane, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        pane.complaints.append(f"{message.type}: {message.text}")
