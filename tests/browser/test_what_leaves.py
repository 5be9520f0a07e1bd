"""What the pane says will leave the mailbox is what leaves it, on the wire and in the org."""

import json
from itertools import product
from typing import Any, Final

import pytest
from playwright.sync_api import expect

from shared.email_vocabulary import VOCABULARY, field_for
from shared.model import FlowVariable
from tests.browser.orgs import invocations, put_flows
from tests.browser.pane import Pane, Provider
from tests.control_client import ControlClient

pytestmark = pytest.mark.browser

MAILS: Final = ("quote", "damaged", "renewal", "invoice", "introduction", "special")

INPUT_OF: Final = {
    "sender_email": "flr_fromAddress",
    "sender_name": "Sender_Name",
    "recipient_emails": "to",
    "cc_emails": "ccAddresses",
    "subject": "emailSubject",
    "message_id": "internetMessageId",
    "thread_id": "conversationId",
    "sent_at": "sentAt",
    "source": "mailClient",
}
"""An input for each field of the vocabulary, under one of the names that ask for it."""

COLLECTIONS: Final = {"recipient_emails", "cc_emails"}


def flow(name: str, *fields: str) -> dict[str, Any]:
    inputs: list[dict[str, Any]] = [
        {"name": INPUT_OF[field], "collection": field in COLLECTIONS} for field in fields
    ]
    return {"name": name, "inputs": [*inputs, {"name": "note"}]}


def in_the_org(received: dict[str, Any]) -> dict[str, list[str]]:
    """The inputs that an org received, by the field of the mail that each asked for."""
    field_of = {name: field for field, name in INPUT_OF.items()}
    return {
        field_of[name]: value if isinstance(value, list) else [value]
        for name, value in received.items()
    }


@pytest.mark.parametrize("provider", ["microsoft", "google"])
def test_what_is_shown_is_what_the_org_receives_for_every_mail(
    pane: Pane, control: ControlClient, provider: Provider
) -> None:
    put_flows(control, flow("All_Of_It", *INPUT_OF))
    pane.sign_in_connected(provider)
    pane.open_flow("All_Of_It")
    shown = []
    for number, mail in enumerate(MAILS, start=1):
        pane.open_mail(mail)
        leaving = pane.leaving()
        assert set(leaving) == set(VOCABULARY)
        shown.append({field: values for field, values in leaving.items() if values})
        pane.run()
        expect(pane.history()).to_have_count(number)

    assert [in_the_org(inputs) for inputs in invocations(control)] == shown
    assert len({json.dumps(values) for values in shown}) == len(MAILS)


def test_what_a_flow_does_not_ask_for_does_not_even_reach_the_service(
    pane: Pane, control: ControlClient
) -> None:
    asked: dict[str, tuple[str, ...]] = {
        "Asks_For_Nothing": (),
        "Asks_For_One": ("subject",),
        "Asks_For_Two": ("cc_emails", "sender_name"),
    }
    put_flows(control, *(flow(name, *fields) for name, fields in asked.items()))
    pane.sign_in_connected()
    pane.open_mail("quote")
    for name, fields in asked.items():
        pane.open_flow(name)
        assert set(pane.leaving()) == set(fields)
        # The text and the attachment of the mail, and all fields that the Flow does not ask for.
        staying = pane.page.locator("#staying > li")
        expect(staying).to_have_count(2 + len(VOCABULARY) - len(fields))
        with pane.page.expect_request("**/runs") as sending:
            pane.run()
        sent = json.loads(sending.value.post_data or "")
        assert set(sent["email"]) == set(fields)

    received = [set(in_the_org(inputs)) for inputs in invocations(control)]
    assert received == [set(fields) for fields in asked.values()]


