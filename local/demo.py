"""`make demo`: the whole journey, as an add-in walks it, for a Microsoft and for a Google user.

The first leaves by signing out, and comes back another day; the second is forgotten.
"""

import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests

from local.addin import (
    GOOGLE_ADMINISTRATOR,
    GOOGLE_USER,
    MICROSOFT_ADMINISTRATOR,
    MICROSOFT_USER,
    AddIn,
    UnexpectedAnswerError,
)
from local.demo_data import be_forgotten, export_the_runs, see_what_is_held
from local.demo_report import require, tell
from local.demo_screens import open_screen_flows
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Traveller:
    """Somebody who walks the journey, and who looks after their organisation."""

    who: str
    salesforce_user: str
    sign_in: SignInStep
    administrator: SignInStep
    is_forgotten: bool


TRAVELLERS: Final = (
    Traveller(
        who="a Microsoft 365 user",
        salesforce_user="alice",
        sign_in=lambda pane: pane.sign_in_with_microsoft(*MICROSOFT_USER),
        administrator=lambda pane: pane.sign_in_with_microsoft(
            *MICROSOFT_ADMINISTRATOR, administrator=True
        ),
        is_forgotten=False,
    ),
    Traveller(
        who="a Google Workspace user",
        salesforce_user="bob",
        sign_in=lambda pane: pane.sign_in_with_google(*GOOGLE_USER),
        administrator=lambda pane: pane.sign_in_with_google(*GOOGLE_ADMINISTRATOR),
        is_forgotten=True,
    ),
)


def run(info: StackInfo) -> int:
    """Walk the journey twice and print each step. 0 if all went as it must, else 1."""
    started = time.monotonic()
    for traveller in TRAVELLERS:
        print(f"\n{traveller.who}", flush=True)
        try:
            with (
                AddIn(info) as pane,
                AddIn(info) as administrator,
                tempfile.TemporaryDirectory(prefix="flowrunner-proof-") as folder,
            ):
                _walk(traveller, pane, administrator, Path(folder))
        except (
            UnexpectedAnswerError,
            requests.RequestException,
            subprocess.SubprocessError,
            KeyError,
            ValueError,
        ) as exc:
            what = exc if isinstance(exc, (UnexpectedAnswerError, ValueError)) else type(exc)
            print(f"  FAILED          {what}", flush=True)
            return 1
    print(f"\nthe journey worked for both users, in {time.monotonic() - started:.1f} s")
    return 0


def _walk(traveller: Traveller, pane: AddIn, administrator: AddIn, folder: Path) -> None:
    signed_in = traveller.sign_in(pane)
    tell("sign in", f"user {signed_in['user']['id']} of {signed_in['tenant']['id']}")
    connection = pane.connect(traveller.salesforce_user)
    tell("connect", f"{connection['instance_host']}, {connection['health']}")

    runs = _work(pane, traveller.salesforce_user, connection["org_id"])
    open_screen_flows(pane, traveller.salesforce_user, connection)

    see_what_is_held(pane)
    is_admin = traveller.administrator(administrator)["user"]["is_admin"]
    require(is_admin is True, "somebody else is the organisation's administrator")
    export_the_runs(administrator, runs, folder)
    if traveller.is_forgotten:
        be_forgotten(pane, signed_in, folder)
        _begin_anew(traveller, pane)
    else:
        _leave(pane, connection["org_id"])


def _work(pane: AddIn, user: str, org: str) -> set[str]:
    """Look at the Flows, run one twice, and look back. The ids of the runs."""
    flows = pane.call("GET", "/flows")["flows"]
    tell("flows", ", ".join(f"{flow['name']} ({flow['kind']})" for flow in flows))

    described = pane.call("GET", f"/flows/{FLOW}")
    leaving = described["email_fields"]
    tell("describe", f"{FLOW} would receive {', '.join(leaving)}")
    tell("", f"what stays in the mailbox: {', '.join(sorted(set(MAIL) - set(leaving)))}")

    asked = {"email": MAIL, "org_id": org}
    key = {"Idempotency-Key": f"demo-{user}"}
    ran = pane.call("POST", f"/flows/{FLOW}/runs", body=asked, headers=key)
    tell("run", f"{ran['run_id']} {ran['status']}")
    require(_received(pane) == set(leaving), "the org received exactly the declared fields")

    pane.call("POST", f"/flows/{FLOW}/runs", body=asked, headers=key, expect=409)
    tell("press again", "409 duplicate_run: it has run once")

    pane.control("/_sim/salesforce/expire", {"user": user, "org_id": org})
    again = pane.call("POST", f"/flows/{FLOW}/runs", body=asked)
    tell("access expired", f"refreshed once, and {again['run_id']} {again['status']}")

    history = pane.call("GET", "/runs")["runs"]
    tell("history", "; ".join(f"{r['flow_name']} {r['outcome']}" for r in history))
    require(len(history) == 2, "two runs are in the history")  # noqa: PLR2004 - those above
    return {ran["run_id"], again["run_id"]}


def _leave(pane: AddIn, org: str) -> None:
    pane.call("DELETE", f"/salesforce/connections/{org}", expect=204)
    tell("disconnect", "forgotten here, revoked at Salesforce")
    pane.call("GET", "/flows", expect=409)

    pane.call("DELETE", "/sso/session", expect=204)
    pane.call("GET", "/runs", expect=401)
    tell("sign out", "the session is over")


def _begin_anew(traveller: Traveller, pane: AddIn) -> None:
    """Whoever was forgotten may come back, and is a stranger."""
    signed_in = traveller.sign_in(pane)
    tell("sign in anew", f"connected orgs: {len(signed_in['salesforce']['connections'])}")
    require(pane.call("GET", "/runs")["runs"] == [], "nothing is left of the history")
    user = traveller.salesforce_user
    grants = pane.control("/_sim/salesforce/ledger")["grants"]
    ended = {grant["ended"] for grant in grants if grant["user"] == user}
    require(ended == {"revoked"}, "Salesforce knows no grant of this user any more")
    pane.call("DELETE", "/sso/session", expect=204)


def _received(pane: AddIn) -> set[str]:
    """The fields of the mail in the last invocation that reached the org, by its own ledger."""
    requests_seen = pane.control("/_sim/salesforce/ledger")["requests"]
    bodies = [
        seen["body"]["inputs"][0]
        for seen in requests_seen
        if seen["method"] == "POST" and seen["path"].endswith(f"/actions/custom/flow/{FLOW}")
    ]
    return {field for field, value in MAIL.items() if value in bodies[-1].values()}
