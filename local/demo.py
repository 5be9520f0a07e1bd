"""`make demo`: the whole journey, as an add-in walks it, for a Microsoft and for a Google user."""

import time
from collections.abc import Callable
from typing import Any, Final

import requests

from local.addin import GOOGLE_USER, MICROSOFT_USER, AddIn, UnexpectedAnswerError
from local.stack_info import StackInfo

MAIL: Final = {
    "sender_email": "ada@example.com",
    "sender_name": "Ada Example",
    "recipient_emails": ["sales@contoso.example.com"],
    "cc_emails": ["legal@contoso.example.com"],
    "subject": "Quote for 40 chairs",
    "message_id": "<quote-40-chairs@example.com>",
    "thread_id": "thread-0001",
    "sent_at": "2026-11-20T09:30:00Z",
    "source": "outlook",
}
"""The mail that the user has selected: all of it stays in the mailbox but what a Flow declares."""

FLOW: Final = "Log_Email"

type SignInStep = Callable[[AddIn], Any]


def run(info: StackInfo) -> int:
    """Walk the journey twice and print each step. 0 if all went as it must, else 1."""
    users: tuple[tuple[str, str, SignInStep], ...] = (
        (
            "a Microsoft 365 user",
            "alice",
            lambda pane: pane.sign_in_with_microsoft(*MICROSOFT_USER),
        ),
        ("a Google Workspace user", "bob", lambda pane: pane.sign_in_with_google(*GOOGLE_USER)),
    )
    started = time.monotonic()
    for who, salesforce_user, sign_in in users:
        print(f"\n{who}", flush=True)
        try:
            with AddIn(info) as pane:
                _walk(pane, salesforce_user, sign_in)
        except (UnexpectedAnswerError, requests.RequestException, KeyError, ValueError) as exc:
            what = exc if isinstance(exc, (UnexpectedAnswerError, ValueError)) else type(exc)
            print(f"  FAILED       {what}", flush=True)
            return 1
    print(f"\nthe journey worked for both users, in {time.monotonic() - started:.1f} s")
    return 0


def _walk(pane: AddIn, salesforce_user: str, sign_in: SignInStep) -> None:
    signed_in = sign_in(pane)
    _tell("sign in", f"user {signed_in['user']['id']} of {signed_in['tenant']['id']}")

    connection = pane.connect(salesforce_user)
    _tell("connect", f"{connection['instance_host']}, {connection['health']}")

    flows = pane.call("GET", "/flows")["flows"]
    _tell("flows", ", ".join(f"{flow['name']} ({flow['kind']})" for flow in flows))

    described = pane.call("GET", f"/flows/{FLOW}")
    leaving = described["email_fields"]
    _tell("describe", f"{FLOW} would receive {', '.join(leaving)}")
    _tell("", f"what stays in the mailbox: {', '.join(sorted(set(MAIL) - set(leaving)))}")

    asked = {"email": MAIL, "org_id": connection["org_id"]}
    key = {"Idempotency-Key": f"demo-{salesforce_user}"}
    ran = pane.call("POST", f"/flows/{FLOW}/runs", body=asked, headers=key)
    _tell("run", f"{ran['run_id']} {ran['status']}")
    _require(_received(pane) == set(leaving), "the org received exactly the declared fields")

    pane.call("POST", f"/flows/{FLOW}/runs", body=asked, headers=key, expect=409)
    _tell("press again", "409 duplicate_run: it has run once")

    user, org = salesforce_user, connection["org_id"]
    pane.control("/_sim/salesforce/expire", {"user": user, "org_id": org})
    again = pane.call("POST", f"/flows/{FLOW}/runs", body=asked)
    _tell("access expired", f"refreshed once, and {again['run_id']} {again['status']}")

    history = pane.call("GET", "/runs")["runs"]
    _tell("history", "; ".join(f"{r['flow_name']} {r['outcome']}" for r in history))
    _require(len(history) == 2, "two runs are in the history")  # noqa: PLR2004 - those above

    pane.call("DELETE", f"/salesforce/connections/{org}", expect=204)
    _tell("disconnect", "forgotten here, revoked at Salesforce")
    pane.call("GET", "/flows", expect=409)

    pane.call("DELETE", "/sso/session", expect=204)
    pane.call("GET", "/runs", expect=401)
    _tell("sign out", "the session is over")


def _received(pane: AddIn) -> set[str]:
    """The fields of the mail in the last invocation that reached the org, by its own ledger."""
    requests_seen = pane.control("/_sim/salesforce/ledger")["requests"]
    bodies = [
        seen["body"]["inputs"][0]
        for seen in requests_seen
        if seen["method"] == "POST" and seen["path"].endswith(f"/actions/custom/flow/{FLOW}")
    ]
    return {field for field, value in MAIL.items() if value in bodies[-1].values()}


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence at the call
    if not holds:
        raise ValueError(f"not so: {what}")
    _tell("", what)


def _tell(step: str, result: str) -> None:
    print(f"  {step:<15}{result}", flush=True)