def test_the_text_of_a_mail_is_in_no_request(pane: Pane, control: ControlClient) -> None:
    put_flows(control, flow("All_Of_It", *INPUT_OF))
    pane.sign_in_connected()
    for mail in MAILS:
        pane.open_mail(mail)
    pane.open_mail("quote")
    pane.open_flow("All_Of_It")
    pane.run()

    sent = [f"{request.url} {request.post_data or ''}" for request in pane.requests]
    assert any("dana.ruiz@fabrikam.example.com" in one for one in sent)
    assert [one for one in sent if "third floor" in one or "floor-plan" in one] == []
    assert "third floor" in pane.page.locator("#mail-body").inner_text()


def test_another_mail_changes_what_is_shown_at_once(pane: Pane) -> None:
    pane.sign_in_connected()
    pane.open_flow("Log_Email")
    pane.run()
    pane.open_mail("special")

    (subject,) = pane.leaving()["subject"]
    assert subject == pane.page.locator("#mail-subject").inner_text()
    assert subject.startswith("<b>50 %</b> off")
    expect(pane.page.locator("#result")).to_be_empty()


def test_typed_inputs_reach_the_org_in_their_types(pane: Pane, control: ControlClient) -> None:
    pane.sign_in_connected()
    pane.open_flow("ns__Sync_Contact")
    pane.input("age").fill("42")
    pane.input("optedIn").select_option("No")
    pane.input("birthday").fill("1990-02-28")
    pane.input("lastSeen").fill("2026-11-20T10:30:00")  # in Amsterdam
    pane.input("score").fill("-0.5")
    pane.input("contact").fill('{"LastName": "Example"}')
    pane.run()

    assert invocations(control) == [
        {
            "age": 42,
            "optedIn": False,
            "birthday": "1990-02-28",
            "lastSeen": "2026-11-20T09:30:00.000Z",
            "score": -0.5,
            "contact": {"LastName": "Example", "attributes": {"type": "Contact"}},
        }
    ]


def test_inputs_left_empty_are_not_sent(pane: Pane, control: ControlClient) -> None:
    pane.sign_in_connected()
    pane.open_flow("ns__Sync_Contact")
    pane.run()

    assert invocations(control) == [{}]


def test_an_input_that_does_not_fit_is_pointed_at(pane: Pane, control: ControlClient) -> None:
    pane.sign_in_connected()
    pane.open_flow("ns__Sync_Contact")
    contact = pane.input("contact")
    contact.fill('{"attributes": {"type": "Account"}}')
    pane.expect_complaint("status of 400")
    pane.run()

    expect(pane.problem("run")).to_have_attribute("data-code", "invalid_input")
    expect(contact).to_be_focused()
    expect(contact).to_have_attribute("aria-invalid", "true")
    assert invocations(control) == []


def test_a_number_that_is_none_is_not_sent(pane: Pane, control: ControlClient) -> None:
    pane.sign_in_connected()
    pane.open_flow("ns__Sync_Contact")
    pane.input("age").fill("forty")
    pane.run()

    expect(pane.problem("run")).to_have_text("“age” must be a number.")
    expect(pane.input("age")).to_be_focused()
    assert invocations(control) == []


def test_the_pane_knows_which_inputs_a_mail_fills_as_the_service_does(pane: Pane) -> None:
    stems = [name for entry in VOCABULARY.values() for name in entry.input_names]
    spellings = [
        f"{prefix}{stem}"
        for prefix, stem in product(
            ("", "flr_", "FLR", "email", "Email_", "flr_email_", "emailflr", "x"),
            [*stems, "recordId", "emailBody", "email", "flr"],
        )
    ]
    kinds = ("STRING", "ID", "DATETIME", "DATE", "BOOLEAN", "SOBJECT", "PICKLIST")
    inputs = [{"name": name, "type": kind} for name, kind in product(spellings, kinds)]

    in_the_pane = pane.page.evaluate(
        "async (inputs) => inputs.map((await import('/vocabulary.js')).fieldFor)", inputs
    )

    in_the_service = [field_for(variable(one["name"], one["type"])) for one in inputs]
    assert in_the_pane == in_the_service
    assert set(in_the_service) == {None, *VOCABULARY}


def variable(name: str, kind: str) -> FlowVariable:
    return FlowVariable(
        name=name, type=kind, is_collection=False, record_type=None, description=None
    )
