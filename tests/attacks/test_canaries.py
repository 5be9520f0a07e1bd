"""V-01: after the whole journey, nothing of the mail and no token is left anywhere in clear.

Searched are every table with the receipts in it, every backup, the service's log, and what Sentry
and App Insights received; in clear, in base64 at each offset, in hexadecimal and percent-encoded.
"""

import base64
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from local import scene
from local.addin import MICROSOFT_USER, AddIn, UnexpectedAnswerError
from local.demo import MAIL, run
from local.stack_info import StackInfo
from tests.attacks.places import Places
from tests.telemetry.canaries import hits

pytestmark = pytest.mark.stack

_TELEMETRY_SECONDS = 20.0
_IN_FORMS = ("code", "code_verifier", "refresh_token", "client_secret", "token", "access_token")


@pytest.fixture(scope="module")
def places(stack: StackInfo) -> Iterator[Places]:
    found = Places(stack)
    yield found
    found.close()


@pytest.fixture(scope="module")
def secrets(stack: StackInfo, places: Places) -> dict[str, str]:
    """Everything that must have left no trace, after the journey and a failure were provoked."""
    with AddIn(stack) as pane:
        pane.control("/_sim/reset", {})
    assert run(stack) == 0
    with AddIn(stack) as pane:
        session = pane.sign_in_with_microsoft(*MICROSOFT_USER)["session_token"]
        pane.connect("alice")
        body = {"email": MAIL}
        with pytest.raises(UnexpectedAnswerError):  # a fault whose text quotes the mail
            pane.call("POST", "/flows/Always_Faults/runs", body=body)
        opened = _front_door(pane)
        ledger = pane.control("/_sim/salesforce/ledger")
        _provoke_an_alarm(pane)
        asked = pane.call("POST", "/deletion-requests", body={"scope": "user"}, expect=201)
        pane.run_timer("backup")
    _wait_for_telemetry(places)
    _wait_for_the_backup(places)
    codes = {name: asked[name] for name in ("confirmation_code", "status_token")}
    codes["status_token"] = codes["status_token"].partition(".")[2]  # without the tenant's id
    held = {"session token": session, **codes, **opened}
    return {**held, **_of_the_mail(), **_of_salesforce(ledger)}


def _front_door(pane: AddIn) -> dict[str, str]:
    """The address that opens the user's Salesforce, and its key. Asking for one fails, too: with an
    answer that is lost when there is an address already."""
    asked = {"app_id": scene.LIGHTNING_OUT_APP_ID}
    address: str = pane.call("POST", "/lightning/session", body=asked)["frontdoor_url"]
    path = "/services/oauth2/lightningoutsingleaccess"
    lost = {"target": "salesforce", "match": path, "fault": "reset_after", "times": 1}
    pane.control("/_sim/faults", lost)
    with pytest.raises(UnexpectedAnswerError):
        pane.call("POST", "/lightning/session", body=asked)
    (key,) = parse_qs(urlsplit(address).query)["otp"]
    return {"front door": address, "key of the front door": key}


def _provoke_an_alarm(pane: AddIn) -> None:
    """A wrong client secret is the operator's alarm: it goes to Sentry as well."""
    pane.control("/_sim/salesforce/expire", {"user": "alice", "org_id": _org(pane)})
    fault = {
        "grant_type": "refresh_token",
        "error": "invalid_client",
        "error_description": "invalid client credentials",
        "status": 400,
        "times": 1,
    }
    pane.control("/_sim/salesforce/errors", fault)
    with pytest.raises(UnexpectedAnswerError):
        pane.call("POST", "/flows/Log_Email/runs", body={"email": MAIL})


def _org(pane: AddIn) -> str:
    org: str = pane.call("GET", "/salesforce/connections")["connections"][0]["org_id"]
    return org


def _of_the_mail() -> dict[str, str]:
    return {
        f"mail: {field}": text
        for field, value in MAIL.items()
        if field != "source"  # `outlook` is a word of ours
        for text in ([value] if isinstance(value, str) else value)
    }


