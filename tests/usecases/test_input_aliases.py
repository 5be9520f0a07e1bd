"""A tenant's own names for inputs: what the description promises is what leaves, and no more."""

import asyncio
import itertools
from collections.abc import Mapping

import pytest

from shared.email_vocabulary import VOCABULARY, declared_fields, field_for
from shared.errors import Json
from shared.model import Caller, FlowName
from tests.fakes import CONTOSO_ORG, FakeFlow, World, variable
from tests.usecases.counting import count_calls
from tests.usecases.invoking import invocation, run
from tests.usecases.settling import settle
from tests.usecases.test_invoke_inputs import MAIL, joined

ALIASES: Mapping[str, str] = {f"mine_{field}": field for field in VOCABULARY}
"""For each field a name that the published vocabulary does not know."""


@pytest.fixture
async def alice(world: World) -> Caller:
    caller = await world.signed_in("alice")
    await world.connect(caller)
    return caller


async def promised(world: World, caller: Caller, flow: str) -> tuple[str, ...]:
    """The fields that the description shows."""
    return declared_fields(await world.services.describe_flow(caller, None, invocation(flow).flow))


async def sent(world: World, caller: Caller, flow: str) -> Mapping[str, Json]:
    await run(world, caller, invocation(flow, email=MAIL))
    return world.flows.received[-1].inputs


def subsets() -> list[tuple[str, ...]]:
    sizes = range(len(VOCABULARY) + 1)
    return [one for size in sizes for one in itertools.combinations(VOCABULARY, size)]


async def test_p01_for_every_set_of_aliases_exactly_the_promised_fields_leave(
    world: World, alice: Caller
) -> None:
    """The Flow declares all names; the tenant has aliases for each of the 512 sets of fields."""
    world.flows.put(FakeFlow(name="Sweep", inputs=tuple(variable(name) for name in ALIASES)))
    for wanted in subsets():
        settle(world, alice, input_aliases={"Sweep": {f"mine_{one}": one for one in wanted}})

        shown = await promised(world, alice, "Sweep")
        received = await sent(world, alice, "Sweep")

        assert shown == wanted
        assert received == {f"mine_{one}": joined(MAIL[one]) for one in wanted}


async def test_p01_for_every_set_of_declared_inputs_no_alias_makes_another_go_out(
    world: World, alice: Caller
) -> None:
    """The tenant has aliases for everything; the Flow declares each of the 512 sets of names."""
    names = [f"Sweep_{number}" for number in range(len(subsets()))]
    for name, wanted in zip(names, subsets(), strict=True):
        inputs = tuple(variable(f"mine_{one}") for one in wanted)
        world.flows.put(FakeFlow(name=name, inputs=inputs))
        settle(world, alice, input_aliases={name: ALIASES})

        assert await promised(world, alice, name) == wanted
        assert set(await sent(world, alice, name)) == {f"mine_{one}" for one in wanted}


@pytest.mark.parametrize("field", VOCABULARY)
async def test_an_input_that_the_published_names_match_keeps_its_field(
    world: World, alice: Caller, field: str
) -> None:
    """Whatever the tenant says: `subject` is the subject."""
    published = VOCABULARY[field].input_names
    inputs = tuple(variable(name) for name in published)
    world.flows.put(FakeFlow(name="Published", inputs=inputs))
    other = next(one for one in VOCABULARY if one != field)
    settle(world, alice, input_aliases={"Published": dict.fromkeys(published, other)})

    assert await promised(world, alice, "Published") == (field,)
    assert await sent(world, alice, "Published") == {
        name: joined(MAIL[field]) for name in published
    }


@pytest.mark.parametrize(
    "declared",
    ["mailTitle", "MAIL_TITLE", "flrMailTitle", "email_mailtitle", "FLR_Email_mailTitle"],
)
async def test_an_alias_is_compared_like_the_published_names(
    world: World, alice: Caller, declared: str
) -> None:
    world.flows.put(FakeFlow(name="Titled", inputs=(variable(declared),)))
    settle(world, alice, input_aliases={"Titled": {"mailTitle": "subject"}})

    assert await sent(world, alice, "Titled") == {declared: MAIL["subject"]}


@pytest.mark.parametrize("declared", ["title", "mailTitle2", "myMailTitle", "flrflrMailTitle"])
async def test_a_name_that_only_looks_like_the_alias_receives_nothing(
    world: World, alice: Caller, declared: str
) -> None:
    world.flows.put(FakeFlow(name="Titled", inputs=(variable(declared),)))
    settle(world, alice, input_aliases={"Titled": {"mailTitle": "subject"}})

    assert await promised(world, alice, "Titled") == ()
    assert await sent(world, alice, "Titled") == {}


