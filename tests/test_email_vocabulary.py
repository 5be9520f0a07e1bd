"""What a mail can say to a Flow, and to which inputs: api.md's table, rule by rule."""

from itertools import combinations

import pytest

from shared.email_vocabulary import (
    VOCABULARY,
    check_email,
    declared_fields,
    email_inputs,
    field_for,
)
from shared.errors import InvalidRequestError, Json
from shared.model import FlowDescription, FlowName, FlowVariable

PUBLISHED = {
    "sender_email": ("senderEmail", "fromAddress", "from"),
    "sender_name": ("senderName", "fromName"),
    "recipient_emails": ("recipientEmails", "toAddresses", "to"),
    "cc_emails": ("ccEmails", "ccAddresses", "cc"),
    "subject": ("subject",),
    "message_id": ("messageId", "internetMessageId"),
    "thread_id": ("threadId", "conversationId"),
    "sent_at": ("sentAt", "messageDate"),
    "source": ("source", "mailClient"),
}
"""The contract's table: field of the mail, names of inputs that ask for it."""

MAIL: dict[str, Json] = {
    "sender_email": "sender@example.com",
    "sender_name": "Sender",
    "recipient_emails": ["one@example.com", "two@example.com"],
    "cc_emails": ["three@example.com"],
    "subject": "Hello",
    "message_id": "<1@example.com>",
    "thread_id": "thread-1",
    "sent_at": "2026-01-15T12:00:00Z",
    "source": "outlook",
}


def variable(name: str, kind: str = "STRING", *, is_collection: bool = False) -> FlowVariable:
    return FlowVariable(
        name=name, type=kind, is_collection=is_collection, record_type=None, description=None
    )


def flow(*inputs: FlowVariable) -> FlowDescription:
    return FlowDescription(
        name=FlowName("Any"), label="Any", kind="autolaunched", inputs=inputs, outputs=()
    )


def test_the_vocabulary_is_the_published_one() -> None:
    asked_for = {field: tuple(name.lower() for name in names) for field, names in PUBLISHED.items()}

    assert {field: entry.input_names for field, entry in VOCABULARY.items()} == asked_for


@pytest.mark.parametrize(
    ("field", "name"), [(field, name) for field, names in PUBLISHED.items() for name in names]
)
@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(lambda name: name, id="as-published"),
        pytest.param(str.upper, id="upper-case"),
        pytest.param("_".join, id="underscores"),
        pytest.param(lambda name: f"flr_{name}", id="prefix-flr"),
        pytest.param(lambda name: f"email{name.capitalize()}", id="prefix-email"),
        pytest.param(lambda name: f"FLR_Email_{name}", id="both-prefixes"),
    ],
)
def test_an_input_asks_by_any_published_spelling(field: str, name: str, spelling: object) -> None:
    assert callable(spelling)
    assert field_for(variable(spelling(name))) == field


@pytest.mark.parametrize(
    "name",
    [
        "",
        "_",
        "flr",
        "email",
        "flremail",
        "emailflrsubject",  # the prefixes in the other order
        "emailemailsubject",
        "flrflrsubject",
        "mysubject",
        "subject2",
        "subjects",
        "sender",
        "body",
        "emailBody",
        "bcc",
        "attachments",
        "recordId",
        "fromm",
        "frоm",  # noqa: RUF001 - a Cyrillic letter, on purpose
    ],
)
def test_no_other_name_asks_for_anything(name: str) -> None:
    assert field_for(variable(name)) is None


@pytest.mark.parametrize(
    "kind",
    ["STRING", "TEXTAREA", "PICKLIST", "MULTIPICKLIST", "EMAIL", "PHONE", "URL"],
)
def test_texts_of_every_kind_take_text(kind: str) -> None:
    assert field_for(variable("subject", kind)) == "subject"


@pytest.mark.parametrize(
    "kind",
    [
        "BOOLEAN",
        "INTEGER",
        "DOUBLE",
        "DATE",
        "TIME",
        "DATETIME",
        "SOBJECT",
        "APEX",
        "ID",
        "REFERENCE",
    ],
)
def test_an_input_of_another_type_asks_for_nothing(kind: str) -> None:
    assert field_for(variable("subject", kind)) is None


def test_only_the_time_of_sending_goes_into_a_date_time() -> None:
    assert field_for(variable("sentAt", "DATETIME")) == "sent_at"
    assert field_for(variable("sentAt", "STRING")) == "sent_at"
    assert field_for(variable("sentAt", "DATE")) is None
    assert field_for(variable("source", "DATETIME")) is None


def test_the_declared_fields_are_the_promise_in_the_vocabularys_order() -> None:
    declared = flow(variable("subject"), variable("recordId"), variable("from"), variable("FROM_"))

    assert declared_fields(declared) == ("sender_email", "subject")