def _of_salesforce(ledger: Mapping[str, Any]) -> dict[str, str]:
    """Every token, code, verifier and secret that the org was shown."""
    found: dict[str, str] = {}
    for number, seen in enumerate(ledger["requests"]):
        headers = {name.lower(): value for name, value in seen["header_values"].items()}
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if bearer:
            found[f"access token {number}"] = bearer
        if isinstance(seen["body"], dict):
            for name in _IN_FORMS:
                if seen["body"].get(name):
                    found[f"{name} {number}"] = seen["body"][name]
    kinds = {name.rpartition(" ")[0] for name in found}
    assert kinds >= {"access token", *_IN_FORMS} - {"token"}
    return found


def _wait_for_telemetry(places: Places) -> None:
    until = time.monotonic() + _TELEMETRY_SECONDS
    while time.monotonic() < until:
        received = places.all()
        told = received["app_insights"]
        if b"dependency_failed" in received["sentry"] and b"lightning_opened" in told:
            return
        time.sleep(0.2)
    pytest.fail("telemetry did not arrive, so nothing would have been searched")


def _wait_for_the_backup(places: Places) -> None:
    """Until both tenants' files are there."""
    until = time.monotonic() + _TELEMETRY_SECONDS
    while time.monotonic() < until:
        manifests = re.findall(
            rb"^(ms|g)-\S+/manifest[.]json$", places.all()["backups"], re.MULTILINE
        )
        if set(manifests) == {b"ms", b"g"}:
            return
        time.sleep(0.2)
    pytest.fail("no backup was made, so none would have been searched")


def test_V01_nothing_of_the_mail_and_no_token_is_left_anywhere(
    places: Places, secrets: dict[str, str]
) -> None:
    found = {place: hits(content, secrets) for place, content in places.all().items()}

    assert {place: names for place, names in found.items() if names} == {}


def test_V01_every_place_that_is_searched_holds_something(
    places: Places, secrets: dict[str, str]
) -> None:
    empty = [place for place, content in places.all().items() if not content.strip(b"[]\n")]

    assert empty == []


def test_V01_the_one_time_codes_were_all_used(places: Places, secrets: dict[str, str]) -> None:
    """What is left in their table is the users' gates, which hold nothing."""
    left = {row["RowKey"].partition("|")[0] for row in places.rows("pending")}

    assert left == {"gate"}


def test_V01_the_one_who_was_forgotten_has_left_a_receipt(
    places: Places, secrets: dict[str, str]
) -> None:
    states = {row["state"] for row in places.rows("deletions")}

    assert states == {"requested", "receipted"}
    assert places.all()["table deletions"].count(b'"receipt"') == 1


@pytest.mark.parametrize("encoded", ["clear", "base64", "hex"])
def test_V01_a_leak_into_a_table_is_found(
    places: Places, secrets: dict[str, str], encoded: str
) -> None:
    subject = str(MAIL["subject"])
    text = {
        "clear": f"note: {subject}",
        "base64": base64.b64encode(f"note: {subject}".encode()).decode(),
        "hex": subject.encode().hex(),
    }[encoded]
    row = {"PartitionKey": "leak", "RowKey": encoded, "note": text}
    places.insert("runs", row)
    try:
        found = hits(places.all()["table runs"], secrets)
    finally:
        places.delete("runs", row)

    assert found == {"mail: subject"}


def test_V01_a_leak_into_the_log_is_found(
    stack: StackInfo, places: Places, secrets: dict[str, str]
) -> None:
    log = stack.data / "service.log"
    before = log.read_bytes()
    with log.open("ab") as file:
        file.write(f"DEBUG session {secrets['session token']}\n".encode())
    try:
        found = hits(places.all()["log"], secrets)
    finally:
        log.write_bytes(before)

    assert found == {"session token"}