def test_the_most_exact_alias_counts() -> None:
    """The settings refuse two that could be one input; what is stored is read all the same."""
    aliases = {"title": "sender_name", "flrTitle": "subject"}

    assert field_for(variable("flr_title"), aliases) == "subject"
    assert field_for(variable("title"), aliases) == "sender_name"


@pytest.mark.parametrize("kind", ["INTEGER", "BOOLEAN", "DATE", "SOBJECT", "DATETIME"])
async def test_p01_an_alias_brings_no_mail_into_an_input_that_takes_no_text(
    world: World, alice: Caller, kind: str
) -> None:
    world.flows.put(FakeFlow(name="Typed", inputs=(variable("mine", kind),)))
    settle(world, alice, input_aliases={"Typed": {"mine": "subject"}})

    assert await promised(world, alice, "Typed") == ()
    assert await sent(world, alice, "Typed") == {}


async def test_the_aliases_of_one_flow_are_not_another_flows(world: World, alice: Caller) -> None:
    for name in ("One", "One_More"):
        world.flows.put(FakeFlow(name=name, inputs=(variable("mine"),)))
    settle(world, alice, input_aliases={"one": {"mine": "subject"}})

    assert await promised(world, alice, "One") == ("subject",)  # API names know no case
    assert await promised(world, alice, "One_More") == ()
    assert await sent(world, alice, "One_More") == {}


async def test_n01_the_aliases_of_one_tenant_are_not_anothers(world: World, alice: Caller) -> None:
    world.flows.put(FakeFlow(name="One", inputs=(variable("mine"),)))
    mallory = await world.signed_in("mallory")
    await world.connect(mallory)
    settle(world, mallory, input_aliases={"One": {"mine": "subject"}})

    assert await promised(world, alice, "One") == ()
    assert await sent(world, alice, "One") == {}
    assert await promised(world, mallory, "One") == ("subject",)


async def test_an_alias_that_was_taken_away_sends_nothing_from_any_instance(
    world: World, alice: Caller
) -> None:
    """Instances remember descriptions for a minute, but not these names, where there are some."""
    world.flows.put(FakeFlow(name="One", inputs=(variable("mine"),)))
    settle(world, alice, input_aliases={"One": {"mine": "subject"}})
    other = world.another_instance()
    assert await promised(other, alice, "One") == ("subject",)
    assert await sent(other, alice, "One") == {"mine": MAIL["subject"]}

    settle(world, alice, input_aliases={})

    assert await promised(world, alice, "One") == ()
    assert await sent(other, alice, "One") == {}


async def test_that_there_are_none_is_not_asked_at_each_run(world: World, alice: Caller) -> None:
    world.flows.put(FakeFlow(name="One", inputs=(variable("subject"),)))
    settle(world, alice, input_aliases={"Other": {"mine": "subject"}})
    await sent(world, alice, "One")
    asked = count_calls(world, "tenants", "load")

    for _ in range(5):
        await sent(world, alice, "One")

    assert asked == []


async def test_many_runs_at_once_ask_once_whether_there_are_some(
    world: World, alice: Caller
) -> None:
    world.flows.put(FakeFlow(name="One", inputs=(variable("subject"),)))
    await promised(world, alice, "One")
    other = world.another_instance()
    await other.services.describe_flow.known(alice, CONTOSO_ORG, FlowName.parse("One"))
    other.services.describe_flow._settings.forget(alice.tenant)
    asked = count_calls(world, "tenants", "load")

    await asyncio.gather(*(sent(other, alice, "One") for _ in range(16)))

    assert len(asked) <= 2  # the other is for the pseudonym key


async def test_a_new_alias_counts_from_when_it_was_shown(world: World, alice: Caller) -> None:
    world.flows.put(FakeFlow(name="One", inputs=(variable("mine"),)))
    assert await sent(world, alice, "One") == {}

    settle(world, alice, input_aliases={"One": {"mine": "subject"}})

    assert await promised(world, alice, "One") == ("subject",)
    assert await sent(world, alice, "One") == {"mine": MAIL["subject"]}


async def test_a_field_that_this_release_does_not_know_sends_nothing(
    world: World, alice: Caller
) -> None:
    world.flows.put(FakeFlow(name="One", inputs=(variable("mine"),)))
    settle(world, alice, input_aliases={"One": {"mine": "body"}})

    assert await promised(world, alice, "One") == ()
    assert await sent(world, alice, "One") == {}


async def test_what_the_caller_gives_outranks_an_alias(world: World, alice: Caller) -> None:
    world.flows.put(FakeFlow(name="One", inputs=(variable("mine"),)))
    settle(world, alice, input_aliases={"One": {"mine": "subject"}})

    await run(world, alice, invocation("One", email=MAIL, inputs={"mine": "typed"}))

    assert world.flows.received[-1].inputs == {"mine": "typed"}