def test_for_every_set_of_declared_fields_exactly_those_leave() -> None:
    """P-01, over all 512 sets: what is declared goes, what is not stays, whatever the mail."""
    for size in range(len(PUBLISHED) + 1):
        for wanted in combinations(PUBLISHED, size):
            declared = flow(*(variable(PUBLISHED[field][0]) for field in wanted))

            sent = email_inputs(declared, MAIL)

            assert declared_fields(declared) == wanted
            assert set(sent) == {PUBLISHED[field][0] for field in wanted}
            unasked = {str(value) for field, value in MAIL.items() if field not in wanted}
            assert not unasked & {str(value) for value in sent.values()}


def test_the_inputs_keep_the_names_that_the_flow_declared() -> None:
    declared = flow(variable("FLR_Email_From"), variable("Subject"))

    assert email_inputs(declared, MAIL) == {
        "FLR_Email_From": "sender@example.com",
        "Subject": "Hello",
    }


def test_two_inputs_may_ask_for_the_same_field() -> None:
    declared = flow(variable("from"), variable("senderEmail"))

    assert email_inputs(declared, MAIL) == {
        "from": "sender@example.com",
        "senderEmail": "sender@example.com",
    }


def test_several_recipients_are_joined_for_a_single_input() -> None:
    assert email_inputs(flow(variable("to")), MAIL) == {"to": "one@example.com;two@example.com"}


def test_several_recipients_stay_a_list_for_a_collection() -> None:
    declared = flow(variable("to", is_collection=True))

    assert email_inputs(declared, MAIL) == {"to": ["one@example.com", "two@example.com"]}


def test_a_single_value_becomes_a_list_for_a_collection() -> None:
    assert email_inputs(flow(variable("subject", is_collection=True)), MAIL) == {
        "subject": ["Hello"]
    }


@pytest.mark.parametrize("mail", [{}, {"subject": None}], ids=["missing", "null"])
def test_what_the_mail_does_not_say_is_not_sent(mail: dict[str, Json]) -> None:
    assert email_inputs(flow(variable("subject")), mail) == {}


def test_an_empty_text_is_sent_for_it_is_what_the_mail_says() -> None:
    assert email_inputs(flow(variable("subject")), {"subject": ""}) == {"subject": ""}


def test_a_whole_mail_is_accepted() -> None:
    check_email(MAIL)
    check_email({})
    check_email(dict.fromkeys(MAIL))


@pytest.mark.parametrize(
    "mail",
    [
        pytest.param({"subject": 1}, id="a-number-for-a-text"),
        pytest.param({"subject": True}, id="a-truth-for-a-text"),
        pytest.param({"subject": ["x"]}, id="a-list-for-a-text"),
        pytest.param({"subject": {"a": "b"}}, id="an-object-for-a-text"),
        pytest.param({"recipient_emails": "a@example.com"}, id="a-text-for-a-list"),
        pytest.param({"recipient_emails": [1]}, id="a-number-in-a-list"),
        pytest.param({"cc_emails": [None]}, id="a-null-in-a-list"),
        pytest.param({"cc_emails": [["a@example.com"]]}, id="a-list-in-a-list"),
        pytest.param({"source": "thunderbird"}, id="another-source"),
        pytest.param({"source": "Outlook"}, id="a-source-in-another-case"),
        pytest.param({"source": 1}, id="a-source-that-is-no-text"),
        pytest.param({"subject": "x" * 32_769}, id="a-text-too-long"),
        pytest.param({"recipient_emails": ["a@example.com"] * 501}, id="too-many-recipients"),
        pytest.param({"sent_at": 1_768_478_400}, id="a-time-as-a-number"),
        pytest.param({"sent_at": "yesterday"}, id="a-time-that-is-none"),
        pytest.param({"sent_at": "2026-02-30T12:00:00Z"}, id="a-day-that-does-not-exist"),
    ],
)
def test_a_mail_of_another_shape_is_refused(mail: dict[str, Json]) -> None:
    with pytest.raises(InvalidRequestError):
        check_email(mail)


def test_the_bounds_of_a_mail_are_inside() -> None:
    check_email({"subject": "x" * 32_768, "recipient_emails": ["a@example.com"] * 500})


@pytest.mark.parametrize("mail", [{"body": "x"}, {"Subject": "x"}, {"attachments": [1]}])
def test_a_field_outside_the_vocabulary_is_dropped_silently(mail: dict[str, Json]) -> None:
    check_email(mail)

    wanted = [variable(name) for name in ("body", "Subject", "attachments")]
    assert email_inputs(flow(*wanted), mail) == {}
