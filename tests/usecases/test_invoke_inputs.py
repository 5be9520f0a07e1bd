"""P-01: exactly the declared inputs leave, for every subset of the vocabulary, and no others."""

import itertools
from collections.abc import Mapping

import pytest

from shared.email_vocabulary import VOCABULARY, declared_fields
from shared.errors import InvalidInputError, InvalidRequestError, Json, UndeclaredInputError
from shared.model import Caller, FlowVariable
from tests.fakes import FakeFlow, World, variable
from tests.usecases.invoking import invocation, run

MAIL: Mapping[str, Json] = {
    "sender_email": "canary-sender@example.com",
    "sender_name": "Canary Sender",
    "recipient_emails": ["canary-to-1@example.com", "canary-to-2@example.com"],
    "cc_emails": ["canary-cc@example.com"],
    "subject": "canary subject",
    "message_id": "<canary-message@example.com>",
    "thread_id": "canary-thread",
    "sent_at": "2026-01-15T11:59:00Z",
    "source": "outlook",
}
"""Everything that the add-in knows of a mail, each value unlike all others."""

CAMEL: Mapping[str, str] = {
    "sender_email": "senderEmail",
    "sender_name": "fromName",
    "recipient_emails": "toAddresses",
    "cc_emails": "ccEmails",
    "subject": "flr_Subject",
    "message_id": "InternetMessageId",
    "thread_id": "conversation_id",
    "sent_at": "Email_Sent_At",
    "source": "mailClient",
}
"""For each field an input that asks for it, in the spellings that people use."""


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


def subsets() -> list[tuple[str, ...]]:
    """All 512 sets of fields that a Flow may ask for."""
    sizes = range(len(VOCABULARY) + 1)
    return [one for size in sizes for one in itertools.combinations(VOCABULARY, size)]


def joined(value: Json) -> Json:
    """What an input that is no collection gets of a list."""
    return ";".join(str(item) for item in value) if isinstance(value, list) else value


def test_the_mail_of_these_tests_holds_the_whole_vocabulary() -> None:
    assert MAIL.keys() == CAMEL.keys() == VOCABULARY.keys()


@pytest.mark.parametrize("are_collections", [False, True], ids=["single", "collections"])
async def test_p01_a_flow_receives_exactly_what_it_declares_whatever_it_declares(
    world: World, alice: Caller, are_collections: bool
) -> None:
    for number, wanted in enumerate(subsets()):
        inputs = tuple(variable(CAMEL[one], is_collection=are_collections) for one in wanted)
        name = f"Sweep_{number}"
        world.flows.put(FakeFlow(name=name, inputs=inputs))
        described = await world.services.describe_flow(alice, None, invocation(name).flow)

        await run(world, alice, invocation(name, email=MAIL))

        received = world.flows.received[-1].inputs
        as_list = {one: v if isinstance(v, list) else [v] for one, v in MAIL.items()}
        expected = {
            CAMEL[one]: as_list[one] if are_collections else joined(MAIL[one]) for one in wanted
        }
        assert received == expected
        assert declared_fields(described) == wanted  # the promise shown to the user


async def test_p01_a_flow_that_declares_nothing_receives_nothing(
    world: World, alice: Caller
) -> None:
    world.flows.put(FakeFlow(name="Takes_Nothing"))

    await run(world, alice, invocation("Takes_Nothing", email=MAIL))

    assert world.flows.received[-1].inputs == {}


async def test_p01_names_that_only_look_alike_receive_nothing(world: World, alice: Caller) -> None:
    names = ("subjects", "mySubject", "sender", "emailemailsubject", "body", "subjectLine", "flr")
    world.flows.put(FakeFlow(name="Looks_Alike", inputs=tuple(variable(name) for name in names)))

    await run(world, alice, invocation("Looks_Alike", email=MAIL))

    assert world.flows.received[-1].inputs == {}


@pytest.mark.parametrize("kind", ["INTEGER", "BOOLEAN", "DOUBLE", "DATE", "SOBJECT", "APEX"])
async def test_p01_an_input_that_takes_no_text_receives_no_mail(
    world: World, alice: Caller, kind: str
) -> None:
    world.flows.put(FakeFlow(name="Takes_No_Text", inputs=(variable("subject", kind),)))

    await run(world, alice, invocation("Takes_No_Text", email=MAIL))

    assert world.flows.received[-1].inputs == {}


async def test_fields_that_the_mail_lacks_are_left_out(world: World, alice: Caller) -> None:
    email: dict[str, Json] = {"subject": None, "sender_email": "a@example.com"}

    await run(world, alice, invocation(email=email))

    assert world.flows.received[-1].inputs == {"senderEmail": "a@example.com"}


