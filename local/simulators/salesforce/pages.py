"""The pages that a person sees: choose a user, allow or deny, and what went wrong. No scripts,
no external resources."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final, NamedTuple

from aiohttp import web

from local.simulators.salesforce.errors import SalesforceError

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:3rem auto;padding:0 1rem}"
    "button{font:inherit;display:block;width:100%;margin:.5rem 0;padding:.6rem;cursor:pointer}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Content-Type": "text/html;charset=UTF-8",
    "Cache-Control": "no-cache, no-store",
    # No form-action: browsers apply it to the redirects after a form as well, and the callback
    # is another origin that may redirect once more.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


class Choice(NamedTuple):
    """A user to sign in as: the id of the button, what it sends, what it says."""

    element_id: str
    value: str
    label: str


def login_page(host: str, choices: Iterable[Choice]) -> web.Response:
    buttons = "".join(
        f'<button id="{escape(choice.element_id)}" name="user" value="{escape(choice.value)}">'
        f"{escape(choice.label)}</button>"
        for choice in choices
    )
    return _page(
        "Log in",
        f"<h1>Log in</h1><p>{escape(host)}, simulated: no password is asked for.</p>"
        f'<form method="post">{buttons}'
        '<button id="deny" name="decision" value="deny">Cancel</button></form>',
    )


def consent_page(choice: Choice, scopes: str) -> web.Response:
    return _page(
        "Allow access?",
        f"<h1>Allow access?</h1><p>FlowRunner asks to act as {escape(choice.label)}, "
        f"with: {escape(scopes)}.</p>"
        f'<form method="post"><input type="hidden" name="user" value="{escape(choice.value)}">'
        '<button id="allow" name="decision" value="allow">Allow</button>'
        '<button id="deny" name="decision" value="deny">Deny</button></form>',
    )


def front_door_page(facts: Mapping[str, str]) -> web.Response:
    """Where a front-door address leads: the person is signed in."""
    items = "".join(
        f'<p>{escape(name)}: <span id="{escape(name)}">{escape(value)}</span></p>'
        for name, value in facts.items()
    )
    return _page("Salesforce", f"<h1>You are signed in</h1>{items}")


def error_page(refusal: SalesforceError) -> web.Response:
    return _page(
        "Error",
        f'<h1>We cannot continue</h1><p id="error">{escape(refusal.code)}</p>'
        f'<p id="error-description">{escape(refusal.message)}</p>',
        refusal.status,
    )


def _page(title: str, body: str, status: int = 200) -> web.Response:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>"
    )
    return web.Response(body=html.encode(), status=status, headers=_HEADERS)