async def test_what_the_caller_gives_outranks_what_the_mail_fills(
    world: World, alice: Caller
) -> None:
    await run(world, alice, invocation(email=MAIL, inputs={"subject": "typed by the user"}))

    assert world.flows.received[-1].inputs["subject"] == "typed by the user"


# --- the caller's own inputs -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["body", "Subject", "subject ", "flrSubject", ""])
async def test_an_undeclared_input_is_refused_before_anything_is_sent(
    world: World, alice: Caller, name: str
) -> None:
    with pytest.raises(UndeclaredInputError) as caught:
        await run(world, alice, invocation(inputs={name: "a"}))

    assert caught.value.members() == {"input": name}
    assert (world.runs.rows, world.flows.received) == ({}, [])


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        pytest.param(variable("x"), 5, id="a-number-for-a-text"),
        pytest.param(variable("x", "ID"), True, id="a-truth-for-an-id"),
        pytest.param(variable("x", "INTEGER"), "5", id="a-text-for-a-number"),
        pytest.param(variable("x", "INTEGER"), 5.5, id="a-fraction-for-a-whole-number"),
        pytest.param(variable("x", "INTEGER"), True, id="a-truth-for-a-number"),
        pytest.param(variable("x", "BOOLEAN"), 1, id="a-number-for-a-truth"),
        pytest.param(variable("x", "DATE"), "2026-02-30", id="a-day-that-is-none"),
        pytest.param(variable("x", "DATETIME"), "2026-01-15", id="a-day-for-a-time"),
        pytest.param(variable("x", is_collection=True), "a", id="a-text-for-a-list"),
        pytest.param(variable("x"), ["a"], id="a-list-for-a-text"),
        pytest.param(
            variable("x", "SOBJECT", record_type="Contact"),
            {"attributes": {"type": "Lead"}},
            id="another-record",
        ),
    ],
)
async def test_an_input_of_the_wrong_type_is_refused_before_anything_is_sent(
    world: World, alice: Caller, declared: FlowVariable, value: Json
) -> None:
    world.flows.put(FakeFlow(name="Typed", inputs=(declared,)))

    with pytest.raises(InvalidInputError) as caught:
        await run(world, alice, invocation("Typed", inputs={"x": value}))

    assert caught.value.members()["input"] == "x"
    assert "2026" not in str(caught.value.members())  # never the value
    assert (world.runs.rows, world.flows.received) == ({}, [])


@pytest.mark.parametrize(
    "email",
    [
        pytest.param({"subject": 5}, id="a-number"),
        pytest.param({"subject": ["a"]}, id="a-list-for-a-text"),
        pytest.param({"recipient_emails": "a@example.com"}, id="a-text-for-a-list"),
        pytest.param({"cc_emails": [None]}, id="nothing-in-a-list"),
        pytest.param({"source": "thunderbird"}, id="an-unknown-source"),
    ],
)
async def test_a_mail_of_the_wrong_shape_is_refused_before_anything_is_sent(
    world: World, alice: Caller, email: dict[str, Json]
) -> None:
    with pytest.raises(InvalidRequestError):
        await run(world, alice, invocation(email=email))

    assert (world.runs.rows, world.flows.received) == ({}, [])


@pytest.mark.parametrize("sent_at", ["yesterday", "2026-01-15", "2026-13-01T00:00:00Z", ""])
async def test_a_time_of_sending_that_is_none_is_refused_before_anything_is_sent(
    world: World, alice: Caller, sent_at: str
) -> None:
    """`sent_at` is a date-time: types are checked against the description, the mail's too."""
    world.flows.put(FakeFlow(name="Timed", inputs=(variable("sentAt", "DATETIME"),)))

    with pytest.raises(InvalidRequestError):
        await run(world, alice, invocation("Timed", email={"sent_at": sent_at}))

    assert (world.runs.rows, world.flows.received) == ({}, [])


async def test_a_time_of_sending_reaches_an_input_that_takes_one(
    world: World, alice: Caller
) -> None:
    world.flows.put(FakeFlow(name="Timed", inputs=(variable("sentAt", "DATETIME"),)))

    await run(world, alice, invocation("Timed", email=MAIL))

    assert world.flows.received[-1].inputs == {"sentAt": MAIL["sent_at"]}


async def test_a_record_gets_the_type_that_salesforce_asks_for(world: World, alice: Caller) -> None:
    record = variable("contact", "SOBJECT", record_type="Contact")
    world.flows.put(FakeFlow(name="Takes_A_Record", inputs=(record,)))

    inputs: dict[str, Json] = {"contact": {"LastName": "Example"}}
    await run(world, alice, invocation("Takes_A_Record", inputs=inputs))

    assert world.flows.received[-1].inputs == {
        "contact": {"LastName": "Example", "attributes": {"type": "Contact"}}
    }
